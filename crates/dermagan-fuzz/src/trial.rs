//! One input through one target, with limits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::{Scratch, Target, memory};

/// The most memory that an input may take, in bytes: 1 GiB.
pub const LIMIT_BYTES: usize = 1 << 30;
/// The longest time that an input may take, in seconds of the CPU: a busy machine does not count.
pub const LIMIT_SECONDS: u64 = 5;

/// What an input took.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// The time that the process computed.
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
        let began = computed();
        let done = catch_unwind(AssertUnwindSafe(|| (target.run)(scratch, input)));
        let trial = Self {
            time: computed().saturating_sub(began),
            bytes: memory::peak().saturating_sub(before),
        };
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

/// The time that all threads of this process computed.
#[cfg(unix)]
#[allow(unsafe_code, reason = "calls the C library")]
fn computed() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result. If the clock does not exist, it stays 0.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(unix))]
fn computed() -> Duration {
    static BEGAN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    BEGAN.get_or_init(std::time::Instant::now).elapsed()
}
