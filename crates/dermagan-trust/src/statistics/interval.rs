//! The share of events among independent trials, with its exact interval.

use serde::Serialize;
use statrs::distribution::{Beta, ContinuousCDF};

/// The confidence of all intervals of this crate.
const CONFIDENCE: f64 = 0.95;

/// A number of events among trials, with the 95 % interval of their probability by Clopper and Pearson (1934).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Number of events.
    pub events: usize,
    /// Number of trials.
    pub trials: usize,
    /// The lower end of the interval, 0 to 1.
    pub low: f64,
    /// The upper end of the interval, 0 to 1.
    pub high: f64,
}

impl Rate {
    /// The rate of `events` among `trials`. Without a trial the interval is all of 0 to 1.
    ///
    /// # Panics
    /// When there are more events than trials.
    pub fn new(events: usize, trials: usize) -> Self {
        assert!(events <= trials, "{events} events in {trials} trials");
        let (k, n) = (events as f64, trials as f64);
        let tail = (1.0 - CONFIDENCE) / 2.0;
        let low = if events == 0 { 0.0 } else { beta_quantile(k, n - k + 1.0, tail) };
        let high = if events == trials { 1.0 } else { beta_quantile(k + 1.0, n - k, 1.0 - tail) };
        Self { events, trials, low, high }
    }

    /// The share of events, or 0 without a trial.
    pub fn share(&self) -> f64 {
        self.events as f64 / self.trials.max(1) as f64
    }
}

/// The smallest number of trials without an event whose interval ends at or below `share`, which is above 0 and below 1.
pub fn trials_that_exclude(share: f64) -> usize {
    // The upper end without an event is 1 - (tail)^(1/n).
    let tail = (1.0 - CONFIDENCE) / 2.0;
    (tail.ln() / (1.0 - share).ln()).ceil() as usize
}

/// A quantile of the beta distribution; both parameters are above 0.
fn beta_quantile(a: f64, b: f64, probability: f64) -> f64 {
    // The parameters are counts plus one, so the distribution exists.
    Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(probability))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_without_an_event_has_a_closed_form() {
        for n in [1, 10, 300] {
            let rate = Rate::new(0, n);
            let expected = 1.0 - 0.025_f64.powf(1.0 / n as f64);
            assert!(rate.low == 0.0 && (rate.high - expected).abs() < 1e-9, "{rate:?}");
            let all = Rate::new(n, n);
            assert!(all.high == 1.0 && (all.low - (1.0 - expected)).abs() < 1e-9, "{all:?}");
        }
        assert_eq!((Rate::new(0, 0).low, Rate::new(0, 0).high), (0.0, 1.0));
    }

    #[test]
    fn a_share_is_excluded_by_as_many_trials_as_it_takes() {
        for share in [0.01, 0.05, 0.3] {
            let n = trials_that_exclude(share);
            assert!(Rate::new(0, n).high <= share && Rate::new(0, n - 1).high > share);
        }
    }
}
