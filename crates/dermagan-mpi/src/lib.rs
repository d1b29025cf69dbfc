//! The processes of an MPI job as a [`Group`](dermagan_train::Group) that trains one run together.
//!
//! This crate is empty without its feature `mpi`, which needs an MPI library with its headers, and libclang:
//!
//! ```text
//! apt-get install libopenmpi-dev openmpi-bin libclang-dev clang
//! cargo build --release --no-default-features --features mpi
//! ```
//!
//! The training itself, and the order in which gradients are summed, is in `dermagan-train`.

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "mpi")]
mod job;

#[cfg(feature = "mpi")]
pub use job::{Job, MpiError};
