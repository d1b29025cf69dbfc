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
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phantom => write!(f, "for the built-in phantom"),
            Self::Classes(n) => write!(f, "because there are {n} classes to train on"),
            Self::OneClass => write!(f, "because there is one class to train on"),
        }
    }
}

impl Reason {
    /// The reason for data with this number of classes.
    pub fn of(is_phantom: bool, classes: usize) -> Self {
        match classes {
            _ if is_phantom => Self::Phantom,
            0 | 1 => Self::OneClass,
            classes => Self::Classes(classes),
        }
    }

    /// The name of the preset: `tiny` for the phantom, `rare` for two classes or more, else `fast`.
    pub fn preset(self) -> &'static str {
        match self {
            Self::Phantom => "tiny",
            Self::Classes(_) => "rare",
            Self::OneClass => "fast",
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
        let preset = |is_phantom, classes| Reason::of(is_phantom, classes).preset();
        assert_eq!(preset(true, 7), "tiny");
        assert_eq!(preset(false, 7), "rare");
        assert_eq!(preset(false, 1), "fast");
    }
}
