//! The preset `auto`, which stands for one that suits the data.

use std::fmt;

use dermagan_model::ComputeDevice;

use crate::error::TrainError;
use crate::plan::speed::seconds_per_step;
use crate::plan::synthetic;
use crate::recipe::config::TrainConfig;

/// Largest batch of the timed steps.
const MOST_IMAGES: usize = 64;

/// Why a preset was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The data is the built-in phantom.
    Phantom,
    /// The data has this number of classes, two or more.
    Classes(usize),
    /// The data has one class.
    OneClass,
    /// The run starts from a generator that is conditioned on classes, and the data has this number of classes, two or more.
    Initialised(usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phantom => write!(f, "for the built-in phantom"),
            Self::Classes(n) => write!(f, "because there are {n} classes to train on"),
            Self::OneClass => write!(f, "because there is one class to train on"),
            Self::Initialised(n) => {
                write!(
                    f,
                    "because it starts from a trained generator, and there are {n} classes to train on"
                )
            }
        }
    }
}

impl Reason {
    /// The reason for data with this number of classes. `initialised`: whether the run starts from a generator that is
    /// conditioned on classes.
    pub fn of(is_phantom: bool, classes: usize, initialised: bool) -> Self {
        match classes {
            2.. if initialised => Self::Initialised(classes),
            _ if is_phantom => Self::Phantom,
            0 | 1 => Self::OneClass,
            classes => Self::Classes(classes),
        }
    }

    /// The name of the preset for images of `size` pixels, if a size is asked for: `tiny` for the phantom, `rare` for two
    /// classes or more, `refine` if the run starts from a trained generator, else `fast`; for 128 pixels, `rare128` and
    /// `fast128`.
    pub fn preset(self, size: Option<usize>) -> &'static str {
        match (self, size) {
            (Self::Phantom, _) => "tiny",
            (Self::OneClass, Some(128)) => "fast128",
            (Self::OneClass, _) => "fast",
            (_, Some(128)) => "rare128",
            (Self::Classes(_), _) => "rare",
            (Self::Initialised(_), _) => "refine",
        }
    }
}

/// Seconds per thousand images of a configuration on a device, measured in a few steps on synthetic images. Snapshots
/// are not included.
///
/// # Errors
/// When the configuration is not valid.
pub fn seconds_per_kimg(config: TrainConfig, device: &ComputeDevice) -> Result<f64, TrainError> {
    let mut config = synthetic::without_data(config);
    // The time per image hardly depends on the batch, and large batches take long to time.
    config.optimiser.batch = config.optimiser.batch.min(MOST_IMAGES);
    config.validate()?;
    Ok(seconds_per_step(&config, &device.handle) * 1000.0 / config.optimiser.batch as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preset_suits_the_data() {
        let preset = |is_phantom, classes, initialised, size| {
            Reason::of(is_phantom, classes, initialised).preset(size)
        };
        assert_eq!(preset(true, 7, false, None), "tiny");
        assert_eq!(preset(false, 7, false, None), "rare");
        assert_eq!(preset(false, 1, false, Some(64)), "fast");
        assert_eq!(preset(false, 1, true, Some(128)), "fast128");
        assert_eq!(preset(false, 7, false, Some(128)), "rare128");
        assert_eq!(preset(true, 7, true, None), "refine");
        assert_eq!(preset(false, 7, true, Some(128)), "rare128");
    }
}
