//! From a request to a run that can start. Settings and memory are checked before the data is prepared.

pub mod advice;
pub mod auto;
mod changed;
mod choice;
mod data;
pub mod estimate;
pub mod initial;
pub mod memory;
pub mod request;
pub mod run_plan;
pub mod speed;
pub mod synthetic;
