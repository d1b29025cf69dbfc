//! The state of a run and its steps. Everything random is a function of the seed and of the number of the image, so the
//! state consists of weights, optimisers, the average, and counters.

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_generate::Sampler;
use dermagan_model::Network;
use dermagan_model::ops::{from_bytes, is_cpu};
use dermagan_model::tensor::to_vec;
use dermagan_model::tensor::upload;
use dermagan_model::weights::Weights;
use dermagan_model::{ComputeDevice, Flat, Generator};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::augment::transforms::Transforms;
use crate::group::team::Team;
use crate::plan::estimate::parameters;
use crate::plan::run_plan::Plan;
use crate::recipe::augment::rarity;
use crate::recipe::config::TrainConfig;
use crate::run::defence::{Broken, Defence, ReadBack};
use crate::run::prefetch::{HostBatch, Images, Prefetch};
use crate::step::batch::{Batch, class_rows};
use crate::step::ema;
use crate::step::lookahead::Lookahead;
use crate::step::loss_scale::LossScale;
use crate::step::measures::Measures;
use crate::step::players::Players;
use crate::step::settings::StepSettings;
use crate::store::checkpoint::{Adaptive, Checkpoint};
use crate::store::stats::Tally;
use crate::watch::trained::{sampler_of, shown};

/// A run in memory, without its files.
pub struct Trainer {
    pub(super) plan: Arc<Plan>,
    /// The processes that share the steps.
    pub(super) team: Team,
    pub(super) prefetch: Prefetch,
    pub(super) device: ComputeDevice,
    pub(super) players: Players,
    pub(super) average: Flat<Generator>,
    pub(super) lookahead: Option<Lookahead>,
    /// The rarity of each class, 0 to 1.
    rarity: Vec<f64>,
    /// Number of images seen.
    pub nimg: u64,
    /// Number of steps done.
    pub steps: u64,
    /// Number of ticks written.
    pub ticks: u64,
    /// Statistics of the open tick.
    pub tally: Tally,
    /// State of the adaptive probability of the transforms.
    pub adaptive: Adaptive,
    /// Detects errors of the device, if it is watched.
    pub(super) defence: Option<Defence>,
    /// Values of steps that are still on the device.
    pending: Vec<Tensor<1>>,
}

/// Interval in steps at which an adaptive probability moves, by the mean sign of the real logits in the interval.
pub const ADAPT_EVERY: u64 = 16;

impl Trainer {
    /// A new run.
    pub fn new(plan: Arc<Plan>, device: ComputeDevice) -> Self {
        let mut players = Players::new(&plan.config, &device.handle);
        let mut average = ema::update(
            Flat::new(Generator::new(&plan.config.model, &device.handle)),
            &players.generator,
            0.0,
        );
        if let Some((initial, _)) = &plan.initial {
            let fresh = [players.generator.to_weights(), players.discriminator.to_weights()];
            let [g, g_average, d] = initial.weights(fresh.each_ref(), &plan.config.source.classes);
            players.generator = replaced(players.generator, &g);
            players.discriminator = replaced(players.discriminator, &d);
            average = replaced(average, &g_average);
        }
        let has_lookahead = plan.config.optimiser.lookahead > 0;
        let lookahead = has_lookahead.then(|| Lookahead::new(&players));
        let batch = plan.config.optimiser.batch;
        Self {
            team: Team::alone(plan.config.shards),
            prefetch: Prefetch::new(&plan, 0..batch, !device.is_cpu),
            device,
            players,
            average,
            lookahead,
            rarity: rarity(&plan.config.source.class_images, plan.config.input.balanced),
            plan,
            nimg: 0,
            steps: 0,
            ticks: 0,
            tally: Tally::default(),
            adaptive: Adaptive::default(),
            defence: None,
            pending: Vec::new(),
        }
    }

    /// A run in the state of a checkpoint.
    ///
    /// # Errors
    /// When a tensor is missing, does not fit, or is left over. The error names it.
    pub fn resume(
        plan: Arc<Plan>,
        device: ComputeDevice,
        mut checkpoint: Checkpoint,
    ) -> Result<Self, String> {
        // This comes before the networks are made, because the options may claim any size.
        let (g, d) = parameters(&plan.config.model);
        let held: usize = checkpoint.tensors.values().map(|array| array.values.len()).sum();
        if held < 2 * g + d {
            return Err(format!("{held} values, but its networks alone have {}", 2 * g + d));
        }
        let mut run = Self::new(plan, device);
        let device = &run.device.handle;
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
            return Err(format!("tensor '{name}' does not belong to a run with these options"));
        }
        let meta = checkpoint.meta;
        (run.nimg, run.steps, run.ticks, run.tally) =
            (meta.nimg, meta.steps, meta.ticks, meta.tally);
        run.adaptive = meta.adaptive;
        Ok(run)
    }

    /// New networks whose next step is one after `nimg` images, to measure it. An adaptive probability of transforms, which
    /// take time, is taken as 0.5.
    pub fn after(nimg: u64, plan: Arc<Plan>, device: ComputeDevice) -> Self {
        let mut trainer = Self::new(plan, device);
        trainer.nimg = nimg;
        trainer.adaptive.probability = 0.5;
        trainer
    }

    /// Shares the following steps with the processes of a team.
    pub fn share(&mut self, team: Team) {
        let part = team.images(self.config().optimiser.batch);
        self.prefetch = Prefetch::new(&self.plan, part, !self.device.is_cpu);
        self.team = team;
    }

    fn config(&self) -> &TrainConfig {
        &self.plan.config
    }

    /// Does one step. Its values stay on the device until [`Trainer::read_back`], which must be called at least at
    /// every [`ADAPT_EVERY`]th step. Returns the time before the step itself: waiting for the batch, drawing its
    /// augmentation and copying it to the device.
    pub fn step(&mut self) -> Duration {
        let start = Instant::now();
        let host = self.prefetch.batch(self.nimg);
        let batches = self.shards_on_device(host);
        let waited = start.elapsed();
        self.steps += 1;
        let settings = StepSettings::at(self.config(), self.steps, self.nimg);
        let frozen = self.config().is_frozen(self.nimg);
        let values = self.players.step_in_shards(batches, &self.team, &settings, &mut |_, _| {});
        self.pending.push(values);
        let optimiser = self.config().optimiser;
        self.nimg += optimiser.batch as u64;
        let share = self.config().share(self.nimg);
        if let Some(lookahead) = &mut self.lookahead
            && self.steps.is_multiple_of(optimiser.lookahead)
        {
            lookahead.step(&mut self.players, optimiser.lookahead_back.at(share));
        }
        // The average of equal weights would differ in their last bits.
        if !frozen {
            let decay = ema::decay(self.config(), self.nimg);
            self.average = ema::update(self.average.clone(), &self.players.generator, decay);
        }
        waited
    }

    /// This process's part of a batch as its shards, on the run's device.
    fn shards_on_device(&self, host: HostBatch) -> Vec<Batch> {
        let mut first = self.nimg + self.team.images(self.config().optimiser.batch).start as u64;
        let shards = host.split(self.team.own_shards()).into_iter().map(|shard| {
            let count = shard.count() as u64;
            let batch = self.on_device(shard, first, &self.device.handle);
            first += count;
            batch
        });
        shards.collect()
    }

    /// Images from number `first` of the run on, on a device, with their class labels and the draws of their augmentation.
    pub(super) fn on_device(&self, host: HostBatch, first: u64, device: &Device) -> Batch {
        let config = self.config();
        let (seed, n) = (config.seed, host.count());
        let side = self.plan.cache.size();
        let device = device.clone().autodiff();
        let strength = config.class_strength(self.nimg);
        let rarity = |class: &usize| self.rarity.get(*class).copied().unwrap_or_default();
        let probabilities: Vec<f64> =
            host.classes.iter().map(|class| self.probability_of(rarity(class))).collect();
        let class = strength.map(|strength| {
            class_rows(host.classes.into_iter(), config.model.classes, strength, &device)
        });
        let purposes = ["augment real", "augment fake"];
        let transforms =
            Transforms::pair(&config.augment, &probabilities, seed, purposes, first, side);
        let z = TensorData::new(host.latents, [n, config.model.latents()]);
        let real = match host.images {
            Images::Bytes(bytes) if !is_cpu(&device) => from_bytes(&bytes, n, side, &device),
            images => upload(images.planes(n, side), &device),
        };
        Batch { real, z: upload(z, &device), class, transforms }
    }

    /// The current probability of the transforms for images of a class of this rarity, both 0 to 1. While the
    /// conditioning is not at full strength, a fake belongs to its class only in part. The rarity is therefore
    /// multiplied by that strength: otherwise the amount of augmentation would itself tell real from fake.
    fn probability_of(&self, rarity: f64) -> f64 {
        let config = self.config();
        let strength = config.class_strength(self.nimg).unwrap_or_default();
        config.augment.of_class(self.probability(), strength * rarity, config.share(self.nimg))
    }

    /// The current probability of the transforms in the rarest class, 0 to 1. `None` if all classes have the same.
    pub fn probability_of_rarest(&self) -> Option<f64> {
        let rarest = self.rarity.iter().copied().fold(0.0, f64::max);
        self.config().augment.rare_probability.map(|_| self.probability_of(rarest))
    }

    /// The current probability of the transforms, 0 to 1. If classes differ, it is that of the most common class.
    pub fn probability(&self) -> f64 {
        let augment = &self.config().augment;
        match augment.target > 0.0 {
            true => self.adaptive.probability,
            false => augment.probability.at(self.config().share(self.nimg)),
        }
    }

    /// Reads the values of all steps since the last read, in one transfer, and adds them to the open tick. If the
    /// device is watched ([`Trainer::watch`]), steps with a suspicious gradient are computed again first.
    ///
    /// # Errors
    /// When a value is not finite, or the device computes wrongly.
    pub fn read_back(&mut self) -> Result<ReadBack, Broken> {
        let mut values = self.pending_values();
        let recomputed = self.recheck(&mut values)?;
        let mut newest = None;
        for step in values {
            let (measures, _) = Measures::unpack(&step);
            if let Some(column) = measures.not_finite() {
                return Err(Broken::NotFinite(column.to_owned()));
            }
            self.tally.add(measures);
            self.adaptive.signs += f64::from(measures.real_sign);
            newest = Some(measures);
        }
        let augment = self.config().augment;
        if newest.is_some() && augment.target > 0.0 && self.steps.is_multiple_of(ADAPT_EVERY) {
            let images = ADAPT_EVERY * self.config().optimiser.batch as u64;
            let mean = self.adaptive.signs / ADAPT_EVERY as f64;
            let probability = augment.adapted(self.adaptive.probability, mean, images);
            self.adaptive = Adaptive { probability, signs: 0.0 };
        }
        Ok(ReadBack { newest, recomputed })
    }

    /// The values of each step since the last read.
    pub(super) fn pending_values(&mut self) -> Vec<Vec<f32>> {
        let pending = std::mem::take(&mut self.pending);
        let Some(each) = pending.first().map(|values| values.dims()[0]) else { return Vec::new() };
        to_vec(Tensor::cat(pending, 0)).chunks(each).map(<[f32]>::to_vec).collect()
    }

    /// The state of the run as a checkpoint, on the host.
    ///
    /// # Errors
    /// When a tensor is not finite, because a run cannot continue from such a state. The error names it.
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
        self.players.g_adam.save("adam_G", &self.players.generator, &mut tensors);
        self.players.d_adam.save("adam_D", &self.players.discriminator, &mut tensors);
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

    /// The generator that images are made with and that is kept: the average of the weights, if there is one.
    pub fn shown(&self) -> Generator {
        shown(self.average.clone().into_network(), self.config(), &self.device.handle)
    }

    /// A sampler that makes images with a generator of this run.
    pub fn sampler(&self, generator: Generator) -> Sampler {
        sampler_of(generator, self.config(), self.nimg, self.device.clone())
    }
}

/// A network with weights of its own names and shapes.
fn replaced<N: Network>(network: Flat<N>, weights: &Weights) -> Flat<N> {
    let mut other = network.clone();
    // Weights of the same shapes always fit.
    match loaded(&mut other, weights) {
        Ok(()) => other,
        Err(_) => network,
    }
}

/// Loads `weights` into a network.
pub(super) fn loaded<N: Network>(network: &mut Flat<N>, weights: &Weights) -> Result<(), String> {
    *network = Flat::new(network.clone().into_network().with_weights(weights)?);
    Ok(())
}
