//! The files of a run. All code that reads and writes a run's folder is here, except for the time-lapse
//! (`watch::run_images`).

pub mod best;
pub mod checkpoint;
pub mod metric;
pub mod resolve_model;
pub mod rundir;
pub mod stats;
pub mod trained;
