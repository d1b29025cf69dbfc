//! How long a run can be in the time that there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dermagan_eval::EvalError;
use dermagan_model::Selected;

use crate::config::images;
use crate::error::TrainError;
use crate::event::Event;
use crate::plan::Plan;
use crate::trainer::{ADAPT_EVERY, Trainer};

/// Groups of steps are timed for so long or for a twentieth of the run's time, and at least [`GROUPS`] of
/// them.
const TIMED: Duration = Duration::from_secs(10);
const GROUPS: usize = 3;
/// Steps of a group at most: rarer penalties are left out of the time.
const MOST_STEPS: u64 = 64;
/// The longest time that is believed: ten years.
const MOST_MINUTES: f64 = 10.0 * 365.25 * 24.0 * 60.0;

/// Makes a run as long as fits into the minutes of its plan on this device, where there are any:
/// times some of its own steps, on its own images, and forgets what they learnt. Settings that change over
/// the run then do so over that length. Images, checkpoints and figures of the snapshots come on top (on
/// a CPU 1 % of a run of `fast` with four metrics every 60 kimg).
///
/// # Errors
/// When the time is too short for one step; when `stop` is set meanwhile.
pub fn fit(
    plan: &mut Plan,
    device: &Selected,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(Event),
) -> Result<(), TrainError> {
    let Some(minutes) = plan.minutes else { return Ok(()) };
    let timed = Duration::from_secs_f64(minutes * 60.0 / 20.0).min(TIMED);
    let seconds_per_kimg = seconds_per_kimg(plan, device, timed, stop)?;
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

/// Checks a number of minutes, before anything takes time.
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

/// Thousands of images in so many minutes, rounded down: whole ones from 10 on, for names that can be
/// read.
fn length(minutes: f64, seconds_per_kimg: f64) -> f64 {
    let kimg = minutes * 60.0 / seconds_per_kimg;
    let unit = if kimg >= 10.0 { 1.0 } else { 1000.0 };
    (kimg * unit).floor() / unit
}

/// Steps of a group: as many as from one penalty to the next, and on a GPU at least as many as the run
/// lets it compute without waiting for it.
fn group(every: u64, on_cpu: bool) -> u64 {
    let every = every.clamp(1, MOST_STEPS);
    if on_cpu { every } else { every * ADAPT_EVERY.div_ceil(every) }
}

/// Seconds that a thousand images take, as the median over groups of steps. The first group is left out,
/// as a GPU chooses and builds its kernels in it.
fn seconds_per_kimg(
    plan: &Plan,
    device: &Selected,
    timed: Duration,
    stop: &AtomicBool,
) -> Result<f64, TrainError> {
    let mut trainer = Trainer::new(plan, device.clone());
    // In the middle of the preset's length: by then classes are told, and probabilities that change, of
    // transforms that take time, are half the way (also one that adapts, wherever it will go).
    trainer.nimg = images(plan.config.schedule.kimg / 2.0);
    trainer.adaptive.probability = 0.5;
    let steps = group(plan.config.objective.every, device.is_cpu);
    let mut seconds = Vec::new();
    let start = Instant::now();
    while seconds.len() <= GROUPS || start.elapsed() < timed {
        let group = Instant::now();
        for step in 1..=steps {
            trainer.step();
            if step == steps || trainer.steps.is_multiple_of(ADAPT_EVERY) {
                // This waits for the device. A breakdown is the run's to report: it comes to the same
                // steps.
                let _ = trainer.read_back();
            }
            if stop.load(Ordering::Relaxed) {
                return Err(EvalError::Stopped.into());
            }
        }
        seconds.push(group.elapsed().as_secs_f64());
    }
    let mut rest = seconds.split_off(1);
    rest.sort_by(f64::total_cmp);
    let kimg = (steps * plan.config.optimiser.batch as u64) as f64 / 1000.0;
    Ok(rest[rest.len() / 2] / kimg)
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

    #[test]
    fn a_group_has_whole_rounds_of_penalties_and_keeps_a_gpu_busy() {
        assert_eq!([1, 4, 6, 1024].map(|every| group(every, true)), [1, 4, 6, 64]);
        assert_eq!([1, 4, 6, 1024].map(|every| group(every, false)), [16, 16, 18, 64]);
    }
}
