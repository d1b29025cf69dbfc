//! A run: prefetching, steps, snapshots, checks of the device, and an orderly end.

pub mod checks;
pub mod defence;
pub mod follow;
pub mod lead;
pub mod prefetch;
pub mod self_check;
pub mod session;
pub mod snapshot;
pub mod start;
pub mod time_budget;
pub mod trainer;
pub mod watched;
