//! What every dermagan crate stands on, and nothing more: randomness drawn on the host and keyed
//! by its purpose ([`rng`]), files that are either whole or absent ([`atomic`]), and 8-bit RGB
//! pictures with their PNG form ([`picture`]).

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

pub mod atomic;
pub mod picture;
pub mod rng;
