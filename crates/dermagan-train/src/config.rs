//! What a run is made of: one structure that is the preset's file, the run's
//! `training_options.json` and the checkpoint's metadata.

use dermagan_data::{Filter, Fit};
use dermagan_model::{Init, ModelConfig, Precision};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Optimiser and average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiserConfig {
    /// How weights begin.
    pub init: Init,
    /// Images a step.
    pub batch: usize,
    /// Adam's learning rate, of both players.
    pub learning_rate: f64,
    /// Adam's first decay.
    pub beta1: f64,
    /// Adam's second decay.
    pub beta2: f64,
    /// Added to the root of Adam's second moment.
    pub epsilon: f64,
    /// Half-life of the averaged generator in thousands of images; 0 for none.
    pub ema_kimg: f64,
    /// The half-life is at most this share of the images seen.
    pub ema_rampup: f64,
}

/// Length and rhythm, in thousands of images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Length of the run.
    pub kimg: f64,
    /// Pictures and a checkpoint every so many.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Draw every class equally often.
    pub balanced: bool,
}

/// A preset: a file in `models/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// A line for people.
    pub description: String,
    /// Sizes of the networks.
    pub model: ModelConfig,
    /// Optimiser and average.
    pub optimiser: OptimiserConfig,
    /// Length and rhythm.
    pub schedule: ScheduleConfig,
    /// How images come in.
    pub data: InputConfig,
}

/// The presets that are part of the program, by name.
const PRESETS: [(&str, &str); 3] = [
    ("reference", include_str!("../../../models/reference.toml")),
    ("notebook", include_str!("../../../models/notebook.toml")),
    ("tiny", include_str!("../../../models/tiny.toml")),
];

impl Preset {
    /// Names of all presets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// A preset by name.
    ///
    /// # Errors
    /// Lists the names there are.
    pub fn named(name: &str) -> Result<Self, TrainError> {
        let text = PRESETS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
        let names: Vec<_> = Self::names().collect();
        let text = text.ok_or_else(|| {
            TrainError::Option(format!("no preset '{name}'; there are {}", names.join(", ")))
        })?;
        toml::from_str(text).map_err(|e| TrainError::Option(format!("preset {name}: {e}")))
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
    /// Length and rhythm.
    pub schedule: ScheduleConfig,
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
        let preset = Preset::named(name)?;
        Ok(Self {
            preset: name.to_owned(),
            seed,
            model: preset.model,
            optimiser: preset.optimiser,
            schedule: preset.schedule,
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
        let o = &self.optimiser;
        if !(2..=4096).contains(&o.batch) {
            return bad(format!(
                "--batch {}: 2 to 4096 are possible (batch normalisation needs two)",
                o.batch
            ));
        }
        let finite = [o.learning_rate, o.beta1, o.beta2, o.epsilon, o.ema_kimg, o.ema_rampup];
        if finite.iter().any(|v| !v.is_finite() || *v < 0.0) || o.beta1 >= 1.0 || o.beta2 >= 1.0 {
            return bad("an optimiser setting is negative, infinite, or a beta of 1 or more".into());
        }
        let s = &self.schedule;
        for (flag, value) in [("--kimg", s.kimg), ("--snap", s.snap), ("--tick", s.tick)] {
            if !(value.is_finite() && value > 0.0 && value <= 1e9) {
                return bad(format!("{flag} {value}: expected thousands of images, more than 0"));
            }
        }
        Ok(())
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
    fn every_preset_is_readable_and_has_a_valid_model() {
        for name in Preset::names() {
            Preset::named(name).unwrap().model.validate().unwrap();
        }
        let error = Preset::named("best").unwrap_err().to_string();
        assert!(error.contains("reference, notebook, tiny"), "{error}");
    }
}
