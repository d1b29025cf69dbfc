//! The state of a run, and how it moves by one step. Everything random is a function of the seed
//! and of the number of the image, so the state is: weights, optimisers, average, counters.

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_model::latent::training_latents;
use dermagan_model::named::{Network, to_vec};
use dermagan_model::transfer::upload;
use dermagan_model::weights::Weights;
use dermagan_model::{Card, Flat, Generator, Selected, model_file};

use crate::augment::rarity;
use crate::checkpoint::{Adaptive, Checkpoint, producer};
use crate::config::TrainConfig;
use crate::ema;
use crate::estimate::parameters;
use crate::feed::{Fed, Feed};
use crate::lookahead::Lookahead;
use crate::loss_scale::LossScale;
use crate::plan::Plan;
use crate::sampler::{Classes, Sampler};
use crate::stats::Tally;
use crate::step::{Batch, MEASURES, Players, SIGN, Turn};
use crate::transforms::Transforms;

mod defence;

pub use defence::{Broken, Defence, ReadBack, Recomputed, Repeated, TOLERANCE};

/// Latents that the shown generator's statistics are averaged over: 16 batches of 64.
const CALIBRATION: (u64, usize) = (16, 64);

/// A run in memory.
pub struct Trainer<'a> {
    plan: &'a Plan,
    feed: Feed,
    device: Selected,
    players: Players,
    average: Flat<Generator>,
    lookahead: Option<Lookahead>,
    /// How rare each class is.
    rarity: Vec<f64>,
    /// Images seen.
    pub nimg: u64,
    /// Steps done.
    pub steps: u64,
    /// Ticks written.
    pub ticks: u64,
    /// The open tick.
    pub tally: Tally,
    /// What the probability of the transforms has become, if it adapts.
    pub adaptive: Adaptive,
    /// What sees a device that errs.
    defence: Option<Defence>,
    /// Values of the steps whose results are still on the device.
    pending: Vec<Tensor<1>>,
}

/// An adaptive probability moves every so many steps, by the mean sign of the real logits since the
/// last time.
pub const ADAPT_EVERY: u64 = 16;

impl<'a> Trainer<'a> {
    /// A run at its beginning.
    pub fn new(plan: &'a Plan, device: Selected) -> Self {
        let players = Players::new(&plan.config, &device.device);
        let average = ema::update(
            Flat::new(Generator::new(&plan.config.model, &device.device)),
            &players.generator,
            0.0,
        );
        let looks = plan.config.optimiser.lookahead > 0;
        let lookahead = looks.then(|| Lookahead::new(&players));
        Self {
            feed: Feed::new(plan, !device.is_cpu),
            plan,
            device,
            players,
            average,
            lookahead,
            rarity: rarity(&plan.config.source.class_images, plan.config.input.balanced),
            nimg: 0,
            steps: 0,
            ticks: 0,
            tally: Tally::default(),
            adaptive: Adaptive::default(),
            defence: None,
            pending: Vec::new(),
        }
    }

    /// A run where a checkpoint left it.
    ///
    /// # Errors
    /// Names the first tensor that does not fit.
    pub fn resume(
        plan: &'a Plan,
        device: Selected,
        mut checkpoint: Checkpoint,
    ) -> Result<Self, String> {
        // Before anything of the size that its options claim is made.
        let (g, d) = parameters(&plan.config.model);
        let held: usize = checkpoint.tensors.values().map(|array| array.values.len()).sum();
        if held < 2 * g + d {
            return Err(format!("{held} values, its networks alone have {}", 2 * g + d));
        }
        let mut run = Self::new(plan, device);
        let device = &run.device.device;
        let players = &mut run.players;
        let (steps, tensors) = (checkpoint.meta.steps, &mut checkpoint.tensors);
        players.g_adam.load("adam_G", &players.generator, steps, tensors, device)?;
        players.d_adam.load("adam_D", &players.discriminator, steps, tensors, device)?;
        for (name, scale) in [("scale_G", &mut players.g_scale), ("scale_D", &mut players.d_scale)]
        {
            if scale.is_some() {
                *scale = Some(LossScale::load(name, &mut checkpoint.tensors, device)?);
            }
        }
        loaded(&mut players.generator, &checkpoint.take("G"))?;
        loaded(&mut players.discriminator, &checkpoint.take("D"))?;
        loaded(&mut run.average, &checkpoint.take("G_ema"))?;
        if let Some(Lookahead { generator, discriminator }) = &mut run.lookahead {
            loaded(generator, &checkpoint.take("slow_G"))?;
            loaded(discriminator, &checkpoint.take("slow_D"))?;
        }
        if let Some(name) = checkpoint.tensors.keys().next() {
            return Err(format!("tensor '{name}' belongs to no part of a run"));
        }
        let meta = checkpoint.meta;
        (run.nimg, run.steps, run.ticks, run.tally) =
            (meta.nimg, meta.steps, meta.ticks, meta.tally);
        run.adaptive = meta.adaptive;
        Ok(run)
    }

    fn config(&self) -> &TrainConfig {
        &self.plan.config
    }

    /// Does one step; its values stay on the device until [`Trainer::read_back`], which must be called
    /// at every [`ADAPT_EVERY`]th step at the latest. Returns how long it waited for its batch
    /// and drew what is done to it, in seconds.
    pub fn step(&mut self) -> f64 {
        let start = std::time::Instant::now();
        let batch = self.batch();
        let waited = start.elapsed().as_secs_f64();
        self.steps += 1;
        let turn = Turn::of(self.config(), self.steps, self.config().share(self.nimg));
        self.pending.push(self.players.step(batch, &turn));
        let optimiser = self.config().optimiser;
        self.nimg += optimiser.batch as u64;
        let share = self.config().share(self.nimg);
        if let Some(lookahead) = &mut self.lookahead
            && self.steps.is_multiple_of(optimiser.lookahead)
        {
            lookahead.meet(&mut self.players, optimiser.lookahead_back.at(share));
        }
        let decay = ema::decay(&optimiser, self.nimg, share);
        self.average = ema::update(self.average.clone(), &self.players.generator, decay);
        waited
    }

    /// Everything that the next step learns from.
    fn batch(&mut self) -> Batch {
        let fed = self.feed.batch(self.nimg);
        self.batch_of(fed, &self.device.device)
    }

    /// What was fed, on a device.
    fn batch_of(&self, fed: Fed, device: &Device) -> Batch {
        let config = self.config();
        let (seed, n) = (config.seed, config.optimiser.batch);
        let side = self.plan.cache.size();
        let device = device.clone().autodiff();
        let told = config.told(self.nimg);
        let rare = |class: &usize| self.rarity.get(*class).copied().unwrap_or_default();
        let probabilities: Vec<f64> =
            fed.classes.iter().map(|class| self.probability_of(rare(class))).collect();
        let class = told
            .map(|told| class_rows(fed.classes.into_iter(), config.model.classes, told, &device));
        let purposes = ["augment real", "augment fake"];
        let transforms =
            Transforms::pair(&config.augment, &probabilities, seed, purposes, self.nimg, side);
        let z = TensorData::new(fed.latents, [n, config.model.latents()]);
        Batch {
            real: fed.images.upload(n, side, &device),
            z: upload(z, &device),
            class,
            transforms,
        }
    }

    /// The probability of the transforms for images of a class of this rarity at this moment. As long as
    /// the generator is not fully told of classes, a fake is of its class in part only, and so is this:
    /// more of it on one class's real images than on what looks like them would tell the players apart.
    fn probability_of(&self, rarity: f64) -> f64 {
        let config = self.config();
        let told = config.told(self.nimg).unwrap_or_default();
        config.augment.of_class(self.probability(), told * rarity, config.share(self.nimg))
    }

    /// The probability of the transforms in the rarest class at this moment, where classes differ by it.
    pub fn probability_of_rarest(&self) -> Option<f64> {
        let rarest = self.rarity.iter().copied().fold(0.0, f64::max);
        self.config().augment.rare_probability.map(|_| self.probability_of(rarest))
    }

    /// The probability of the transforms at this moment, in the commonest class where they differ.
    pub fn probability(&self) -> f64 {
        let augment = &self.config().augment;
        match augment.target > 0.0 {
            true => self.adaptive.probability,
            false => augment.probability.at(self.config().share(self.nimg)),
        }
    }

    /// Reads the values of all steps since the last time, in one transfer, and takes them into the
    /// open tick. Where a device is watched ([`Trainer::watch`]), steps with a suspicious gradient are computed
    /// again first.
    ///
    /// # Errors
    /// At the first value that is not finite, and when a device's results do not come out the same twice.
    pub fn read_back(&mut self) -> Result<ReadBack, Broken> {
        let mut values = self.pending_values();
        let recomputed = self.settle(&mut values)?;
        let mut newest = Vec::new();
        for step in values {
            let step = &step[..MEASURES.len()];
            if let Some(i) = step.iter().position(|v| !v.is_finite()) {
                return Err(Broken::NotFinite(MEASURES[i].to_owned()));
            }
            self.tally.add(step);
            self.adaptive.signs += f64::from(step[SIGN]);
            newest = step.to_vec();
        }
        let augment = self.config().augment;
        if !newest.is_empty() && augment.target > 0.0 && self.steps.is_multiple_of(ADAPT_EVERY) {
            let images = ADAPT_EVERY * self.config().optimiser.batch as u64;
            let mean = self.adaptive.signs / ADAPT_EVERY as f64;
            let probability = augment.adapted(self.adaptive.probability, mean, images);
            self.adaptive = Adaptive { probability, signs: 0.0 };
        }
        Ok(ReadBack { newest, recomputed })
    }

    /// The values of every step since the last time.
    fn pending_values(&mut self) -> Vec<Vec<f32>> {
        let pending = std::mem::take(&mut self.pending);
        let Some(each) = pending.first().map(|values| values.dims()[0]) else { return Vec::new() };
        to_vec(Tensor::cat(pending, 0)).chunks(each).map(<[f32]>::to_vec).collect()
    }

    /// Everything that continues the run, on the host.
    ///
    /// # Errors
    /// Names the first tensor that is not finite: such a state is not worth keeping.
    pub fn checkpoint(&self) -> Result<Checkpoint, String> {
        let mut tensors = Weights::new();
        let networks = [
            ("G", self.players.generator.to_weights()),
            ("D", self.players.discriminator.to_weights()),
            ("G_ema", self.average.to_weights()),
        ];
        let slow = self.lookahead.iter().flat_map(|slow| {
            [("slow_G", slow.generator.to_weights()), ("slow_D", slow.discriminator.to_weights())]
        });
        for (prefix, weights) in networks.into_iter().chain(slow) {
            tensors.extend(
                weights.into_iter().map(|(name, array)| (format!("{prefix}.{name}"), array)),
            );
        }
        self.players.g_adam.save("adam_G", &mut tensors);
        self.players.d_adam.save("adam_D", &mut tensors);
        for (name, scale) in
            [("scale_G", &self.players.g_scale), ("scale_D", &self.players.d_scale)]
        {
            scale.iter().for_each(|scale| scale.save(name, &mut tensors));
        }
        if let Some((name, _)) =
            tensors.iter().find(|(_, a)| a.values.iter().any(|v| !v.is_finite()))
        {
            return Err(format!("tensor {name}"));
        }
        let (config, tally) = (self.config().clone(), self.tally.clone());
        let mut checkpoint =
            Checkpoint::new(config, self.nimg, self.steps, self.ticks, tally, tensors);
        checkpoint.meta.adaptive = self.adaptive;
        checkpoint.meta.level = Some(self.device.level().to_owned());
        Ok(checkpoint)
    }

    /// The generator to show and to keep.
    pub fn shown(&self) -> Generator {
        shown(self.average.clone().into_network(), self.config(), &self.device.device)
    }

    /// A generator of this run, to make images with.
    pub fn sampler(&self, generator: Generator) -> Sampler {
        sampler_of(generator, self.config(), self.nimg, self.device.clone())
    }
}

/// Gives a network the values of `weights`.
fn loaded<N: Network>(network: &mut Flat<N>, weights: &Weights) -> Result<(), String> {
    *network = Flat::new(network.clone().into_network().with_weights(weights)?);
    Ok(())
}

/// The generator of a run to show and to keep: the average, with statistics that fit it; without an
/// average, the live one as it is.
pub fn shown(mut average: Generator, config: &TrainConfig, device: &Device) -> Generator {
    let (batches, size) = CALIBRATION;
    if config.optimiser.ema_kimg.most() > 0.0 {
        average.calibrate((0..batches).map(|i| {
            let first = i * size as u64;
            training_latents(config.seed, "z calibrate", first, size, &config.model, device)
        }));
    }
    average
}

/// Rows [batch, classes] that say `strength` of one class each.
pub fn class_rows(
    classes: impl ExactSizeIterator<Item = usize>,
    count: usize,
    strength: f64,
    device: &Device,
) -> Tensor<2> {
    let batch = classes.len();
    let mut rows = vec![0.0; batch * count];
    for (row, class) in rows.chunks_exact_mut(count).zip(classes) {
        row[class] = strength as f32;
    }
    upload(TensorData::new(rows, [batch, count]), device)
}

/// A generator of a run after `nimg` images, to make images with.
pub fn sampler_of(
    generator: Generator,
    config: &TrainConfig,
    nimg: u64,
    device: Selected,
) -> Sampler {
    let classes = config
        .told(nimg)
        .map(|strength| Classes { images: config.source.class_images.clone(), strength });
    Sampler::of(generator, &config.model, classes, config.augment.turns, device)
}

/// The card of a run's generator after `nimg` images.
pub fn card_of(config: &TrainConfig, nimg: u64) -> Card {
    Card {
        format: model_file::FORMAT,
        kind: "generator".into(),
        producer: producer(),
        model: config.model,
        data: config.source.name.clone(),
        licence: config.source.licence.clone(),
        classes: config.source.classes.clone(),
        class_images: match config.model.classes {
            0 => Vec::new(),
            _ => config.source.class_images.clone(),
        },
        condition: config.told(nimg).unwrap_or(1.0),
        turns: config.augment.turns,
        preset: config.preset.clone(),
        nimg,
    }
}
