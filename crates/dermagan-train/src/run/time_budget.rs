//! Fits the length of a run to a time budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dermagan_base::SettingError;
use dermagan_model::ComputeDevice;

use crate::error::TrainError;
use crate::event::Event;
use crate::plan::run_plan::Plan;
use crate::plan::speed::parts;
use crate::run::trainer::{ADAPT_EVERY, Trainer};

/// Groups of steps are timed for this long, or for a twentieth of the budget if that is shorter.
const TIMED: Duration = Duration::from_secs(10);
/// Smallest number of groups that are timed.
const GROUPS: usize = 3;
/// Largest number of steps in a group. The time of rarer penalties is not included.
const MOST_STEPS: u64 = 64;

/// Sets the length of a run to what fits into the minutes of its plan on this device, if the plan has any.
///
/// It times some of the run's own steps on its own images and discards what they learnt. Settings with a schedule then
/// change over the new length. The images, checkpoints and metrics of snapshots come on top: on a CPU, they are 1 % of
/// a run of preset `fast` with four metrics every 60 kimg.
///
/// # Errors
/// When the time is too short for one step. [`TrainError::Stopped`] when `stop` is set in the meantime.
pub fn fit(
    plan: &mut Arc<Plan>,
    device: &ComputeDevice,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(Event),
) -> Result<(), TrainError> {
    let Some(minutes) = plan.minutes else { return Ok(()) };
    let timed = Duration::from_secs_f64(minutes * 60.0 / 20.0).min(TIMED);
    let parts = parts(&plan.config);
    let mut seconds_per_kimg = 0.0;
    for (share, nimg) in &parts {
        let timed = timed.div_f64(parts.len() as f64);
        seconds_per_kimg += share * seconds_per_kimg_at(*nimg, plan, device, timed, stop)?;
    }
    let kimg = length(minutes, seconds_per_kimg);
    let step = plan.config.optimiser.batch as f64 / 1000.0;
    if kimg < step {
        let problem = format!(
            "one step takes {:.2e} minutes on this device; expected more",
            seconds_per_kimg * step / 60.0
        );
        return Err(SettingError::value("minutes", minutes, problem).into());
    }
    let plan = Arc::make_mut(plan);
    plan.minutes = None;
    plan.config.set_length(kimg);
    plan.config.validate()?;
    sink(Event::Fitted { kimg, seconds_per_kimg });
    Ok(())
}

/// Thousands of images that fit into a number of minutes. The result is rounded down: to whole thousands from 10 kimg
/// on, so that names of files stay readable, otherwise to whole images.
fn length(minutes: f64, seconds_per_kimg: f64) -> f64 {
    let kimg = minutes * 60.0 / seconds_per_kimg;
    let unit = if kimg >= 10.0 { 1.0 } else { 1000.0 };
    (kimg * unit).floor() / unit
}

/// Number of steps in a group: the interval of penalties. On a GPU, a group has at least as many steps as a run
/// computes between two reads, in whole intervals.
fn group(every: u64, on_cpu: bool) -> u64 {
    let every = every.clamp(1, MOST_STEPS);
    if on_cpu { every } else { every * ADAPT_EVERY.div_ceil(every) }
}

/// Seconds per thousand images as after `nimg` images: the median over groups of steps. The first group is not counted,
/// because a GPU chooses and builds its kernels in it.
fn seconds_per_kimg_at(
    nimg: u64,
    plan: &Arc<Plan>,
    device: &ComputeDevice,
    timed: Duration,
    stop: &AtomicBool,
) -> Result<f64, TrainError> {
    let mut trainer = Trainer::after(nimg, plan.clone(), device.clone());
    let steps = group(plan.config.objective.every, device.is_cpu);
    let mut seconds = Vec::new();
    let start = Instant::now();
    while seconds.len() <= GROUPS || start.elapsed() < timed {
        let group = Instant::now();
        for step in 1..=steps {
            trainer.step();
            if step == steps || trainer.steps.is_multiple_of(ADAPT_EVERY) {
                // This waits for the device. A breakdown is ignored: the run does not keep these steps.
                let _ = trainer.read_back();
            }
            if stop.load(Ordering::Relaxed) {
                return Err(TrainError::Stopped("before the first step of the run"));
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
    fn half_an_hour_at_ten_seconds_per_kimg_is_180_kimg() {
        assert_eq!(length(30.0, 10.0), 180.0);
        assert_eq!(length(30.0, 10.3), 174.0);
        assert_eq!(length(0.1, 7.0), 0.857);
    }

    #[test]
    fn a_group_has_whole_intervals_of_penalties_and_keeps_a_gpu_busy() {
        assert_eq!([1, 4, 6, 1024].map(|every| group(every, true)), [1, 4, 6, 64]);
        assert_eq!([1, 4, 6, 1024].map(|every| group(every, false)), [16, 16, 18, 64]);
    }
}
