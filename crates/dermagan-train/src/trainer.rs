//! The state of a run, and how it moves by one step. Everything random is a function of the seed
//! and of the number of the image, so the state is: weights, optimisers, average, counters.

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::picture::Picture;
use dermagan_data::order::{Order, to_planes};
use dermagan_model::latent::training_latents;
use dermagan_model::named::{Network, to_vec};
use dermagan_model::weights::Weights;
use dermagan_model::{Generator, ModelError, Selected};

use rayon::prelude::*;

use crate::checkpoint::Checkpoint;
use crate::config::TrainConfig;
use crate::ema;
use crate::estimate::parameters;
use crate::loss_scale::LossScale;
use crate::plan::Plan;
use crate::sampler::Sampler;
use crate::stats::Tally;
use crate::step::{MEASURES, Players};

/// Latents that the shown generator's statistics are averaged over: 16 batches of 64.
const CALIBRATION: (u64, usize) = (16, 64);

/// A run in memory.
pub struct Trainer<'a> {
    plan: &'a Plan,
    order: Order,
    device: Selected,
    players: Players,
    average: Generator,
    /// Images seen.
    pub nimg: u64,
    /// Steps done.
    pub steps: u64,
    /// Ticks written.
    pub ticks: u64,
    /// The open tick.
    pub tally: Tally,
    /// Values of the steps whose results are still on the device.
    pending: Vec<Tensor<1>>,
}

impl<'a> Trainer<'a> {
    /// A run at its beginning.
    pub fn new(plan: &'a Plan, device: Selected) -> Self {
        let players = Players::new(&plan.config, &device.device);
        let average = ema::update(
            Generator::new(&plan.config.model, &device.device),
            &players.generator,
            0.0,
        );
        Self {
            order: plan.order(),
            plan,
            device,
            players,
            average,
            nimg: 0,
            steps: 0,
            ticks: 0,
            tally: Tally::default(),
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
        players.g_adam.load("adam_G", &players.generator, &mut checkpoint.tensors, device)?;
        players.d_adam.load("adam_D", &players.discriminator, &mut checkpoint.tensors, device)?;
        for (name, scale) in [("scale_G", &mut players.g_scale), ("scale_D", &mut players.d_scale)]
        {
            if scale.is_some() {
                *scale = Some(LossScale::load(name, &mut checkpoint.tensors, device)?);
            }
        }
        players.generator = players.generator.clone().with_weights(&checkpoint.take("G"))?;
        players.discriminator =
            players.discriminator.clone().with_weights(&checkpoint.take("D"))?;
        run.average = run.average.with_weights(&checkpoint.take("G_ema"))?;
        if let Some(name) = checkpoint.tensors.keys().next() {
            return Err(format!("tensor '{name}' belongs to no part of a run"));
        }
        let meta = checkpoint.meta;
        (run.nimg, run.steps, run.ticks, run.tally) =
            (meta.nimg, meta.steps, meta.ticks, meta.tally);
        Ok(run)
    }

    fn config(&self) -> &TrainConfig {
        &self.plan.config
    }

    /// Does one step; its values stay on the device until [`Trainer::read_back`]. Returns how long
    /// the batch took to be put together, in seconds.
    pub fn step(&mut self) -> f64 {
        let batch = self.config().optimiser.batch;
        let start = std::time::Instant::now();
        let real = self.real_batch(batch);
        let waited = start.elapsed().as_secs_f64();
        let device = self.device.device.clone().autodiff();
        let z_dim = self.config().model.z_dim;
        let z = training_latents(self.config().seed, "z train", self.nimg, batch, z_dim, &device);
        self.steps += 1;
        self.pending.push(self.players.step(real, z, self.steps));
        self.nimg += batch as u64;
        let decay = ema::decay(&self.config().optimiser, self.nimg);
        self.average = ema::update(self.average.clone(), &self.players.generator, decay);
        waited
    }

    fn real_batch(&self, batch: usize) -> Tensor<4> {
        let side = self.plan.cache.size();
        let each = 3 * side * side;
        let mut planes = vec![0.0; batch * each];
        let draws: Vec<_> = (0..batch as u64).map(|i| self.order.at(self.nimg + i)).collect();
        let cache = &self.plan.cache;
        planes.par_chunks_mut(each).zip(draws).for_each(|(planes, draw)| {
            to_planes(cache.pixels(draw.image as usize), side, draw, planes);
        });
        let data = TensorData::new(planes, [batch, 3, side, side]);
        Tensor::from_data(data, &self.device.device.clone().autodiff())
    }

    /// Reads the values of all steps since the last time, in one transfer, and takes them into the
    /// open tick. Returns the newest.
    ///
    /// # Errors
    /// Names the first value that is not finite.
    pub fn read_back(&mut self) -> Result<Vec<f32>, String> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let values = to_vec(Tensor::cat(pending, 0));
        let mut newest = Vec::new();
        for step in values.chunks(MEASURES.len()) {
            if let Some(i) = step.iter().position(|v| !v.is_finite()) {
                return Err(MEASURES[i].to_owned());
            }
            self.tally.add(step);
            newest = step.to_vec();
        }
        Ok(newest)
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
        for (prefix, weights) in networks {
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
        Ok(Checkpoint::new(config, self.nimg, self.steps, self.ticks, tally, tensors))
    }

    /// The generator to show and to keep.
    pub fn shown(&self) -> Generator {
        shown(self.average.clone(), self.config(), &self.device.device)
    }

    /// The pictures of seeds 0, 1, … of a generator.
    pub fn pictures(&self, generator: Generator, count: usize) -> Result<Vec<Picture>, ModelError> {
        let sampler = Sampler::of(generator, self.config().model.z_dim, self.device.clone());
        Ok(sampler.pictures(0..count as u64, 1.0, count))
    }
}

/// The generator of a run to show and to keep: the average, with statistics that fit it; without an
/// average, the live one as it is.
pub fn shown(mut average: Generator, config: &TrainConfig, device: &Device) -> Generator {
    let (batches, size) = CALIBRATION;
    if config.optimiser.ema_kimg > 0.0 {
        average.calibrate((0..batches).map(|i| {
            let first = i * size as u64;
            let z_dim = config.model.z_dim;
            training_latents(config.seed, "z calibrate", first, size, z_dim, device)
        }));
    }
    average
}
