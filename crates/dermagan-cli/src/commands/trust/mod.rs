//! The commands of `dermagan-trust`.

pub mod audit;
pub mod balance;
pub mod bias;
pub mod report;
#[cfg(feature = "c2pa")]
pub mod sign;
mod training;
pub mod trial;
