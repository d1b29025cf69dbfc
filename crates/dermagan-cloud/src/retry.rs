//! Retries with growing pauses.

use std::time::Duration;

use rand::RngExt;

/// How long a call goes on trying a store that does not answer.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The time after which no new try begins.
    pub total: Duration,
    /// The pause after the first failure. Each later one is twice as long.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Patience {
    /// Tries for this long.
    pub fn of(total: Duration) -> Self {
        Self { total, first: Duration::from_millis(500), longest: Duration::from_secs(20) }
    }

    /// Tries once.
    pub fn none() -> Self {
        Self::of(Duration::ZERO)
    }

    /// The pause after `failures` failures: at random between a half and all of what is due, so that many machines do not
    /// come back at the same moment.
    pub fn pause(&self, failures: u32) -> Duration {
        let due =
            self.first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(self.longest);
        due.mul_f64(rand::rng().random_range(0.5..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest() {
        let patience = Patience::of(Duration::from_secs(60));
        for (failures, most) in [(1, 0.5), (2, 1.0), (3, 2.0), (7, 20.0), (60, 20.0)] {
            let pause = patience.pause(failures).as_secs_f64();
            assert!(pause >= most / 2.0 && pause <= most, "{failures}: {pause}");
        }
    }
}
