//! The configuration of a run: the sections of a preset, and the whole configuration, which a run's
//! `training_options.json` and the metadata of its checkpoints hold.

use dermagan_base::SettingError;
use dermagan_data::{Filter, Fit, Reading};
use dermagan_model::{Backbone, Init, ModelConfig, Precision};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::recipe::augment::AugmentConfig;
use crate::recipe::objective::Objective;
use crate::recipe::schedule::Scheduled;

fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_no_kimg(kimg: &f64) -> bool {
    *kimg == 0.0
}

fn half() -> Scheduled {
    Scheduled::Constant(0.5)
}

/// The optimiser and the averaged generator: section `optimiser` of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiserConfig {
    /// Initialisation of the weights.
    pub init: Init,
    /// Images per step, 2 to 4096.
    pub batch: usize,
    /// Adam's learning rate of the generator, and of the discriminator unless
    /// [`d_learning_rate`](Self::d_learning_rate) is set. 0 or more, and not 0 throughout.
    pub learning_rate: Scheduled,
    /// Adam's learning rate of the discriminator, if it has its own (two time-scale update rule, Heusel et al. 2017).
    /// 0 or more, and not 0 throughout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub d_learning_rate: Option<Scheduled>,
    /// Adam's decay rate of the first moment, 0 to less than 1.
    pub beta1: f64,
    /// Adam's decay rate of the second moment, 0 to less than 1.
    pub beta2: f64,
    /// Added to the square root of Adam's second moment. At least 1.18e-38, the smallest normal float32.
    pub epsilon: f64,
    /// Interval of lookahead in steps, 0 to 1,000,000; 0 disables it. Every `lookahead` steps both players move part of
    /// the way back to where they were at the last lookahead step (Chavdarova et al. 2021, arXiv:2006.14567).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lookahead: u64,
    /// Share of the way that lookahead moves the players back, 0 to 1. A constant 1 is not allowed.
    #[serde(default = "half")]
    pub lookahead_back: Scheduled,
    /// Half-life of the averaged generator in thousands of images; 0 for no average.
    pub ema_kimg: Scheduled,
    /// Upper limit of the half-life as a share of the images seen (StyleGAN2's rule). 0 or more.
    pub ema_rampup: f64,
    /// Thousands of images for which the generator does not move, 0 to 1e9. A new discriminator learns to judge a trained
    /// generator in that time.
    #[serde(default, skip_serializing_if = "is_no_kimg")]
    pub frozen_kimg: f64,
}

/// Largest interval of lookahead in steps.
const MAX_LOOKAHEAD: u64 = 1_000_000;

impl OptimiserConfig {
    /// The discriminator's learning rate.
    pub fn d_rate(&self) -> Scheduled {
        self.d_learning_rate.unwrap_or(self.learning_rate)
    }

    fn validate(&self) -> Result<(), TrainError> {
        let bad = |what: String| Err(TrainError::Invalid(what));
        if !(2..=4096).contains(&self.batch) {
            let problem = "expected 2 to 4096 (one image has no batch statistics)";
            return Err(SettingError::value("batch", self.batch, problem).into());
        }
        let rates = [
            ("optimiser.learning_rate", self.learning_rate),
            ("optimiser.d_learning_rate", self.d_rate()),
        ];
        for (key, rate) in rates {
            rate.check(key, 0.0, f64::INFINITY)?;
            if rate.most() == 0.0 {
                return bad(format!("{key} = 0: expected more than 0, or nothing is learnt"));
            }
        }
        self.ema_kimg.check("optimiser.ema_kimg", 0.0, 1e9)?;
        self.lookahead_back.check("optimiser.lookahead_back", 0.0, 1.0)?;
        if self.lookahead > 0 && self.lookahead_back == Scheduled::Constant(1.0) {
            return bad(
                "optimiser.lookahead_back = 1 undoes every step, so nothing is learnt; expected less than 1"
                    .into(),
            );
        }
        if self.lookahead > MAX_LOOKAHEAD {
            return bad(format!(
                "optimiser.lookahead = {}: expected 0 to {MAX_LOOKAHEAD} steps",
                self.lookahead
            ));
        }
        for (key, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&value) {
                return bad(format!("optimiser.{key} = {value}: expected 0 to less than 1"));
            }
        }
        Scheduled::Constant(self.ema_rampup).check("optimiser.ema_rampup", 0.0, f64::INFINITY)?;
        Scheduled::Constant(self.frozen_kimg).check("optimiser.frozen_kimg", 0.0, 1e9)?;
        // Without epsilon, a weight whose gradient has always been 0 would move by 0 / 0. A class's weights are such
        // weights until conditioning begins. The sum is computed in float32.
        let least = f64::from(f32::MIN_POSITIVE);
        if !(least..=f64::from(f32::MAX)).contains(&self.epsilon) {
            return bad(format!(
                "optimiser.epsilon = {}: expected a finite number of {least:.2e} or more",
                self.epsilon
            ));
        }
        Ok(())
    }
}

/// Length and intervals of a run, in thousands of images (kimg): section `schedule` of a preset. Each is more than 0
/// and at most 1e9.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Length of the run in kimg.
    pub kimg: f64,
    /// Interval of snapshots (images and a checkpoint) in kimg.
    pub snap: f64,
    /// Interval of lines of statistics in kimg.
    pub tick: f64,
}

/// The part of the data that a run trains on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The training side of the split by lesion: 80 % of the images.
    Train,
    /// All images. None are left for validation and test.
    All,
}

/// How images are prepared and drawn: section `data` of a preset, and `input` of `training_options.json`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputConfig {
    /// How a photograph is made square.
    pub fit: Fit,
    /// The filter of the resize to the model's resolution.
    pub filter: Filter,
    /// The part of the data to train on.
    pub split: Part,
    /// Mirrors half of the images.
    pub mirror: bool,
    /// Rotates images by multiples of 90°.
    pub quarter_turns: bool,
    /// Strength of balanced sampling, 0 to 1. A class of n images is drawn with a frequency proportional to
    /// n^(1 - `balanced`). With 0 every image is drawn equally often, with 1 every class. Files may also hold `false`
    /// for 0 and `true` for 1.
    #[serde(with = "crate::recipe::serde_share")]
    pub balanced: f64,
}

/// Class conditioning: section `condition` of a preset.
///
/// Conditioning is transitional (Shahbazi et al. 2022, arXiv:2201.06578): its strength is 0 up to `from_kimg`, grows
/// linearly, and is 1 from `to_kimg` on. On small data, a generator that is conditioned on classes from the start makes
/// one image per class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConditionConfig {
    /// Whether both players are conditioned on the class of each image.
    pub classes: bool,
    /// Thousands of images at which the conditioning begins. 0 or more.
    pub from_kimg: f64,
    /// Thousands of images at which the conditioning reaches full strength. At least `from_kimg`, at most 1e9.
    pub to_kimg: f64,
}

impl ConditionConfig {
    /// The strength of conditioning after `nimg` images, 0 to 1.
    pub fn strength(&self, nimg: u64) -> f64 {
        let kimg = nimg as f64 / 1000.0;
        match kimg >= self.to_kimg {
            true => 1.0,
            false => ((kimg - self.from_kimg) / (self.to_kimg - self.from_kimg)).clamp(0.0, 1.0),
        }
    }
}

/// The data that a run trains on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceConfig {
    /// The source to open: an absolute path, or `phantom`.
    pub source: String,
    /// How the source is read, where the default would refuse it or leave images out.
    #[serde(default, skip_serializing_if = "Reading::is_default")]
    pub reading: Reading,
    /// Short name of the data.
    pub name: String,
    /// Licence of the data. It also binds models that learnt from the data.
    pub licence: String,
    /// The version of the split by lesion ([`dermagan_data::split::VERSION`]).
    #[serde(default = "first_split")]
    pub split: u32,
    /// Codes of the classes that the run trains on.
    pub classes: Vec<String>,
    /// Number of images that the run trains on, per class.
    #[serde(default)]
    pub class_images: Vec<u64>,
    /// Number of images that the run trains on.
    pub images: usize,
    /// SHA-256 of the images' ids, classes and pixel hashes. A run continues only on the images that it began with.
    pub digest: String,
}

/// The version of the split of a run whose options name none.
fn first_split() -> u32 {
    1
}

/// The trained networks that a run starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InitialConfig {
    /// The file, or the name, of the model or checkpoint.
    pub model: String,
    /// SHA-256 of a model file; of a checkpoint, that of its contents.
    pub sha256: String,
    /// Name of the data that it learnt from.
    pub data: String,
    /// Licence of that data. It also binds what starts from the model.
    pub licence: String,
}

/// The complete configuration of a run. Equal configurations on equal data make equal runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Name of the preset that the configuration began with.
    pub preset: String,
    /// Seed of every random number.
    pub seed: u64,
    /// Architecture and sizes of the networks.
    pub model: ModelConfig,
    /// The optimiser and the averaged generator.
    pub optimiser: OptimiserConfig,
    /// Losses and penalties. Files of older programs do not have this section; they used those of preset `reference`.
    #[serde(default)]
    pub objective: Objective,
    /// Augmentation of the images that the discriminator sees.
    #[serde(default)]
    pub augment: AugmentConfig,
    /// Class conditioning.
    #[serde(default)]
    pub condition: ConditionConfig,
    /// Length and intervals.
    pub schedule: ScheduleConfig,
    /// Thousands of images over which settings with a schedule change: the length that the run began with. A run that
    /// is made longer continues with their last values. 0 if no setting changes.
    #[serde(default)]
    pub horizon_kimg: f64,
    /// How images are prepared and drawn.
    pub input: InputConfig,
    /// The data.
    pub source: SourceConfig,
    /// The trained networks that the run starts from; `None` for new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<InitialConfig>,
    /// Number format of the convolutions. Checkpoints of older programs do not have this field; they are float32.
    #[serde(default)]
    pub precision: Precision,
    /// Number of logical shards that a step is divided into: 1, 2, 4, 8, … up to the batch, which it divides. Each shard is
    /// computed alone, and their gradients are summed in a fixed order. At most this many processes share a step, and the
    /// run's bytes do not depend on their number.
    #[serde(default = "one_shard", skip_serializing_if = "is_one_shard")]
    pub shards: usize,
}

/// The number of shards of a run whose options name none.
pub(crate) fn one_shard() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) fn is_one_shard(shards: &usize) -> bool {
    *shards == 1
}

impl TrainConfig {
    /// Checks the range of every number, and which settings can be combined.
    ///
    /// # Errors
    /// When a setting is out of range or does not fit another. The error names it and what was expected.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.model.validate()?;
        let bad = |what: String| Err(TrainError::Invalid(what));
        self.optimiser.validate()?;
        self.objective.validate()?;
        self.augment.validate()?;
        Scheduled::Constant(self.input.balanced).check("data.balanced", 0.0, 1.0)?;
        let dcgan = self.model.backbone == Backbone::Dcgan;
        if dcgan == (self.optimiser.init == Init::He) {
            return bad(
                "optimiser.init = \"he\" and model.backbone = \"residual\" need each other; expected both or \
                 neither"
                    .into(),
            );
        }
        if dcgan && self.objective.has_penalty() {
            return bad(
                "objective.r1 and objective.r2 need a discriminator without batch normalisation; expected \
                 model.backbone = \"residual\""
                    .into(),
            );
        }
        if self.model.projected && self.precision == Precision::F16 {
            return bad(
                "model.projected = true needs `precision` f32 or bf16: the gradient of the features is too small for f16"
                    .into(),
            );
        }
        self.check_shards()?;
        if dcgan && self.condition.classes {
            return bad("condition.classes = true needs model.backbone = \"residual\"".into());
        }
        let c = &self.condition;
        if !(c.from_kimg >= 0.0 && c.to_kimg >= c.from_kimg && c.to_kimg <= 1e9) {
            return bad(format!(
                "condition.from_kimg = {}, condition.to_kimg = {}: expected 0 to 1e9, and to_kimg at least \
                 from_kimg",
                c.from_kimg, c.to_kimg
            ));
        }
        if !(self.horizon_kimg.is_finite() && self.horizon_kimg >= 0.0) {
            return bad(format!(
                "horizon_kimg = {}: expected a finite number of 0 or more",
                self.horizon_kimg
            ));
        }
        let s = &self.schedule;
        for (setting, value) in [("kimg", s.kimg), ("snap", s.snap), ("tick", s.tick)] {
            if !(value.is_finite() && value > 0.0 && value <= 1e9) {
                let problem = "expected thousands of images, more than 0 and at most a billion";
                return Err(SettingError::value(setting, value, problem).into());
            }
        }
        Ok(())
    }

    /// Checks that a step can be divided into the shards.
    fn check_shards(&self) -> Result<(), TrainError> {
        let (shards, batch) = (self.shards, self.optimiser.batch);
        let bad = |what: &str| Err(TrainError::Invalid(format!("shards = {shards}: {what}")));
        if !shards.is_power_of_two() {
            return bad(
                "expected 1, 2, 4, 8 or another power of two, so that they can be summed in pairs",
            );
        }
        if !batch.is_multiple_of(shards) {
            return bad(&format!(
                "a batch of {batch} images cannot be divided equally; choose another `batch`"
            ));
        }
        if shards > 1 && self.model.backbone == Backbone::Dcgan {
            return bad(
                "a network with batch normalisation needs the statistics of the whole batch, so its step cannot be divided; \
                 expected shards = 1, or model.backbone = \"residual\"",
            );
        }
        Ok(())
    }

    /// Warnings about the length of a run that starts, or that continues after `nimg` images: classes that the networks
    /// are conditioned on only in part or never, and schedules that have reached their end.
    pub fn cautions(&self, nimg: u64) -> Vec<String> {
        let mut found = Vec::new();
        let (kimg, condition) = (self.schedule.kimg, &self.condition);
        if self.model.classes > 0 && condition.to_kimg > kimg {
            let how = match condition.from_kimg >= kimg {
                true => "not at all",
                false => "in part",
            };
            let sooner = match nimg {
                0 => ", or lower condition.from_kimg and condition.to_kimg with `set`",
                _ => "",
            };
            found.push(format!(
                "the networks are conditioned on classes from {} to {} kimg, so {how} in {kimg} kimg; use \
                 `kimg` = {} or more{sooner}",
                condition.from_kimg, condition.to_kimg, condition.to_kimg
            ));
        }
        if self.horizon_kimg > 0.0 && kimg > self.horizon_kimg {
            found.push(format!(
                "settings with a schedule, such as the learning rate, reach their last values at {} kimg, the \
                 length that this run began with, and keep them; start a new run for a longer schedule",
                self.horizon_kimg
            ));
        }
        found
    }

    /// Sets the length of a new run in thousands of images. Settings with a schedule change over the whole length.
    pub fn set_length(&mut self, kimg: f64) {
        self.schedule.kimg = kimg;
        self.horizon_kimg = if self.changes() { kimg } else { 0.0 };
    }

    /// Whether any setting that has an effect changes over the run.
    pub fn changes(&self) -> bool {
        let (o, j, augment) = (&self.optimiser, &self.objective, &self.augment);
        let (adapts, judged) = (augment.target > 0.0, self.judged_share());
        let ramps = [
            o.learning_rate,
            o.d_rate(),
            o.lookahead_back,
            o.ema_kimg,
            j.r1,
            j.r2,
            // An adaptive probability replaces the one that is set.
            if adapts { Scheduled::default() } else { augment.probability },
            augment.rare_probability.unwrap_or_default(),
        ]
        .iter()
        .any(|setting| matches!(setting, Scheduled::Ramp { .. }));
        ramps || (judged > 0.0 && judged < 1.0)
    }

    /// The share of the horizon that is done after `nimg` images, 0 to 1. Without a horizon it is 1.
    pub fn share(&self, nimg: u64) -> f64 {
        match self.horizon_kimg > 0.0 {
            true => (nimg as f64 / (self.horizon_kimg * 1000.0)).min(1.0),
            false => 1.0,
        }
    }

    /// The share of the run in which the discriminator judges features too, 0 to 1.
    pub fn judged_share(&self) -> f64 {
        match self.model.projected && self.objective.projected > 0.0 {
            true => 1.0 - self.objective.projected_from,
            false => 0.0,
        }
    }

    /// The strength of class conditioning after `nimg` images, 0 to 1. `None` if the networks are not conditioned on
    /// classes.
    pub fn class_strength(&self, nimg: u64) -> Option<f64> {
        (self.model.classes > 0).then(|| self.condition.strength(nimg))
    }

    /// Whether the generator does not move in the step that begins after `nimg` images.
    pub fn is_frozen(&self, nimg: u64) -> bool {
        (nimg as f64) < self.optimiser.frozen_kimg * 1000.0
    }

    /// The name of the data that the networks learn from, with that of a model that they start from.
    pub fn data_name(&self) -> String {
        match &self.initial {
            Some(initial) if initial.data != self.source.name => {
                format!("{}, before it {}", self.source.name, initial.data)
            }
            _ => self.source.name.clone(),
        }
    }

    /// The licence that binds what the networks learn, with that of a model that they start from.
    pub fn licence(&self) -> String {
        match &self.initial {
            Some(initial) if initial.licence != self.source.licence => {
                format!("{}; before it {}: {}", self.source.licence, initial.data, initial.licence)
            }
            _ => self.source.licence.clone(),
        }
    }

    /// Number of steps of the whole run.
    pub fn steps(&self) -> u64 {
        (images_of_kimg(self.schedule.kimg)).div_ceil(self.optimiser.batch as u64)
    }

    /// Whether a snapshot with metrics is due after the step that ends at `nimg` images.
    pub(crate) fn snapshot_is_due(&self, nimg: u64) -> bool {
        let snap = images_of_kimg(self.schedule.snap);
        let before = nimg.saturating_sub(self.optimiser.batch as u64);
        let done = nimg >= images_of_kimg(self.schedule.kimg);
        nimg > 0 && (done || nimg / snap > before / snap)
    }
}

/// A number of images from thousands of images, at least 1.
pub(crate) fn images_of_kimg(kimg: f64) -> u64 {
    (kimg * 1000.0).round().max(1.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_options_name_no_split_began_with_the_first_version() {
        let config = TrainConfig::with_settings("tiny", &[], 0).unwrap();
        let mut options = serde_json::to_value(&config.source).unwrap();
        options.as_object_mut().unwrap().remove("split");
        let read: SourceConfig = serde_json::from_value(options).unwrap();
        assert_eq!(read.split, 1);
    }

    #[test]
    fn a_step_is_divided_only_into_shards_that_can_be_computed_alone() {
        let check = |preset: &str, settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
            let config = TrainConfig::with_settings(preset, &settings, 0).unwrap();
            config.validate().map_err(|error| error.to_string())
        };
        for shards in [1, 2, 4, 8, 16] {
            assert_eq!(check("rare", &[&format!("shards={shards}")]), Ok(()));
        }
        for (preset, settings, reason) in [
            ("rare", vec!["shards=0"], "shards = 0: expected 1, 2, 4"),
            ("rare", vec!["shards=3"], "shards = 3: expected 1, 2, 4"),
            ("rare", vec!["shards=32"], "a batch of 16 images cannot be divided"),
            ("fast", vec!["shards=4", "optimiser.batch=10"], "a batch of 10 images"),
            ("reference", vec!["shards=2"], "batch normalisation needs the statistics"),
            ("tiny", vec!["shards=2"], "batch normalisation needs the statistics"),
        ] {
            let error = check(preset, &settings).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn one_shard_is_not_written_so_that_older_files_stay_the_same() {
        let one = TrainConfig::with_settings("rare", &[], 0).unwrap();
        let text = serde_json::to_string(&one).unwrap();
        assert!(!text.contains("shards"));
        assert_eq!(serde_json::from_str::<TrainConfig>(&text).unwrap(), one);
        let four = TrainConfig::with_settings("rare", &["shards=4".to_owned()], 0).unwrap();
        let text = serde_json::to_string(&four).unwrap();
        assert_eq!(serde_json::from_str::<TrainConfig>(&text).unwrap().shards, 4);
    }

    #[test]
    fn settings_that_learn_nothing_or_divide_by_zero_are_rejected() {
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
        assert!(never.validate().is_ok(), "lookahead is off");
    }
}
