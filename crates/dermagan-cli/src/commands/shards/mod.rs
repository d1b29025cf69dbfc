//! Jobs that are divided over calls: which share a call computes, and `merge`.

pub mod merge;
pub mod share;
