//! The check of a device's gradients before a run begins, and the counts of all checks.

use std::sync::Arc;
use std::time::Instant;

use dermagan_model::ComputeDevice;
use serde_json::json;

use crate::check::compare::GradientDifference;
use crate::error::TrainError;
use crate::run::trainer::Trainer;
use crate::step::fault::{Fault, VARIABLE};
use crate::store::stats::StatsLine;

/// Largest number of comparisons that an error names.
const NAMED: usize = 3;

/// Counts of the checks since this process began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CheckCounts {
    /// Whether the device is checked.
    pub on: bool,
    /// Number of wrong implementations of operations that are in the log.
    pub logged: usize,
    /// Number of steps that were compared with the CPU or with a second computation.
    pub compared: u64,
    /// Number of steps that were computed again, because one of them was suspicious.
    pub recomputed: u64,
    /// Number of errors of the device that were detected.
    pub errors: u64,
    /// Time that the comparisons took, in seconds.
    pub seconds: f64,
}

impl CheckCounts {
    /// The counts as fields of a line of statistics. There are none if the device is not checked.
    pub fn fields(&self) -> StatsLine {
        if !self.on {
            return StatsLine::new();
        }
        let counts = [
            ("SelfCheck/steps_compared", self.compared as f64),
            ("SelfCheck/steps_recomputed", self.recomputed as f64),
            ("SelfCheck/device_errors", self.errors as f64),
            ("SelfCheck/total_sec", self.seconds),
        ];
        let single = |value: f64| json!({"num": 1, "mean": value, "std": 0.0});
        counts.into_iter().map(|(name, value)| (name.to_owned(), single(value))).collect()
    }
}

/// The result of the check before the first step.
pub(super) struct Checked {
    /// The largest difference from the CPU and the seconds that the comparison took. `None` if nothing was checked.
    pub start: Option<(GradientDifference, f64)>,
    /// A warning that gradients are corrupted for a test.
    pub warning: Option<String>,
}

/// Compares the first step of a run on a GPU with the CPU, and watches its gradients from then on. If a test asks for a
/// fault, a run on the CPU is checked too.
///
/// # Errors
/// [`TrainError::SickDevice`] when gradients differ by more than rounding.
pub(super) fn begin(
    trainer: &mut Trainer,
    device: &ComputeDevice,
    wanted: bool,
) -> Result<Checked, TrainError> {
    let fault = Fault::requested().map_err(TrainError::Invalid)?;
    let warning = fault.is_some().then(|| format!("{VARIABLE} is set: gradients are corrupted"));
    let fault = fault.map(Arc::new);
    if !wanted {
        fault.into_iter().for_each(|fault| trainer.corrupt(fault));
        return Ok(Checked { start: None, warning });
    }
    if device.is_cpu && fault.is_none() {
        return Ok(Checked { start: None, warning });
    }
    let start = Instant::now();
    trainer.watch(fault);
    let compared = trainer.compare_with_cpu();
    let seconds = start.elapsed().as_secs_f64();
    let wrong: Vec<String> = compared
        .iter()
        .filter(|c| !trainer.tolerates(c))
        .map(|c| format!("{} is off by {:.2e} of its norm", c.parameter, c.difference))
        .collect();
    if !wrong.is_empty() {
        let named = wrong[..wrong.len().min(NAMED)].join(", ");
        let found = format!("{} of {} differ from the CPU's: {named}", wrong.len(), compared.len());
        return Err(TrainError::SickDevice { device: device.name.clone(), found });
    }
    Ok(Checked { start: compared.into_iter().next().map(|worst| (worst, seconds)), warning })
}
