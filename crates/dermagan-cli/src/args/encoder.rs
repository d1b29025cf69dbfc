//! Options of `encoder train`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use dermagan_train::EncoderConfig;

use super::device::DeviceArgs;
use super::reading::{ReadingArgs, SplitArg};

/// The commands under `encoder`.
#[derive(Subcommand, Debug)]
pub enum EncoderCommand {
    /// Train an encoder on the training side of the split, and score it on the lesions of the test side.
    Train(EncoderTrainArgs),
}

/// Options of `encoder train`.
#[derive(Args, Debug)]
pub struct EncoderTrainArgs {
    /// Training images: any SOURCE with classes, or a cache of images of 64 or 128 pixels.
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub data: String,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Split of the data [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split: Option<SplitArg>,
    /// Folder for encoder.safetensors and its model card README.md.
    #[arg(long, default_value = "lesion-encoder", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Length in thousands of images.
    #[arg(long, default_value_t = EncoderConfig::default().kimg)]
    pub kimg: f64,
    /// Side of the images that the encoder looks at, 64 or 128 pixels; that of a cache if --data is one. At 128 there is one
    /// more layer, so --width 16 has as many features as 32 at 64.
    #[arg(long, default_value_t = 64)]
    pub size: usize,
    /// Channels of the first layer, 1 to 128; each later layer doubles them.
    #[arg(long, default_value_t = EncoderConfig::default().width)]
    pub width: usize,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub device: DeviceArgs,
}
