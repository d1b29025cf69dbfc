//! How a run sees that its device errs: the first step is compared with the CPU, a step of every snapshot is
//! repeated, and steps with a suspicious gradient are computed again before what they learnt is kept.

use std::sync::Arc;

use burn::tensor::Device;
use dermagan_model::named::Network;
use dermagan_model::ops::is_cpu;
use dermagan_model::{Flat, Generator, Precision};

use super::{Trainer, loaded};
use crate::check::fault::Fault;
use crate::check::guard::{Guard, Suspicion};
use crate::check::{Comparison, Gradients, compare, gradients, worst_first};
use crate::feed::Fed;
use crate::lookahead::Lookahead;
use crate::loss_scale::LossScale;
use crate::step::{MEASURES, Players, Turn};

/// How often suspicious steps are computed until the device is given up.
const ATTEMPTS: usize = 4;
/// Norms of one computation that are those of another.
const SAME: f64 = 0.01;

/// The largest relative difference of a gradient from the CPU's, in a run. Larger than for the doctor's test networks:
/// gradients of large batches are small differences of large numbers (two levels of the CPU differ by 3e-3 in the
/// first step of `reference`). Wrong kernels are off by 1e-1 and more.
pub const TOLERANCE: f64 = 2e-2;
/// In float16, whose numbers are rounded to 1 in 2048.
pub const HALF_TOLERANCE: f64 = 1e-1;
/// The largest relative difference between two computations of one step on one device.
pub const REPEAT_TOLERANCE: f64 = 1e-3;

/// Loss scales that are tried for a comparison in float16.
const SCALES: [f32; 5] = [65_536.0, 4096.0, 256.0, 16.0, 1.0];

/// What has broken a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Broken {
    /// This value is infinite or not a number.
    NotFinite(String),
    /// The device does not compute the same twice.
    Device(String),
}

/// What was read back.
#[derive(Clone, Debug, Default)]
pub struct ReadBack {
    /// The values of the newest step; none where there was no step.
    pub newest: Vec<f32>,
    /// Why steps were computed again, if they were.
    pub recomputed: Option<Recomputed>,
}

/// Steps that were computed again.
#[derive(Clone, Debug, PartialEq)]
pub struct Recomputed {
    /// How many.
    pub steps: usize,
    /// The parameter whose gradient's norm was suspicious, such as `G main.0.weight`.
    pub parameter: String,
    /// The norm.
    pub norm: f64,
    /// The range that it had had so far.
    pub usual: (f64, f64),
    /// Whether the second computation had another result, so that the device had erred.
    pub erred: bool,
}

/// How two computations of one step compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeated {
    /// The gradient that differs the most.
    pub worst: Comparison,
    /// Whether all gradients are the same bits.
    pub same_bits: bool,
}

impl Repeated {
    /// Whether the computations are one result.
    pub fn agrees(&self) -> bool {
        self.worst.difference <= REPEAT_TOLERANCE
    }
}

/// Where a run was when its values were last read back and not suspicious.
#[derive(Clone)]
struct Settled {
    players: Players,
    average: Flat<Generator>,
    lookahead: Option<Lookahead>,
    nimg: u64,
    steps: u64,
}

/// What watches a device.
pub struct Defence {
    guard: Guard,
    names: Vec<String>,
    settled: Settled,
    /// How often a suspicion was unfounded.
    confirmed: u64,
}

impl Trainer<'_> {
    /// Watches the gradients from here on. `fault` corrupts them, for tests.
    pub fn watch(&mut self, fault: Option<Arc<Fault>>) {
        self.players.watched = true;
        self.players.fault = fault;
        let names = self.players.watched_names();
        let guard =
            Guard::new(names.iter().map(|name| usize::from(name.starts_with('G'))).collect());
        self.defence = Some(Defence { guard, names, settled: self.now(), confirmed: 0 });
    }

    /// Corrupts the gradients without watching them, for tests.
    pub fn corrupt(&mut self, fault: Arc<Fault>) {
        self.players.fault = Some(fault);
    }

    fn now(&self) -> Settled {
        Settled {
            players: self.players.clone(),
            average: self.average.clone(),
            lookahead: self.lookahead.clone(),
            nimg: self.nimg,
            steps: self.steps,
        }
    }

    fn go_back(&mut self, to: &Settled) {
        let Settled { players, average, lookahead, nimg, steps } = to.clone();
        (self.players, self.average, self.lookahead) = (players, average, lookahead);
        (self.nimg, self.steps) = (nimg, steps);
    }

    /// Computes the steps behind `values` again where one of them is suspicious, until two computations agree or
    /// one is not suspicious.
    pub(super) fn settle(
        &mut self,
        values: &mut Vec<Vec<f32>>,
    ) -> Result<Option<Recomputed>, Broken> {
        let Some(mut defence) = self.defence.take() else { return Ok(None) };
        let scaled = self.players.g_scale.is_some();
        let suspicion = |guard: &Guard, values: &[Vec<f32>]| {
            values.iter().find_map(|step| guard.judge(&step[MEASURES.len()..], scaled))
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
                    "{ATTEMPTS} computations of the same steps gave different gradients: that of {parameter} had \
                     norm {norm:.2e}"
                )));
            }
            attempts += 1;
            self.go_back(&defence.settled);
            for _ in 0..steps {
                self.step();
            }
            let again = self.pending_values();
            let same = agree(values, &again);
            *values = again;
            if same {
                defence.guard.accept(&found);
                defence.confirmed += 1;
                // The first times, and then ever more rarely: the comparison takes a step of the CPU.
                if defence.confirmed.is_power_of_two() {
                    self.confirm(&defence.settled, entry)?;
                }
                break;
            }
            entry.erred = true;
        }
        values.iter().for_each(|step| defence.guard.learn(&step[MEASURES.len()..]));
        defence.settled = self.now();
        self.defence = Some(defence);
        Ok(recomputed)
    }

    /// Asks the CPU whether what a device computed twice is right: the first of the steps since `settled`.
    fn confirm(&mut self, settled: &Settled, entry: &Recomputed) -> Result<(), Broken> {
        let now = self.now();
        self.go_back(settled);
        let compared = self.compare_with_cpu();
        self.go_back(&now);
        let Some(wrong) = compared.iter().find(|c| !self.tolerates(c)) else { return Ok(()) };
        let Comparison { parameter, difference } = wrong;
        Err(Broken::Device(format!(
            "the gradient of {} had norm {:.2e}, usually {:.2e} to {:.2e}, and that of {parameter} is off by \
             {difference:.1e} of its norm from the CPU's",
            entry.parameter, entry.norm, entry.usual.0, entry.usual.1
        )))
    }

    /// The next step's gradients on the device beside the CPU's, worst first. The run stays where it is.
    pub fn compare_with_cpu(&mut self) -> Vec<Comparison> {
        let fed = self.feed.batch(self.nimg);
        let found = self.gradients_of(&self.players, fed.clone(), &self.device.device);
        let cpu = Device::flex();
        let mut reference = Players::new(&self.plan.config, &cpu);
        let g = self.players.generator.to_weights();
        let d = self.players.discriminator.to_weights();
        // A network of the same configuration takes them.
        let _ = loaded(&mut reference.generator, &g);
        let _ = loaded(&mut reference.discriminator, &d);
        let expected = self.gradients_of(&reference, fed, &cpu);
        if expected.values().flatten().any(|value| !value.is_finite()) {
            // The run breaks down, which is not the device's fault.
            return Vec::new();
        }
        self.begin_ranges(&found);
        let mut compared = compare(&found, &expected);
        worst_first(&mut compared);
        compared
    }

    /// Gives a guard that has seen nothing the norms of these gradients, so that it sees a loss in the first steps.
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

    /// Whether a gradient's difference from the CPU's is rounding; a NaN is not.
    pub fn tolerates(&self, comparison: &Comparison) -> bool {
        let tolerance = match self.plan.config.precision {
            Precision::F16 => HALF_TOLERANCE,
            Precision::F32 | Precision::Bf16 => TOLERANCE,
        };
        comparison.difference <= tolerance
    }

    /// The next step's gradients, twice on the device. The run stays where it is.
    pub fn repeat(&mut self) -> Repeated {
        let fed = self.feed.batch(self.nimg);
        let first = self.gradients_of(&self.players, fed.clone(), &self.device.device);
        let second = self.gradients_of(&self.players, fed, &self.device.device);
        let mut compared = compare(&second, &first);
        worst_first(&mut compared);
        let none = Comparison { parameter: "none".into(), difference: 0.0 };
        let worst = compared.into_iter().next().unwrap_or(none);
        Repeated { worst, same_bits: first == second }
    }

    /// The gradients of a step with penalties on what was fed. Neither player moves in it, so that both players'
    /// gradients are of the same weights. In float16 they are scaled as far as all stay finite; the CPU, whose results
    /// are float32, needs no scale.
    fn gradients_of(&self, players: &Players, fed: Fed, device: &Device) -> Gradients {
        let scaled = players.g_scale.is_some() && !is_cpu(device);
        let scales: &[f32] = if scaled { &SCALES } else { &[1.0] };
        let mut found = Gradients::new();
        for scale in scales {
            let mut players = players.clone();
            let of = |scale: f32| scaled.then(|| LossScale::of(scale, device));
            (players.g_scale, players.d_scale) = (of(*scale), of(*scale));
            found = self.gradients_unscaled(&players, fed.clone(), device);
            if found.values().flatten().all(|value| value.is_finite()) {
                break;
            }
        }
        found
    }

    fn gradients_unscaled(&self, players: &Players, fed: Fed, device: &Device) -> Gradients {
        let config = &self.plan.config;
        let turn = Turn::of(config, 1, config.share(self.nimg));
        let turn = Turn { learning_rates: [0.0; 2], ..turn };
        gradients(players, self.batch_of(fed, device), &turn)
    }
}

/// Whether all norms of two computations are the same, nearly.
fn agree(a: &[Vec<f32>], b: &[Vec<f32>]) -> bool {
    let near = |(a, b): (&f32, &f32)| {
        let (a, b) = (f64::from(*a), f64::from(*b));
        (a - b).abs() <= SAME * a.abs().max(b.abs()) || (!a.is_finite() && !b.is_finite())
    };
    let norms = |step: &Vec<f32>| step[MEASURES.len()..].to_vec();
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| norms(a).iter().zip(&norms(b)).all(near))
}

#[cfg(test)]
mod tests {
    use dermagan_model::Selected;

    use super::*;
    use crate::plan::tests::phantom;
    use crate::plan::{Plan, Request};

    fn plan(preset: &str) -> Plan {
        let settings = ["model.g_width=2".to_owned(), "model.d_width=2".to_owned()].to_vec();
        let request =
            Request { preset: preset.into(), settings, batch: Some(4), ..Request::default() };
        phantom(request).unwrap()
    }

    /// Steps of a run whose device errs as `fault` says, read back every `every`th, and what was seen.
    fn run<'a>(
        plan: &'a Plan,
        fault: Option<&str>,
        every: u64,
    ) -> Result<(Trainer<'a>, usize), Broken> {
        let mut trainer = Trainer::new(plan, Selected::cpu());
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

    fn weights(trainer: &Trainer<'_>) -> dermagan_model::weights::Weights {
        trainer.checkpoint().unwrap().tensors
    }

    #[test]
    fn a_lost_gradient_of_any_parameter_is_seen_and_the_run_is_the_one_without_it() {
        for preset in ["tiny", "fast"] {
            let plan = plan(preset);
            let (clean, errors) = run(&plan, None, 4).unwrap();
            assert_eq!(errors, 0);
            let expected = weights(&clean);
            let mut names = Trainer::new(&plan, Selected::cpu());
            names.watch(None);
            // A class's vectors have no gradient before it is told, and under a relativistic loss the head's bias
            // has none but rounding.
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
    fn a_device_that_goes_on_to_err_stops_the_run() {
        let plan = plan("tiny");
        let Err(Broken::Device(what)) = run(&plan, Some("G main.0.weight 0 8-"), 4) else {
            panic!("it went on")
        };
        assert!(what.contains("G main.0.weight"), "{what}");
    }

    #[test]
    fn a_wrong_gradient_is_seen_against_the_cpu_and_by_repetition() {
        let plan = plan("tiny");
        let mut trainer = Trainer::new(&plan, Selected::cpu());
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
    fn a_run_that_breaks_down_is_not_the_devices_fault() {
        let settings = ["model.g_width=2", "model.d_width=2", "optimiser.learning_rate=1e24"];
        let settings = settings.map(str::to_owned).to_vec();
        let request =
            Request { preset: "tiny".into(), settings, batch: Some(4), ..Request::default() };
        let plan = phantom(request).unwrap();
        assert!(matches!(run(&plan, None, 4), Err(Broken::NotFinite(_))));
    }
}
