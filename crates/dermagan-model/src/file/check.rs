//! Whether a file's tensors fit the shape of a generator.

use crate::network::{Generator, ModelConfig};
use crate::tensor::{Array, Weights};

/// Compares the names and shapes of `weights` with those of `config`, without building the network.
///
/// # Errors
/// Names the first tensor that is missing, left over, of another shape, not finite, or a negative
/// variance.
pub(super) fn check(weights: &Weights, config: &ModelConfig) -> Result<(), String> {
    let expected = Generator::shapes(config);
    for (name, shape) in &expected {
        match weights.get(name) {
            None => return Err(format!("no tensor '{name}' (expected shape {shape:?})")),
            Some(array) if array.shape != *shape => {
                return Err(format!(
                    "tensor '{name}' has shape {:?}, expected {shape:?}",
                    array.shape
                ));
            }
            Some(_) => {}
        }
    }
    if let Some((name, _)) = weights.iter().find(|(_, array)| !array.is_finite()) {
        return Err(format!(
            "tensor '{name}' holds values that are not finite: its training diverged"
        ));
    }
    let negative = |(name, array): &(&String, &Array)| {
        name.ends_with("running_var") && array.values.iter().any(|v| *v < 0.0)
    };
    if let Some((name, _)) = weights.iter().find(negative) {
        return Err(format!("tensor '{name}' holds a negative variance"));
    }
    match weights.keys().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(format!("tensor '{name}' belongs to no layer of this generator")),
        None => Ok(()),
    }
}
