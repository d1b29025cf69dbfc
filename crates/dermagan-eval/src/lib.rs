//! Measures how realistic and how diverse generated images are.
//!
//! The front door is [`evaluate`]: it takes the settings of an [`EvalJob`] and [`GeneratedImages`], and returns an
//! [`Evaluation`] with the report and the features. Nothing in this crate trains a generator, prints, or changes a run.
//! The crate has three folders, each of which uses only those before it:
//!
//! - `features` turns images into [`Features`] by an [`Extractor`]: [`LesionEncoder`] is a small classifier of
//!   dermoscopic images (its parts are in [`encoder`]), [`ImagenetEncoder`] never saw one, [`Inception`] is the network that
//!   FID is defined with, and [`Handmade`] computes the criteria of dermatology's ABCD rule without a network
//!   ([`handmade`]). [`agree`] checks a device against the CPU, and [`npz`] stores features in NumPy's format.
//! - `metrics` compares sets of features: [`kid()`] and its relatives with other kernels ([`mmd`]), [`fid()`],
//!   precision, recall, density and coverage ([`prdc`]), and a classifier that tells the sets apart ([`two_sample()`]).
//!   [`compare()`] computes all of them for generated
//!   images, with real images as a yardstick that [`RealChoice`] draws, and [`Comparison::verdict`] sums them
//!   up.
//! - `report` evaluates images: it selects the real and the generated images, caches the features of real images, and
//!   writes an [`EvalReport`] with figures, verdicts and notes. [`compare_images`] does so with extractors and a cache
//!   of the caller. [`nearest`] draws generated images beside the nearest real ones.
//!
//! An evaluation of flat grey images, which no metric takes for real:
//!
//! ```rust
//! use dermagan_base::image::Image;
//! use dermagan_eval::{EvalJob, FeatureKind, GeneratedImages, Verdict, evaluate};
//! use dermagan_model::ComputeDevice;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! for shade in 100..120 {
//!     let png = Image::filled(64, 64, [shade; 3]).to_png(&[])?;
//!     std::fs::write(folder.path().join(format!("{shade}.png")), png)?;
//! }
//!
//! // 20 images in each set, compared with the built-in phantom images.
//! let job = EvalJob {
//!     features: vec![FeatureKind::Handmade],
//!     number: 20,
//!     split: None,
//!     ..EvalJob::new("phantom:60")
//! };
//! let device = ComputeDevice::cpu();
//! let fakes =
//!     GeneratedImages::open(folder.path(), &device, job.first_seed()?, job.largest_side())?;
//! let found = evaluate(&job, &fakes, &device, &mut |_progress| ())?;
//!
//! let overall = &found.report.features[0].overall;
//! assert_eq!((overall.n, overall.verdict(None)), (20, Verdict::Different));
//! assert!(found.report.words.starts_with("unlike the real ones"));
//! # Ok(())
//! # }
//! ```
//!
//! A single metric of two sets of features:
//!
//! ```rust
//! use dermagan_base::image::Image;
//! use dermagan_eval::{Extractor, Features, Handmade, kid};
//!
//! // Two sets of flat images: shades of red as real images, shades of grey as generated ones.
//! let images = |colour: fn(u8) -> [u8; 3]| -> Vec<Image> {
//!     (0..20).map(|i| Image::filled(64, 64, colour(100 + 5 * i))).collect()
//! };
//! let features = |images: &[Image]| {
//!     Handmade.extract(images).map(|values| Features { dims: Handmade.dims(), values })
//! };
//! let real = features(&images(|v| [v, 60, 60]))?;
//! let fake = features(&images(|v| [v; 3]))?;
//!
//! let distance = kid(&real, &fake)?;
//! assert!(distance.above_zero(2.0), "{distance:?}");
//! # Ok::<(), dermagan_eval::EvalError>(())
//! ```

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod error;
mod features;
mod item;
mod metrics;
mod report;
mod share;

pub use error::EvalError;
pub use features::{
    Extractor, Features, Handmade, ImagenetEncoder, Inception, LesionEncoder, agree, encoder,
    handmade, npz,
};
pub use metrics::{
    Comparison, Estimates, FEWEST_TO_TELL, Figure, Gaussian, Inside, Labelled, Logistic,
    RealChoice, Repeats, TwoSample, Verdict, compare, fid, frechet, kid, kid_by_lesion, mmd, prdc,
    two_sample, two_sample_in_parts,
};
pub use report::{
    Basis, BothHalves, ClassReport, Compared, EvalEvent, EvalJob, EvalReport, Evaluation,
    Extractors, FeatureKind, FeatureReport, GeneratedImages, ImageCounts, Nearest, Scope,
    SetFeatures, Sink, Worst, compare_images, evaluate, evaluate_joined, features_of, nearest,
    of_side,
};
pub use share::evaluate_shard;
