//! Turns a request into a run that can start. Everything is checked before anything takes time.

pub mod auto;
mod choice;
mod data;
pub mod estimate;
pub mod memory;
pub mod request;
pub mod run_plan;
