//! Readers of settings and of a run's own records.

use dermagan_model::Precision;
use dermagan_train::{Preset, SourceConfig};

use crate::scratch::Scratch;

/// What separates a preset file from the settings that change it, and the files of a run from each other.
const NEXT: &str = "\n--next--\n";

/// The parts of an input that stands for several texts.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let all = rest?;
        match all.windows(NEXT.len()).position(|window| window == NEXT.as_bytes()) {
            Some(at) => {
                rest = Some(&all[at + NEXT.len()..]);
                Some(&all[..at])
            }
            None => rest.take(),
        }
    })
}

/// A preset in TOML, and then lines of `--set KEY=VALUE`.
pub fn preset(scratch: &Scratch, bytes: &[u8]) {
    let mut parts = parts(bytes);
    let path = scratch.put("own.toml", parts.next().unwrap_or_default());
    let settings = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let settings: Vec<String> = settings.lines().map(str::to_owned).collect();
    let Ok(preset) = Preset::named(&path.display().to_string(), &settings) else { return };
    let source = SourceConfig {
        name: "data".into(),
        classes: vec!["mel".into(), "nv".into()],
        class_images: vec![10, 20],
        images: 30,
        ..SourceConfig::default()
    };
    let Ok(config) = preset.configure("own", 0, Precision::F32, source) else { return };
    let _ = (config.steps(), config.share(u64::MAX), config.class_strength(1));
    let _ = config.cautions(0);
}

/// The folder of a run: its options, its statistics, and those of a metric.
pub fn run(scratch: &Scratch, bytes: &[u8]) {
    let mut parts = parts(bytes);
    for name in ["training_options.json", "stats.jsonl", "metric-kid.jsonl"] {
        scratch.put(&format!("run/{name}"), parts.next().unwrap_or_default());
    }
    let _ = dermagan_train::describe(&scratch.path("run"), None);
}
