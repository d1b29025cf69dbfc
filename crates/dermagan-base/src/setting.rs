//! A setting of a call that cannot be used.

use std::fmt::{self, Display};

/// Says which setting of a call is wrong and why.
///
/// Its text names the setting by its identifier in backticks, such as `` `batch` = 1: expected 2 to 4096 ``. A user interface
/// translates it: the command line as `--batch 1`, Python as `batch=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// The setting's identifier, such as `learning_rate`.
    pub setting: &'static str,
    /// The value that was given, if repeating it helps.
    pub value: Option<String>,
    /// What is wrong and what was expected.
    pub problem: String,
}

impl SettingError {
    /// A problem with a setting, whatever its value.
    pub fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self { setting, value: None, problem: problem.into() }
    }

    /// A problem with the value of a setting.
    pub fn value(setting: &'static str, value: impl Display, problem: impl Into<String>) -> Self {
        Self { setting, value: Some(value.to_string()), problem: problem.into() }
    }
}

impl Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "`{}` = {value}: {}", self.setting, self.problem),
            None => write!(f, "`{}`: {}", self.setting, self.problem),
        }
    }
}

impl std::error::Error for SettingError {}

/// The words of another library for use in an error: its backticks become single quotes, because in this project's errors
/// backticks mark settings.
pub fn quoted(words: impl Display) -> String {
    words.to_string().replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_setting_its_value_and_the_problem() {
        let error = SettingError::value("batch", 1, "expected 2 to 4096");
        assert_eq!(error.to_string(), "`batch` = 1: expected 2 to 4096");
        assert_eq!(SettingError::new("out", "a file").to_string(), "`out`: a file");
        assert_eq!(quoted("unknown field `batch`"), "unknown field 'batch'");
    }
}
