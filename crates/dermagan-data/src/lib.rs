//! Reads HAM10000 and related collections of labelled dermatoscopic images, and prepares them for training.
//!
//! [`Source::open`] recognises a source by its content: a folder, a zip, an npz or the built-in phantom.
//! [`prepare`](fn@prepare) decodes its images, resizes them to squares and writes them into one memory-mapped
//! file, a [`Cache`]. [`split`] assigns every image to training, validation or test, by lesion, and [`order`]
//! says which image comes at each position of a run. [`ImageFolder`] and [`SampleArray`] read images that another
//! program generated.
//!
//! The code has three folders. `source/` finds files, tables and images and decodes them; it knows nothing of
//! caches. `prepare/` resizes the decoded images and owns the cache format. `samples/` reads generated images. The files
//! beside the folders use `source/` and `prepare/`.
//!
//! The crate prints nothing, trains nothing, and trusts no file.
//!
//! ```rust
//! use dermagan_data::{Filter, Fit, Options, Source, prepare, split};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! // The phantom: procedural images in the seven classes of HAM10000, at least 6 of each.
//! let source = Source::open("phantom:42")?;
//! let options = Options { size: 32, fit: Fit::Crop, filter: Filter::Lanczos };
//! let path = folder.path().join("phantom.dermagan");
//! let cache = prepare(&source, options, &path, false, &mut |_done, _total| {})?.cache;
//!
//! assert_eq!(cache.len(), source.records.len());
//! assert_eq!(cache.pixels(0).len(), 32 * 32 * 3);
//! let sides = split::of_header(cache.header());
//! assert!(sides.contains(&split::Side::Test));
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod error;
pub mod order;
mod prepare;
mod samples;
mod shared_file;
mod signature;
mod source;
pub mod split;
mod summary;

pub use error::DataError;
pub use prepare::build_cache::{
    PreparedCache, default_folder, default_path, open_or_prepare, open_or_prepare_with, prepare,
};
pub use prepare::cache::{Cache, Header, Options, SIZES};
pub use prepare::examine::{Examination, Progress, examine};
pub use prepare::fit::Fit;
pub use prepare::resize::{Filter, Window, resized};
pub use prepare::share::{prepare_joined, prepare_shard};
pub use samples::{FileKind, ImageFolder, LeftOut, SampleArray, SizeCount};
pub use source::description::{ClassDescription, Description, HAM10000, licence};
pub use source::kind::Kind;
pub use source::labels::UNLABELLED;
pub use source::open::Source;
pub use source::problem::{Problem, ProblemCount, ProblemKind, Report, Severity, TableUse};
pub use source::reading::{Reading, SplitBy};
pub use source::record::{DxType, Record, Sex};
pub use summary::{ClassCount, Summary, grid};
