//! Writes labelled sets of images in the formats that other programs read.
//!
//! A [`Set`] says what all images have in common: classes, parts of the split, columns of metadata, licence. A
//! [`SetWriter`] takes one [`Item`] after another and writes a [`Format`]:
//!
//! - a folder of PNG files with a `metadata.csv`, in HAM10000's columns or as Hugging Face's imagefolder;
//! - the same folder as one zip;
//! - shards of [WebDataset](https://github.com/webdataset/webdataset);
//! - [Parquet](https://parquet.apache.org/docs/file-format/) files as the library `datasets` reads them;
//! - the zip of StyleGAN2-ADA and StyleGAN3.
//!
//! Labels and provenance go with the images in every format. The same items give the same bytes. A file is complete or
//! absent, and a folder is complete when its `README.md` is there. A file that dermagan did not write is never replaced.
//! One image, one batch of rows and the index of a zip are in memory, never the images of a set.
//!
//! ```
//! use dermagan_base::image::Image;
//! use dermagan_formats::{Format, Item, Kind, Part, Set, SetWriter, Value};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let set = Set {
//!     title: "Two grey squares".into(),
//!     licence: "CC0-1.0".into(),
//!     synthetic: true,
//!     about: vec!["An example.".into()],
//!     classes: vec!["dark".into(), "light".into()],
//!     parts: vec![Part { name: "train".into(), images: 2 }],
//!     side: 8,
//!     columns: vec![("image_id", Kind::Text), ("dx", Kind::Text)],
//! };
//! let out = folder.path().join("squares.zip");
//! let mut writer = SetWriter::create(Format::Zip, &out, set, 1000)?;
//! for (class, (code, grey)) in [("dark", 40), ("light", 200)].into_iter().enumerate() {
//!     writer.put(&Item {
//!         name: code.into(),
//!         png: Image::filled(8, 8, [grey; 3]).to_png(&[])?,
//!         class: Some(class),
//!         values: vec![Value::Text(code.into()), Value::Text(code.into())],
//!     })?;
//! }
//! writer.finish()?;
//! assert!(out.is_file());
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

// By this name the tests of the crate and those in `tests/` share their small set.
#[cfg(test)]
extern crate self as dermagan_formats;

mod card;
mod error;
mod folder;
mod format;
mod ours;
mod parquet;
mod set;
mod shards;
mod sink;
mod stylegan;
mod table;
#[cfg(test)]
mod test_support;
mod webdataset;
mod writer;
mod zip_file;

pub use error::FormatError;
pub use format::Format;
pub use set::{Item, Kind, Part, Set, Value};
pub use table::{HAM10000, columns};
pub use writer::{IMAGES_PER_FILE, SetWriter};
