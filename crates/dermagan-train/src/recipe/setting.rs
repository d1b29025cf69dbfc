//! One setting of a preset as text: `KEY=VALUE`, such as `objective.r1=0.1`.

/// The key of a setting as presets write it, without spaces, and its value. The value is `None` if there is no `=`.
pub fn key_and_value(setting: &str) -> (String, Option<&str>) {
    let (key, value) = match setting.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (setting, None),
    };
    let parts: Vec<&str> = key.split('.').map(str::trim).collect();
    (parts.join("."), value)
}
