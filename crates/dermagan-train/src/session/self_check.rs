//! The checks of a device's gradients in a run: when they happen, and what is said of them.

use std::sync::Arc;
use std::time::Instant;

use dermagan_model::Selected;
use dermagan_model::ops::wrong_forms;
use serde_json::json;

use super::Session;
use crate::check::Comparison;
use crate::check::fault::{Fault, VARIABLE};
use crate::error::TrainError;
use crate::event::{Event, SelfCheck};
use crate::stats::Line;
use crate::trainer::{Broken, Recomputed, Repeated, Trainer};

/// Comparisons that an error names.
const NAMED: usize = 3;
/// Computations of a snapshot's step until the device is given up.
const ATTEMPTS: usize = 3;

/// What was checked since this process began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    on: bool,
    /// Wrong forms that are in the log.
    logged: usize,
    /// Steps compared with the CPU or with themselves.
    compared: u64,
    /// Steps computed again, as one of them was suspicious.
    recomputed: u64,
    /// Times that the device was seen to err.
    errors: u64,
    /// Time that the comparisons took.
    seconds: f64,
}

impl Counts {
    /// As values of a line of statistics; none where nothing is checked.
    pub(super) fn fields(&self) -> Line {
        if !self.on {
            return Line::new();
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

/// What a run began with.
pub(super) struct Checked {
    /// The comparison with the CPU and its seconds; `None` where nothing is checked.
    start: Option<(Comparison, f64)>,
    warning: Option<String>,
}

/// Compares the first step of a run on a GPU with the CPU, and has its gradients watched from there on. A fault that
/// tests ask for makes the CPU a device to be checked, too.
pub(super) fn begin(
    trainer: &mut Trainer<'_>,
    device: &Selected,
    wanted: bool,
) -> Result<Checked, TrainError> {
    let fault = Fault::requested().map_err(TrainError::Option)?;
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
        let found = format!("{} of {} are not the CPU's: {named}", wrong.len(), compared.len());
        return Err(TrainError::SickDevice { device: device.name.clone(), found });
    }
    Ok(Checked { start: compared.into_iter().next().map(|worst| (worst, seconds)), warning })
}

impl Session<'_> {
    /// Says what the run began with.
    pub(super) fn begun(&mut self, Checked { start, warning }: Checked) {
        if let Some(warning) = warning {
            self.warn(&warning);
        }
        let Some((worst, seconds)) = start else { return };
        self.counts.on = true;
        self.counts.compared += 1;
        self.counts.seconds += seconds;
        let Comparison { parameter, difference } = &worst;
        self.dir.log(&format!(
            "self-check: the gradients match the CPU's; the largest difference, of {parameter}, is {difference:.1e} of \
             its norm ({seconds:.1} s)"
        ));
        self.log_wrong_forms();
        (self.sink)(Event::SelfCheck(SelfCheck::Start { worst, seconds }));
    }

    /// Logs the forms of operations that were found wrong since the last time.
    fn log_wrong_forms(&mut self) {
        for wrong in wrong_forms().into_iter().skip(self.counts.logged) {
            self.counts.logged += 1;
            self.dir.log(&format!(
                "self-check: not used because its result is wrong on this device: {wrong}"
            ));
        }
    }

    /// Computes the next step twice on a watched device. If the gradients differ, again until they agree and are
    /// the CPU's.
    pub(super) fn repeat(&mut self) -> Result<(), TrainError> {
        if !self.counts.on {
            return Ok(());
        }
        let start = Instant::now();
        for attempt in 1..=ATTEMPTS {
            let repeated = self.trainer.repeat();
            self.counts.compared += 2;
            let Repeated { worst, same_bits } = &repeated;
            let (parameter, off) = (worst.parameter.clone(), worst.difference);
            let bits = if *same_bits { "the same bits" } else { "other bits" };
            self.dir.log(&format!(
                "self-check at {:.3} kimg: two computations of a step have {bits}; the largest difference, of \
                 {parameter}, is {off:.1e} of its norm",
                self.kimg()
            ));
            // After a difference, agreement alone is not enough.
            let compared = if attempt > 1 { self.trainer.compare_with_cpu() } else { Vec::new() };
            self.counts.compared += u64::from(attempt > 1);
            let wrong = compared.into_iter().find(|c| !self.trainer.tolerates(c));
            if repeated.agrees() && wrong.is_none() {
                let seconds = start.elapsed().as_secs_f64();
                self.counts.seconds += seconds;
                self.log_wrong_forms();
                (self.sink)(Event::SelfCheck(SelfCheck::Repeated { repeated, seconds }));
                return Ok(());
            }
            self.counts.errors += 1;
            self.warn(&match wrong {
                Some(Comparison { parameter, difference }) => format!(
                    "the device computed a wrong gradient of {parameter}: it is off by {difference:.1e} of its norm \
                     from the CPU's"
                ),
                None => format!(
                    "the device computed the gradient of {parameter} differently the second time, by {off:.1e} of its \
                     norm"
                ),
            });
        }
        let what = format!("{ATTEMPTS} times, a step that was computed again was not right");
        Err(self.broken(Broken::Device(what)))
    }

    /// Says that steps were computed again.
    pub(super) fn recomputed(&mut self, recomputed: Recomputed) {
        let Recomputed { steps, parameter, norm, usual: (low, high), erred } = &recomputed;
        self.counts.recomputed += *steps as u64;
        self.counts.errors += u64::from(*erred);
        let words = format!(
            "the gradient of {parameter} had norm {norm:.2e}, usually {low:.2e} to {high:.2e}; {} computed again, {}",
            if *steps == 1 {
                "its step was".into()
            } else {
                format!("the last {steps} steps were")
            },
            match erred {
                true => "with another result, which was kept: the device had computed wrongly",
                false => "with the same result: the device had computed rightly",
            }
        );
        match erred {
            true => self.warn(&words),
            false => self.dir.log(&format!("self-check at {:.3} kimg: {words}", self.kimg())),
        }
        (self.sink)(Event::SelfCheck(SelfCheck::Recomputed(recomputed)));
    }
}
