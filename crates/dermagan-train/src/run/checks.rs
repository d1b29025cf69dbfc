//! The checks of the device's gradients during a run, and how their results are reported.

use std::time::Instant;

use dermagan_model::ops::wrong_forms;

use crate::check::compare::GradientDifference;
use crate::check::repetition::{Recomputed, Repeated};
use crate::error::TrainError;
use crate::event::{Event, SelfCheck};
use crate::run::defence::Broken;
use crate::run::self_check::Checked;
use crate::run::session::Session;

/// Number of repetitions of a step at a snapshot after which the run gives up.
const ATTEMPTS: usize = 3;

impl Session {
    /// Reports the check before the first step.
    pub(super) fn report_check(&mut self, Checked { start, warning }: Checked) {
        if let Some(warning) = warning {
            self.warn(&warning);
        }
        let Some((worst, seconds)) = start else { return };
        self.counts.on = true;
        self.counts.compared += 1;
        self.counts.seconds += seconds;
        let GradientDifference { parameter, difference } = &worst;
        self.dir.log(&format!(
            "self-check: the gradients match the CPU's; the largest difference is that of {parameter}, \
             {difference:.1e} of its norm ({seconds:.1} s)"
        ));
        self.log_wrong_forms();
        self.emit(Event::SelfCheck(SelfCheck::Start { worst, seconds }));
    }

    /// Logs the implementations of operations that were found to be wrong since the last call.
    fn log_wrong_forms(&mut self) {
        for wrong in wrong_forms().into_iter().skip(self.counts.logged) {
            self.counts.logged += 1;
            self.dir.log(&format!(
                "self-check: an implementation of an operation is not used, because its result is wrong on this \
                 device: {wrong}"
            ));
        }
    }

    /// Computes the next step twice on a watched device. If the gradients differ, repeats this until they agree with
    /// each other and with the CPU's.
    ///
    /// # Errors
    /// When they do not agree after [`ATTEMPTS`] repetitions.
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
            let bits = if *same_bits { "the same bits" } else { "different bits" };
            self.dir.log(&format!(
                "self-check at {:.3} kimg: two computations of a step have {bits}; the largest difference is that of \
                 {parameter}, {off:.1e} of its norm",
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
                self.emit(Event::SelfCheck(SelfCheck::Repeated { repeated, seconds }));
                return Ok(());
            }
            self.counts.errors += 1;
            self.warn(&match wrong {
                Some(GradientDifference { parameter, difference }) => format!(
                    "the device computed a wrong gradient of {parameter}: it differs from the CPU's by \
                     {difference:.1e} of its norm"
                ),
                None => format!(
                    "the device computed the gradient of {parameter} differently the second time, by {off:.1e} of its \
                     norm"
                ),
            });
        }
        let what = format!("the same step was computed wrongly {ATTEMPTS} times in a row");
        Err(self.broken(Broken::Device(what)))
    }

    /// Reports that steps were computed again.
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
                true => "with a different result, which was kept: the device had made an error",
                false => "with the same result: the device had made no error",
            }
        );
        match erred {
            true => self.warn(&words),
            false => self.dir.log(&format!("self-check at {:.3} kimg: {words}", self.kimg())),
        }
        self.emit(Event::SelfCheck(SelfCheck::Recomputed(recomputed)));
    }
}
