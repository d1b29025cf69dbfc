//! A generator in the form that the page reads: its graph, and what the page says about it.

use dermagan_base::{hex, producer};
use dermagan_export::{OnnxOptions, onnx_model};
use dermagan_generate::{
    GeneratorFacts, ImageGenerator, KNOWN_GAPS, PASSPORT_VERSION, Shot, USES_TO_AVOID,
    class_caution,
};
use dermagan_model::{Card, ComputeDevice, ModelFile};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::classes::{Class, class};
use crate::error::DemoError;

/// The seed of the image that a browser's device is checked with.
const CHECK_SEED: u64 = 0;

/// What the page knows of a generator. JavaScript reads these fields.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Described {
    /// Its name for people.
    title: String,
    /// The name of its graph, and the SHA-256 and size in bytes of that file.
    graph: String,
    graph_sha256: String,
    graph_bytes: usize,
    /// SHA-256 of the generator's own file.
    sha256: String,
    /// The side of an image in pixels.
    side: usize,
    /// The length of z, and that of z with the noise.
    z_dim: usize,
    latents: usize,
    /// Whether the seed also decides the orientation.
    turns: bool,
    /// Whether the graph has an input for the class.
    conditional: bool,
    /// The classes of its training data.
    classes: Vec<Class>,
    /// The licence of its training data, the name of the data, and the length of the training.
    licence: String,
    data: String,
    kimg: Option<f64>,
    /// What else a user should know.
    notes: Vec<String>,
    /// The text in each image file that does not depend on the image, as (keyword, value).
    text: Vec<(&'static str, String)>,
    /// The passport of a set of its images, without the fields that depend on the set.
    passport: Value,
    /// The name of the file with the bytes of the image of seed `check_seed`, class `check_class` and truncation 1, as the
    /// program computes them on the CPU.
    check: String,
    check_seed: u64,
    check_class: Option<usize>,
}

/// A generator with the files that the page needs of it.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub described: Described,
    /// The files: name and bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Prepares generator number `number`, counted from 1.
///
/// # Errors
/// When the weights do not fit the configuration, or an image is not finite.
pub(crate) fn prepare(model: ModelFile, number: usize) -> Result<Prepared, DemoError> {
    let onnx = onnx_model(&model, &OnnxOptions::default())?;
    let generator = ImageGenerator::new(model, ComputeDevice::cpu())?;
    let model = generator.model();
    let card = model.card.as_ref();
    let strength = card.map_or(1.0, |card| card.condition);
    // As the graph has it: without a card, a class-conditional generator is one at full strength.
    let conditional = model.config.classes > 0 && strength > 0.0;
    let check = Shot { seed: CHECK_SEED, class: conditional.then_some(0) };
    let image = generator.sampler().images([check], 1.0, 1)?;
    let pixels = image.into_iter().next().map(|image| image.pixels).unwrap_or_default();
    let facts = GeneratorFacts::of(model);
    let licence = facts.licence.clone().unwrap_or_else(|| Card::UNKNOWN.to_owned());
    let names = [format!("generator-{number}.onnx"), format!("check-{number}.rgb")];
    let described = Described {
        title: title(model, &facts),
        graph: names[0].clone(),
        graph_sha256: hex(&Sha256::digest(&onnx)),
        graph_bytes: onnx.len(),
        sha256: model.hash.clone(),
        side: model.config.resolution,
        z_dim: model.config.z_dim,
        latents: model.config.latents(),
        turns: card.is_some_and(|card| card.turns),
        conditional,
        classes: classes(model),
        data: facts.data.clone().unwrap_or_else(|| Card::UNKNOWN.to_owned()),
        kimg: facts.kimg,
        notes: model.notes.iter().cloned().chain(class_caution(model)).collect(),
        text: constant_text(&generator),
        passport: passport(&facts, &licence, model.config.resolution),
        licence,
        check: names[1].clone(),
        check_seed: CHECK_SEED,
        check_class: check.class,
    };
    let [graph, check] = names;
    Ok(Prepared { described, files: vec![(graph, onnx), (check, pixels)] })
}

/// A name without the path of the file: a public page must not show folders of this machine.
fn title(model: &ModelFile, facts: &GeneratorFacts) -> String {
    let side = model.config.resolution;
    let trained = match (&facts.preset, facts.kimg) {
        (Some(preset), Some(kimg)) => format!(", preset {preset}, {kimg} kimg"),
        _ => String::new(),
    };
    format!("{side}×{side} pixels{trained}")
}

/// The classes in the order of their indices, with the numbers of training images. As in
/// [`dermagan_generate::Sampler`], the classes are equally frequent if their numbers are unknown.
fn classes(model: &ModelFile) -> Vec<Class> {
    let card = model.card.as_ref();
    let codes = card.map(|card| card.classes.clone()).unwrap_or_default();
    let count = model.config.classes;
    let codes = match codes.is_empty() {
        true => (0..count).map(|index| format!("class {index}")).collect(),
        false => codes,
    };
    let images = card.map(|card| card.class_images.as_slice()).unwrap_or_default();
    let known = images.len() == count && count > 0;
    let of = |(index, code): (usize, &String)| class(code, if known { images[index] } else { 1 });
    codes.iter().enumerate().map(of).collect()
}

/// The (keyword, value) pairs of an image file without those that depend on the image.
fn constant_text(generator: &ImageGenerator) -> Vec<(&'static str, String)> {
    const OF_THE_IMAGE: [&str; 4] =
        ["dermagan:seed", "dermagan:psi", "dermagan:class", "dermagan:orientation"];
    let text = generator.text_of(CHECK_SEED.into(), 1.0);
    text.into_iter().filter(|(key, _)| !OF_THE_IMAGE.contains(key)).collect()
}

/// The constant fields of a set's passport. The page adds `seeds`, `truncation` and `classes`.
fn passport(facts: &GeneratorFacts, licence: &str, resolution: usize) -> Value {
    json!({
        "schema_version": PASSPORT_VERSION,
        "synthetic": true,
        "not_for_diagnosis": true,
        "tool": producer(),
        "generator": facts,
        "resolution": resolution,
        "audit": "this file knows of none; `dermagan audit` tells whether images are copies of training images",
        "known_gaps": KNOWN_GAPS,
        "licence": licence,
        "uses_to_avoid": USES_TO_AVOID,
    })
}

#[cfg(test)]
mod tests {
    use dermagan_generate::shipped_model;

    use super::*;

    #[test]
    fn the_shipped_generator_is_described_with_its_graph_and_an_image_to_check() {
        let prepared = prepare(shipped_model().unwrap(), 1).unwrap();
        let described = &prepared.described;
        assert_eq!((described.side, described.z_dim, described.latents), (64, 100, 5540));
        assert!(described.turns && described.conditional);
        assert_eq!(described.classes.len(), 7);
        assert_eq!(described.classes[4].name, "Melanoma");
        assert_eq!(described.classes[5].images, 5363);
        assert_eq!(described.licence, "CC BY-NC 4.0");
        let keys: Vec<&str> = described.text.iter().map(|(key, _)| *key).collect();
        assert_eq!(
            keys,
            ["Software", "Description", "dermagan:model", "dermagan:training-data-licence"]
        );
        let sizes: Vec<usize> = prepared.files.iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(sizes, [described.graph_bytes, 64 * 64 * 3]);
        let generator = ImageGenerator::shipped(ComputeDevice::cpu()).unwrap();
        let shot = Shot { seed: described.check_seed, class: described.check_class };
        assert_eq!(
            generator.sampler().images([shot], 1.0, 1).unwrap()[0].pixels,
            prepared.files[1].1
        );
    }

    #[test]
    fn the_passport_has_the_fields_of_the_programs_own() {
        let folder = tempfile::tempdir().unwrap();
        let generator = ImageGenerator::shipped(ComputeDevice::cpu()).unwrap();
        let images = dermagan_generate::Selection::first(1);
        let request = dermagan_generate::FilesRequest { images, out: folder.path().join("set") };
        generator.write_files(&request, &mut |_| ()).unwrap();
        let text = std::fs::read(request.out.join(dermagan_generate::PASSPORT)).unwrap();
        let mut own: Value = serde_json::from_slice(&text).unwrap();
        for key in ["seeds", "truncation", "classes"] {
            assert!(own.as_object_mut().unwrap().remove(key).is_some(), "{key}");
        }
        let prepared = prepare(shipped_model().unwrap(), 1).unwrap();
        assert_eq!(prepared.described.passport, own);
    }
}
