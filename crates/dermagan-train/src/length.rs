//! How long a run can be in the time that there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dermagan_model::Selected;

use crate::error::TrainError;
use crate::event::Event;
use crate::plan::Plan;
use crate::trainer::{ADAPT_EVERY, Trainer};

/// Groups of steps are timed for so long or for a twentieth of the run's time, and at least [`GROUPS`] of
/// them.
const TIMED: Duration = Duration::from_secs(10);
const GROUPS: usize = 3;
/// The longest time that is believed: ten years.
const MOST_MINUTES: f64 = 10.0 * 365.25 * 24.0 * 60.0;

/// Makes the run as long as fits into `minutes` of training on this device: times some of its own steps,
/// on its own images, and forgets what they learnt. Settings that change over the run then do so over
/// that length. `stop` ends the timing early; the run that follows stops at its first step. Pictures, checkpoints and figures of the snapshots come on top (on a CPU 1 % of a run of
/// `fast` with four metrics every 60 kimg).
///
/// # Errors
/// When `minutes` is no time, or too short for one step.
pub fn fit_into(
    plan: &mut Plan,
    minutes: f64,
    device: &Selected,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(Event),
) -> Result<(), TrainError> {
    check(minutes)?;
    let timed = Duration::from_secs_f64(minutes * 60.0 / 20.0).min(TIMED);
    let seconds_per_kimg = seconds_per_kimg(plan, device, timed, stop);
    let kimg = length(minutes, seconds_per_kimg);
    let step = plan.config.optimiser.batch as f64 / 1000.0;
    if kimg < step {
        return Err(TrainError::Option(format!(
            "--minutes {minutes}: one step takes {:.2e} minutes here",
            seconds_per_kimg * step / 60.0
        )));
    }
    plan.config.set_length(kimg);
    plan.config.validate()?;
    sink(Event::Fitted { kimg, seconds_per_kimg });
    Ok(())
}

/// Before anything takes time.
///
/// # Errors
/// When it is no time.
pub fn check(minutes: f64) -> Result<(), TrainError> {
    match minutes > 0.0 && minutes <= MOST_MINUTES {
        true => Ok(()),
        false => Err(TrainError::Option(format!(
            "--minutes {minutes}: more than 0 and at most ten years are possible, such as --minutes 30"
        ))),
    }
}

/// Thousands of images in so many minutes, rounded down: whole ones from 10 on, for names that can be read.
fn length(minutes: f64, seconds_per_kimg: f64) -> f64 {
    let kimg = minutes * 60.0 / seconds_per_kimg;
    let unit = if kimg >= 10.0 { 1.0 } else { 1000.0 };
    (kimg * unit).floor() / unit
}

/// Seconds that a thousand images take, as the median over groups of steps. A group holds a step with
/// penalties for every `objective.every` steps, as the run does; the first is left out, as a GPU chooses
/// and builds its kernels in it.
fn seconds_per_kimg(plan: &Plan, device: &Selected, timed: Duration, stop: &AtomicBool) -> f64 {
    let mut trainer = Trainer::new(plan, device.clone());
    let steps = plan.config.objective.every.clamp(1, ADAPT_EVERY);
    let mut seconds = Vec::new();
    let start = Instant::now();
    while seconds.len() <= GROUPS || start.elapsed() < timed && !stop.load(Ordering::Relaxed) {
        let group = Instant::now();
        for _ in 0..steps {
            trainer.step();
        }
        // This waits for the device. A breakdown is the run's to report: it comes to the same steps.
        let _ = trainer.read_back();
        seconds.push(group.elapsed().as_secs_f64());
    }
    let mut rest = seconds.split_off(1);
    rest.sort_by(f64::total_cmp);
    let kimg = (steps * plan.config.optimiser.batch as u64) as f64 / 1000.0;
    rest[rest.len() / 2] / kimg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_hour_at_ten_seconds_a_kimg_is_180_kimg() {
        assert_eq!(length(30.0, 10.0), 180.0);
        assert_eq!(length(30.0, 10.3), 174.0);
        assert_eq!(length(0.1, 7.0), 0.857);
    }

    #[test]
    fn no_time_and_endless_time_are_refused() {
        for minutes in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e12] {
            assert!(check(minutes).is_err(), "{minutes}");
        }
        assert!(check(0.5).is_ok());
    }
}
