//! The loss scale of float16 (Micikevicius et al. 2018, arXiv:1710.03740).
//!
//! Gradients below float16's range become zero. The loss is therefore multiplied by a scale before the backward pass,
//! and the gradients are divided by it afterwards. If the scale was too large, a gradient is not finite: the step is
//! then skipped and the scale is halved. After many good steps the scale is doubled, as PyTorch's `GradScaler` does.
//! Everything stays on the device, so the host never waits for the check.

use burn::tensor::{Bool, Device, Tensor};
use dermagan_model::tensor::{from_slice, to_vec};
use dermagan_model::weights::{Array, Weights};

/// Scale at the beginning, as in PyTorch.
const FIRST: f32 = 65_536.0;
/// Number of good steps after which the scale is doubled, as in PyTorch.
const INTERVAL: f32 = 2000.0;
/// Smallest and largest scale.
const RANGE: (f32, f32) = (1.0, 16_777_216.0);
/// A sum of absolute gradients that is not at most this counts as not finite. A NaN is not at most this either.
const FINITE: f32 = 1e37;

/// One player's loss scale, and its number of good steps since the scale last changed: both `[1]`, on the device.
#[derive(Clone, Debug)]
pub struct LossScale {
    scale: Tensor<1>,
    good: Tensor<1>,
}

/// Whether a step's gradients are finite, `[1]`.
pub type Finite = Tensor<1, Bool>;

impl LossScale {
    /// The scale before the first step, 65,536. `device` is without autodiff.
    pub fn new(device: &Device) -> Self {
        Self { scale: from_slice(&[FIRST], device), good: from_slice(&[0.0], device) }
    }

    /// A scale of this size.
    pub(crate) fn of(scale: f32, device: &Device) -> Self {
        Self { scale: from_slice(&[scale], device), good: from_slice(&[0.0], device) }
    }

    /// The scaled loss, `[1]`, whose gradients to compute.
    pub fn scaled(&self, loss: Tensor<1>) -> Tensor<1> {
        loss * self.scale.clone().autodiff()
    }

    /// The gradients of the unscaled loss, and whether all of them are finite. Updates the scale.
    pub fn unscaled(
        &mut self,
        gradients: Vec<(String, Tensor<1>)>,
    ) -> (Vec<(String, Tensor<1>)>, Finite) {
        let inverse = self.scale.clone().recip();
        let sums = gradients.iter().map(|(_, g)| g.clone().abs().sum());
        let total = sums.reduce(|a, b| a + b).unwrap_or_else(|| self.good.zeros_like());
        let finite = total.lower_equal_elem(FINITE);
        let unscaled = gradients.into_iter().map(|(name, g)| (name, g * inverse.clone())).collect();

        let ok = finite.clone().float();
        let good = (self.good.clone() + 1.0) * ok.clone();
        let grows = good.clone().greater_equal_elem(INTERVAL).float();
        // The factor is 0.5 after a bad step, 2 after many good ones, and 1 otherwise.
        let factor = ok * 0.5 + 0.5 + grows.clone();
        self.scale = (self.scale.clone() * factor).clamp(RANGE.0, RANGE.1);
        self.good = good.clone() - good * grows;
        (unscaled, finite)
    }

    /// The scale, read back to the host.
    pub fn value(&self) -> f32 {
        to_vec(self.scale.clone())[0]
    }

    /// Adds the state to `into` as the tensor `name`: `[scale, good steps]`.
    pub fn save(&self, name: &str, into: &mut Weights) {
        let values = to_vec(Tensor::cat(vec![self.scale.clone(), self.good.clone()], 0));
        into.insert(name.to_owned(), Array { shape: vec![2], values });
    }

    /// Takes the state, the tensor `name`, out of `from`.
    ///
    /// # Errors
    /// When the tensor is missing, or its values are not those of a loss scale.
    pub fn load(name: &str, from: &mut Weights, device: &Device) -> Result<Self, String> {
        let array = from.remove(name).ok_or_else(|| format!("no tensor '{name}'"))?;
        match array.values[..] {
            [scale, good] if (RANGE.0..=RANGE.1).contains(&scale) && good >= 0.0 => {
                Ok(Self { scale: from_slice(&[scale], device), good: from_slice(&[good], device) })
            }
            _ => Err(format!(
                "tensor '{name}' is not a loss scale; expected a scale of {} to {}",
                RANGE.0, RANGE.1
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(values: &[f32]) -> Vec<(String, Tensor<1>)> {
        vec![("w".to_owned(), from_slice(values, &Device::flex()))]
    }

    #[test]
    fn a_gradient_that_is_not_finite_halves_the_scale_and_skips_the_step() {
        let mut scale = LossScale::new(&Device::flex());
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let before = scale.value();
            let (_, finite) = scale.unscaled(one(&[1.0, bad]));
            assert!(!finite.into_scalar::<bool>());
            assert_eq!(scale.value(), before / 2.0);
        }
    }

    #[test]
    fn many_good_steps_double_the_scale_and_gradients_are_unscaled() {
        let mut scale = LossScale::new(&Device::flex());
        for step in 1..=2000 {
            let (found, finite) = scale.unscaled(one(&[FIRST, -2.0 * FIRST]));
            assert!(finite.into_scalar::<bool>());
            assert_eq!(to_vec(found[0].1.clone()), [1.0, -2.0]);
            assert_eq!(scale.value(), if step < 2000 { FIRST } else { 2.0 * FIRST });
        }
    }

    #[test]
    fn the_state_survives_a_checkpoint() {
        let device = Device::flex();
        let mut scale = LossScale::new(&device);
        scale.unscaled(one(&[f32::NAN]));
        scale.unscaled(one(&[1.0]));
        let mut saved = Weights::new();
        scale.save("scale_D", &mut saved);
        assert_eq!(saved["scale_D"].values, [FIRST / 2.0, 1.0]);
        let back = LossScale::load("scale_D", &mut saved, &device).unwrap();
        assert_eq!(back.value(), FIRST / 2.0);
        assert!(LossScale::load("scale_D", &mut saved, &device).is_err());
    }
}
