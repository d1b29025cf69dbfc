//! The classes that a generator is conditioned on, by their codes.

use dermagan_base::SettingError;
use dermagan_model::ModelFile;

/// A warning about a generator that was saved before it was fully conditioned on classes; `None` for any other.
pub fn class_caution(model: &ModelFile) -> Option<String> {
    let card = model.card.as_ref().filter(|_| model.config.classes > 0)?;
    let kimg = card.nimg as f64 / 1000.0;
    match card.condition {
        0.0 => Some(format!(
            "this generator was saved at {kimg:.3} kimg, before its training used classes"
        )),
        strength if strength < 1.0 => Some(format!(
            "this generator was saved at {kimg:.3} kimg, when it was conditioned on classes at {:.0} % only: \
             its classes still look alike",
            100.0 * strength
        )),
        _ => None,
    }
}

/// The codes of the requested classes. The single word `all` stands for every class of the model. Without a card
/// the classes are unknown, and `all` is rejected later as an unknown code.
pub(crate) fn expand_all(model: &ModelFile, requested: &[String]) -> Vec<String> {
    match requested {
        [all] if all.trim().eq_ignore_ascii_case("all") => match &model.card {
            Some(card) if !card.classes.is_empty() => card.classes.clone(),
            _ => requested.to_vec(),
        },
        _ => requested.iter().map(|code| code.trim().to_owned()).collect(),
    }
}

/// The codes of the requested classes ([`expand_all`]), and the index of each among the model's classes. No code may occur
/// twice.
///
/// # Errors
/// Lists the classes that the model makes.
pub(crate) fn resolve(
    model: &ModelFile,
    requested: &[String],
) -> Result<(Vec<String>, Vec<usize>), SettingError> {
    let codes = expand_all(model, requested);
    let indices = indices(model, &codes)?;
    Ok((codes, indices))
}

/// The index of each code among the model's classes. No code may occur twice.
fn indices(model: &ModelFile, codes: &[String]) -> Result<Vec<usize>, SettingError> {
    let indices = indices_repeated(model, codes)?;
    let named = |i: usize| codes[..i].iter().any(|code| code.eq_ignore_ascii_case(&codes[i]));
    match (1..codes.len()).find(|i| named(*i)) {
        Some(i) => Err(SettingError::new("class", format!("{} is named twice", codes[i]))),
        None => Ok(indices),
    }
}

/// The index of one class among those of a class-conditional generator, by its code, without regard to case. `None` for a
/// generator that always makes this class.
///
/// # Errors
/// Lists the classes that the model makes.
pub fn class_index(model: &ModelFile, code: &str) -> Result<Option<usize>, SettingError> {
    Ok(indices(model, &[code.trim().to_owned()])?.first().copied())
}

/// As [`indices`], but a code may occur more than once.
pub(crate) fn indices_repeated(
    model: &ModelFile,
    codes: &[String],
) -> Result<Vec<usize>, SettingError> {
    let known = model.card.as_ref().map(|card| card.classes.as_slice()).unwrap_or_default();
    // A model of one class always makes that class.
    let only = known.len() == 1 && codes.iter().all(|code| code.eq_ignore_ascii_case(&known[0]));
    if codes.is_empty() || only {
        return Ok(Vec::new());
    }
    if model.config.classes == 0 {
        let problem = format!(
            "this generator makes no class on demand (it was trained on {}); train one that does with \
             `preset` = rare",
            if known.is_empty() { "unknown classes".to_owned() } else { known.join(", ") }
        );
        return Err(SettingError::value("class", codes.join(","), problem));
    }
    let unconditioned = model.card.as_ref().is_some_and(|card| card.condition == 0.0);
    if let Some(caution) = class_caution(model).filter(|_| unconditioned) {
        let problem = format!("{caution}; resume its run with a larger `kimg`");
        return Err(SettingError::value("class", codes.join(","), problem));
    }
    let index = |code: &String| {
        let found = known.iter().position(|known| known.eq_ignore_ascii_case(code));
        found.filter(|index| *index < model.config.classes).ok_or_else(|| {
            let problem = format!(
                "no class '{code}' in this model; it has {} (`all` alone stands for all of them)",
                known.join(", ")
            );
            SettingError::new("class", problem)
        })
    };
    codes.iter().map(index).collect()
}
