//! A generator ready to use: its weights, its shape, and where it comes from.

use std::path::Path;

use burn::tensor::Device;
use dermagan_base::hex;
use sha2::{Digest, Sha256};

use super::card::Card;
use super::check::check;
use super::foreign::foreign;
use super::weights::{from_pth, from_safetensors, read_file, to_safetensors, to_safetensors_half};
use crate::error::ModelError;
use crate::network::{Generator, ModelConfig, Network};
use crate::tensor::Weights;

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
}

impl ModelFile {
    /// Reads a generator that dermagan or PyTorch wrote, as safetensors or `.pth`.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a generator. The message says which tensor is missing,
    /// left over or of the wrong shape.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let shown = path.display().to_string();
        let bytes = read_file(path)?;
        // A safetensors file begins with eight bytes of length, which may have any value, and a brace.
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

    /// As [`ModelFile::open`], from the bytes of a safetensors file; `shown` names it in errors.
    ///
    /// # Errors
    /// As [`ModelFile::open`].
    pub fn from_bytes(shown: &str, bytes: &[u8]) -> Result<Self, ModelError> {
        let hash = hash_of(bytes);
        let file = from_safetensors(shown, bytes)?;
        let bad = |what: String| ModelError::weights(shown, what);
        let Some(json) = file.metadata else {
            let (weights, config) = foreign(file.weights).map_err(bad)?;
            return Ok(Self { weights, config, card: None, hash });
        };
        let card = Card::parse(shown, &json)?;
        let config = card.model;
        config.validate().map_err(|e| bad(e.to_string()))?;
        card.check().map_err(bad)?;
        check(&file.weights, &config).map_err(bad)?;
        Ok(Self { weights: file.weights, config, card: Some(card), hash })
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

    /// The bytes of a generator's file.
    ///
    /// # Errors
    /// As [`to_safetensors`].
    pub fn to_bytes(weights: &Weights, card: &Card) -> Result<Vec<u8>, ModelError> {
        to_safetensors(weights, json_of(card)?)
    }

    /// The bytes of a generator's file in half precision, for a model to share: the file has half the
    /// size, and a few pixels of its images differ by one grey level.
    ///
    /// # Errors
    /// As [`to_safetensors_half`].
    pub fn to_bytes_half(weights: &Weights, card: &Card) -> Result<Vec<u8>, ModelError> {
        to_safetensors_half(weights, json_of(card)?)
    }
}

fn json_of(card: &Card) -> Result<String, ModelError> {
    serde_json::to_string(card).map_err(|e| ModelError::weights("card", e.to_string()))
}

fn hash_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
