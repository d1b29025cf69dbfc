//! The files of a run: checkpoints, statistics, options and the folder itself.

pub mod best;
pub mod checkpoint;
pub mod event_file;
pub mod metric;
pub mod resolve_model;
pub mod rundir;
pub mod stats;
