//! The statistics of this crate, as plain functions on numbers.

mod cluster;
mod holm;
mod interval;
mod ranks;
mod resample;

#[cfg(test)]
pub(crate) use cluster::Clusters;
pub(crate) use cluster::clusters;
pub(crate) use holm::holm;
pub use interval::Rate;
pub(crate) use interval::trials_that_exclude;
pub(crate) use ranks::{auc, true_positive_rate};
pub(crate) use resample::{drawn, interval, quantile, two_sided};
