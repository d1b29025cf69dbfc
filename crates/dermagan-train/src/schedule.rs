//! Settings that change over a run.

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// A setting: one number, or two between which it goes over the run along half a cosine, as R3GAN's
/// do (Huang et al. 2024). In a preset: `0.05`, or `{ from = 0.5, to = 0.05 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields, expecting = "a number or { from = …, to = … }")]
pub enum Scheduled {
    /// The same all along.
    Constant(f64),
    /// From the first image to the last.
    Ramp {
        /// At the beginning.
        from: f64,
        /// At the end, and after it if the run is made longer.
        to: f64,
    },
}

impl Default for Scheduled {
    /// Nothing at all.
    fn default() -> Self {
        Self::Constant(0.0)
    }
}

impl Scheduled {
    /// The value when `share` of the run is done; from 1 on it stays.
    pub fn at(self, share: f64) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Ramp { from, to } => {
                let way = 0.5 - 0.5 * (std::f64::consts::PI * share.clamp(0.0, 1.0)).cos();
                from + (to - from) * way
            }
        }
    }

    /// The largest value.
    pub fn most(self) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::Ramp { from, to } => from.max(to),
        }
    }

    /// Checks that all values are within bounds, and finite also where `most` is not.
    ///
    /// # Errors
    /// Names `key` and the bounds.
    pub fn check(self, key: &str, least: f64, most: f64) -> Result<(), TrainError> {
        let values = match self {
            Self::Constant(value) => [value; 2],
            Self::Ramp { from, to } => [from, to],
        };
        let good = |value: &f64| value.is_finite() && (least..=most).contains(value);
        let Some(value) = values.iter().find(|value| !good(value)) else { return Ok(()) };
        let possible = match most.is_finite() {
            true => format!("{least} to {most} are possible"),
            false => format!("a finite number of {least} or more is possible"),
        };
        Err(TrainError::Option(format!("{key} = {value}: {possible}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_goes_along_half_a_cosine_and_stays_at_its_end() {
        let ramp = Scheduled::Ramp { from: 2.0, to: 1.0 };
        for (share, value) in [(0.0, 2.0), (0.5, 1.5), (1.0, 1.0), (3.0, 1.0), (-1.0, 2.0)] {
            assert!((ramp.at(share) - value).abs() < 1e-12, "{share}");
        }
        assert!(ramp.at(0.1) > 1.95, "it begins slowly");
        assert_eq!((ramp.most(), Scheduled::Constant(3.0).at(0.7)), (2.0, 3.0));
    }

    #[test]
    fn both_ends_are_checked_and_nothing_that_is_no_number_passes() {
        assert!(Scheduled::Ramp { from: 1.0, to: 2.0 }.check("x", 0.0, 1.5).is_err());
        assert!(Scheduled::Constant(f64::NAN).check("x", 0.0, 1.5).is_err());
        assert!(Scheduled::Constant(1.5).check("x", 0.0, 1.5).is_ok());
        assert!(Scheduled::Constant(1e30).check("x", 0.0, f64::INFINITY).is_ok());
        let error = Scheduled::Constant(f64::INFINITY).check("x", 0.0, f64::INFINITY).unwrap_err();
        assert_eq!(error.to_string(), "x = inf: a finite number of 0 or more is possible");
    }

    #[test]
    fn a_preset_writes_a_number_or_both_ends() {
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
