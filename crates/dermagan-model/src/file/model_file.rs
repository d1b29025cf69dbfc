//! A generator ready to use: its weights, its shape, and where it comes from.

use std::collections::BTreeSet;
use std::path::Path;

use burn::tensor::Device;
use dermagan_base::{hex, quoted};
use half::f16;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::card::Card;
use super::check::check;
use super::digest::digest;
use super::foreign::{choose, renamed};
use super::format::Format;
use super::torch::{TorchFile, structure};
use super::values::read_file;
use super::weights::{from_safetensors, to_safetensors, to_safetensors_half};
use crate::error::ModelError;
use crate::network::{Generator, ModelConfig, Network};
use crate::tensor::{Array, Weights};

/// A generator on the host.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// Its weights.
    pub weights: Weights,
    /// Its shape.
    pub config: ModelConfig,
    /// Its card; `None` when another program wrote the file.
    pub card: Option<Card>,
    /// SHA-256 of the file, in lower-case hex.
    pub hash: String,
    /// The digest that ties the card to the weights, which it fits. `None` without a card, and for a
    /// file that was written before cards had one.
    pub digest: Option<String>,
    /// What a user should know about the choice of these weights among those of the file.
    pub notes: Vec<String>,
}

/// The metadata of a generator's file: its card, and the digest of the card and the weights.
#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(flatten)]
    card: &'a Card,
    digest: &'a str,
}

/// The digest in the metadata of a generator's file.
#[derive(Deserialize)]
struct Tie {
    digest: Option<String>,
}

impl ModelFile {
    /// Reads a generator that dermagan or PyTorch wrote, as safetensors or `.pth`. In a file of another
    /// program it is found by its shapes, wherever it is in nested dictionaries and whatever the names of
    /// its layers are.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a generator. The message says what the file is, or which
    /// networks it holds and why none of them fits.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let shown = path.display().to_string();
        let bytes = read_file(path)?;
        if Format::of(path, &bytes) != Format::Torch {
            return Self::from_bytes(&shown, &bytes);
        }
        let hash = hash_of(&bytes);
        let bad = |what: String| ModelError::weights(&shown, what);
        let file = TorchFile::open(path, &bytes)?;
        drop(bytes);
        let chosen = choose(path, &file.shapes(), structure(path).as_ref()).map_err(bad)?;
        let wanted: BTreeSet<&str> = chosen.fit.names.values().map(String::as_str).collect();
        let weights = file.read(|name| wanted.contains(name))?;
        let weights = renamed(&chosen.fit, weights).map_err(bad)?;
        let notes = chosen.note.into_iter().collect();
        Ok(Self { weights, config: chosen.fit.config, card: None, hash, digest: None, notes })
    }

    /// As [`ModelFile::open`], from the bytes of a safetensors file; `shown` names it in errors.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub fn from_bytes(shown: &str, bytes: &[u8]) -> Result<Self, ModelError> {
        let hash = hash_of(bytes);
        let file = from_safetensors(shown, bytes)?;
        let bad = |what: String| ModelError::weights(shown, what);
        let Some(json) = file.metadata else {
            let shapes =
                file.weights.iter().map(|(name, a)| (name.clone(), a.shape.clone())).collect();
            let chosen = choose(Path::new(shown), &shapes, None).map_err(bad)?;
            let weights = renamed(&chosen.fit, file.weights).map_err(bad)?;
            let notes = chosen.note.into_iter().collect();
            return Ok(Self {
                weights,
                config: chosen.fit.config,
                card: None,
                hash,
                digest: None,
                notes,
            });
        };
        let card = Card::parse(shown, &json)?;
        let config = card.model;
        config.validate().map_err(|e| bad(e.to_string()))?;
        card.check().map_err(bad)?;
        check(&file.weights, &config).map_err(bad)?;
        let tie: Tie =
            serde_json::from_str(&json).map_err(|e| bad(format!("its metadata: {}", quoted(e))))?;
        if tie.digest.as_ref().is_some_and(|found| *found != digest(&card, &file.weights)) {
            return Err(bad(
                "its card does not belong to its weights: the classes in the card or the weights were changed after \
                 the file was written, so the names of its classes may be wrong. Take the file as it was written"
                    .into(),
            ));
        }
        let (weights, digest) = (file.weights, tie.digest);
        Ok(Self { weights, config, card: Some(card), hash, digest, notes: Vec::new() })
    }

    /// Builds the generator on a device, without autodiff.
    ///
    /// # Errors
    /// When the weights do not fit the shape.
    pub fn generator(&self, device: &Device) -> Result<Generator, ModelError> {
        Generator::new(&self.config, device)
            .with_weights(&self.weights)
            .map_err(|what| ModelError::weights("generator", what))
    }

    /// The bytes of a generator's file. A digest ties the card to the weights.
    ///
    /// # Errors
    /// As [`to_safetensors`].
    pub fn to_bytes(weights: &Weights, card: &Card) -> Result<Vec<u8>, ModelError> {
        to_safetensors(weights, json_of(card, weights)?)
    }

    /// The bytes of a generator's file in half precision, for a model to share: the file has half the
    /// size, and a few pixels of its images differ by one grey level.
    ///
    /// # Errors
    /// As [`to_safetensors_half`].
    pub fn to_bytes_half(weights: &Weights, card: &Card) -> Result<Vec<u8>, ModelError> {
        let round = |v: &f32| f16::from_f32(*v).to_f32();
        let rounded = weights.iter().map(|(name, array)| {
            let values = array.values.iter().map(round).collect();
            (name.clone(), Array { shape: array.shape.clone(), values })
        });
        to_safetensors_half(weights, json_of(card, &rounded.collect())?)
    }
}

fn json_of(card: &Card, weights: &Weights) -> Result<String, ModelError> {
    let digest = digest(card, weights);
    serde_json::to_string(&Metadata { card, digest: &digest })
        .map_err(|e| ModelError::weights("card", e.to_string()))
}

fn hash_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
