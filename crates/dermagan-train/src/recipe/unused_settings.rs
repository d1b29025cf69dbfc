//! Rejects settings that have no effect given the rest of the configuration.

use dermagan_base::SettingError;

use crate::error::TrainError;
use crate::recipe::augment::{AugmentConfig, rarity};
use crate::recipe::config::TrainConfig;
use crate::recipe::setting::key_and_value;

/// Values that disable a feature. They need no effect: an arm of a comparison may disable what is off already.
const OFF: [&str; 3] = ["0", "0.0", "false"];

/// Rejects single settings that have no effect in this preset: a user who sets one expects an effect.
///
/// Values from the preset file are not checked, so one switch can disable a feature. The exception is an augmentation
/// with a strength above 0 that is never applied.
///
/// # Errors
/// When a setting has no effect. The error names it and the reason.
pub fn check(config: &TrainConfig, settings: &[String]) -> Result<(), TrainError> {
    let mut disabled = false;
    for setting in settings {
        let (key, value) = key_and_value(setting);
        let value = value.unwrap_or_default().trim();
        let off = OFF.contains(&value) || key == "objective.every" && value == "1";
        disabled |= off
            && matches!(
                key.as_str(),
                "augment.probability" | "augment.rare_probability" | "augment.target"
            );
        if let Some(reason) = reason(config, &key).filter(|_| !off) {
            let problem = format!("it has no effect here, because {reason}");
            return Err(SettingError::value("set", setting, problem).into());
        }
    }
    if disabled { Ok(()) } else { effective(config).check_effective() }
}

/// Rejects `augment.rare_probability` if no class of this data is rare with this sampling, and either the user `asked`
/// for it or no transform is applied without it.
///
/// # Errors
/// As above. The error says what is expected instead.
pub fn check_rare(config: &TrainConfig, asked: bool) -> Result<(), TrainError> {
    let Some(probability) = config.augment.rare_probability.filter(|p| p.most() > 0.0) else {
        return Ok(());
    };
    let rarity = rarity(&config.source.class_images, config.input.balanced);
    if config.model.classes > 0 && rarity.iter().any(|rarity| *rarity > 0.0) {
        return Ok(());
    }
    if asked {
        return Err(TrainError::Invalid(format!(
            "augment.rare_probability, at most {}, has no effect here: no class's images are drawn more \
             often than another's; expected classes of different sizes and data.balanced above 0",
            probability.most()
        )));
    }
    AugmentConfig { rare_probability: None, ..config.augment }.check_effective()
}

/// The augmentation without what has no effect: networks that are not conditioned on classes use no
/// `rare_probability`.
fn effective(config: &TrainConfig) -> AugmentConfig {
    let rare_probability = config.augment.rare_probability.filter(|_| config.condition.classes);
    AugmentConfig { rare_probability, ..config.augment }
}

/// Why the setting `key` has no effect in this preset; `None` if it has one.
fn reason(config: &TrainConfig, key: &str) -> Option<&'static str> {
    let (o, augment) = (&config.optimiser, &config.augment);
    match key {
        "objective.every" if !config.objective.has_penalty() => {
            Some("objective.r1 and objective.r2 are 0")
        }
        "objective.projected" | "objective.projected_from" if !config.model.projected => {
            Some("model.projected is false")
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
        key if !effective(config).may_apply()
            && key.strip_prefix("augment.").is_some_and(|name| {
                augment.strengths().iter().any(|(strength, _)| *strength == name)
            }) =>
        {
            Some("augment.probability, rare_probability and target are 0 or unused")
        }
        "augment.probability" if augment.target > 0.0 => {
            Some("augment.target is set, so the probability adapts")
        }
        "augment.adapt_kimg" if augment.target == 0.0 => Some("augment.target is 0"),
        "augment.rare_probability" | "condition.from_kimg" | "condition.to_kimg"
            if !config.condition.classes =>
        {
            Some("condition.classes is false")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::config::SourceConfig;
    use crate::recipe::schedule::Scheduled;

    #[test]
    fn a_setting_without_effect_is_rejected_and_one_switch_can_disable_a_feature() {
        let with = |preset: &str, settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
            TrainConfig::with_settings(preset, &settings, 0).map(|_| ()).map_err(|e| e.to_string())
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
            assert!(error.contains("has no effect"), "{error}");
        }
        let error = with("fast", &["augment.adapt_kimg=5"]).unwrap_err();
        assert!(error.contains("augment.target is 0"), "{error}");
        let error = with("fast", &["augment.rare_probability=0.8"]).unwrap_err();
        assert!(error.contains("condition.classes is false"), "{error}");
        assert_eq!(with("rare", &["augment.rare_probability=0.8"]), Ok(()));
        let rare_only = ["augment.probability=0", "augment.rare_probability=0.8"];
        assert_eq!(with("rare", &rare_only), Ok(()));
        let mut unconditional = TrainConfig::of_preset("rare", 0).unwrap();
        unconditional.condition.classes = false;
        assert!(check(&unconditional, &[]).is_ok());
        unconditional.augment.probability = Scheduled::Constant(0.0);
        unconditional.augment.rare_probability = Some(Scheduled::Constant(0.8));
        assert!(
            check(&unconditional, &[]).is_err(),
            "without class conditioning no class is known to be rare"
        );
        // A setting that the user asks for must have an effect, whatever else is disabled. A preset's value need not.
        for arm in ["augment.probability=0", "augment.target=0"] {
            let error = with("tiny", &[arm, "augment.translate=0.2"]).unwrap_err();
            assert!(error.contains("augment.translate=0.2: it has no effect"), "{error}");
        }
        assert!(with("fast", &["augment.probability=0", "augment.rotate=1"]).is_err());
        for off in ["optimiser.lookahead=0", "objective.r1=0", "augment.turns=false"] {
            assert_eq!(with("fast", &[off]), Ok(()), "{off}");
        }
        assert_eq!(with("fast", &["augment.probability=0"]), Ok(()));
        assert_eq!(with("fast", &["augment.probability=0", "augment.translate=0"]), Ok(()));
        assert_eq!(with("tiny", &["objective.r1=0", "objective.every=1"]), Ok(()));
        assert!(with("tiny", &["augment.translate=0.1"]).is_err(), "the shift is never applied");
        assert_eq!(with("rare", &["condition.classes=false"]), Ok(()));
        assert_eq!(with("rare", &["condition.to_kimg=60"]), Ok(()));
        assert_eq!(with("tiny", &["augment.translate=0.1", "augment.probability=0.5"]), Ok(()));
    }

    #[test]
    fn rare_probability_needs_a_class_whose_images_are_drawn_more_often() {
        let mut config = TrainConfig::of_preset("rare", 0).unwrap();
        config.augment.rare_probability = Some(Scheduled::Constant(0.8));
        (config.model.classes, config.source.class_images) = (2, vec![10, 100]);
        assert_eq!(check_rare(&config, true).map_err(|e| e.to_string()), Ok(()));
        let uneven = config.clone();
        let equal = TrainConfig {
            source: SourceConfig { class_images: vec![10, 10], ..config.source.clone() },
            ..config.clone()
        };
        config.input.balanced = 0.0;
        for mut none in [config, equal] {
            assert!(check_rare(&none, true).is_err() && check_rare(&none, false).is_ok());
            none.augment.probability = Scheduled::Constant(0.0);
            assert!(check_rare(&none, false).is_err(), "no transform is ever applied");
            none.augment.rare_probability = Some(Scheduled::Constant(0.0));
            assert!(check_rare(&none, true).is_ok(), "rare_probability is off");
        }
        assert!(check_rare(&uneven, false).is_ok());
    }
}
