//! What a training step asks of a GPU: launches, transfers, waits, memory. Unlike seconds, these are the same on every
//! card, and on a software driver.

use dermagan_model::Selected;
use dermagan_model::launches::Launches;
use dermagan_model::transfer::Transfers;

use crate::config::images;
use crate::plan::Plan;
use crate::session::READ_EVERY;
use crate::trainer::Trainer;

/// What a step asks for, on average over the counted steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    /// Steps that were counted.
    pub steps: u64,
    /// Kernel launches per step.
    pub launches: f64,
    /// Tensors uploaded per step.
    pub uploads: f64,
    /// Their bytes per step, without the kernels' own arguments.
    pub bytes_up: f64,
    /// Tensors read back per step. Each is a wait of the host for the device.
    pub reads: f64,
    /// Their bytes per step.
    pub bytes_down: f64,
    /// Pages of device memory that were added to the pools per step.
    pub pages: f64,
    /// Launches per step by kernel, most frequent first.
    pub kernels: Vec<(String, f64)>,
}

/// Counts over as many steps of a run of `plan` as lie between two reads of its values, times as many as its penalties
/// take to come round; a lookahead that comes more rarely is counted as often as it comes in these. The same number of steps goes before, in which the device chooses
/// and builds its kernels. The run is in its middle, when players are told of classes; no snapshot is made.
pub fn training_steps(plan: &Plan, device: &Selected) -> Counts {
    let mut trainer = Trainer::new(plan, device.clone());
    trainer.nimg = images(plan.config.schedule.kimg / 2.0);
    trainer.adaptive.probability = 0.5;
    if !device.is_cpu {
        trainer.watch(None);
    }
    let every = plan.config.objective.every.clamp(1, READ_EVERY);
    let steps = READ_EVERY * if READ_EVERY.is_multiple_of(every) { 1 } else { every };
    let mut run = || {
        for _ in 0..steps {
            trainer.step();
            if trainer.steps.is_multiple_of(READ_EVERY) {
                // A breakdown on synthetic images is of no interest here.
                let _ = trainer.read_back();
            }
        }
    };
    run();
    let pages = || {
        let pools = device.device.memory_pool_report().unwrap_or_default();
        pools.iter().map(|pool| pool.pages).sum::<u64>()
    };
    let (launches, before, pages_before) = (Launches::new(), Transfers::so_far(), pages());
    run();
    let moved = Transfers::so_far().since(before);
    let per_step = |n: u64| n as f64 / steps as f64;
    let kernels = launches.so_far();
    Counts {
        steps,
        launches: per_step(kernels.iter().map(|(_, n)| n).sum()),
        uploads: per_step(moved.uploads),
        bytes_up: per_step(moved.bytes_up),
        reads: per_step(moved.reads),
        bytes_down: per_step(moved.bytes_down),
        pages: per_step(pages().saturating_sub(pages_before)),
        kernels: kernels.into_iter().map(|(name, n)| (name, per_step(n))).collect(),
    }
}
