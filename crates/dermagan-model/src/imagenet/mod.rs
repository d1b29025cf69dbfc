//! EfficientNet-Lite0 as trained on ImageNet, on the CPU: the features of its last layer, and those of four of its blocks
//! with the gradient of the image.
//!
//! The architecture is that of Tan and Le 2019 in the form of TensorFlow's `efficientnet/lite`. The weights come from the file
//! that `scripts/convert_imagenet_encoder.py` writes (`dermagan_models::IMAGENET_ENCODER`).

mod architecture;
mod enlarge;
mod network;
mod standard;
mod taps;
mod weights;

pub use network::EfficientNet;
pub use standard::{DEVIATION, MEAN};
pub use taps::{KeptTaps, TAPS, Tap, Taps};
