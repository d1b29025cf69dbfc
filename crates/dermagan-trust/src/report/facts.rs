//! What is known of a generator or a run without measuring.

use std::path::Path;

use dermagan_model::ModelFile;

use super::chart::{Line, chart};

/// Facts, each with its name.
pub(super) type Facts = Vec<(&'static str, String)>;

/// The facts of a model's card.
pub(super) fn of_model(model: &ModelFile) -> Facts {
    let mut facts = vec![
        ("SHA-256 of the generator", model.hash.clone()),
        ("resolution", format!("{0}×{0} pixels", model.config.resolution)),
    ];
    if let Some(card) = &model.card {
        let classes = card.classes.iter().zip(&card.class_images);
        let classes: Vec<String> =
            classes.map(|(code, images)| format!("{code} {images}")).collect();
        facts.extend([
            ("training data", card.data.clone()),
            ("licence of the data, which binds the images", card.licence.clone()),
            ("training images by class", classes.join(", ")),
            ("preset", card.preset.clone()),
            ("training images seen", format!("{:.0} thousand", card.nimg as f64 / 1000.0)),
            ("written by", card.producer.clone()),
        ]);
    }
    facts
}

/// The loss curves of a run as SVG, if its folder has them.
pub(super) fn losses(run: &Path) -> Option<Vec<u8>> {
    const MOST: u64 = 512 << 10;
    let path = run.join("losses.svg");
    let small = std::fs::metadata(&path).is_ok_and(|meta| meta.len() <= MOST);
    small.then(|| std::fs::read(path).ok()).flatten()
}

/// The KID of a run's snapshots as a chart, if it was measured.
pub(super) fn metrics(run: &Path) -> Option<String> {
    let mut lines = Vec::new();
    for network in ["lesion", "imagenet"] {
        let text =
            std::fs::read_to_string(run.join(format!("metric-kid2048_{network}.jsonl"))).ok()?;
        let point = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            let value = line["results"][format!("kid2048_{network}")].as_f64()?;
            Some((line["Progress/kimg"].as_f64()?, 1000.0 * value))
        };
        lines.push(Line {
            name: network.to_owned(),
            points: text.lines().filter_map(point).collect(),
        });
    }
    chart(&lines, "thousands of training images", "KID ×1000")
}
