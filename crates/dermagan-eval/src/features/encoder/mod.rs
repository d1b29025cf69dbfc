//! The lesion encoder: a small classifier of dermoscopic images whose inner activations are features.
//!
//! One encoder comes with the program ([`LesionEncoder::shipped`]), so that nothing has to be downloaded.
//! Training is the business of another crate: this module has the network, its file and its score.

mod card;
mod network;
mod score;

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::image::Image;
use dermagan_base::{hex, quoted};
use dermagan_data::Filter;
use dermagan_model::Network;
use dermagan_model::tensor::to_vec;
use dermagan_model::weights::{
    Array, Weights, from_safetensors, read_at_most, to_safetensors_half,
};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

pub use self::card::{CARD_TITLE, EncoderCard, FORMAT, KIND, Score};
pub use self::network::{LesionNet, SIDE, SIDES, dims};
pub use self::score::score;
use crate::error::EvalError;
use crate::features::extractor::Extractor;
use crate::features::resize::to_side;

/// The largest width that a file may have: 8 million weights.
const MAX_WIDTH: usize = 128;
/// The largest file in bytes: twice the size at the largest width.
const MAX_FILE: u64 = 128 << 20;
/// Names of the features' mean and standard deviation in the file.
const MOMENTS: [&str; 2] = ["features.mean", "features.deviation"];
/// Images per batch.
const BATCH: usize = 256;

/// A lesion encoder on a device.
#[derive(Debug)]
pub struct LesionEncoder {
    network: LesionNet,
    /// Mean and standard deviation of each feature over the training images.
    moments: [Vec<f32>; 2],
    card: EncoderCard,
    hash: String,
    device: Device,
}

impl LesionEncoder {
    /// Loads the encoder that comes with the program ([`dermagan_models::LESION_ENCODER`]).
    ///
    /// # Errors
    /// When the program was built with a broken file.
    pub fn shipped(device: &Device) -> Result<Self, EvalError> {
        Self::from_bytes(Path::new("the shipped encoder"), dermagan_models::LESION_ENCODER, device)
    }

    /// Reads the network alone from the bytes that [`LesionEncoder::to_bytes`] returned: its weights are
    /// those after rounding to half precision.
    ///
    /// # Errors
    /// When the bytes are not those of an encoder's file.
    pub fn stored_network(bytes: &[u8], device: &Device) -> Result<LesionNet, EvalError> {
        Ok(Self::from_bytes(Path::new("the new encoder"), bytes, device)?.network)
    }

    /// Reads an encoder from a file that [`LesionEncoder::to_bytes`] made.
    ///
    /// # Errors
    /// When the file cannot be read, is something else or is damaged.
    pub fn open(path: &Path, device: &Device) -> Result<Self, EvalError> {
        let bytes = read_at_most(path, MAX_FILE)
            .map_err(|e| EvalError::Weights { path: path.to_owned(), what: e.to_string() })?;
        Self::from_bytes(path, &bytes, device)
    }

    fn from_bytes(path: &Path, bytes: &[u8], device: &Device) -> Result<Self, EvalError> {
        let bad = |what: String| EvalError::Weights {
            path: path.to_owned(),
            what: format!(
                "{what}; expected the file of a lesion encoder: train one, or leave `weights` out \
                 to use the one that comes with the program"
            ),
        };
        let file =
            from_safetensors(&path.display().to_string(), bytes).map_err(|e| bad(e.to_string()))?;
        let json = file.metadata.ok_or_else(|| bad("the file has no card".into()))?;
        let card: EncoderCard = serde_json::from_str(&json)
            .map_err(|e| bad(format!("the card cannot be read ({})", quoted(e))))?;
        if card.kind != KIND || card.format > FORMAT {
            return Err(bad(format!(
                "found a {} of format {}, expected a {KIND} of format {FORMAT} or older",
                card.kind, card.format
            )));
        }
        if !(1..=MAX_WIDTH).contains(&card.width) || !(2..=1000).contains(&card.classes.len()) {
            return Err(bad(format!(
                "found a width of {} and {} classes, expected 1 to {MAX_WIDTH} and 2 to 1000",
                card.width,
                card.classes.len()
            )));
        }
        if !SIDES.contains(&card.side) {
            return Err(bad(format!(
                "it looks at images of {} pixels, expected 64 or 128",
                card.side
            )));
        }
        let mut weights = file.weights;
        let moments = MOMENTS.map(|name| weights.remove(name).map(|a| a.values));
        let [Some(mean), Some(deviation)] = moments else {
            return Err(bad(format!("tensor '{}' or '{}' is missing", MOMENTS[0], MOMENTS[1])));
        };
        let fits =
            |v: &[f32]| v.len() == dims(card.width, card.side) && v.iter().all(|v| v.is_finite());
        if !fits(&mean) || !fits(&deviation) || deviation.iter().any(|d| *d <= 0.0) {
            return Err(bad(format!(
                "'{}' or '{}' does not have {} finite values, or a deviation is not above 0",
                MOMENTS[0],
                MOMENTS[1],
                dims(card.width, card.side)
            )));
        }
        if weights.values().any(|a| a.values.iter().any(|v| !v.is_finite())) {
            return Err(bad("the file has weights that are not finite".into()));
        }
        let network = LesionNet::new(card.width, card.side, card.classes.len(), device)
            .with_weights(&weights)
            .map_err(bad)?;
        let hash = hex(&Sha256::digest(bytes));
        let moments = [mean, deviation];
        Ok(Self { network, moments, card, hash, device: device.clone() })
    }

    /// The bytes of an encoder's file: safetensors in half precision, with the card as metadata.
    ///
    /// `moments` are the mean and the standard deviation of each feature over the training images:
    /// [`dims`] values each.
    ///
    /// # Errors
    /// When the number of values of a tensor contradicts its shape, which is a mistake of the caller.
    pub fn to_bytes(
        network: &LesionNet,
        moments: [Vec<f32>; 2],
        card: &EncoderCard,
    ) -> Result<Vec<u8>, EvalError> {
        let bad = |e: String| EvalError::Input(format!("cannot write the encoder's file: {e}"));
        let mut weights: Weights = network.to_weights();
        for (name, values) in MOMENTS.into_iter().zip(moments) {
            weights.insert(name.to_owned(), Array { shape: vec![values.len()], values });
        }
        let json = serde_json::to_string(card).map_err(|e| bad(e.to_string()))?;
        to_safetensors_half(&weights, json).map_err(|e| bad(e.to_string()))
    }

    /// The card: where the encoder comes from and how well it classifies.
    pub fn card(&self) -> &EncoderCard {
        &self.card
    }

    /// Computes the standardised features and the logits of images of any size: `images.len()` rows of
    /// [`Extractor::dims`] features, and `images.len()` rows of one logit per class.
    ///
    /// # Errors
    /// When an image has no pixels.
    pub fn look(&self, images: &[Image]) -> Result<(Vec<f32>, Vec<f32>), EvalError> {
        let (mut features, mut logits) = (Vec::new(), Vec::new());
        let side = self.card.side;
        for images in images.chunks(BATCH) {
            let planes: Vec<Vec<f32>> = images
                .par_iter()
                .map(|image| planes(image, side))
                .collect::<Result<_, EvalError>>()?;
            let (f, l) = encode(&self.network, planes.concat(), side, &self.device);
            features.extend(f);
            logits.extend(l);
        }
        let [mean, deviation] = &self.moments;
        for row in features.chunks_mut(mean.len()) {
            let moments = mean.iter().zip(deviation);
            row.iter_mut().zip(moments).for_each(|(v, (m, d))| *v = (*v - m) / d);
        }
        Ok((features, logits))
    }

    /// Classifies images: the index in the card's `classes` of the most likely class of each.
    ///
    /// # Errors
    /// When an image has no pixels.
    pub fn classify(&self, images: &[Image]) -> Result<Vec<usize>, EvalError> {
        Ok(self.classes(&self.look(images)?.1))
    }

    /// The index of the most likely class of each image, from the logits of [`LesionEncoder::look`].
    pub fn classes(&self, logits: &[f32]) -> Vec<usize> {
        logits.chunks(self.card.classes.len()).map(score::largest).collect()
    }
}

/// The network's input for one image: `[3, side, side]`, in [-1, 1].
fn planes(image: &Image, side: usize) -> Result<Vec<f32>, EvalError> {
    let image = to_side(image, side, Filter::Lanczos)?;
    let channel = |c: usize| image.pixels.iter().skip(c).step_by(3);
    let values = (0..3).flat_map(|c| channel(c).map(|v| f32::from(*v) / 127.5 - 1.0));
    Ok(values.collect())
}

/// Runs the network on a batch: `planes` holds `[batch, 3, side, side]` values in [-1, 1].
///
/// Returns the features before standardisation, `[batch, `[`dims`]`]`, and the logits, `[batch, classes]`, row by row.
pub fn encode(
    network: &LesionNet,
    planes: Vec<f32>,
    side: usize,
    device: &Device,
) -> (Vec<f32>, Vec<f32>) {
    let batch = planes.len() / (3 * side * side);
    let x = Tensor::<4>::from_data(TensorData::new(planes, [batch, 3, side, side]), device);
    let (features, logits) = network.forward(x);
    let flat = |t: Tensor<2>| {
        let n = t.shape().num_elements();
        to_vec(t.reshape([n]))
    };
    (flat(features), flat(logits))
}

impl Extractor for LesionEncoder {
    fn name(&self) -> &'static str {
        "lesion"
    }

    fn id(&self) -> String {
        format!("lesion-1-{}", &self.hash[..16])
    }

    fn dims(&self) -> usize {
        dims(self.card.width, self.card.side)
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn extract(&self, images: &[Image]) -> Result<Vec<f32>, EvalError> {
        Ok(self.look(images)?.0)
    }
}
