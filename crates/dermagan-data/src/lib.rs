//! Loads HAM10000 and its relatives: recognises a source by looking at it ([`Source`]), prepares
//! it into one memory-mapped file ([`prepare`](fn@prepare), [`Cache`]), splits it by lesion
//! ([`split`]), and says which image comes next at any position of a run ([`order`]).
//!
//! Nothing here prints, trains, or trusts a file.

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod cache;
mod class_folders;
mod decode;
mod description;
mod error;
mod fit;
mod folder;
mod medmnist;
pub mod order;
mod phantom;
mod prepare;
mod problem;
mod record;
mod resize;
mod shared_file;
mod source;
pub mod split;
mod summary;
mod table;
mod tables;
mod tree;

pub use cache::{Cache, Header, Options};
pub use description::{ClassDescription, Description, HAM10000, licence};
pub use error::DataError;
pub use fit::Fit;
pub use folder::ImageFolder;
pub use prepare::{Prepared, Progress, default_folder, default_path, open_or_prepare, prepare};
pub use problem::{Problem, ProblemKind, Report, Tally};
pub use record::{DxType, Record, Sex};
pub use resize::{Filter, Window, resized};
pub use source::{Kind, Source};
pub use summary::{ClassCount, Summary, grid};
