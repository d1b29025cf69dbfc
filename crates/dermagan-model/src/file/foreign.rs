//! DCGAN generators that other programs wrote, without a card.

use std::collections::BTreeMap;
use std::path::Path;

use pytorch_reader::PickleValue;

use super::check::check;
use super::dicts::state_dicts;
use super::networks::{Fit, Shapes, fits};
use super::refusal::{none_fits, several_fit, without_card};
use crate::tensor::{Array, Weights};

/// Words in the name of an averaged copy of a generator.
const AVERAGED: [&str; 5] = ["ema", "averag", "avg", "shadow", "polyak"];

/// The generator of a file: its tensors' names, and a note for the user if the file has others.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) fit: Fit,
    pub(super) note: Option<String>,
}

/// Chooses the generator among the tensors of a file, wherever they are in it and whatever their names
/// are. Of a generator and its average, the average is chosen. `structure` has the dictionaries of a
/// PyTorch file; it is `None` for safetensors.
///
/// # Errors
/// When none fits, or several do. The error lists them, and says how to take one out.
pub(super) fn choose(
    path: &Path,
    shapes: &Shapes,
    structure: Option<&PickleValue>,
) -> Result<Chosen, String> {
    let mut found = fits(shapes, &state_dicts(structure));
    let names: Vec<String> = found.iter().map(|fit| fit.prefix.clone()).collect();
    if found.len() == 1 {
        let fit = found.remove(0);
        // Names such as `netG.main.0.weight` lead to a part of the file only if it has other parts.
        let note = (!fit.prefix.is_empty()).then(|| {
            format!(
                "of the networks in this file, '{}' was used: the one that is a generator",
                fit.prefix
            )
        });
        return Ok(Chosen { fit, note });
    }
    if found.is_empty() {
        return Err(match without_card(shapes) {
            Some(lost) => lost,
            None => none_fits(path, shapes, structure),
        });
    }
    let averaged: Vec<usize> = (0..found.len()).filter(|i| is_averaged(&names[*i])).collect();
    let [only] = averaged[..] else {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        return Err(several_fit(path, &names, structure));
    };
    let others: Vec<String> = names
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != only)
        .map(|(_, name)| format!("'{name}'"))
        .collect();
    let fit = found.swap_remove(only);
    let note = format!(
        "of the generators in this file, '{}' was used: the averaged copy, not {}",
        fit.prefix,
        others.join(", ")
    );
    Ok(Chosen { fit, note: Some(note) })
}

/// Whether the name of a network says that it is an average over the training.
fn is_averaged(prefix: &str) -> bool {
    let prefix = prefix.to_lowercase();
    let mut parts = prefix.split(|c: char| !c.is_alphanumeric());
    parts.any(|part| {
        AVERAGED.iter().any(|word| part.contains(word)) || ["swa", "running"].contains(&part)
    })
}

/// The tensors of the chosen generator under our names.
///
/// # Errors
/// When a value is not finite, or a variance is negative.
pub(super) fn renamed(chosen: &Fit, mut weights: Weights) -> Result<Weights, String> {
    let take = |(ours, theirs): (&String, &String)| Some((ours.clone(), weights.remove(theirs)?));
    let renamed: BTreeMap<String, Array> = chosen.names.iter().filter_map(take).collect();
    check(&renamed, &chosen.config)?;
    Ok(renamed)
}
