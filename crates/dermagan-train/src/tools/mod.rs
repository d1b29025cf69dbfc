//! Tools for finished runs and for devices.

pub mod bench;
#[cfg(feature = "cube")]
pub mod count;
pub mod describe;
pub mod doctor;
pub mod encoder_files;
pub mod export;
pub mod export_data;
pub mod generated;
pub mod judge;
pub mod open_model;
