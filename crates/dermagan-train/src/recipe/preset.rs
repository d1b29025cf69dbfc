//! Presets: the files in `models/` or the user's own, with single settings changed.

use std::borrow::Cow;
use std::path::Path;

use dermagan_base::name::{shortened, start_of};
use dermagan_base::{SettingError, quoted};
use dermagan_model::weights::read_at_most;
use dermagan_model::{ModelConfig, Precision, PrecisionChoice};
use dermagan_models::PRESETS;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::recipe::augment::AugmentConfig;
use crate::recipe::config::{
    ConditionConfig, InputConfig, OptimiserConfig, ScheduleConfig, SourceConfig, TrainConfig,
    is_one_shard, one_shard,
};
use crate::recipe::objective::Objective;
use crate::recipe::setting::key_and_value;
use crate::recipe::unused_settings;

/// A preset: the contents of one of the program's preset files in `models/`, or of the user's own TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// One line that describes the preset.
    pub description: String,
    /// Number format of the convolutions, unless the user asks for another.
    #[serde(default)]
    pub precision: PrecisionChoice,
    /// Number of logical shards of a step ([`TrainConfig::shards`]).
    #[serde(default = "one_shard", skip_serializing_if = "is_one_shard")]
    pub shards: usize,
    /// Architecture and sizes of the networks.
    pub model: ModelConfig,
    /// The optimiser and the averaged generator.
    pub optimiser: OptimiserConfig,
    /// Losses and penalties.
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
    /// How images are prepared and drawn.
    pub data: InputConfig,
}

/// The name that stands for a preset that suits the data: `tiny` for the phantom, `rare` for two classes or more,
/// otherwise `fast`.
pub const AUTO: &str = "auto";

impl Preset {
    /// Names of the program's presets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    fn listed() -> String {
        Self::names().collect::<Vec<_>>().join(", ")
    }

    /// The preset called `name`, or the one in the file `name` if that ends with `.toml`, with single settings changed.
    /// Each setting has the form `KEY=VALUE` with the keys of the file, such as `objective.r1=0.1`.
    ///
    /// # Errors
    /// When there is no such preset (the error lists the names), a key or a value is wrong, or a setting has no effect.
    pub fn named(name: &str, settings: &[String]) -> Result<Self, TrainError> {
        let bad = |what: String| TrainError::Invalid(what);
        let known = PRESETS.iter().find(|(known, _)| *known == name);
        let text: Cow<'static, str> = match known {
            Some((_, text)) => (*text).into(),
            None if name.ends_with(".toml") => read_preset(name)?.into(),
            None => {
                let names = Self::listed();
                return Err(bad(format!(
                    "no preset '{name}'; expected one of {names}, or a file NAME.toml"
                )));
            }
        };
        let mut table: toml::Table =
            text.parse().map_err(|e| bad(format!("preset {name}: {}", message_of(&e))))?;
        for setting in settings {
            set(&mut table, setting).map_err(|what| {
                let start = start_of(setting, SHOWN);
                let problem = format!("{what}; expected KEY=VALUE, such as objective.r1=0.1");
                TrainError::from(SettingError::value("set", start, problem))
            })?;
        }
        let with = if settings.is_empty() { "" } else { " with changed settings" };
        let preset: Self = table.try_into().map_err(|e: toml::de::Error| {
            bad(format!("preset {name}{with}: {}", message_of(&e)))
        })?;
        let config = preset.clone().with_source(name, 0, Precision::F32, SourceConfig::default());
        unused_settings::check(&config, settings)?;
        match preset.model.classes {
            0 => Ok(preset),
            _ => Err(bad(format!(
                "preset {name}{with}: model.classes cannot be set, because it is the number of classes in the data; \
                 expected condition.classes = true, which conditions the networks on them"
            ))),
        }
    }
}

impl Preset {
    /// The configuration of a run of this preset, which is called `name`, on the data that `source` describes.
    ///
    /// # Errors
    /// As [`TrainConfig::validate`].
    pub fn configure(
        self,
        name: &str,
        seed: u64,
        precision: Precision,
        source: SourceConfig,
    ) -> Result<TrainConfig, TrainError> {
        let config = self.with_source(name, seed, precision, source);
        config.validate()?;
        Ok(config)
    }

    fn with_source(
        self,
        name: &str,
        seed: u64,
        precision: Precision,
        source: SourceConfig,
    ) -> TrainConfig {
        let mut model = self.model;
        if self.condition.classes {
            model.classes = source.classes.len();
        }
        let mut config = TrainConfig {
            preset: short(name),
            seed,
            model,
            optimiser: self.optimiser,
            objective: self.objective,
            augment: self.augment,
            condition: self.condition,
            schedule: self.schedule,
            horizon_kimg: 0.0,
            input: self.data,
            source,
            initial: None,
            precision,
            shards: self.shards,
        };
        config.set_length(config.schedule.kimg);
        config
    }
}

impl TrainConfig {
    /// A preset in float32 without data, for networks that train on synthetic images.
    ///
    /// # Errors
    /// As [`Preset::named`].
    pub fn of_preset(name: &str, seed: u64) -> Result<Self, TrainError> {
        Self::with_settings(name, &[], seed)
    }

    /// As [`TrainConfig::of_preset`], with single settings changed, each of the form `KEY=VALUE`.
    ///
    /// # Errors
    /// As [`Preset::named`].
    pub fn with_settings(name: &str, settings: &[String], seed: u64) -> Result<Self, TrainError> {
        let preset = Preset::named(name, settings)?;
        Ok(preset.with_source(name, seed, Precision::F32, SourceConfig::default()))
    }
}

/// The message of the TOML parser, which quotes the line in question. Long lines are cut.
fn message_of(error: &toml::de::Error) -> String {
    let error = quoted(error);
    let lines: Vec<_> = error.trim().lines().map(|line| start_of(line, SHOWN)).collect();
    lines.join("\n")
}

/// A preset's name as part of a run's name: only the name of a file, in characters that any file system accepts.
pub(crate) fn short(name: &str) -> String {
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
    let short = shortened(&stem, "own");
    let known = PRESETS.iter().any(|(known, _)| *known == short);
    if known && short != name { format!("own-{short}") } else { short }
}

/// Largest number of parts of a key: a section, a name, and one more, so that a wrong key is reported by name.
const MAX_DEPTH: usize = 3;

/// Number of characters of a setting, or of a line of a file, that an error repeats.
const SHOWN: usize = 200;

/// Size in bytes of the largest preset file that is read.
const MAX_PRESET: u64 = 1 << 20;

fn read_preset(path: &str) -> Result<String, TrainError> {
    if !Path::new(path).exists() {
        let problem =
            format!("no such file; expected an existing file, or one of {}", Preset::listed());
        return Err(SettingError::value("preset", path, problem).into());
    }
    let bytes = read_at_most(Path::new(path), MAX_PRESET)?;
    String::from_utf8(bytes).map_err(|_| {
        TrainError::Invalid(format!("preset {path}: not UTF-8 text; expected a TOML file"))
    })
}

/// Changes one value of a preset's table.
fn set(table: &mut toml::Table, setting: &str) -> Result<(), String> {
    let (key, value) = key_and_value(setting);
    let value = value.ok_or("no '='")?;
    let parsed: Result<toml::Table, _> = format!("value = {value}").parse();
    // A bare word is a string. So is a value that would set other keys as well.
    let value = parsed
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.trim().to_owned()));
    let mut keys: Vec<&str> = key.split('.').collect();
    // This comes before the nested tables are made: parsing and dropping them recurses to their depth.
    if keys.len() > MAX_DEPTH {
        return Err(format!("a key of {} parts; keys have at most {MAX_DEPTH}", keys.len()));
    }
    let last = keys.pop().filter(|last| !last.is_empty()).ok_or("no key")?;
    let mut place = table;
    for key in keys {
        let inner = place.entry(key).or_insert_with(|| toml::Table::new().into());
        place = inner
            .as_table_mut()
            .ok_or_else(|| format!("there is no section {key}; it is a value"))?;
    }
    place.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_readable_and_has_a_valid_model() {
        for name in Preset::names() {
            Preset::named(name, &[]).unwrap().model.validate().unwrap();
        }
        let error = Preset::named("none", &[]).unwrap_err().to_string();
        let names: Vec<&str> = Preset::names().collect();
        assert!(names.contains(&"tiny") && error.contains(&names.join(", ")), "{error}");
    }

    #[test]
    fn an_error_repeats_only_the_beginning_of_a_long_line() {
        let long = format!("model.g_width='{}'", "x".repeat(100_000));
        let error = Preset::named("tiny", &[long]).unwrap_err().to_string();
        assert!(error.len() < 2000, "{} bytes", error.len());
    }

    #[test]
    fn a_key_of_any_depth_is_rejected_without_recursion() {
        let deep = format!("{}b=1", "a.".repeat(100_000));
        let error = Preset::named("tiny", &[deep]).unwrap_err().to_string();
        assert!(error.contains("100001 parts") && error.len() < 400, "{error}");
    }
}
