//! A generator ready to use: its weights, its shape, and where it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::Device;
use dermagan_base::name;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::ModelConfig;
use crate::dcgan::torch_index;
use crate::error::ModelError;
use crate::generator::Generator;
use crate::named::Network;
use crate::weights::{
    Array, METADATA_KEY, SHOWN, Version, Weights, from_pth, from_safetensors, read_file,
    to_safetensors, to_safetensors_half,
};

/// Raise when an older program would misread the file.
pub const FORMAT: u32 = 1;

/// The longest text of a card, in bytes: each image carries its licence.
const MAX_TEXT: usize = 1000;

fn fully() -> f64 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_fully(strength: &f64) -> bool {
    *strength == 1.0
}

/// Where a generator comes from; travels in its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Version of this format.
    pub format: u32,
    /// What the file is: `generator`, or `checkpoint` for a run's state.
    pub kind: String,
    /// Program and version that wrote it.
    pub producer: String,
    /// Shape of the networks.
    pub model: ModelConfig,
    /// Name of the training data.
    pub data: String,
    /// Licence of the training data; what was learnt from it is bound by it.
    pub licence: String,
    /// Classes that it was trained on, by code; one that makes classes on demand has them in this
    /// order. A file with a code that is not [`name::is_plain`] is refused: images are named by them.
    pub classes: Vec<String>,
    /// Images of each class that it was trained on, for one that makes classes on demand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_images: Vec<u64>,
    /// How much of a class it was told when it was saved, 0 to 1, for one that makes them on demand.
    #[serde(default = "fully", skip_serializing_if = "is_fully")]
    pub condition: f64,
    /// Whether its images are to be laid in one of eight ways by their seed: it learnt from images
    /// that were turned at random in its training as its own were, and so has no up of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub turns: bool,
    /// Preset of the run.
    pub preset: String,
    /// Images seen in training.
    pub nimg: u64,
}

/// A generator on the host.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// Its weights.
    pub weights: Weights,
    /// Its shape.
    pub config: ModelConfig,
    /// Its card; `None` when it was not made by dermagan.
    pub card: Option<Card>,
    /// SHA-256 of the file, in hex.
    pub hash: String,
}

impl ModelFile {
    /// Reads a generator that dermagan or PyTorch wrote, as safetensors or `.pth`.
    ///
    /// # Errors
    /// Says which tensor is missing, left over or of the wrong shape.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let shown = path.display().to_string();
        let bytes = read_file(path)?;
        // A safetensors file begins with eight bytes of length, which may be any, and a brace.
        let torch =
            (bytes.starts_with(b"PK") || bytes.starts_with(b"\x80")) && bytes.get(8) != Some(&b'{');
        if torch {
            let hash = hash_of(&bytes);
            drop(bytes);
            let (weights, config) =
                foreign(from_pth(path)?).map_err(|what| ModelError::weights(&shown, what))?;
            return Ok(Self { weights, config, card: None, hash });
        }
        Self::from_bytes(&shown, &bytes)
    }

    /// As [`ModelFile::open`], of a safetensors file's bytes; `shown` names it in errors.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub fn from_bytes(shown: &str, bytes: &[u8]) -> Result<Self, ModelError> {
        let hash = hash_of(bytes);
        let file = from_safetensors(shown, bytes)?;
        let Some(json) = file.metadata else {
            let (weights, config) =
                foreign(file.weights).map_err(|what| ModelError::weights(shown, what))?;
            return Ok(Self { weights, config, card: None, hash });
        };
        let card = parse_card(shown, &json)?;
        let config = card.model;
        config.validate().map_err(|e| ModelError::weights(shown, e.to_string()))?;
        let bad = |what: String| Err(ModelError::weights(shown, what));
        if config.classes > 0 && card.classes.len() != config.classes {
            let (made, named) = (config.classes, card.classes.len());
            return bad(format!("it makes {made} classes, its card names {named}"));
        }
        if let Some(name) = card.classes.iter().find(|name| !name::is_plain(name)) {
            let start = name::start_of(name, SHOWN);
            return bad(format!("its card names a class {start:?}; expected {}", name::RULE));
        }
        if let Some(name) = name::twice(&card.classes) {
            return bad(format!("its card names class {name} twice"));
        }
        let texts = [&card.producer, &card.data, &card.licence, &card.preset];
        if let Some(long) = texts.into_iter().find(|text| text.len() > MAX_TEXT) {
            return bad(format!(
                "its card has a text of {} bytes, up to {MAX_TEXT} are possible",
                long.len()
            ));
        }
        let total = card.class_images.iter().try_fold(0u64, |sum, n| sum.checked_add(*n));
        let shares = card.class_images.len() == config.classes && total.is_some_and(|sum| sum > 0);
        if !(card.class_images.is_empty() || shares) {
            return bad(format!(
                "its card counts the images of {} classes, {} in all, and it makes {} classes",
                card.class_images.len(),
                total.map_or("too many".to_owned(), |total| total.to_string()),
                config.classes
            ));
        }
        if !(0.0..=1.0).contains(&card.condition) {
            return bad(format!("its card's condition is {}, expected 0 to 1", card.condition));
        }
        check(&file.weights, &config).map_err(|what| ModelError::weights(shown, what))?;
        Ok(Self { weights: file.weights, config, card: Some(card), hash })
    }

    /// Puts the generator on a device, without autodiff.
    ///
    /// # Errors
    /// When weights and shape do not belong together.
    pub fn generator(&self, device: &Device) -> Result<Generator, ModelError> {
        Generator::new(&self.config, device)
            .with_weights(&self.weights)
            .map_err(|what| ModelError::weights("generator", what))
    }

    /// The bytes of a generator's file.
    ///
    /// # Errors
    /// As [`to_safetensors`].
    pub fn to_bytes(weights: &Weights, card: &Card) -> Result<Vec<u8>, ModelError> {
        let json =
            serde_json::to_string(card).map_err(|e| ModelError::weights("card", e.to_string()))?;
        to_safetensors(weights, json)
    }

    /// The same in half precision, for a model that is to be shared: half the size, and images that
    /// differ by a grey level here and there.
    ///
    /// # Errors
    /// As [`to_safetensors_half`].
    pub fn to_bytes_half(weights: &Weights, card: &Card) -> Result<Vec<u8>, ModelError> {
        let json =
            serde_json::to_string(card).map_err(|e| ModelError::weights("card", e.to_string()))?;
        to_safetensors_half(weights, json)
    }
}

fn hash_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads the card, and refuses one from the future.
pub fn parse_card(path: &str, json: &str) -> Result<Card, ModelError> {
    let bad = |what: String| ModelError::weights(path, what);
    let version = Version::of(json).map_err(bad)?;
    if version.kind == "checkpoint" {
        return Err(bad(
            "a checkpoint, not a generator; a run's generator is the generator.safetensors in its folder"
                .into(),
        ));
    }
    version.check("generator", FORMAT).map_err(bad)?;
    serde_json::from_str(json).map_err(|e| bad(format!("its metadata: {e}")))
}

/// Compares names and shapes with what the configuration asks for, without building the network.
fn check(weights: &Weights, config: &ModelConfig) -> Result<(), String> {
    let expected = Generator::shapes(config);
    for (name, shape) in &expected {
        match weights.get(name) {
            None => return Err(format!("no tensor '{name}' (expected shape {shape:?})")),
            Some(array) if array.shape != *shape => {
                return Err(format!(
                    "tensor '{name}' has shape {:?}, expected {shape:?}",
                    array.shape
                ));
            }
            Some(_) => {}
        }
    }
    if let Some((name, _)) = weights.iter().find(|(_, array)| !array.is_finite()) {
        return Err(format!(
            "tensor '{name}' holds values that are not finite: its training broke down"
        ));
    }
    let negative = |(name, array): &(&String, &Array)| {
        name.ends_with("running_var") && array.values.iter().any(|v| *v < 0.0)
    };
    if let Some((name, _)) = weights.iter().find(negative) {
        return Err(format!("tensor '{name}' holds a negative variance"));
    }
    match weights.keys().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(format!("tensor '{name}' belongs to no layer of this generator")),
        None => Ok(()),
    }
}

/// A residual generator's tensors do not say all that its card does.
fn refuse_residual(weights: &Weights) -> Result<(), String> {
    let is = |(name, array): &(&String, &Array)| match name.as_str() {
        "embed" | "noise.0" => true,
        "main.1.weight" => array.shape.ends_with(&[3, 3]),
        _ => false,
    };
    if let Some((name, _)) = weights.iter().find(is) {
        return Err(format!(
            "tensor '{name}' is a residual generator's, which is read with its card only: save it as \
             safetensors with the metadata '{METADATA_KEY}' that it came with"
        ));
    }
    Ok(())
}

/// Brings the names of somebody else's DCGAN generator to ours and infers its shape. Prefixes
/// (`module.`, `generator.main.`, `net.`) and the layers' numbers may be any: only the layers'
/// order counts.
fn foreign(weights: Weights) -> Result<(Weights, ModelConfig), String> {
    refuse_residual(&weights)?;
    let mut layers: BTreeMap<(String, usize), BTreeMap<String, String>> = BTreeMap::new();
    for name in weights.keys() {
        let mut parts: Vec<&str> = name.split('.').collect();
        let leaf = parts.pop().unwrap_or_default();
        let index = parts.pop().and_then(|i| i.parse().ok());
        let Some(index) = index else {
            return Err(format!(
                "tensor '{name}': expected the names of an nn.Sequential, such as main.0.weight"
            ));
        };
        layers.entry((parts.join("."), index)).or_default().insert(leaf.to_owned(), name.clone());
    }
    let prefixes: BTreeSet<&String> = layers.keys().map(|(prefix, _)| prefix).collect();
    if prefixes.len() != 1 {
        return Err(format!("expected one network's layers, found those of {prefixes:?}"));
    }
    let mut renamed = Weights::new();
    let mut block = 0;
    for leaves in layers.values() {
        let weight =
            leaves.get("weight").ok_or_else(|| format!("a layer without a weight: {leaves:?}"))?;
        let rank = weights[weight].shape.len();
        let is_norm = rank == 1;
        if rank != 4 && rank != 1 {
            return Err(format!(
                "tensor '{weight}' has shape {:?}: no layer of a DCGAN",
                weights[weight].shape
            ));
        }
        if is_norm && block == 0 {
            return Err("it begins with a normalisation, so it is no DCGAN generator".to_owned());
        }
        if !is_norm && leaves.contains_key("bias") {
            return Err(format!(
                "tensor '{}': convolutions with biases are not of this network",
                leaves["bias"]
            ));
        }
        let index = torch_index(if is_norm { block - 1 } else { block }, is_norm);
        block += usize::from(!is_norm);
        for (leaf, name) in leaves {
            let ours = format!("main.{index}.{leaf}");
            if renamed.insert(ours, weights[name].clone()).is_some() {
                return Err(format!("tensor '{name}' is there twice"));
            }
        }
    }
    let shape = |i: usize| {
        let name = format!("main.{}.weight", torch_index(i, false));
        renamed.get(&name).map(|a| a.shape.clone()).filter(|s| s.len() == 4).ok_or(name)
    };
    if !(4..=6).contains(&block) {
        return Err(format!("{block} convolutions, expected 4, 5 or 6 (32, 64 or 128 pixels)"));
    }
    let missing = |name| format!("no tensor '{name}'");
    let config = ModelConfig {
        resolution: 2 << block,
        z_dim: shape(0).map_err(missing)?[0],
        g_width: shape(block - 1).map_err(missing)?[0],
        d_width: shape(block - 1).map_err(missing)?[0],
        ..ModelConfig::default()
    };
    config.validate().map_err(|e| e.to_string())?;
    check(&renamed, &config)?;
    Ok((renamed, config))
}
