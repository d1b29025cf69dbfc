//! The command line, under the names that users of StyleGAN and DCGAN know. A doc comment here is help text.

mod bench;
mod data;
mod demo;
mod device;
mod doctor;
mod encoder;
mod eval;
mod format;
mod model;
mod reading;
mod sample;
mod share;
mod train;
mod trust;

use clap::{Parser, Subcommand};

pub use bench::{BenchArgs, BenchWhat};
pub use data::{DataCommand, DataExportArgs, DataInfoArgs, PrepareArgs};
pub use demo::DemoArgs;
pub use device::DeviceArgs;
pub use doctor::DoctorArgs;
pub use encoder::{EncoderCommand, EncoderTrainArgs};
pub use eval::{EvalArgs, FeaturesArg};
pub use format::per_file;
pub use model::{ExportArgs, InfoArgs};
pub use sample::SampleArgs;
pub use share::{MergeArgs, ShareArgs};
pub use train::TrainArgs;
#[cfg(feature = "c2pa")]
pub use trust::SignArgs;
pub use trust::{AuditArgs, BalanceArgs, BiasArgs, ReportArgs, TrialArgs};

/// Train GANs on dermatoscopic skin-lesion images, on any GPU or on the CPU.
#[derive(Parser, Debug)]
#[command(
    name = "dermagan",
    version,
    after_help = "Exit codes: 0 success · 1 error · 2 invalid command line · 3 --strict rejected the data · \
                  4 training diverged (the loss is not finite) · 5 the device computes wrong results · \
                  6 the audit failed · 7 the audit gives no verdict · 130 stopped by Ctrl-C; a run that has begun its steps has a checkpoint of its last step, unless Ctrl-C was \
                  pressed a third time"
)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Decode and resize a data source once, into a cache file that training maps into memory.
    Prepare(PrepareArgs),
    /// Inspect a data source, or write its images in the formats of other programs.
    #[command(subcommand)]
    Data(DataCommand),
    /// Train a GAN; without --data, on the built-in phantom images.
    Train(TrainArgs),
    /// Generate images: PNG files with a metadata.csv, a set in another program's format, a grid, or an animation.
    Sample(SampleArgs),
    /// Write a generator in a format to share: safetensors in half precision, ONNX, PyTorch, or a Hugging Face folder.
    Export(ExportArgs),
    /// Join the shards of a job that `sample`, `balance`, `prepare`, `eval` or `audit` computed with --shard.
    Merge(MergeArgs),
    /// Serve a web page on this machine on which a generator draws images in the browser, or write it to a folder.
    Demo(DemoArgs),
    /// Describe a run, a checkpoint, a model or a cache.
    Info(InfoArgs),
    /// List the devices for --device and the CPU levels for the variable DERMAGAN_CPU.
    Devices,
    /// Check a device: compare the gradients of a training step with the CPU's. For the CPU, compare two levels.
    Doctor(DoctorArgs),
    /// Compare generated images with real ones: KID, FID, precision, recall, density and coverage.
    Eval(EvalArgs),
    /// Ask whether generated images are copies of training images, or tell which these were: a verdict per class.
    Audit(AuditArgs),
    /// Fill the classes with few images: the training images and generated ones that pass, in a folder like HAM10000's.
    Balance(BalanceArgs),
    /// Report whom real and generated images show, and for whom a classifier works.
    Bias(BiasArgs),
    /// Ask whether generated images help a classifier, against rebalanced and repeated photographs.
    Trial(TrialArgs),
    /// Write one HTML page about a generator or a set of images: figures, audit, bias, trial, limits and origin.
    Report(ReportArgs),
    /// Sign generated images with content credentials (C2PA), which say that a trained model made them.
    #[cfg(feature = "c2pa")]
    Sign(SignArgs),
    /// Train the lesion encoder, the classifier whose features `eval` compares.
    #[command(subcommand)]
    Encoder(EncoderCommand),
    /// Measure the speed of training, sampling or feature extraction on a device.
    Bench(BenchArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}
