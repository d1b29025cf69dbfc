//! A generator as a graph of ONNX, for ONNX Runtime, browsers, C++, Java and C#.
//!
//! The format is that of [onnx.proto](https://github.com/onnx/onnx/blob/v1.19.0/onnx/onnx.proto), IR version 8, with the
//! operators of opset 18, which every runtime of the last years reads.

mod dcgan;
mod filter;
mod graph;
mod layer;
mod metadata;
mod pixels;
mod residual;

use std::path::Path;

use dermagan_base::protobuf::Message;
use dermagan_base::{SettingError, producer};
use dermagan_generate::class_index;
use dermagan_model::tensor::Array;
use dermagan_model::{Backbone, Generator, ModelError, ModelFile};

use crate::error::ExportError;
use graph::{Graph, Type};
use residual::Class;

/// Version of the format of the file.
const IR_VERSION: i64 = 8;
/// Version of the set of operators.
const OPSET: i64 = 18;
/// The program that a file names as its producer.
const PRODUCER: &str = "dermagan";

/// How a graph is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnnxOptions {
    /// Code of the class of all images. Without it, the graph of a class-conditional generator has an input `label`.
    pub class: Option<String>,
    /// Whether the images are floats in \[-1, 1\] instead of bytes.
    pub float: bool,
}

/// The bytes of an ONNX file.
///
/// Inputs: `z`, float32 `[batch, `[`latents`](dermagan_model::ModelConfig::latents)`]`, which is standard normal: the latent
/// followed by the noise, in the order of [`dermagan_model::latent`]. If the generator is class-conditional and no class is
/// fixed: `label`, int64 `[batch]`, the index of each image's class. Output: `image`, `[batch, 3, side, side]`, uint8, or
/// float32 in \[-1, 1\]. The batch may have any size. The images have no random orientation, even if the card says `turns`:
/// whoever uses the graph mirrors and rotates them at random.
///
/// # Errors
/// When the generator cannot make the class, or its weights do not fit its shape.
pub fn onnx_model(model: &ModelFile, options: &OnnxOptions) -> Result<Vec<u8>, ExportError> {
    check(model)?;
    let class = class_of(model, options.class.as_deref())?;
    let graph = graph_of(model, class, options.float);
    let fixed = match class {
        Class::Fixed(index, _) => model.card.as_ref().and_then(|card| card.classes.get(index)),
        _ => None,
    };
    let version = producer().split_once(' ').map_or_else(String::new, |(_, v)| v.to_owned());
    // The producer comes second, where `is_own_onnx` looks for it.
    let mut file = Message::new()
        .int(1, IR_VERSION)
        .text(2, PRODUCER)
        .text(3, &version)
        .text(6, &metadata::description(model))
        .message(7, &graph.message("generator"))
        .message(8, &Message::new().text(1, "").int(2, OPSET));
    for (key, value) in metadata::entries(model, class, fixed.map(String::as_str)) {
        file = file.message(14, &Message::new().text(1, key).text(2, &value));
    }
    Ok(file.into_bytes())
}

/// Whether a file is an ONNX file that dermagan wrote, by its first bytes, or is empty. False if it cannot be read.
pub fn is_own_onnx(file: &Path) -> bool {
    use std::io::Read;

    // Reading a pipe would wait for ever.
    if !file.is_file() {
        return false;
    }
    let mut start = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(12).read_to_end(&mut start));
    let is_own = match start.as_slice() {
        [] => true,
        // Field 1, the version of the format; field 2, the producer, of 8 bytes.
        [0x08, _, 0x12, 8, name @ ..] => name == PRODUCER.as_bytes(),
        _ => false,
    };
    read.is_ok() && is_own
}

/// Checks that every tensor is there in its shape, and finite.
fn check(model: &ModelFile) -> Result<(), ModelError> {
    model.config.validate()?;
    for (name, shape) in Generator::shapes(&model.config) {
        let fits = |array: &&Array| {
            array.shape == shape && array.values.len() == shape.iter().product::<usize>()
        };
        let Some(array) = model.weights.get(&name).filter(fits) else {
            let what = format!("the generator has no tensor '{name}' of the shape {shape:?}");
            return Err(ModelError::Config(what));
        };
        if !array.is_finite() {
            let what = format!("tensor '{name}' of the generator holds values that are not finite");
            return Err(ModelError::Config(what));
        }
    }
    Ok(())
}

/// Where the class of the images comes from.
fn class_of(model: &ModelFile, code: Option<&str>) -> Result<Class, SettingError> {
    let strength = model.card.as_ref().map_or(1.0, |card| card.condition);
    match code {
        Some(code) => {
            Ok(class_index(model, code)?.map_or(Class::None, |i| Class::Fixed(i, strength)))
        }
        None if model.config.classes == 0 || strength == 0.0 => Ok(Class::None),
        None => Ok(Class::Input(strength)),
    }
}

/// The graph of a checked generator.
fn graph_of(model: &ModelFile, class: Class, float: bool) -> Graph {
    let config = &model.config;
    let mut graph = Graph::default();
    let text = metadata::latents(config);
    let z = graph.input("z", Type::Float, &[config.latents()], text);
    let values = match config.backbone {
        Backbone::Dcgan => {
            let layers = config.generator_channels().len();
            dcgan::network(&mut graph, &model.weights, layers, &z)
        }
        Backbone::Residual => residual::network(&mut graph, &model.weights, config, class, &z),
    };
    pixels::output(&mut graph, &values, config.resolution, float);
    graph
}

#[cfg(test)]
mod tests {
    use dermagan_generate::shipped_model;
    use dermagan_model::{Card, ModelConfig};

    use super::graph::tests::{assert_well_formed, inputs, operators};
    use super::*;

    fn generator(config: ModelConfig) -> ModelFile {
        let shapes = Generator::shapes(&config).into_iter();
        let weights = shapes.map(|(name, shape)| {
            let values = (0..shape.iter().product::<usize>()).map(|i| (i % 7) as f32 - 3.0);
            (name, Array { values: values.collect(), shape })
        });
        let (weights, hash) = (weights.collect(), "0".repeat(64));
        ModelFile { weights, config, card: None, hash, digest: None, notes: Vec::new() }
    }

    fn residual(classes: usize, noise: bool) -> ModelFile {
        let small = ModelConfig { resolution: 32, z_dim: 5, g_width: 4, ..ModelConfig::default() };
        generator(ModelConfig { backbone: Backbone::Residual, classes, noise, ..small })
    }

    fn with_card(model: ModelFile, condition: f64) -> ModelFile {
        let shipped = shipped_model().unwrap().card.unwrap();
        let classes = (0..model.config.classes).map(|i| format!("c{i}")).collect();
        let class_images = vec![1; model.config.classes];
        let card = Card { model: model.config, classes, class_images, condition, ..shipped };
        ModelFile { card: Some(card), ..model }
    }

    #[test]
    fn graphs_of_all_shapes_are_well_formed() {
        let dcgan = ModelConfig { resolution: 32, g_width: 3, ..ModelConfig::default() };
        for resolution in [32, 64, 128, 256] {
            let graph =
                graph_of(&generator(ModelConfig { resolution, ..dcgan }), Class::None, false);
            assert_well_formed(&graph);
            assert_eq!(inputs(&graph), ["z"]);
            let count = |of: &str| operators(&graph).iter().filter(|op| **op == of).count();
            assert_eq!(count("ConvTranspose"), resolution.trailing_zeros() as usize - 2);
        }
        for (classes, noise) in [(0, false), (0, true), (3, false), (3, true)] {
            for class in [Class::None, Class::Fixed(2, 0.5), Class::Input(0.5)] {
                if classes == 0 && class != Class::None {
                    continue;
                }
                for float in [false, true] {
                    let graph = graph_of(&residual(classes, noise), class, float);
                    assert_well_formed(&graph);
                    let labelled = class == Class::Input(0.5);
                    assert_eq!(inputs(&graph).len(), 1 + usize::from(labelled));
                    let last = if float { "Identity" } else { "Cast" };
                    assert_eq!(operators(&graph).last(), Some(&last));
                }
            }
        }
    }

    #[test]
    fn a_class_is_an_input_or_fixed_or_refused() {
        let three = with_card(residual(3, false), 1.0);
        assert_eq!(class_of(&three, None).unwrap(), Class::Input(1.0));
        assert_eq!(class_of(&three, Some("C2")).unwrap(), Class::Fixed(2, 1.0));
        let early = with_card(residual(3, false), 0.0);
        assert_eq!(class_of(&early, None).unwrap(), Class::None);
        assert!(class_of(&early, Some("c0")).unwrap_err().problem.contains("before its training"));
        let refused = |model: &ModelFile, code| {
            let options = OnnxOptions { class: Some(code), float: false };
            onnx_model(model, &options).unwrap_err().to_string()
        };
        let error = refused(&three, "c9".into());
        assert!(error.starts_with("`class`") && error.contains("c0, c1, c2"), "{error}");
        let error = refused(&residual(0, false), "mel".into());
        assert!(error.contains("no class on demand"), "{error}");
    }

    #[test]
    fn the_bytes_are_reproducible_and_known_as_our_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("g.onnx");
        let bytes = onnx_model(&residual(0, true), &OnnxOptions::default()).unwrap();
        assert_eq!(bytes, onnx_model(&residual(0, true), &OnnxOptions::default()).unwrap());
        std::fs::write(&file, &bytes).unwrap();
        assert!(is_own_onnx(&file));
        for other in [&b"\x08\x07\x12\x07pytorch"[..], b"\x08\x08\x12\x08derma", b"x"] {
            std::fs::write(&file, other).unwrap();
            assert!(!is_own_onnx(&file));
        }
        assert!(!is_own_onnx(&folder.path().join("absent")));
    }

    #[test]
    fn weights_that_do_not_fit_are_an_error() {
        let mut model = residual(0, false);
        model.weights.remove("main.3.bias");
        let error = onnx_model(&model, &OnnxOptions::default()).unwrap_err().to_string();
        assert!(error.contains("main.3.bias"), "{error}");
        let mut model = residual(0, true);
        model.weights.get_mut("noise.0").unwrap().values[1] = f32::NAN;
        let error = onnx_model(&model, &OnnxOptions::default()).unwrap_err().to_string();
        assert!(error.contains("noise.0") && error.contains("not finite"), "{error}");
    }
}
