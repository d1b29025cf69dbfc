//! Fuzz targets: every reader of bytes that may come from anyone, as a function of these bytes.
//!
//! A target puts the bytes into a file of a [`Scratch`] folder and opens that file as the program would. Whatever the
//! bytes are, a target must return: an error is the right answer, a panic is not. [`Trial`] runs one input and checks
//! that it stays within its limits of time and memory and writes nothing outside the folder.
//!
//! - `replay` runs the inputs in `corpus/` through their targets, in seconds, as a plain program.
//! - `guided/`, a crate outside the workspace, searches for new inputs with libFuzzer; `mutate` changes files so that their checksums and lengths stay
//!   right, because a change that a checksum reveals does not get further than the checksum.
//! - `seeds` writes the first inputs.

pub mod memory;
pub mod mutate;
pub mod scratch;
pub mod targets;
mod trial;

pub use scratch::Scratch;
pub use targets::{TARGETS, Target};
pub use trial::{LIMIT_BYTES, LIMIT_SECONDS, Trial};

/// Every program of this crate counts its memory.
#[global_allocator]
static MEMORY: memory::Counted = memory::Counted;
