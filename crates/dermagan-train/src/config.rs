//! What a run is made of: the sections of a preset's file, and the whole that is a run's
//! `training_options.json` and its checkpoints' metadata.

use dermagan_data::{Filter, Fit};
use dermagan_model::{Backbone, Init, ModelConfig, Precision};
use serde::{Deserialize, Serialize};

use crate::augment::AugmentConfig;
use crate::error::TrainError;
use crate::objective::Objective;
use crate::preset::{Preset, short};
use crate::schedule::Scheduled;

fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn half() -> Scheduled {
    Scheduled::Constant(0.5)
}

/// Optimiser and average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiserConfig {
    /// How weights begin.
    pub init: Init,
    /// Images a step.
    pub batch: usize,
    /// Adam's learning rate, of both players,
    pub learning_rate: Scheduled,
    /// or of the generator alone where the discriminator has another (Heusel et al. 2017).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub d_learning_rate: Option<Scheduled>,
    /// Adam's first decay.
    pub beta1: f64,
    /// Adam's second decay.
    pub beta2: f64,
    /// Added to the root of Adam's second moment.
    pub epsilon: f64,
    /// Every so many steps both players go back some of the way that they came, and on from there
    /// ([`crate::lookahead`]); 0 for never.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lookahead: u64,
    /// How much of the way, 0 to 1; not 1 all along.
    #[serde(default = "half")]
    pub lookahead_back: Scheduled,
    /// Half-life of the averaged generator in thousands of images; 0 for none.
    pub ema_kimg: Scheduled,
    /// The half-life is at most this share of the images seen.
    pub ema_rampup: f64,
}

const MAX_LOOKAHEAD: u64 = 1_000_000;

impl OptimiserConfig {
    /// The discriminator's learning rate.
    pub fn d_rate(&self) -> Scheduled {
        self.d_learning_rate.unwrap_or(self.learning_rate)
    }

    fn validate(&self) -> Result<(), TrainError> {
        let bad = |what: String| Err(TrainError::Option(what));
        if !(2..=4096).contains(&self.batch) {
            return bad(format!(
                "--batch {}: 2 to 4096 are possible (statistics of one image are none)",
                self.batch
            ));
        }
        let rates = [
            ("optimiser.learning_rate", self.learning_rate),
            ("optimiser.d_learning_rate", self.d_rate()),
        ];
        for (key, rate) in rates {
            rate.check(key, 0.0, f64::INFINITY)?;
            if rate.most() == 0.0 {
                return bad(format!("{key} = 0: nothing would be learnt"));
            }
        }
        self.ema_kimg.check("optimiser.ema_kimg", 0.0, 1e9)?;
        self.lookahead_back.check("optimiser.lookahead_back", 0.0, 1.0)?;
        if self.lookahead > 0 && self.lookahead_back == Scheduled::Constant(1.0) {
            return bad(
                "optimiser.lookahead_back = 1 goes all of the way back, so that nothing is learnt"
                    .into(),
            );
        }
        if self.lookahead > MAX_LOOKAHEAD {
            return bad(format!(
                "optimiser.lookahead = {}: 0 to {MAX_LOOKAHEAD} steps are possible",
                self.lookahead
            ));
        }
        for (key, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&value) {
                return bad(format!("optimiser.{key} = {value}: 0 to less than 1 are possible"));
            }
        }
        Scheduled::Constant(self.ema_rampup).check("optimiser.ema_rampup", 0.0, f64::INFINITY)?;
        // A weight whose gradient has been 0 so far, as a class's before it is told, would go by 0 / 0.
        // It is added in float32.
        let least = f64::from(f32::MIN_POSITIVE);
        if !(least..=f64::from(f32::MAX)).contains(&self.epsilon) {
            return bad(format!(
                "optimiser.epsilon = {}: a finite number of {least:.2e} or more is possible",
                self.epsilon
            ));
        }
        Ok(())
    }
}

/// Length and rhythm, in thousands of images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Length of the run.
    pub kimg: f64,
    /// Images and a checkpoint every so many.
    pub snap: f64,
    /// A line of statistics every so many.
    pub tick: f64,
}

/// Which images of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The training side of the lesion-grouped split: 80 %.
    Train,
    /// All of them: nothing is left to test on.
    All,
}

/// How images come in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputConfig {
    /// How a photograph becomes square.
    pub fit: Fit,
    /// The filter of the resize.
    pub filter: Filter,
    /// Which images.
    pub split: Part,
    /// Mirror half of the images.
    pub mirror: bool,
    /// Turn images by quarter turns.
    pub quarter_turns: bool,
    /// From 0, classes as often as they are there, to 1, every class equally often; between them a class
    /// of n images as often as n to the power 1 - this. In files also `false` and `true`.
    #[serde(with = "crate::share")]
    pub balanced: f64,
}

/// Classes that the players are told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConditionConfig {
    /// Whether they are told the class of every image.
    pub classes: bool,
    /// They hear nothing of it before so many thousand images,
    pub from_kimg: f64,
    /// and fully from so many on: in between it grows in proportion (transitional conditioning,
    /// Shahbazi et al. 2022). Told from the start, a generator on small data makes one image a
    /// class.
    pub to_kimg: f64,
}

impl ConditionConfig {
    /// How much of the class they are told after `nimg` images, 0 to 1.
    pub fn strength(&self, nimg: u64) -> f64 {
        let kimg = nimg as f64 / 1000.0;
        match kimg >= self.to_kimg {
            true => 1.0,
            false => ((kimg - self.from_kimg) / (self.to_kimg - self.from_kimg)).clamp(0.0, 1.0),
        }
    }
}

/// Where the images come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceConfig {
    /// What to open: an absolute path, or `phantom`.
    pub source: String,
    /// Its short name.
    pub name: String,
    /// Its licence, which binds what is learnt from it.
    pub licence: String,
    /// Classes trained on, by code.
    pub classes: Vec<String>,
    /// Images trained on of each of them.
    #[serde(default)]
    pub class_images: Vec<u64>,
    /// Images trained on.
    pub images: usize,
    /// A hash of ids and pixels: a run continues on the very images it began with.
    pub digest: String,
}

/// Everything that decides a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Preset it began with.
    pub preset: String,
    /// Seed of every random number.
    pub seed: u64,
    /// Sizes of the networks.
    pub model: ModelConfig,
    /// Optimiser and average.
    pub optimiser: OptimiserConfig,
    /// What the players want. Files from before there was a choice have the reference's.
    #[serde(default)]
    pub objective: Objective,
    /// What is done to images before the discriminator sees them.
    #[serde(default)]
    pub augment: AugmentConfig,
    /// Classes that the players are told of.
    #[serde(default)]
    pub condition: ConditionConfig,
    /// Length and rhythm.
    pub schedule: ScheduleConfig,
    /// Thousands of images over which settings that change do so: the length that the run began
    /// with. One that is made longer goes on with their last values. 0 where none changes.
    #[serde(default)]
    pub horizon_kimg: f64,
    /// How images come in.
    pub input: InputConfig,
    /// Where images come from.
    pub source: SourceConfig,
    /// Number format of the convolutions; checkpoints from before there was a choice are float32.
    #[serde(default)]
    pub precision: Precision,
}

impl TrainConfig {
    /// A preset's values, with nothing said of the data yet.
    ///
    /// # Errors
    /// As [`Preset::named`].
    pub fn of_preset(name: &str, seed: u64) -> Result<Self, TrainError> {
        Self::with_settings(name, &[], seed)
    }

    /// As [`TrainConfig::of_preset`], with single settings changed.
    ///
    /// # Errors
    /// As [`Preset::named`].
    pub fn with_settings(name: &str, settings: &[String], seed: u64) -> Result<Self, TrainError> {
        let preset = Preset::named(name, settings)?;
        Ok(Self {
            preset: short(name),
            seed,
            model: preset.model,
            optimiser: preset.optimiser,
            objective: preset.objective,
            augment: preset.augment,
            condition: preset.condition,
            schedule: preset.schedule,
            horizon_kimg: 0.0,
            input: preset.data,
            source: SourceConfig::default(),
            precision: Precision::F32,
        })
    }

    /// Checks every number.
    ///
    /// # Errors
    /// Names the option and what is allowed.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.model.validate()?;
        let bad = |what: String| Err(TrainError::Option(what));
        self.optimiser.validate()?;
        self.objective.validate()?;
        self.augment.validate()?;
        Scheduled::Constant(self.input.balanced).check("data.balanced", 0.0, 1.0)?;
        let dcgan = self.model.backbone == Backbone::Dcgan;
        if dcgan == (self.optimiser.init == Init::He) {
            return bad("init \"he\" and the residual backbone belong together".into());
        }
        if dcgan && self.objective.has_penalty() {
            return bad(
                "objective.r1 and r2 need a discriminator without batch normalisation: use the \
                 residual backbone"
                    .into(),
            );
        }
        if dcgan && self.condition.classes {
            return bad("condition.classes needs the residual backbone".into());
        }
        let c = &self.condition;
        if !(c.from_kimg >= 0.0 && c.to_kimg >= c.from_kimg && c.to_kimg <= 1e9) {
            return bad(format!(
                "condition.from_kimg = {}, condition.to_kimg = {}: expected 0 or more, and to_kimg not below \
                 from_kimg",
                c.from_kimg, c.to_kimg
            ));
        }
        if !(self.horizon_kimg.is_finite() && self.horizon_kimg >= 0.0) {
            return bad(format!("horizon_kimg {}: expected 0 or more", self.horizon_kimg));
        }
        let s = &self.schedule;
        for (flag, value) in [("--kimg", s.kimg), ("--snap", s.snap), ("--tick", s.tick)] {
            if !(value.is_finite() && value > 0.0 && value <= 1e9) {
                return bad(format!(
                    "{flag} {value}: expected thousands of images, more than 0 and at most a billion"
                ));
            }
        }
        Ok(())
    }

    /// What to know of a run's length before it starts, or goes on after `nimg` images.
    pub fn cautions(&self, nimg: u64) -> Vec<String> {
        let mut found = Vec::new();
        let (kimg, told) = (self.schedule.kimg, &self.condition);
        if self.model.classes > 0 && told.to_kimg > kimg {
            let how = match told.from_kimg >= kimg {
                true => "not at all",
                false => "in part",
            };
            let sooner = match nimg {
                0 => ", or --set condition.from_kimg=M --set condition.to_kimg=N",
                _ => "",
            };
            found.push(format!(
                "it is told of classes from {} to {} kimg, so {how} in {kimg} kimg: --kimg {} or \
                 more{sooner}",
                told.from_kimg, told.to_kimg, told.to_kimg
            ));
        }
        if self.horizon_kimg > 0.0 && kimg > self.horizon_kimg {
            found.push(format!(
                "settings that change over a run, such as the learning rate, did so over the {} kimg that \
                 it began with and keep their last values: a longer schedule takes a new run",
                self.horizon_kimg
            ));
        }
        found
    }

    /// Makes a new run this long, in thousands of images: settings that change over it do so over all of
    /// it.
    pub fn set_length(&mut self, kimg: f64) {
        self.schedule.kimg = kimg;
        self.horizon_kimg = if self.changes() { kimg } else { 0.0 };
    }

    /// Whether any setting that counts changes over the run.
    pub fn changes(&self) -> bool {
        let (o, j, augment) = (&self.optimiser, &self.objective, &self.augment);
        let adapts = augment.target > 0.0;
        [
            o.learning_rate,
            o.d_rate(),
            o.lookahead_back,
            o.ema_kimg,
            j.r1,
            j.r2,
            // Where the probability adapts, the one that is set counts for nothing.
            if adapts { Scheduled::default() } else { augment.probability },
            augment.rare_probability.unwrap_or_default(),
        ]
        .iter()
        .any(|setting| matches!(setting, Scheduled::Ramp { .. }))
    }

    /// The share of the horizon that is done after `nimg` images; 1 from then on.
    pub fn share(&self, nimg: u64) -> f64 {
        match self.horizon_kimg > 0.0 {
            true => (nimg as f64 / (self.horizon_kimg * 1000.0)).min(1.0),
            false => 1.0,
        }
    }

    /// How much of the class the players are told after `nimg` images, 0 to 1; `None` where they never are.
    pub fn told(&self, nimg: u64) -> Option<f64> {
        (self.model.classes > 0).then(|| self.condition.strength(nimg))
    }

    /// Steps of the whole run.
    pub fn steps(&self) -> u64 {
        (images(self.schedule.kimg)).div_ceil(self.optimiser.batch as u64)
    }
}

/// Thousands of images as images.
pub(crate) fn images(kimg: f64) -> u64 {
    (kimg * 1000.0).round().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_learn_nothing_or_divide_by_nothing_is_refused() {
        let check = |settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
            let config = TrainConfig::with_settings("rare", &settings, 0).unwrap();
            config.validate().map_err(|error| error.to_string())
        };
        for setting in [
            "optimiser.learning_rate=0",
            "optimiser.d_learning_rate=0",
            "optimiser.lookahead_back=1",
            "optimiser.epsilon=0",
            "optimiser.epsilon=1e-46",
        ] {
            let error = check(&[setting]).unwrap_err();
            assert!(error.contains(setting.split('=').next().unwrap()), "{error}");
        }
        assert_eq!(check(&["optimiser.lookahead_back={ from = 0.0, to = 1.0 }"]), Ok(()));
        let mut never = TrainConfig::with_settings("rare", &[], 0).unwrap();
        never.optimiser.lookahead_back = Scheduled::Constant(1.0);
        never.optimiser.lookahead = 0;
        assert!(never.validate().is_ok(), "it is off");
    }
}
