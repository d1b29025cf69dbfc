//! Counts the work of a GPU in a training step: launches, transfers, waits, and memory. Unlike seconds, these numbers
//! are the same on every card and on a software driver.

use std::sync::Arc;

use dermagan_model::ComputeDevice;
use dermagan_model::device::Launches;
use dermagan_model::tensor::Transfers;

use crate::plan::run_plan::Plan;
use crate::recipe::config::images_of_kimg;
use crate::run::session::READ_EVERY;
use crate::run::trainer::Trainer;

/// Counts per training step: means over the counted steps.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchCounts {
    /// Number of steps that were counted.
    pub steps: u64,
    /// Kernel launches per step.
    pub launches: f64,
    /// Tensors uploaded per step.
    pub uploads: f64,
    /// Bytes uploaded per step, without the kernels' own arguments.
    pub bytes_up: f64,
    /// Tensors read back per step. For each, the host waits for the device.
    pub reads: f64,
    /// Bytes read back per step.
    pub bytes_down: f64,
    /// Pages of device memory added to the pools per step.
    pub pages: f64,
    /// Launches per step by kernel, most frequent first.
    pub kernels: Vec<(String, f64)>,
}

/// Counts the work of a number of steps of a run of `plan`.
///
/// The number is a multiple of the interval between two reads and covers whole intervals of penalties. Lookahead with a
/// longer interval is counted only if it occurs in these steps. The same number of steps runs before, in which the
/// device chooses and builds its kernels. The steps are those in the middle of the run, where the networks are
/// conditioned on classes. There is no snapshot.
pub fn training_steps(plan: Arc<Plan>, device: &ComputeDevice) -> LaunchCounts {
    // In the middle of the run networks are conditioned on classes, and transforms are halfway.
    let middle = images_of_kimg(plan.config.schedule.kimg / 2.0);
    let mut trainer = Trainer::after(middle, plan.clone(), device.clone());
    if !device.is_cpu {
        trainer.watch(None);
    }
    let every = plan.config.objective.every.clamp(1, READ_EVERY);
    let steps = READ_EVERY * if READ_EVERY.is_multiple_of(every) { 1 } else { every };
    let mut run = || {
        for _ in 0..steps {
            trainer.step();
            if trainer.steps.is_multiple_of(READ_EVERY) {
                // A breakdown on the phantom does not matter here.
                let _ = trainer.read_back();
            }
        }
    };
    run();
    let pages = || {
        let pools = device.handle.memory_pool_report().unwrap_or_default();
        pools.iter().map(|pool| pool.pages).sum::<u64>()
    };
    let (launches, before, pages_before) = (Launches::new(), Transfers::so_far(), pages());
    run();
    let moved = Transfers::so_far().since(before);
    let per_step = |n: u64| n as f64 / steps as f64;
    let kernels = launches.so_far();
    LaunchCounts {
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
