//! Detects errors of the device during a run. The first step is compared with the CPU, one step is repeated at every
//! snapshot, and steps with a suspicious gradient are computed again before their result is kept.

use std::sync::Arc;

use burn::tensor::Device;
use dermagan_model::Network;
use dermagan_model::Precision;
use dermagan_model::ops::is_cpu;

use crate::check::compare::{
    GradientDifference, Gradients, compare_gradients, gradients, worst_first,
};
use crate::check::guard::{Guard, Suspicion};
use crate::check::repetition::{HALF_TOLERANCE, Recomputed, Repeated, TOLERANCE};
use crate::run::defence::{Broken, Defence, Settled};
use crate::run::prefetch::HostBatch;
use crate::run::trainer::{Trainer, loaded};
use crate::step::fault::Fault;
use crate::step::loss_scale::LossScale;
use crate::step::measures::Measures;
use crate::step::players::Players;
use crate::step::settings::StepSettings;

/// Number of computations of suspicious steps after which the run gives up.
const ATTEMPTS: usize = 4;
/// Largest relative difference between the norms of two computations that agree.
const SAME: f64 = 0.01;

/// Loss scales that a comparison in float16 tries, in this order.
const SCALES: [f32; 5] = [65_536.0, 4096.0, 256.0, 16.0, 1.0];

impl Trainer {
    /// Watches the gradients of all further steps. `fault` corrupts them, for tests.
    pub fn watch(&mut self, fault: Option<Arc<Fault>>) {
        self.players.watched = true;
        self.players.fault = fault;
        let names = self.players.watched_names();
        let guard =
            Guard::new(names.iter().map(|name| usize::from(name.starts_with('G'))).collect());
        self.defence = Some(Defence { guard, names, settled: self.state(), confirmed: 0 });
    }

    /// Corrupts the gradients without watching them, for tests.
    pub fn corrupt(&mut self, fault: Arc<Fault>) {
        self.players.fault = Some(fault);
    }

    fn state(&self) -> Settled {
        Settled {
            players: self.players.clone(),
            average: self.average.clone(),
            lookahead: self.lookahead.clone(),
            nimg: self.nimg,
            steps: self.steps,
        }
    }

    fn rewind(&mut self, to: &Settled) {
        let Settled { players, average, lookahead, nimg, steps } = to.clone();
        (self.players, self.average, self.lookahead) = (players, average, lookahead);
        (self.nimg, self.steps) = (nimg, steps);
    }

    /// If one of the steps with these `values` is suspicious, computes all of them again, until two computations agree
    /// or one of them is not suspicious.
    pub(super) fn recheck(
        &mut self,
        values: &mut Vec<Vec<f32>>,
    ) -> Result<Option<Recomputed>, Broken> {
        let Some(mut defence) = self.defence.take() else { return Ok(None) };
        let scaled = self.players.g_scale.is_some();
        let suspicion = |guard: &Guard, values: &[Vec<f32>]| {
            values.iter().find_map(|step| guard.judge(&step[Measures::COUNT..], scaled))
        };
        let mut recomputed: Option<Recomputed> = None;
        let mut attempts = 1;
        while let Some(found) = suspicion(&defence.guard, values) {
            let Suspicion { parameter, norm, usual } = found;
            let steps = values.len();
            let entry = recomputed.get_or_insert_with(|| Recomputed {
                steps,
                parameter: defence.names.get(parameter).cloned().unwrap_or_default(),
                norm,
                usual,
                erred: false,
            });
            if attempts == ATTEMPTS {
                let (parameter, norm) = (&entry.parameter, entry.norm);
                return Err(Broken::Device(format!(
                    "{ATTEMPTS} computations of the same steps gave different gradients; the gradient of {parameter} \
                     had norm {norm:.2e}"
                )));
            }
            attempts += 1;
            self.rewind(&defence.settled);
            for _ in 0..steps {
                self.step();
            }
            let again = self.pending_values();
            let same = agree(values, &again);
            *values = again;
            if same {
                defence.guard.accept(&found);
                defence.confirmed += 1;
                // Each comparison costs a step on the CPU, so they become rarer: the 1st, 2nd, 4th, 8th, … time.
                if defence.confirmed.is_power_of_two() {
                    self.confirm(&defence.settled, entry)?;
                }
                break;
            }
            entry.erred = true;
        }
        values.iter().for_each(|step| defence.guard.learn(&step[Measures::COUNT..]));
        defence.settled = self.state();
        self.defence = Some(defence);
        Ok(recomputed)
    }

    /// Compares the first step after `settled` with the CPU, because the device computed it twice with the same
    /// suspicious result.
    fn confirm(&mut self, settled: &Settled, entry: &Recomputed) -> Result<(), Broken> {
        let now = self.state();
        self.rewind(settled);
        let compared = self.compare_with_cpu();
        self.rewind(&now);
        let Some(wrong) = compared.iter().find(|c| !self.tolerates(c)) else { return Ok(()) };
        let GradientDifference { parameter, difference } = wrong;
        Err(Broken::Device(format!(
            "the gradient of {} had norm {:.2e}, usually {:.2e} to {:.2e}, and the gradient of {parameter} differs \
             from the CPU's by {difference:.1e} of its norm",
            entry.parameter, entry.norm, entry.usual.0, entry.usual.1
        )))
    }

    /// Compares the gradients of the next step on the device with the CPU's. The largest difference comes first. The
    /// state of the run does not change. The result is empty if the CPU's gradients are not finite.
    pub fn compare_with_cpu(&mut self) -> Vec<GradientDifference> {
        let batch = self.prefetch.batch(self.nimg);
        let found = self.gradients_of(&self.players, batch.clone(), &self.device.handle);
        let cpu = Device::flex();
        let mut reference = Players::new(&self.plan.config, &cpu);
        let g = self.players.generator.to_weights();
        let d = self.players.discriminator.to_weights();
        // A network of the same configuration accepts these weights, so there is no error to report.
        let _ = loaded(&mut reference.generator, &g);
        let _ = loaded(&mut reference.discriminator, &d);
        let expected = self.gradients_of(&reference, batch, &cpu);
        if expected.values().flatten().any(|value| !value.is_finite()) {
            // The run breaks down. That is not an error of the device.
            return Vec::new();
        }
        self.begin_ranges(&found);
        let mut compared = compare_gradients(&found, &expected);
        worst_first(&mut compared);
        compared
    }

    /// Gives the norms of these gradients to a guard that has seen none, so that it detects a lost gradient in the
    /// first steps.
    fn begin_ranges(&mut self, found: &Gradients) {
        let Some(Defence { guard, names, .. }) = &mut self.defence else { return };
        if !guard.is_empty() {
            return;
        }
        let square = |values: &Vec<f32>| values.iter().map(|v| v * v).sum::<f32>();
        let squares: Vec<f32> =
            names.iter().map(|name| found.get(name).map_or(0.0, square)).collect();
        guard.learn(&squares);
    }

    /// Whether a gradient's difference from the CPU's can be rounding. A NaN cannot.
    pub fn tolerates(&self, comparison: &GradientDifference) -> bool {
        let tolerance = match self.plan.config.precision {
            Precision::F16 => HALF_TOLERANCE,
            Precision::F32 | Precision::Bf16 => TOLERANCE,
        };
        comparison.difference <= tolerance
    }

    /// Computes the gradients of the next step twice on the device and compares them. The state of the run does not
    /// change.
    pub fn repeat(&mut self) -> Repeated {
        let batch = self.prefetch.batch(self.nimg);
        let first = self.gradients_of(&self.players, batch.clone(), &self.device.handle);
        let second = self.gradients_of(&self.players, batch, &self.device.handle);
        let mut compared = compare_gradients(&second, &first);
        worst_first(&mut compared);
        let none = GradientDifference { parameter: "none".into(), difference: 0.0 };
        let worst = compared.into_iter().next().unwrap_or(none);
        Repeated { worst, same_bits: first == second }
    }

    /// The gradients of a step with penalties on a batch. Neither player moves in it, so the gradients of both belong
    /// to the same weights. In float16 they are computed with the largest loss scale at which all are finite. The CPU
    /// computes in float32 and needs no scale.
    fn gradients_of(&self, players: &Players, batch: HostBatch, device: &Device) -> Gradients {
        let scaled = players.g_scale.is_some() && !is_cpu(device);
        let scales: &[f32] = if scaled { &SCALES } else { &[1.0] };
        let mut found = Gradients::new();
        for scale in scales {
            let mut players = players.clone();
            let of = |scale: f32| scaled.then(|| LossScale::of(scale, device));
            (players.g_scale, players.d_scale) = (of(*scale), of(*scale));
            found = self.gradients_unscaled(&players, batch.clone(), device);
            if found.values().flatten().all(|value| value.is_finite()) {
                break;
            }
        }
        found
    }

    /// The gradients at the loss scales that `players` have.
    fn gradients_unscaled(
        &self,
        players: &Players,
        batch: HostBatch,
        device: &Device,
    ) -> Gradients {
        let config = &self.plan.config;
        let settings = StepSettings::at(config, 1, self.nimg).without_moving();
        gradients(players, self.on_device(batch, self.nimg, device), &settings)
    }
}

/// Whether the norms of two computations agree within [`SAME`].
fn agree(a: &[Vec<f32>], b: &[Vec<f32>]) -> bool {
    let near = |(a, b): (&f32, &f32)| {
        let (a, b) = (f64::from(*a), f64::from(*b));
        (a - b).abs() <= SAME * a.abs().max(b.abs()) || (!a.is_finite() && !b.is_finite())
    };
    let norms = |step: &Vec<f32>| step[Measures::COUNT..].to_vec();
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| norms(a).iter().zip(&norms(b)).all(near))
}

#[cfg(test)]
mod tests {
    use dermagan_model::ComputeDevice;

    use super::*;
    use crate::plan::request::TrainRequest;
    use crate::plan::run_plan::Plan;
    use crate::test_support::{plan as phantom, request};

    fn plan(preset: &str) -> Arc<Plan> {
        let settings = ["model.g_width=2", "model.d_width=2", "model.projected=false"];
        let request = TrainRequest { batch: Some(4), ..request(preset, &settings) };
        Arc::new(phantom(request).unwrap())
    }

    /// Runs 12 steps on a device with this `fault` and reads them back every `every` steps. Returns the run and the
    /// number of errors that it detected.
    fn run(plan: &Arc<Plan>, fault: Option<&str>, every: u64) -> Result<(Trainer, usize), Broken> {
        let mut trainer = Trainer::new(plan.clone(), ComputeDevice::cpu());
        trainer.watch(fault.map(|fault| Arc::new(fault.parse().unwrap())));
        let mut errors = 0;
        while trainer.steps < 12 {
            trainer.step();
            if trainer.steps.is_multiple_of(every) {
                let read = trainer.read_back()?;
                errors += usize::from(read.recomputed.is_some_and(|r| r.erred));
            }
        }
        Ok((trainer, errors))
    }

    fn weights(trainer: &Trainer) -> dermagan_model::weights::Weights {
        trainer.checkpoint().unwrap().tensors
    }

    #[test]
    fn a_lost_gradient_of_any_parameter_is_detected_and_the_run_equals_one_without_it() {
        for preset in ["tiny", "fast"] {
            let plan = plan(preset);
            let (clean, errors) = run(&plan, None, 4).unwrap();
            assert_eq!(errors, 0);
            let expected = weights(&clean);
            let mut names = Trainer::new(plan.clone(), ComputeDevice::cpu());
            names.watch(None);
            // Class embeddings have no gradient before the conditioning begins. With a relativistic loss, the gradient
            // of the head's bias is only rounding.
            let head = names.players.discriminator.names().pop().unwrap();
            let without = |name: &String| {
                name.ends_with("embed") || (preset == "fast" && *name == format!("D {head}"))
            };
            let all = names.players.watched_names().into_iter();
            for (i, parameter) in all.filter(|name| !without(name)).enumerate() {
                let at = 6 + i as u64 % 6;
                for factor in ["0", "1e6", "NaN"] {
                    let fault = format!("{parameter} {factor} {at}-{at}");
                    let (healed, errors) = run(&plan, Some(&fault), 4).unwrap();
                    assert_eq!(errors, 1, "{preset}: {fault}");
                    assert!(weights(&healed) == expected, "{preset}: {fault} was learnt from");
                }
            }
        }
    }

    #[test]
    fn a_device_that_keeps_making_errors_stops_the_run() {
        let plan = plan("tiny");
        let Err(Broken::Device(what)) = run(&plan, Some("G main.0.weight 0 8-"), 4) else {
            panic!("the run continued")
        };
        assert!(what.contains("G main.0.weight"), "{what}");
    }

    #[test]
    fn a_wrong_gradient_is_detected_by_comparison_with_the_cpu_and_by_repetition() {
        let plan = plan("tiny");
        let mut trainer = Trainer::new(plan.clone(), ComputeDevice::cpu());
        trainer.watch(Some(Arc::new("D main.0.weight 1.1 1-1".parse().unwrap())));
        let worst = trainer.compare_with_cpu().remove(0);
        assert_eq!(worst.parameter, "D main.0.weight");
        assert!((worst.difference - 0.1).abs() < 1e-3 && !trainer.tolerates(&worst), "{worst:?}");
        trainer.watch(Some(Arc::new("G main.0.weight 1.01 2-2".parse().unwrap())));
        let repeated = trainer.repeat();
        assert!(!repeated.agrees() && !repeated.same_bits, "{repeated:?}");
        assert_eq!(repeated.worst.parameter, "G main.0.weight");
        trainer.watch(None);
        let repeated = trainer.repeat();
        assert!(repeated.agrees() && repeated.same_bits);
        assert!(trainer.compare_with_cpu().iter().all(|c| trainer.tolerates(c)));
    }

    #[test]
    fn a_run_that_breaks_down_is_not_reported_as_an_error_of_the_device() {
        let settings = ["model.g_width=2", "model.d_width=2", "optimiser.learning_rate=1e24"];
        let request = TrainRequest { batch: Some(4), ..request("tiny", &settings) };
        let plan = Arc::new(phantom(request).unwrap());
        assert!(matches!(run(&plan, None, 4), Err(Broken::NotFinite(_))));
    }
}
