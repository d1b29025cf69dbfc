//! One training step: the discriminator learns from a real and a fake batch, then the generator
//! from the new discriminator.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use dermagan_model::named::Network;
use dermagan_model::ops::join;
use dermagan_model::precision::Precision;
use dermagan_model::{Discriminator, Flat, Generator, Judgement};

use crate::adam::Adam;
use crate::check::fault::Fault;
use crate::config::{OptimiserConfig, TrainConfig};
use crate::loss_scale::{LossScale, Verdict};
use crate::objective::Loss;
use crate::transforms::Transforms;

/// Both players and their optimisers.
#[derive(Clone, Debug)]
pub struct Players {
    /// The generator, on an autodiff device.
    pub generator: Flat<Generator>,
    /// The discriminator, on an autodiff device.
    pub discriminator: Flat<Discriminator>,
    /// The generator's optimiser.
    pub g_adam: Adam,
    /// The discriminator's optimiser.
    pub d_adam: Adam,
    /// Number format of the convolutions.
    pub precision: Precision,
    /// The generator's loss scale; float16 only.
    pub g_scale: Option<LossScale>,
    /// The discriminator's loss scale; float16 only.
    pub d_scale: Option<LossScale>,
    /// Whether a step also returns its gradients' squared norms.
    pub watched: bool,
    /// Corrupts gradients; tests only.
    pub fault: Option<Arc<Fault>>,
}

/// What a step learns from, all of it on the autodiff device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// [batch, 3, side, side] in [-1, 1].
    pub real: Tensor<4>,
    /// The latents of as many fakes, [batch, [`latents`](dermagan_model::ModelConfig::latents)].
    pub z: Tensor<2>,
    /// The class of each real image and of the fake it is paired with, [batch, classes]; `None`
    /// for players that know of none.
    pub class: Option<Tensor<2>>,
    /// What is done to the real images and to the fakes before the discriminator sees them.
    pub transforms: Option<[Transforms; 2]>,
}

impl Batch {
    /// Without classes and transforms.
    pub fn plain(real: Tensor<4>, z: Tensor<2>) -> Self {
        Self { real, z, class: None, transforms: None }
    }
}

/// The settings of one step.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Counts the steps from 1.
    pub time: u64,
    /// Adam's learning rate of the generator and of the discriminator.
    pub learning_rates: [f64; 2],
    /// What the players want.
    pub loss: Loss,
    /// γ of R1 and of R2 in this step; 0 for none.
    pub gammas: [f64; 2],
}

impl Turn {
    /// Step `time` of a run when `share` of it is done.
    pub fn of(config: &TrainConfig, time: u64, share: f64) -> Self {
        let objective = &config.objective;
        let every = objective.every;
        let due = time.saturating_sub(1).is_multiple_of(every);
        let gamma = |gamma: f64| if due { gamma * every as f64 } else { 0.0 };
        Self {
            time,
            learning_rates: [config.optimiser.learning_rate, config.optimiser.d_rate()]
                .map(|rate| rate.at(share)),
            loss: objective.loss,
            gammas: [objective.r1, objective.r2].map(|g| gamma(g.at(share))),
        }
    }
}

/// What a step measures, in the order of the values that [`Players::step`] returns. New ones come last:
/// older checkpoints hold fewer. The probabilities are on the scale of the loss ([`Loss::certainty`]); with
/// a relativistic one they are of a real image being told from the fake it is paired with, and of the
/// opposite. The penalties are γ/2 · |gradient|².
pub const MEASURES: [&str; 10] = [
    "Loss/D/loss",
    "Loss/G/loss",
    "Loss/probs/real",
    "Loss/probs/fake",
    "Loss/probs/fake_after",
    "Loss/scores/real",
    "Loss/scores/fake",
    "Loss/signs/real",
    "Loss/D/r1",
    "Loss/D/r2",
];

/// Where the mean sign of the real logits is among the [`MEASURES`].
pub const SIGN: usize = 7;

/// The gradients of a loss by name, flat; with a loss scale also whether they are finite.
fn gradients_of<N: Network>(
    network: &N,
    loss: Tensor<1>,
    scale: Option<&mut LossScale>,
) -> (Vec<(String, Tensor<1>)>, Option<Verdict>) {
    let Some(scale) = scale else { return (network.gradients(&loss.backward()), None) };
    let found = network.gradients(&scale.scaled(loss).backward());
    let (found, finite) = scale.unscaled(found);
    (found, Some(finite))
}

/// Is shown a player's name and its gradients by name.
type Watch<'a> = dyn FnMut(&str, &[(String, Tensor<1>)]) + 'a;

/// What else is done with a step's gradients.
struct How {
    fault: Option<Arc<Fault>>,
    watched: bool,
    time: u64,
}

/// Moves a player against the gradients of its loss, having shown them; adds their squared norms to `squares`.
fn learn<N: Network>(
    player: &str,
    network: Flat<N>,
    adam: &mut Adam,
    (loss, scale): (Tensor<1>, Option<&mut LossScale>),
    how: &How,
    squares: &mut Vec<Tensor<1>>,
    watch: &mut Watch<'_>,
) -> Flat<N> {
    let (mut gradients, finite) = gradients_of(&*network, loss, scale);
    how.fault.iter().for_each(|fault| fault.corrupt(player, &mut gradients));
    watch(player, &gradients);
    let gradients = network.gather(gradients);
    if how.watched {
        squares.push(network.squares(&gradients));
    }
    adam.step(network, gradients, how.time, finite.as_ref())
}

impl Players {
    /// Players at the start of a run. `device` is without autodiff.
    pub fn new(config: &TrainConfig, device: &Device) -> Self {
        let scale = (config.precision == Precision::F16).then(|| LossScale::new(device));
        let device = device.clone().autodiff();
        let OptimiserConfig { init, beta1, beta2, epsilon, .. } = config.optimiser;
        let adam = Adam::new([beta1, beta2], epsilon);
        Self {
            generator: Flat::new(init.generator(&config.model, config.seed, &device)),
            discriminator: Flat::new(init.discriminator(&config.model, config.seed, &device)),
            g_adam: adam.clone(),
            d_adam: adam,
            precision: config.precision,
            g_scale: scale.clone(),
            d_scale: scale,
            watched: false,
            fault: None,
        }
    }

    /// One step. Returns the [`MEASURES`], and the squared norms of a watched step, as a tensor that is still on
    /// the device: nobody waits for it here.
    pub fn step(&mut self, batch: Batch, turn: &Turn) -> Tensor<1> {
        self.step_watched(batch, turn, |_, _| {})
    }

    /// As [`Players::step`], showing each player's gradients before they are used.
    pub fn step_watched(
        &mut self,
        batch: Batch,
        turn: &Turn,
        mut watch: impl FnMut(&str, &[(String, Tensor<1>)]),
    ) -> Tensor<1> {
        let Batch { mut real, z, class, transforms } = batch;
        let n = real.dims()[0];
        let fault = self.fault.clone().filter(|fault| fault.strikes());
        // One batch of fakes serves both players, as in PyTorch's example, turned and cut the same.
        let (mut fake, g_stats) = self.generator.forward_train(z, class.clone(), self.precision);
        self.generator.update_running(|g| g.update_running(&g_stats));
        if let Some([of_real, of_fake]) = transforms {
            (real, fake) = (of_real.apply(real), of_fake.apply(fake));
        }

        // Real and fake go through together, normalised apart: their filters are prepared once.
        let both = join(vec![real, fake.clone().detach()]);
        let classes = class.clone().map(|class| Tensor::cat(vec![class.clone(), class], 0));
        let judgement = self.discriminator.forward_train(both, classes.clone(), 2, self.precision);
        let real_logits = judgement.logits.clone().narrow(0, 0, n);
        let fake_logits = judgement.logits.clone().narrow(0, n, n);
        let d_loss = turn.loss.discriminator(real_logits.clone(), fake_logits.clone());
        judgement
            .stats
            .iter()
            .for_each(|stats| self.discriminator.update_running(|d| d.update_running(stats)));
        let penalties = self.penalties(judgement, classes, turn.gammas);
        let to_pay = penalties.iter().flatten().fold(d_loss.clone(), |sum, p| sum + p.clone());
        let how = How { fault, watched: self.watched, time: turn.time };
        let (d, scale) = (self.discriminator.clone(), self.d_scale.as_mut());
        self.d_adam.set_learning_rate(turn.learning_rates[1]);
        let mut squares = Vec::new();
        self.discriminator =
            learn("D", d, &mut self.d_adam, (to_pay, scale), &how, &mut squares, &mut watch);

        // The new discriminator judges the same fakes; its own gradients are nobody's business
        // here, and leaving them out saves 3 % of a step (flex, 2 cores).
        let judge = self.discriminator.clone().into_network().no_grad();
        let after = judge.forward_train(fake, class, 1, self.precision);
        after
            .stats
            .iter()
            .for_each(|stats| self.discriminator.update_running(|d| d.update_running(stats)));
        // What the discriminator said of the real images before its step weighs the fakes nearly as
        // what it would say now, and saves a twelfth of the step.
        let beside = turn.loss.is_relative().then(|| real_logits.clone().detach());
        let after_logits = after.logits;
        let g_loss = turn.loss.generator(beside.clone(), after_logits.clone());
        let (g, scale) = (self.generator.clone(), self.g_scale.as_mut());
        self.g_adam.set_learning_rate(turn.learning_rates[0]);
        let loss = (g_loss.clone(), scale);
        self.generator = learn("G", g, &mut self.g_adam, loss, &how, &mut squares, &mut watch);

        let mean = |x: Tensor<1>| x.inner().mean();
        let probability = |x: Tensor<1>| mean(turn.loss.certainty(x));
        let (sure_real, sure_fake, sure_after) = match &beside {
            Some(beside) => {
                let gap = real_logits.clone() - fake_logits.clone();
                (gap.clone(), gap.neg(), after_logits - beside.clone())
            }
            None => (real_logits.clone(), fake_logits.clone(), after_logits),
        };
        let signs = mean(turn.loss.sign(sure_real.clone()));
        let nothing = || Tensor::zeros([1], &signs.device());
        let [r1, r2] = penalties.map(|p| p.map_or_else(nothing, Tensor::inner));
        let mut values = vec![
            d_loss.inner(),
            g_loss.inner(),
            probability(sure_real),
            probability(sure_fake),
            probability(sure_after),
            mean(real_logits),
            mean(fake_logits),
            signs,
            r1,
            r2,
        ];
        values.extend(squares);
        Tensor::cat(values, 0)
    }

    /// The parameters whose gradients' squared norms follow the [`MEASURES`] of a watched step, in their order.
    pub fn watched_names(&self) -> Vec<String> {
        if !self.watched {
            return Vec::new();
        }
        let of = |player: &str, names: Vec<String>| {
            names.into_iter().map(|name| format!("{player} {name}")).collect::<Vec<_>>()
        };
        let mut names = of("D", self.discriminator.names());
        names.extend(of("G", self.generator.names()));
        names
    }

    /// γ/2 times the mean squared norm of the logits' gradients by the images, `[1]` each, on the
    /// real half and on the fake half of what was judged. The gradient is taken where the
    /// discriminator looks: after the transforms.
    fn penalties(
        &self,
        judgement: Judgement,
        classes: Option<Tensor<2>>,
        gammas: [f64; 2],
    ) -> [Option<Tensor<1>>; 2] {
        let n = judgement.logits.dims()[0] / 2;
        let halves = match gammas.map(|gamma| gamma > 0.0) {
            [false, false] => return [None, None],
            [true, true] => [0, 2 * n],
            [true, false] => [0, n],
            [false, true] => [n, n],
        };
        let [from, count] = halves;
        let part = |x: Tensor<4>| if count < 2 * n { x.narrow(0, from, count) } else { x };
        let activations = judgement.activations.into_iter().map(part).collect();
        let classes = classes.map(|c| c.narrow(0, from, count));
        let slope = self.discriminator.input_gradient(activations, classes, self.precision);
        let Some(slope) = slope else { return [None, None] };
        // Channels last, as the CPU has them already.
        let [_, colours, height, width] = slope.dims();
        let rows: Tensor<2> =
            slope.permute([0, 2, 3, 1]).reshape([count, colours * height * width]);
        let squares = rows.powi_scalar(2).sum_dim(1);
        let of = |gamma: f64, at: usize| {
            (gamma > 0.0).then(|| squares.clone().narrow(0, at, n).mean().mul_scalar(gamma / 2.0))
        };
        [of(gammas[0], 0), of(gammas[1], count - n)]
    }
}
