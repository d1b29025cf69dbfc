//! Both players and their optimisers.

use std::sync::{Arc, OnceLock};

use burn::tensor::Device;
use dermagan_model::Precision;
use dermagan_model::imagenet::Taps;
use dermagan_model::{Discriminator, Flat, Generator};

use crate::recipe::config::{OptimiserConfig, TrainConfig};
use crate::step::adam::Adam;
use crate::step::fault::Fault;
use crate::step::loss_scale::LossScale;

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
    /// The network whose features the discriminator judges too; `None` unless it is projected.
    pub taps: Option<Arc<Taps>>,
    /// Number format of the convolutions.
    pub precision: Precision,
    /// The generator's loss scale; float16 only.
    pub g_scale: Option<LossScale>,
    /// The discriminator's loss scale; float16 only.
    pub d_scale: Option<LossScale>,
    /// Whether a step also returns the squared norm of each gradient.
    pub watched: bool,
    /// Corrupts gradients; tests only.
    pub fault: Option<Arc<Fault>>,
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
            taps: config.model.projected.then(|| taps(config.precision)).flatten(),
            precision: config.precision,
            g_scale: scale.clone(),
            d_scale: scale,
            watched: false,
            fault: None,
        }
    }

    /// The parameters whose squared gradient norms follow the [`Measures`](crate::Measures) of a watched step, in
    /// order.
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
}

/// The network that comes with the program in this number format, loaded once.
fn taps(precision: Precision) -> Option<Arc<Taps>> {
    static TAPS: [OnceLock<Option<Arc<Taps>>>; 2] = [const { OnceLock::new() }; 2];
    let in_bf16 = precision == Precision::Bf16;
    // A test reads the file, so it can only be right.
    let read = || Taps::from_bytes(dermagan_models::IMAGENET_ENCODER, precision).ok().map(Arc::new);
    TAPS[usize::from(in_bf16)].get_or_init(read).clone()
}
