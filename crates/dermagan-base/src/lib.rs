//! What every dermagan crate stands on, and nothing more: randomness drawn on the host and keyed
//! by its purpose ([`rng`]), files that are either whole or absent ([`atomic`]), 8-bit RGB images
//! with their PNG form ([`image`]), how a square is laid ([`orientation`]), names that may become
//! files' ([`name`]), and numpy's header ([`npy`]).

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

pub mod atomic;
pub mod distance;
pub mod image;
pub mod name;
pub mod npy;
pub mod orientation;
pub mod rng;
