//! One input through one target, with limits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::{Scratch, Target, memory};

/// The most memory that an input may take, in bytes: 1 GiB.
pub const LIMIT_BYTES: usize = 1 << 30;
/// The longest time that an input may take, in seconds.
pub const LIMIT_SECONDS: u64 = 5;

/// What an input took.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// The time.
    pub time: Duration,
    /// The largest number of bytes in use at a time.
    pub bytes: usize,
}

impl Trial {
    /// Runs `input` through `target`. More than [`LIMIT_BYTES`] of memory end the process.
    ///
    /// # Errors
    /// If the target panicked, left a file outside its own, or took more than [`LIMIT_SECONDS`].
    pub fn run(target: &Target, scratch: &Scratch, input: &[u8]) -> Result<Self, String> {
        let before = memory::live();
        memory::start(LIMIT_BYTES);
        let began = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(|| (target.run)(scratch, input)));
        let trial = Self { time: began.elapsed(), bytes: memory::peak().saturating_sub(before) };
        memory::start(usize::MAX);
        if done.is_err() {
            return Err("it panics".into());
        }
        if let Some(path) = scratch.stray() {
            return Err(format!("it leaves a file: {}", path.display()));
        }
        if trial.time > Duration::from_secs(LIMIT_SECONDS) {
            return Err(format!(
                "it takes {:.1} s, expected at most {LIMIT_SECONDS}",
                trial.time.as_secs_f64()
            ));
        }
        Ok(trial)
    }
}
