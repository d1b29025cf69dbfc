//! Does the device compute what the CPU computes? A loss curve does not show a wrong gradient: it is compared.

mod compare;
pub mod fault;
pub mod guard;

pub use compare::{Comparison, Gradients, compare, gradients, relative, worst_first};
