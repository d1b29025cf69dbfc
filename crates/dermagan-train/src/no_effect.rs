//! Settings that would change nothing as the others are.

use crate::augment::AugmentConfig;
use crate::error::TrainError;
use crate::preset::Preset;

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
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        let (key, value) = (key.replace(' ', ""), value.trim());
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
    let told = preset.condition.classes;
    let rare_probability = preset.augment.rare_probability.filter(|_| told);
    let heard = AugmentConfig { rare_probability, ..preset.augment };
    if turned_off { Ok(()) } else { heard.check_heard() }
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
}
