//! Evaluations: from images to a report. [`evaluate`] is the front door.
//!
//! `draw` and `selection` choose the images, `extraction` computes their features, `sets` holds them, `view` compares them as
//! one extractor sees them, `evaluate` joins the views, `figures` is the report, and `notes` says what limits its meaning.

mod counts;
mod draw;
mod evaluate;
mod extraction;
mod figures;
mod generated;
mod job;
mod nearest;
mod notes;
mod rows;
mod scope;
mod selection;
mod sets;
mod view;
mod worst;

pub use counts::ImageCounts;
pub use evaluate::{Compared, compare_images};
pub use extraction::{Extractors, features_of};
pub(crate) use extraction::{fake_items, real_items};
pub use figures::{Basis, BothHalves, ClassReport, EvalReport, FeatureReport};
pub use generated::GeneratedImages;
pub(crate) use job::OpenedJob;
pub use job::{EvalJob, Evaluation, FeatureKind, SetFeatures, evaluate, evaluate_joined};
pub use nearest::{Nearest, nearest};
pub use scope::{EvalEvent, Scope, Sink};
pub use selection::of_side;
pub use worst::Worst;
