//! Training as a library: start a run, resume it to the same bytes, and evaluate, export and describe its results.
//!
//! - [`start`] and [`resume`] train a run to its end. With [`ReadyRun`] and [`Session`] the caller holds a run and
//!   steps it. A run reports everything as an [`Event`].
//! - [`evaluate`] compares generated images with real ones. [`export`] writes a generator to a file,
//!   [`export_data`] writes prepared images in the formats of other programs, and [`describe`] describes the files of a run.
//! - [`examine`] compares a device's gradients with the CPU's. [`mod@bench`] measures its speed.
//! - [`train_encoder`] trains the lesion encoder, whose features the metrics use.
//!
//! This crate does not print and does not read the command line. Its folders are the stages of a run: `recipe`
//! (settings), `augment`, `group` (several processes), `step` (one training step), `check` (a device's gradients), `store` (files), `plan`, `watch`
//! (metrics and plots), `run`, and `tools`.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//!
//! use dermagan_model::ComputeDevice;
//! use dermagan_train::{TrainRequest, start};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let request = TrainRequest {
//!     outdir: folder.path().join("runs"),
//!     kimg: Some(0.1),
//!     width: Some(2),
//!     ..TrainRequest::new("tiny", "phantom:16")
//! };
//! let stop = AtomicBool::new(false);
//! let outcome = start(&request, &ComputeDevice::cpu(), &stop, &mut |_| ())?;
//! assert!(outcome.nimg >= 100 && outcome.run.join("generator.safetensors").is_file());
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod augment;
mod check;
mod classifier;
mod encoder;
mod error;
mod event;
mod group;
mod plan;
mod recipe;
mod run;
mod step;
mod store;
#[cfg(test)]
mod test_support;
mod tools;
mod watch;

pub use check::compare::{
    GradientDifference, Gradients, compare_gradients, gradients, relative, worst_first,
};
pub use check::repetition::{Recomputed, Repeated};
pub use classifier::{Classifier, EncoderConfig, Learnt};
pub use encoder::{EncoderEvent, TrainedEncoder};
pub use error::TrainError;
pub use event::{Event, Outcome, SelfCheck};
pub use group::members::{Alone, Group};
pub use group::message::dismiss;
pub use plan::advice::Advice;
pub use plan::auto::Reason;
pub use plan::estimate::Estimate;
pub use plan::initial::{Taken, Transfer};
pub use plan::memory::{machine_gigabytes, peak_gigabytes};
pub use plan::request::{ResumeRequest, TrainRequest};
pub use plan::run_plan::Plan;
pub use plan::synthetic;
pub use recipe::augment::AugmentConfig;
pub use recipe::config::{
    ConditionConfig, InputConfig, OptimiserConfig, Part, ScheduleConfig, SourceConfig, TrainConfig,
};
pub use recipe::objective::{Loss, Objective};
pub use recipe::preset::{AUTO, Preset};
pub use recipe::schedule::Scheduled;
pub use run::follow::follow;
pub use run::session::{STATUS_WON, Session};
pub use run::start::{ReadyRun, resume, start};
pub use step::adam::Adam;
pub use step::batch::{Batch, class_rows};
pub use step::fault::Fault;
pub use step::gradients::GradientHook;
pub use step::loss_scale::LossScale;
pub use step::measures::Measures;
pub use step::players::Players;
pub use step::settings::StepSettings;
pub use store::best::{Best, best_of};
pub use store::checkpoint::Checkpoint;
pub use store::metric::Metric;
pub use store::resolve_model::{RUNS, SHIPPED, resolve_model};
pub use store::rundir::{LATEST, newest_run};
pub use store::stats::{self, StatsLine};
pub use tools::bench;
#[cfg(feature = "cube")]
pub use tools::count;
pub use tools::describe::describe;
pub use tools::doctor::{Computed, Diagnosis, Examination, examine, reference_level};
pub use tools::encoder_files::{EncoderFiles, EncoderRequest, train_encoder};
pub use tools::export::{ExportFormat, ExportRequest, Exported, export};
pub use tools::export_data::{
    DataExportRequest, DataExported, export_data, file_names, prepared_png,
};
pub use tools::generated::{evaluate, open_generated};
pub use tools::judge::discriminator_logits;
pub use tools::open_model::open_model;
