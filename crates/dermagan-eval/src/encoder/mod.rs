//! The dermoscopy encoder: features that speak of lesions, and need no download.

mod card;
mod network;
mod score;

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::image::Image;
use dermagan_data::Filter;
use dermagan_model::named::{Network, to_vec};
use dermagan_model::weights::{
    Array, Weights, from_safetensors, read_at_most, to_safetensors_half,
};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

pub use self::card::{CARD_TITLE, EncoderCard, FORMAT, KIND, Score};
pub use self::network::{LesionNet, SIDE, dims};
pub use self::score::score;
use crate::error::EvalError;
use crate::extractor::Extractor;
use crate::resize::to_side;

/// The encoder that comes with the program.
const SHIPPED: &[u8] = include_bytes!("../../../../models/lesion-encoder/encoder.safetensors");
/// The largest width that a file may ask for: 8 million weights.
const MAX_WIDTH: usize = 128;
/// The largest file: twice what the largest width takes.
const MAX_FILE: u64 = 128 << 20;
/// Names of the features' moments in the file.
const MOMENTS: [&str; 2] = ["features.mean", "features.deviation"];
/// Images at a time.
const BATCH: usize = 256;

/// An encoder on a device.
#[derive(Debug)]
pub struct LesionEncoder {
    network: LesionNet,
    /// Mean and standard deviation of every feature over the training images.
    moments: [Vec<f32>; 2],
    card: EncoderCard,
    hash: String,
    device: Device,
}

impl LesionEncoder {
    /// The one that comes with the program.
    ///
    /// # Errors
    /// When the program was built with a broken file.
    pub fn shipped(device: &Device) -> Result<Self, EvalError> {
        Self::from_bytes(Path::new("the shipped encoder"), SHIPPED, device)
    }

    /// The network alone, as it comes back from its file.
    ///
    /// # Errors
    /// When the bytes are no encoder's.
    pub fn stored_network(bytes: &[u8], device: &Device) -> Result<LesionNet, EvalError> {
        Ok(Self::from_bytes(Path::new("the new encoder"), bytes, device)?.network)
    }

    /// Reads one that `dermagan encoder train` wrote.
    ///
    /// # Errors
    /// When the file is something else or is damaged.
    pub fn open(path: &Path, device: &Device) -> Result<Self, EvalError> {
        let bytes = read_at_most(path, MAX_FILE)
            .map_err(|e| EvalError::Weights { path: path.to_owned(), what: e.to_string() })?;
        Self::from_bytes(path, &bytes, device)
    }

    fn from_bytes(path: &Path, bytes: &[u8], device: &Device) -> Result<Self, EvalError> {
        let bad = |what: String| EvalError::Weights {
            path: path.to_owned(),
            what: format!("{what}; make one with `dermagan encoder train --data SOURCE`"),
        };
        let file =
            from_safetensors(&path.display().to_string(), bytes).map_err(|e| bad(e.to_string()))?;
        let json = file.metadata.ok_or_else(|| bad("no lesion encoder: it has no card".into()))?;
        let card: EncoderCard = serde_json::from_str(&json)
            .map_err(|e| bad(format!("no lesion encoder's card ({e})")))?;
        if card.kind != KIND || card.format > FORMAT {
            return Err(bad(format!("a {} of format {}", card.kind, card.format)));
        }
        if !(1..=MAX_WIDTH).contains(&card.width) || !(2..=1000).contains(&card.classes.len()) {
            return Err(bad(format!("width {}, {} classes", card.width, card.classes.len())));
        }
        let mut weights = file.weights;
        let moments = MOMENTS.map(|name| weights.remove(name).map(|a| a.values));
        let [Some(mean), Some(deviation)] = moments else {
            return Err(bad(format!("no tensor '{}' or '{}'", MOMENTS[0], MOMENTS[1])));
        };
        let fits = |v: &[f32]| v.len() == dims(card.width) && v.iter().all(|v| v.is_finite());
        if !fits(&mean) || !fits(&deviation) || deviation.iter().any(|d| *d <= 0.0) {
            return Err(bad("its features' moments are not those of its width".into()));
        }
        if weights.values().any(|a| a.values.iter().any(|v| !v.is_finite())) {
            return Err(bad("weights that are not finite".into()));
        }
        let network = LesionNet::new(card.width, card.classes.len(), device)
            .with_weights(&weights)
            .map_err(bad)?;
        let hash: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        let moments = [mean, deviation];
        Ok(Self { network, moments, card, hash, device: device.clone() })
    }

    /// The bytes of an encoder's file, in half precision.
    ///
    /// # Errors
    /// When a shape does not fit its values, which would be a mistake of the caller.
    pub fn to_bytes(
        network: &LesionNet,
        moments: [Vec<f32>; 2],
        card: &EncoderCard,
    ) -> Result<Vec<u8>, EvalError> {
        let bad = |e: String| EvalError::Input(format!("an encoder's file: {e}"));
        let mut weights: Weights = network.to_weights();
        for (name, values) in MOMENTS.into_iter().zip(moments) {
            weights.insert(name.to_owned(), Array { shape: vec![values.len()], values });
        }
        let json = serde_json::to_string(card).map_err(|e| bad(e.to_string()))?;
        to_safetensors_half(&weights, json).map_err(|e| bad(e.to_string()))
    }

    /// What is known of it.
    pub fn card(&self) -> &EncoderCard {
        &self.card
    }

    /// Standardised features and logits of images of any size.
    ///
    /// # Errors
    /// When an image has no pixels.
    pub fn look(&self, images: &[Image]) -> Result<(Vec<f32>, Vec<f32>), EvalError> {
        let (mut features, mut logits) = (Vec::new(), Vec::new());
        for images in images.chunks(BATCH) {
            let planes: Vec<Vec<f32>> =
                images.par_iter().map(planes).collect::<Result<_, EvalError>>()?;
            let (f, l) = encode(&self.network, planes.concat(), &self.device);
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

    /// The class that each image looks most like, by its place in the card.
    ///
    /// # Errors
    /// When an image has no pixels.
    pub fn classify(&self, images: &[Image]) -> Result<Vec<usize>, EvalError> {
        Ok(self.classes(&self.look(images)?.1))
    }

    /// The likeliest classes by the logits of [`LesionEncoder::look`].
    pub fn classes(&self, logits: &[f32]) -> Vec<usize> {
        logits.chunks(self.card.classes.len()).map(score::largest).collect()
    }
}

/// An image as the network takes it: channel by channel, in [-1, 1].
fn planes(image: &Image) -> Result<Vec<f32>, EvalError> {
    let image = to_side(image, SIDE, Filter::Lanczos)?;
    let channel = |c: usize| image.pixels.iter().skip(c).step_by(3);
    let values = (0..3).flat_map(|c| channel(c).map(|v| f32::from(*v) / 127.5 - 1.0));
    Ok(values.collect())
}

/// Features, not standardised, and logits of some images' planes.
pub fn encode(network: &LesionNet, planes: Vec<f32>, device: &Device) -> (Vec<f32>, Vec<f32>) {
    let batch = planes.len() / (3 * SIDE * SIDE);
    let x = Tensor::<4>::from_data(TensorData::new(planes, [batch, 3, SIDE, SIDE]), device);
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
        dims(self.card.width)
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn extract(&self, images: &[Image]) -> Result<Vec<f32>, EvalError> {
        Ok(self.look(images)?.0)
    }
}
