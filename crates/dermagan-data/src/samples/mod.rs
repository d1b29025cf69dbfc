//! Generated images of any program: image files in a folder or a zip, and arrays of samples in an npz.
//!
//! [`FileKind`] says what a file is, by its content. [`ImageFolder`] and [`SampleArray`] look at all images before any
//! is decoded, list their sizes, and say which of them are left out and why.

mod array_layout;
mod common_size;
mod file_kind;
mod folder;
mod header;
mod labels;
mod left_out;
mod run_files;
mod sample_array;

pub use common_size::SizeCount;
pub use file_kind::FileKind;
pub use folder::ImageFolder;
pub use left_out::LeftOut;
pub use sample_array::SampleArray;
