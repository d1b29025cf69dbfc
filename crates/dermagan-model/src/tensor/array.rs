//! Tensors on the host.

use std::collections::BTreeMap;

/// A tensor on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values in row-major order; their number is the product of the shape.
    pub values: Vec<f32>,
}

impl Array {
    /// Whether every value is finite: neither infinite nor NaN.
    pub fn is_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }
}

/// Tensors by name, such as `main.0.weight`.
pub type Weights = BTreeMap<String, Array>;
