//! Evaluations: from images to a report. [`evaluate`] is the front door.
//!
//! `draw` and `selection` choose the images, `extraction` computes their features, `sets` and `evaluate` compare them, `figures` is the
//! report, and `notes` says what limits its meaning.

mod counts;
mod draw;
mod evaluate;
mod extraction;
mod figures;
mod generated;
mod job;
mod nearest;
mod notes;
mod prepared;
mod rows;
mod scope;
mod selection;
mod sets;

pub use counts::ImageCounts;
pub use evaluate::compare_images;
pub use extraction::{Extractors, features_of};
pub use figures::{Basis, BothHalves, ClassReport, EvalReport};
pub use generated::GeneratedImages;
pub use job::{EvalJob, Evaluation, FeatureKind, evaluate};
pub use nearest::{Nearest, nearest};
pub use scope::{EvalEvent, Scope, Sink};
pub use selection::of_side;
