//! The settings of a run: presets, single settings, schedules, and the configuration that they make up.

pub mod augment;
pub mod config;
pub mod objective;
pub mod preset;
pub mod schedule;
mod serde_share;
pub mod setting;
pub mod unused_settings;
