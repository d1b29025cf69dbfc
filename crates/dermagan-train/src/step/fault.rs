//! Fault injection: corrupts one gradient in chosen computations, so that tests can check that the error is detected.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::Tensor;

/// The environment variable that asks for a fault in tests of the whole program.
pub const VARIABLE: &str = "DERMAGAN_TEST_FAULT";

/// Multiplies the gradient of one parameter by a factor in computations `first` to `last` of this process's steps.
#[derive(Debug)]
pub struct Fault {
    parameter: String,
    factor: f64,
    first: u64,
    last: u64,
    computed: AtomicU64,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "'{text}': expected PLAYER PARAMETER FACTOR FIRST-LAST, such as G main.0.weight 0 1-1"
            )
        };
        let [player, name, factor, range] = text.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(expected());
        };
        let (first, last) = range.split_once('-').ok_or_else(expected)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| expected());
        Ok(Self {
            parameter: format!("{player} {name}"),
            factor: factor.parse().map_err(|_| expected())?,
            first: number(first)?,
            last: if last.is_empty() { u64::MAX } else { number(last)? },
            computed: AtomicU64::new(0),
        })
    }
}

impl Fault {
    /// The fault that the environment variable `DERMAGAN_TEST_FAULT` asks for; `None` if it is not set.
    ///
    /// # Errors
    /// When its value cannot be parsed.
    pub fn requested() -> Result<Option<Self>, String> {
        match std::env::var(VARIABLE) {
            Ok(text) => text.parse().map(Some).map_err(|error| format!("{VARIABLE}={error}")),
            Err(_) => Ok(None),
        }
    }

    /// Counts a computation of a step and says whether to corrupt it.
    pub(crate) fn strikes(&self) -> bool {
        let computation = self.computed.fetch_add(1, Ordering::Relaxed) + 1;
        (self.first..=self.last).contains(&computation)
    }

    /// Corrupts the parameter's gradient if it belongs to `player`.
    pub(crate) fn corrupt(&self, player: &str, gradients: &mut [(String, Tensor<1>)]) {
        for (name, gradient) in gradients {
            if self.parameter == format!("{player} {name}") {
                *gradient = gradient.clone().mul_scalar(self.factor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_parsed_and_strikes_in_its_range() {
        let fault: Fault = "G main.0.weight 0 2-3".parse().unwrap();
        assert_eq!([1, 2, 3, 4].map(|_| fault.strikes()), [false, true, true, false]);
        let fault: Fault = "D main.0.weight 10 2-".parse().unwrap();
        assert_eq!([1, 2, 3, 4].map(|_| fault.strikes()), [false, true, true, true]);
        for bad in ["", "G main.0.weight", "G a x 1-1", "G a 0 1", "G a 0 1-x"] {
            assert!(bad.parse::<Fault>().unwrap_err().contains("expected"), "{bad}");
        }
    }
}
