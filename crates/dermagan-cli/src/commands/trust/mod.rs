//! The commands of `dermagan-trust`.

pub mod audit;
pub mod balance;
pub mod bias;
pub mod report;
mod training;
pub mod trial;
