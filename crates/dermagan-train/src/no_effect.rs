//! Settings that would change nothing as the others are.

use crate::augment::{AugmentConfig, rarity};
use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::preset::{Preset, key_and_value};

/// What turns a thing off, and so expects no effect: an arm of a comparison may well say so again.
const OFF: [&str; 3] = ["0", "0.0", "false"];

/// Refuses single settings that change nothing in this preset: somebody who sets one expects an effect.
/// What a preset's file says by the way is not asked, so that one switch turns a thing off; but that
/// augmentations have a strength and never come.
///
/// # Errors
/// Names the setting and the reason.
pub fn check(preset: &Preset, settings: &[String]) -> Result<(), TrainError> {
    let mut turned_off = false;
    for setting in settings {
        let (key, value) = key_and_value(setting);
        let value = value.unwrap_or_default().trim();
        let off = OFF.contains(&value) || key == "objective.every" && value == "1";
        turned_off |= off
            && matches!(
                key.as_str(),
                "augment.probability" | "augment.rare_probability" | "augment.target"
            );
        if let Some(reason) = reason(preset, &key).filter(|_| !off) {
            let what = format!("--set {setting} changes nothing here: {reason}");
            return Err(TrainError::Option(what));
        }
    }
    if turned_off { Ok(()) } else { heard(preset).check_heard() }
}

/// Refuses a probability in rare classes where this data, drawn so, has none: if it was `asked` for, or if
/// no transform ever comes without it.
///
/// # Errors
/// Says so.
pub fn check_rare(config: &TrainConfig, asked: bool) -> Result<(), TrainError> {
    let Some(probability) = config.augment.rare_probability.filter(|p| p.most() > 0.0) else {
        return Ok(());
    };
    let rarity = rarity(&config.source.class_images, config.input.balanced);
    if config.model.classes > 0 && rarity.iter().any(|rarity| *rarity > 0.0) {
        return Ok(());
    }
    if asked {
        return Err(TrainError::Option(format!(
            "augment.rare_probability, at most {}, changes nothing here: no class's images come more \
             often than another's; expected classes of several sizes and data.balanced above 0",
            probability.most()
        )));
    }
    AugmentConfig { rare_probability: None, ..config.augment }.check_heard()
}

/// The augmentation as far as the data may hear of it: without told classes none is known to be rare.
fn heard(preset: &Preset) -> AugmentConfig {
    let rare_probability = preset.augment.rare_probability.filter(|_| preset.condition.classes);
    AugmentConfig { rare_probability, ..preset.augment }
}

/// Why this key changes nothing in this preset, if so.
fn reason(preset: &Preset, key: &str) -> Option<&'static str> {
    let (o, augment) = (&preset.optimiser, &preset.augment);
    match key {
        "objective.every" if !preset.objective.has_penalty() => {
            Some("objective.r1 and objective.r2 are 0")
        }
        "optimiser.lookahead_back" if o.lookahead == 0 => Some("optimiser.lookahead is 0"),
        "optimiser.ema_rampup" if o.ema_kimg.most() == 0.0 => Some("optimiser.ema_kimg is 0"),
        "augment.probability"
        | "augment.rare_probability"
        | "augment.target"
        | "augment.adapt_kimg"
            if !augment.has_strength() =>
        {
            Some(
                "augment.translate, rotate, zoom, cutout, brightness, saturation and contrast are 0",
            )
        }
        key if !heard(preset).may_come()
            && key.strip_prefix("augment.").is_some_and(|name| {
                augment.strengths().iter().any(|(strength, _)| *strength == name)
            }) =>
        {
            Some("augment.probability, rare_probability and target are 0 or heard by no class")
        }
        "augment.probability" if augment.target > 0.0 => {
            Some("with augment.target the probability adapts")
        }
        "augment.adapt_kimg" if augment.target == 0.0 => Some("augment.target is 0"),
        "augment.rare_probability" | "condition.from_kimg" | "condition.to_kimg"
            if !preset.condition.classes =>
        {
            Some("condition.classes is false")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SourceConfig;
    use crate::schedule::Scheduled;

    #[test]
    fn a_setting_without_effect_is_refused_and_one_switch_still_turns_a_thing_off() {
        let with = |preset: &str, settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
            Preset::named(preset, &settings).map(|_| ()).map_err(|e| e.to_string())
        };
        for setting in [
            "objective.every=7",
            "optimiser.lookahead_back=0.9",
            "augment.probability=0.5",
            "augment.target=0.6",
            "augment.adapt_kimg=5",
            "condition.to_kimg=5",
            "augment.rare_probability=0.8",
            "augment.rare_probability=1",
        ] {
            let error = with("tiny", &[setting]).unwrap_err();
            assert!(error.contains("changes nothing"), "{error}");
        }
        let error = with("fast", &["augment.adapt_kimg=5"]).unwrap_err();
        assert!(error.contains("augment.target is 0"), "{error}");
        let error = with("fast", &["augment.rare_probability=0.8"]).unwrap_err();
        assert!(error.contains("condition.classes is false"), "{error}");
        assert_eq!(with("rare", &["augment.rare_probability=0.8"]), Ok(()));
        let rare_only = ["augment.probability=0", "augment.rare_probability=0.8"];
        assert_eq!(with("rare", &rare_only), Ok(()));
        let mut untold = Preset::named("rare", &[]).unwrap();
        untold.condition.classes = false;
        assert!(check(&untold, &[]).is_ok());
        untold.augment.probability = Scheduled::Constant(0.0);
        untold.augment.rare_probability = Some(Scheduled::Constant(0.8));
        assert!(check(&untold, &[]).is_err(), "no class is told, so none is known to be rare");
        // What is asked for is to be felt, whatever else is turned off; what is there already need not be.
        for arm in ["augment.probability=0", "augment.target=0"] {
            let error = with("tiny", &[arm, "augment.translate=0.2"]).unwrap_err();
            assert!(error.contains("augment.translate=0.2 changes nothing"), "{error}");
        }
        assert!(with("fast", &["augment.probability=0", "augment.rotate=1"]).is_err());
        for off in ["optimiser.lookahead=0", "objective.r1=0", "augment.turns=false"] {
            assert_eq!(with("fast", &[off]), Ok(()), "{off}");
        }
        assert_eq!(with("fast", &["augment.probability=0"]), Ok(()));
        assert_eq!(with("fast", &["augment.probability=0", "augment.translate=0"]), Ok(()));
        assert_eq!(with("tiny", &["objective.r1=0", "objective.every=1"]), Ok(()));
        assert!(with("tiny", &["augment.translate=0.1"]).is_err(), "it never comes");
        assert_eq!(with("rare", &["condition.classes=false"]), Ok(()));
        assert_eq!(with("rare", &["condition.to_kimg=60"]), Ok(()));
        assert_eq!(with("tiny", &["augment.translate=0.1", "augment.probability=0.5"]), Ok(()));
    }

    #[test]
    fn a_probability_in_rare_classes_needs_a_class_that_is_drawn_more_often_than_its_images() {
        let mut config = TrainConfig::of_preset("rare", 0).unwrap();
        config.augment.rare_probability = Some(Scheduled::Constant(0.8));
        (config.model.classes, config.source.class_images) = (2, vec![10, 100]);
        assert_eq!(check_rare(&config, true).map_err(|e| e.to_string()), Ok(()));
        let uneven = config.clone();
        let alike = TrainConfig {
            source: SourceConfig { class_images: vec![10, 10], ..config.source.clone() },
            ..config.clone()
        };
        config.input.balanced = 0.0;
        for mut none in [config, alike] {
            assert!(check_rare(&none, true).is_err() && check_rare(&none, false).is_ok());
            none.augment.probability = Scheduled::Constant(0.0);
            assert!(check_rare(&none, false).is_err(), "nothing ever comes");
            none.augment.rare_probability = Some(Scheduled::Constant(0.0));
            assert!(check_rare(&none, true).is_ok(), "it is off");
        }
        assert!(check_rare(&uneven, false).is_ok());
    }
}
