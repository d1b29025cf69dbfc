//! The trial: do generated images help a classifier?
//!
//! `arms` are the training sets that are compared, `pool` holds their images, `score` judges predictions on photographs that
//! neither the classifier nor the generator saw, `compare` says what a difference means, and `job` runs it all, one classifier
//! at a time, so that it can be stopped and resumed.

mod arms;
mod compare;
mod folds;
mod job;
mod pool;
mod report;
mod score;
mod settings;
mod state;
mod summary;
mod words;

pub use arms::Arm;
#[cfg(test)]
pub(crate) use compare::corrected_t;
pub use compare::{Answer, Difference};
pub use job::{Generators, TrialEvent, trial};
pub use report::{ArmReport, TrialReport};
#[cfg(test)]
pub(crate) use score::Predictions;
pub use score::Scores;
pub use settings::TrialJob;
