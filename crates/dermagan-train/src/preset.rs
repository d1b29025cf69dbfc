//! Presets: the files of `models/`, or a user's own, with what `--set` changes.

use std::borrow::Cow;
use std::path::Path;

use dermagan_base::name::{shortened, start_of};
use dermagan_model::weights::read_at_most;
use dermagan_model::{ModelConfig, PrecisionChoice};
use serde::{Deserialize, Serialize};

use crate::augment::AugmentConfig;
use crate::config::{ConditionConfig, InputConfig, OptimiserConfig, ScheduleConfig};
use crate::error::TrainError;
use crate::no_effect;
use crate::objective::Objective;

/// A preset: a file in `models/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// A line for people.
    pub description: String,
    /// Number format of the convolutions where the user asks for none.
    #[serde(default)]
    pub precision: PrecisionChoice,
    /// Sizes of the networks.
    pub model: ModelConfig,
    /// Optimiser and average.
    pub optimiser: OptimiserConfig,
    /// What the players want.
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
    /// How images come in.
    pub data: InputConfig,
}

/// The presets that are part of the program, by name.
const PRESETS: [(&str, &str); 6] = [
    ("reference", include_str!("../../../models/reference.toml")),
    ("fast", include_str!("../../../models/fast.toml")),
    ("rare", include_str!("../../../models/rare.toml")),
    ("best", include_str!("../../../models/best.toml")),
    ("notebook", include_str!("../../../models/notebook.toml")),
    ("tiny", include_str!("../../../models/tiny.toml")),
];

impl Preset {
    /// Names of all presets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    fn listed() -> String {
        Self::names().collect::<Vec<_>>().join(", ")
    }

    /// A preset by name, or from a file of one's own, with single settings changed: each such as
    /// `objective.r1=0.1`, in the file's own words.
    ///
    /// # Errors
    /// Lists the names there are, or says which key or value is wrong.
    pub fn named(name: &str, settings: &[String]) -> Result<Self, TrainError> {
        let bad = |what: String| TrainError::Option(what);
        let known = PRESETS.iter().find(|(known, _)| *known == name);
        let text: Cow<'static, str> = match known {
            Some((_, text)) => (*text).into(),
            None if name.ends_with(".toml") => read_preset(name)?.into(),
            None => {
                let names = Self::listed();
                return Err(bad(format!("no preset '{name}'; there are {names}, or FILE.toml")));
            }
        };
        let mut table: toml::Table =
            text.parse().map_err(|e| bad(format!("preset {name}: {}", words_of(&e))))?;
        for setting in settings {
            set(&mut table, setting).map_err(|what| {
                let start = start_of(setting, SHOWN);
                bad(format!("--set {start}: {what}; expected such as objective.r1=0.1"))
            })?;
        }
        let with = if settings.is_empty() { "" } else { " with what --set says" };
        let preset: Self = table
            .try_into()
            .map_err(|e: toml::de::Error| bad(format!("preset {name}{with}: {}", words_of(&e))))?;
        no_effect::check(&preset, settings)?;
        match preset.model.classes {
            0 => Ok(preset),
            _ => Err(bad(format!(
                "preset {name}{with}: model.classes is as many as the data has; expected \
                 condition.classes = true, which tells the networks of them"
            ))),
        }
    }
}

/// What a file's reader says, with the line that it means as far as an error repeats it.
fn words_of(error: &toml::de::Error) -> String {
    let error = error.to_string();
    let lines: Vec<_> = error.trim().lines().map(|line| start_of(line, SHOWN)).collect();
    lines.join("\n")
}

/// A preset's name as part of a run's: of a file's path its name, in letters that any folder may have.
pub(crate) fn short(name: &str) -> String {
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
    let short = shortened(&stem, "own");
    let known = PRESETS.iter().any(|(known, _)| *known == short);
    if known && short != name { format!("own-{short}") } else { short }
}

/// Parts of the longest key: a section, a name, and one more for what is wrong to be told by name.
const MAX_DEPTH: usize = 3;

/// Letters of a setting, or of a file's line, that an error repeats.
const SHOWN: usize = 200;

/// The largest preset that is read.
const MAX_PRESET: u64 = 1 << 20;

fn read_preset(path: &str) -> Result<String, TrainError> {
    if !Path::new(path).exists() {
        return Err(TrainError::Option(format!(
            "--preset {path}: no such file; expected one, or one of {}",
            Preset::listed()
        )));
    }
    let bytes = read_at_most(Path::new(path), MAX_PRESET)?;
    String::from_utf8(bytes).map_err(|_| TrainError::Option(format!("preset {path}: not text")))
}

/// The key that a `--set` is of, in a preset's own words, and its value, if there is a '='.
pub(crate) fn key_and_value(setting: &str) -> (String, Option<&str>) {
    let (key, value) = match setting.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (setting, None),
    };
    let parts: Vec<&str> = key.split('.').map(str::trim).collect();
    (parts.join("."), value)
}

/// Changes one value of a preset's table.
fn set(table: &mut toml::Table, setting: &str) -> Result<(), String> {
    let (key, value) = key_and_value(setting);
    let value = value.ok_or("no '='")?;
    let parsed: Result<toml::Table, _> = format!("value = {value}").parse();
    // A bare word is a text, and so is what would set other keys too.
    let value = parsed
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.trim().to_owned()));
    let mut keys: Vec<&str> = key.split('.').collect();
    // Before it becomes tables in tables: parsing and dropping them goes as deep as they are.
    if keys.len() > MAX_DEPTH {
        return Err(format!(
            "a key of {} parts, there is none of more than {MAX_DEPTH}",
            keys.len()
        ));
    }
    let last = keys.pop().filter(|last| !last.is_empty()).ok_or("no key")?;
    let mut place = table;
    for key in keys {
        let inner = place.entry(key).or_insert_with(|| toml::Table::new().into());
        place = inner.as_table_mut().ok_or_else(|| format!("{key} is no section"))?;
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
        assert!(error.contains("reference, fast, rare, best, notebook, tiny"), "{error}");
    }

    #[test]
    fn of_a_long_line_an_error_repeats_the_beginning() {
        let long = format!("model.g_width='{}'", "x".repeat(100_000));
        let error = Preset::named("tiny", &[long]).unwrap_err().to_string();
        assert!(error.len() < 2000, "{} letters", error.len());
    }

    #[test]
    fn a_key_of_any_depth_is_refused_without_going_that_deep() {
        let deep = format!("{}b=1", "a.".repeat(100_000));
        let error = Preset::named("tiny", &[deep]).unwrap_err().to_string();
        assert!(error.contains("100001 parts") && error.len() < 400, "{error}");
    }
}
