//! Settings that may change over a run.

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// A setting that is constant, or that moves between two values over the run along half a cosine, as R3GAN's settings
/// do (Huang et al. 2024, arXiv:2501.05441). A preset writes `0.05`, or `{ from = 0.5, to = 0.05 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields, expecting = "a number or { from = …, to = … }")]
pub enum Scheduled {
    /// The same value over the whole run.
    Constant(f64),
    /// A cosine ramp from the first image to the last.
    Ramp {
        /// Value at the beginning of the run.
        from: f64,
        /// Value at the end of the run. It stays if the run is made longer.
        to: f64,
    },
}

impl Default for Scheduled {
    /// A constant 0.
    fn default() -> Self {
        Self::Constant(0.0)
    }
}

impl Scheduled {
    /// The value when `share` of the run is done, 0 to 1. Shares outside this range count as 0 or 1.
    pub fn at(self, share: f64) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Ramp { from, to } => {
                let progress = 0.5 - 0.5 * (std::f64::consts::PI * share.clamp(0.0, 1.0)).cos();
                from + (to - from) * progress
            }
        }
    }

    /// The largest value over the run.
    pub fn most(self) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Ramp { from, to } => from.max(to),
        }
    }

    /// Checks that all values lie between `least` and `most` and are finite. `most` may be infinite.
    ///
    /// # Errors
    /// When a value does not. The error names `key`, the value and the range.
    pub fn check(self, key: &str, least: f64, most: f64) -> Result<(), TrainError> {
        let values = match self {
            Self::Constant(value) => [value; 2],
            Self::Ramp { from, to } => [from, to],
        };
        let good = |value: &f64| value.is_finite() && (least..=most).contains(value);
        let Some(value) = values.iter().find(|value| !good(value)) else { return Ok(()) };
        let expected = match most.is_finite() {
            true => format!("expected {least} to {most}"),
            false => format!("expected a finite number of {least} or more"),
        };
        Err(TrainError::Invalid(format!("{key} = {value}: {expected}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_follows_half_a_cosine_and_stays_at_its_end() {
        let ramp = Scheduled::Ramp { from: 2.0, to: 1.0 };
        for (share, value) in [(0.0, 2.0), (0.5, 1.5), (1.0, 1.0), (3.0, 1.0), (-1.0, 2.0)] {
            assert!((ramp.at(share) - value).abs() < 1e-12, "{share}");
        }
        assert!(ramp.at(0.1) > 1.95, "the ramp begins slowly");
        assert_eq!((ramp.most(), Scheduled::Constant(3.0).at(0.7)), (2.0, 3.0));
    }

    #[test]
    fn both_ends_are_checked_and_values_that_are_not_finite_are_rejected() {
        assert!(Scheduled::Ramp { from: 1.0, to: 2.0 }.check("x", 0.0, 1.5).is_err());
        assert!(Scheduled::Constant(f64::NAN).check("x", 0.0, 1.5).is_err());
        assert!(Scheduled::Constant(1.5).check("x", 0.0, 1.5).is_ok());
        assert!(Scheduled::Constant(1e30).check("x", 0.0, f64::INFINITY).is_ok());
        let error = Scheduled::Constant(f64::INFINITY).check("x", 0.0, f64::INFINITY).unwrap_err();
        assert_eq!(error.to_string(), "x = inf: expected a finite number of 0 or more");
    }

    #[test]
    fn a_preset_writes_one_number_or_both_ends() {
        #[derive(Deserialize)]
        struct File {
            a: Scheduled,
            b: Scheduled,
        }
        let file: File = toml::from_str("a = 1\nb = { from = 0.5, to = 2 }").unwrap();
        assert_eq!(file.a, Scheduled::Constant(1.0));
        assert_eq!(file.b, Scheduled::Ramp { from: 0.5, to: 2.0 });
    }
}
