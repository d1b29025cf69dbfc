//! What an ONNX file says about its generator.

use dermagan_model::{ModelConfig, ModelFile};
use serde_json::json;

use super::residual::Class;

/// The sentence that every file of a generator carries.
const SYNTHETIC: &str = "The images are SYNTHETIC: they are no photographs, show no person's skin, and are not for diagnosis.";

/// What the input `z` is.
pub(super) fn latents(config: &ModelConfig) -> String {
    let (all, z) = (config.latents(), config.z_dim);
    match all - z {
        0 => format!("{z} standard normal numbers per image"),
        noise => format!(
            "{all} standard normal numbers per image: the latent ({z}), followed by the noise ({noise})"
        ),
    }
}

/// The text that describes the file.
pub(super) fn description(model: &ModelFile) -> String {
    let side = model.config.resolution;
    let turns = match is_turned(model) {
        true => {
            " The generator was trained with randomly oriented images: mirror and rotate each image at random by a multiple \
             of 90 degrees, because the graph does not."
        }
        false => "",
    };
    let known = model.card.as_ref().is_some_and(|card| !card.is_of_other_program());
    let of = if known { " of skin lesions" } else { "" };
    format!("Generator of {side}x{side} images{of}. {SYNTHETIC}{turns}")
}

/// The (key, value) pairs of the metadata.
pub(super) fn entries(
    model: &ModelFile,
    class: Class,
    fixed: Option<&str>,
) -> Vec<(&'static str, String)> {
    let card = model.card.as_ref();
    let text = |of: Option<&String>| of.map_or_else(|| "unknown".to_owned(), Clone::clone);
    let mut entries = vec![
        ("synthetic", SYNTHETIC.to_owned()),
        ("licence", text(card.map(|card| &card.licence))),
        ("data", text(card.map(|card| &card.data))),
        ("classes", json!(card.map_or(&[][..], |card| &card.classes)).to_string()),
    ];
    entries.extend(fixed.map(|code| ("class", code.to_owned())));
    if let Some(card) = card.filter(|card| !card.is_of_other_program()) {
        entries.push(("kimg", (card.nimg as f64 / 1000.0).to_string()));
        entries.push(("preset", card.preset.clone()));
        entries.push(("trained_by", card.producer.clone()));
    }
    if let Class::Input(strength) | Class::Fixed(_, strength) = class {
        entries.push(("class_strength", strength.to_string()));
    }
    entries.push(("model_sha256", model.hash.clone()));
    entries.push(("z_dim", model.config.z_dim.to_string()));
    entries.push(("turns", is_turned(model).to_string()));
    entries
}

/// Whether the images are to be oriented at random.
fn is_turned(model: &ModelFile) -> bool {
    model.card.as_ref().is_some_and(|card| card.turns)
}
