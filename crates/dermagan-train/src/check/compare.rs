//! The gradients of one step, and the differences between two computations of them.

use std::collections::BTreeMap;

use dermagan_base::distance::{distance, norm};
use dermagan_model::tensor::to_vec;

use crate::step::batch::Batch;
use crate::step::players::Players;
use crate::step::settings::StepSettings;

/// Flattened gradients by player and parameter, such as `G main.0.weight`.
pub type Gradients = BTreeMap<String, Vec<f32>>;

/// A difference is divided by the gradient's own norm, or by this share of the norm of the player's whole gradient if
/// that is larger. Some gradients are zero except for rounding, so their own norm means nothing: those of a bias before
/// a normalisation, and of the head's bias with a relativistic loss.
const FLOOR: f64 = 1e-4;

/// The difference between two computations of one parameter's gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientDifference {
    /// Player and parameter, such as `G main.0.weight`.
    pub parameter: String,
    /// Norm of the difference divided by the norm of the reference. It is infinite if values are missing.
    pub difference: f64,
}

/// The gradients of one step. `players` do not change.
pub fn gradients(players: &Players, batch: Batch, settings: &StepSettings) -> Gradients {
    let mut found = Gradients::new();
    players.clone().step(batch, settings, &mut |player, gradients| {
        for (name, gradient) in gradients {
            found.insert(format!("{player} {name}"), to_vec(gradient.clone()));
        }
    });
    found
}

/// Compares each gradient of `expected` with the one in `found`.
pub fn compare_gradients(found: &Gradients, expected: &Gradients) -> Vec<GradientDifference> {
    let player =
        |parameter: &str| parameter.rsplit_once(' ').map_or("", |(player, _)| player).to_owned();
    let mut squares: BTreeMap<String, f64> = BTreeMap::new();
    for (parameter, values) in expected {
        *squares.entry(player(parameter)).or_default() += norm(values).powi(2);
    }
    let compared = expected.iter().map(|(parameter, expected)| {
        let least = FLOOR * squares.get(&player(parameter)).copied().unwrap_or_default().sqrt();
        let difference = found.get(parameter).map_or(f64::INFINITY, |found| {
            distance(found, expected) / norm(expected).max(least).max(f64::MIN_POSITIVE)
        });
        GradientDifference { parameter: parameter.clone(), difference }
    });
    compared.collect()
}

/// Sorts by difference, the largest first. A NaN counts as infinite.
pub fn worst_first(comparisons: &mut [GradientDifference]) {
    let rank = |d: f64| if d.is_nan() { f64::INFINITY } else { d };
    comparisons.sort_by(|a, b| rank(b.difference).total_cmp(&rank(a.difference)));
}

/// Norm of the difference divided by the norm of the reference. It is infinite if the lengths differ.
pub fn relative(found: &[f32], expected: &[f32]) -> f64 {
    distance(found, expected) / norm(expected).max(1e-30)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: [(&str, &[f32]); 3]) -> Gradients {
        values.into_iter().map(|(name, values)| (name.to_owned(), values.to_vec())).collect()
    }

    #[test]
    fn a_difference_is_divided_by_the_norm_of_the_gradient_or_by_a_share_of_its_players() {
        let expected = of([("D a", &[3.0, 4.0]), ("D b", &[1e-8]), ("G a", &[1e-8])]);
        let found = of([("D a", &[3.0, 4.5]), ("D b", &[-1e-8]), ("G a", &[0.0])]);
        let mut compared = compare_gradients(&found, &expected);
        worst_first(&mut compared);
        let [first, second, third] = &compared[..] else { panic!("{compared:?}") };
        assert_eq!((first.parameter.as_str(), first.difference), ("G a", 1.0));
        assert_eq!(second.parameter, "D a");
        assert!((second.difference - 0.1).abs() < 1e-6);
        assert!(third.difference < 1e-4, "{third:?}");
    }

    #[test]
    fn missing_and_nan_gradients_differ_the_most() {
        let expected = of([("D a", &[1.0]), ("D b", &[1.0]), ("G a", &[1.0])]);
        let mut found = of([("D a", &[f32::NAN]), ("D b", &[1.5]), ("G a", &[1.0])]);
        found.remove("G a");
        let mut compared = compare_gradients(&found, &expected);
        worst_first(&mut compared);
        assert_eq!(compared[2].parameter, "D b");
        let finite = |c: &GradientDifference| c.difference <= 1.0;
        assert!(!compared[..2].iter().any(finite), "{compared:?}");
    }
}
