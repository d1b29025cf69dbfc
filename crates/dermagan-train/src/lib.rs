//! Training as a library: a [`plan::Plan`] is checked before anything starts, a [`session`] runs
//! it and tells an [`Event`] sink what happens, a [`checkpoint`] continues it to the same bytes,
//! and a [`sampler::Sampler`] makes images from what was learnt.
//!
//! Nothing here prints or reads the command line.

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

pub mod adam;
mod animation;
mod arc;
pub mod augment;
pub mod bench;
mod change;
pub mod check;
pub mod checkpoint;
pub mod collapse;
pub mod config;
#[cfg(feature = "cube")]
pub mod count;
pub mod doctor;
mod drawn;
pub mod ema;
pub mod encoder;
mod error;
pub mod estimate;
pub mod evaluate;
mod event;
pub mod fakes;
mod feed;
pub mod interpolation;
pub mod length;
pub mod lookahead;
mod looking;
pub mod loss_scale;
pub mod memory;
pub mod metrics;
pub mod nearest;
mod no_effect;
pub mod objective;
pub mod outputs;
pub mod plan;
pub mod plot;
pub mod preset;
pub mod rundir;
pub mod sampler;
pub mod sampling;
pub mod schedule;
pub mod session;
mod share;
pub mod stats;
pub mod step;
pub mod synthetic;
pub mod trainer;
pub mod transforms;
pub mod which_model;

pub use error::TrainError;
pub use event::{Event, Outcome, SelfCheck};
