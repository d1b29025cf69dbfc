//! The model card of a folder for Hugging Face: YAML for the site, and a text for people
//! ([format](https://huggingface.co/docs/hub/model-cards)).

use dermagan_base::name::shortened;
use dermagan_base::{citation_of, licence_yaml, plain_markdown as plain};
use dermagan_model::{Card, ModelFile};

use super::grid::Grid;
use crate::seal::sealed;

/// The text with its places for facts, such as `{side}`.
const TEMPLATE: &str = include_str!("template.md");

/// The model card of a generator. `model` is the file in the folder; `full` says whether its weights have 32 bits.
pub(super) fn text(model: &ModelFile, card: &Card, full: bool, grid: &Grid) -> String {
    let config = &model.config;
    let conditional = config.classes > 0 && card.condition > 0.0;
    let example = card.classes.first().cloned().unwrap_or_default();
    let side = config.resolution;
    let text = |of: &str| plain(of);
    let facts = [
        ("licence_yaml", licence_yaml(&card.licence)),
        ("tags", tags(card)),
        ("title", title(card, side)),
        ("grid", grid.words.clone()),
        ("licence", text(&card.licence)),
        ("side", side.to_string()),
        ("classes", classes(card, conditional)),
        ("data", text(&card.data)),
        ("training", training(card)),
        ("citation", citation_of(&card.data).map_or_else(String::new, |words| format!(" {words}"))),
        ("latents", config.latents().to_string()),
        ("orientation", orientation(card).to_owned()),
        ("precision", if full { "float32" } else { "float16" }.to_owned()),
        ("hash", model.hash.clone()),
        (
            "class_flag",
            if conditional { format!(" --class {}", shell(&example)) } else { String::new() },
        ),
        (
            "class_code",
            if conditional { serde_json::json!(example).to_string() } else { "None".to_owned() },
        ),
        (
            "onnx_inputs",
            match conditional {
                true => "{\"z\": z, \"label\": numpy.zeros(16, dtype=numpy.int64)}",
                false => "{\"z\": z}",
            }
            .to_owned(),
        ),
        (
            "onnx_ports",
            match conditional {
                true => "`z` and `label`, the index of a class in the order above",
                false => "`z`",
            }
            .to_owned(),
        ),
    ];
    sealed(&filled(TEMPLATE, &facts), "<!-- ", " -->")
}

fn title(card: &Card, side: usize) -> String {
    let of = if card.is_of_other_program() { "" } else { " of skin lesions" };
    format!("Generator of {side}×{side} images{of}")
}

/// The tags that depend on the data, as lines of YAML.
fn tags(card: &Card) -> String {
    match card.is_of_other_program() {
        true => String::new(),
        false => {
            let data = shortened(&card.data, "unknown-data").to_lowercase();
            format!("- dermatoscopy\n- skin-lesions\n- \"{data}\"\n")
        }
    }
}

fn training(card: &Card) -> String {
    if card.is_of_other_program() {
        return format!("unknown; converted by {}", plain(&card.producer));
    }
    let kimg = card.nimg as f64 / 1000.0;
    let (preset, by) = (plain(&card.preset), plain(&card.producer));
    format!("preset {preset}, {kimg} kimg (thousands of images), by {by}")
}

/// A template with its places filled. Each place is looked at once, so a fact cannot contain another place.
fn filled(template: &str, facts: &[(&str, String)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let place = from.find('}').and_then(|end| {
            let value = facts.iter().find(|(name, _)| *name == &from[1..end]);
            value.map(|(_, value)| (value, end + 1))
        });
        match place {
            Some((value, end)) => {
                text.push_str(value);
                rest = &from[end..];
            }
            None => {
                text.push('{');
                rest = &from[1..];
            }
        }
    }
    text + rest
}

/// The classes in their order, with the number of training images of each.
fn classes(card: &Card, conditional: bool) -> String {
    if card.classes.is_empty() {
        return "unknown".to_owned();
    }
    let counted = |(i, code): (usize, &String)| match card.class_images.get(i) {
        Some(images) => format!("{} ({images} training images)", plain(code)),
        None => plain(code),
    };
    let all: Vec<String> = card.classes.iter().enumerate().map(counted).collect();
    let on_demand = match (conditional, card.classes.len()) {
        (true, _) | (false, 1) => "",
        (false, _) => "; the generator cannot be asked for one of them",
    };
    all.join(", ") + on_demand
}

fn orientation(card: &Card) -> &'static str {
    match card.turns {
        true => {
            "the generator was trained with randomly oriented images. dermagan mirrors and rotates each image at random; \
             `generator.py` has `orient` for it, and the graph leaves it to you"
        }
        false => "as generated",
    }
}

/// A word for a shell, in quotes if it needs them.
fn shell(word: &str) -> String {
    match word.chars().all(|c| c.is_alphanumeric()) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_cannot_add_places_lines_or_markup() {
        let facts = [("a", "{b}".to_owned()), ("b", "x".to_owned())];
        assert_eq!(filled("{a} {b} {c} {", &facts), "{b} x {c} {");
        assert_eq!((shell("mel"), shell("a 'b'")), ("mel".into(), r"'a '\''b'\'''".into()));
    }
}
