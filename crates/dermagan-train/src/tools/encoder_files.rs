//! A lesion encoder from a data source to its files.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use dermagan_base::{SettingError, atomic};
use dermagan_data::{Filter, Fit, Options, Reading, open_or_prepare_with};
use dermagan_eval::encoder::{CARD_TITLE, EncoderCard, SIDES};
use dermagan_model::ComputeDevice;

use crate::classifier::EncoderConfig;
use crate::encoder::{self, EncoderEvent};
use crate::error::TrainError;

/// What to train an encoder on, and where its files go.
#[derive(Clone, Debug)]
pub struct EncoderRequest {
    /// A source with two classes or more, or a prepared cache of images of 64×64 or 128×128.
    pub data: String,
    /// The side of the images that the encoder looks at, 64 or 128 pixels; that of a cache if `data` is one.
    pub size: usize,
    /// How the source is read, where the default would refuse it or leave images out.
    pub reading: Reading,
    /// Folder of `encoder.safetensors` and its card `README.md`.
    pub out: PathBuf,
    /// How it is trained.
    pub config: EncoderConfig,
}

/// The files of an encoder.
#[derive(Clone, Debug)]
pub struct EncoderFiles {
    /// The weights.
    pub weights: PathBuf,
    /// The card, with the score on lesions that the encoder has not seen.
    pub card: EncoderCard,
}

/// Trains a lesion encoder and writes it with its card. `sink` receives the events; `stop` is checked before every step.
///
/// # Errors
/// When a setting is out of range, the data does not serve, a `README.md` that is not an encoder's card is in the folder,
/// or a file cannot be written.
pub fn train_encoder(
    request: &EncoderRequest,
    device: &ComputeDevice,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(EncoderEvent),
) -> Result<EncoderFiles, TrainError> {
    request.config.check()?;
    if !SIDES.contains(&request.size) {
        return Err(SettingError::value("size", request.size, "expected 64 or 128").into());
    }
    let out = &request.out;
    let (weights, card) = (out.join("encoder.safetensors"), out.join("README.md"));
    // Checked before the expensive part.
    if let Ok(text) = std::fs::read_to_string(&card)
        && !text.starts_with(CARD_TITLE)
    {
        let problem =
            "it holds a README.md that is not the card of an encoder; name another folder";
        return Err(SettingError::value("out", out.display(), problem).into());
    }
    std::fs::create_dir_all(out).map_err(TrainError::io(out))?;
    let options = Options { size: request.size as u32, fit: Fit::Crop, filter: Filter::Lanczos };
    let cache =
        open_or_prepare_with(&request.data, request.reading, options, &mut |done, total| {
            sink(EncoderEvent::Preparing { done, total });
        })?;
    let trained = encoder::train(&cache, &request.config, device, stop, sink)?;
    atomic::write(&weights, &trained.bytes).map_err(TrainError::io(&weights))?;
    let text = trained.card.to_string();
    atomic::write(&card, text.as_bytes()).map_err(TrainError::io(&card))?;
    Ok(EncoderFiles { weights, card: trained.card })
}
