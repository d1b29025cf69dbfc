//! Results of the checks of a run's gradients, and the tolerances for rounding.

use crate::check::compare::GradientDifference;

/// Largest relative difference of a gradient from the CPU's that counts as rounding in a run. It is larger than for the
/// doctor's test networks, because gradients of large batches are small differences of large numbers: two levels of the
/// CPU differ by 3e-3 in the first step of preset `reference`. Wrong kernels are off by 1e-1 and more.
pub const TOLERANCE: f64 = 2e-2;
/// The same in float16, which rounds to 1 part in 2048.
pub const HALF_TOLERANCE: f64 = 1e-1;
/// Largest relative difference between two computations of one step on the same device.
pub const REPEAT_TOLERANCE: f64 = 1e-3;

/// Steps that were computed again.
#[derive(Clone, Debug, PartialEq)]
pub struct Recomputed {
    /// Number of steps.
    pub steps: usize,
    /// The parameter whose gradient had a suspicious norm, such as `G main.0.weight`.
    pub parameter: String,
    /// The suspicious norm.
    pub norm: f64,
    /// Smallest and largest usual norm of that gradient.
    pub usual: (f64, f64),
    /// Whether another computation gave a different result, so the device had made an error.
    pub erred: bool,
}

/// The comparison of two computations of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeated {
    /// The gradient that differs the most.
    pub worst: GradientDifference,
    /// Whether all gradients are equal to the last bit.
    pub same_bits: bool,
}

impl Repeated {
    /// Whether the two computations agree except for rounding.
    pub fn agrees(&self) -> bool {
        self.worst.difference <= REPEAT_TOLERANCE
    }
}
