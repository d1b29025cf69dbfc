//! The gradients of one step, and how far two computations of them are apart.

use std::collections::BTreeMap;

use dermagan_base::distance::{distance, norm};
use dermagan_model::named::to_vec;

use crate::step::{Batch, Players, Turn};

/// Gradients by player and parameter, such as `G main.0.weight`, flat.
pub type Gradients = BTreeMap<String, Vec<f32>>;

/// A gradient is compared with its own norm, or with this share of the player's whole gradient where that is
/// more: a gradient that is zero but for rounding (a bias in front of a normalisation, the head's bias under a
/// relativistic loss) has no norm to be compared with.
const FLOOR: f64 = 1e-4;

/// How one parameter's gradient compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Player and parameter, such as `G main.0.weight`.
    pub parameter: String,
    /// Norm of the difference over norm of the reference; infinite where values are missing.
    pub difference: f64,
}

/// The gradients of one step of `players`, which stay as they are.
pub fn gradients(players: &Players, batch: Batch, turn: &Turn) -> Gradients {
    let mut found = Gradients::new();
    players.clone().step_watched(batch, turn, |player, gradients| {
        for (name, gradient) in gradients {
            found.insert(format!("{player} {name}"), to_vec(gradient.clone()));
        }
    });
    found
}

/// Every gradient of `expected` with what was found for it.
pub fn compare(found: &Gradients, expected: &Gradients) -> Vec<Comparison> {
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
        Comparison { parameter: parameter.clone(), difference }
    });
    compared.collect()
}

/// Sorts by difference, the worst first; a NaN is the worst of all.
pub fn worst_first(comparisons: &mut [Comparison]) {
    let rank = |d: f64| if d.is_nan() { f64::INFINITY } else { d };
    comparisons.sort_by(|a, b| rank(b.difference).total_cmp(&rank(a.difference)));
}

/// Norm of the difference over norm of the reference; infinite where lengths differ.
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
    fn a_gradient_is_compared_with_its_norm_and_one_of_rounding_with_its_players() {
        let expected = of([("D a", &[3.0, 4.0]), ("D b", &[1e-8]), ("G a", &[1e-8])]);
        let found = of([("D a", &[3.0, 4.5]), ("D b", &[-1e-8]), ("G a", &[0.0])]);
        let mut compared = compare(&found, &expected);
        worst_first(&mut compared);
        let [first, second, third] = &compared[..] else { panic!("{compared:?}") };
        assert_eq!((first.parameter.as_str(), first.difference), ("G a", 1.0));
        assert_eq!(second.parameter, "D a");
        assert!((second.difference - 0.1).abs() < 1e-6);
        assert!(third.difference < 1e-4, "{third:?}");
    }

    #[test]
    fn what_is_missing_or_no_number_is_the_worst() {
        let expected = of([("D a", &[1.0]), ("D b", &[1.0]), ("G a", &[1.0])]);
        let mut found = of([("D a", &[f32::NAN]), ("D b", &[1.5]), ("G a", &[1.0])]);
        found.remove("G a");
        let mut compared = compare(&found, &expected);
        worst_first(&mut compared);
        assert_eq!(compared[2].parameter, "D b");
        let right = |c: &Comparison| c.difference <= 1.0;
        assert!(!compared[..2].iter().any(right), "{compared:?}");
    }
}
