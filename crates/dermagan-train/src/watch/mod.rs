//! Metrics, plots and images of a run while it trains.

pub mod board;
pub mod metrics;
pub mod mode_collapse;
pub mod plot;
pub mod run_images;
pub mod trained;
