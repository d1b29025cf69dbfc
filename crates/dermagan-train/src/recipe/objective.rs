//! The objective: both players' losses, as functions of the discriminator's logits, and the penalties on its gradient.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::recipe::schedule::Scheduled;

/// The loss of both players.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy, non-saturating for the generator (Goodfellow et al. 2014). Preset `reference` uses it.
    #[default]
    Bce,
    /// Hinge loss (Lim and Ye 2017; Miyato et al. 2018).
    Hinge,
    /// Least squares, with targets 1 for real and 0 for fake (Mao et al. 2017).
    LeastSquares,
    /// Relativistic pairing: softplus of the difference between the logits of a fake and of a real image, of the same
    /// class if there are classes (Jolicoeur-Martineau 2019; Huang et al. 2024, R3GAN, arXiv:2501.05441). Only
    /// differences of logits have a meaning.
    Relativistic,
}

impl Loss {
    /// The discriminator's loss, `[1]`. `real` and `fake` are the logits of paired images, `[batch]` each.
    pub fn discriminator(self, real: Tensor<1>, fake: Tensor<1>) -> Tensor<1> {
        match self {
            Self::Bce => softplus(real.neg()).mean() + softplus(fake).mean(),
            Self::Hinge => {
                relu(real.neg().add_scalar(1.0)).mean() + relu(fake.add_scalar(1.0)).mean()
            }
            Self::LeastSquares => {
                real.sub_scalar(1.0).powi_scalar(2).mean() + fake.powi_scalar(2).mean()
            }
            Self::Relativistic => softplus(fake - real).mean(),
        }
    }

    /// The generator's loss, `[1]`. `real` and `fake` are logits, `[batch]`. Only [`Loss::Relativistic`] uses `real`.
    pub fn generator(self, real: Option<Tensor<1>>, fake: Tensor<1>) -> Tensor<1> {
        match (self, real) {
            (Self::Relativistic, Some(real)) => softplus(real - fake).mean(),
            (Self::Bce | Self::Relativistic, _) => softplus(fake.neg()).mean(),
            (Self::Hinge, _) => fake.neg().mean(),
            (Self::LeastSquares, _) => fake.sub_scalar(1.0).powi_scalar(2).mean(),
        }
    }

    /// The discriminator's certainty that an image is real, 0 to 1, from its logit, on the scale of this loss. It is 1
    /// where a real image costs the discriminator nothing, and 0 where a fake costs it nothing. With
    /// [`Loss::Relativistic`] the logit must be the difference of two logits.
    pub fn certainty(self, logit: Tensor<1>) -> Tensor<1> {
        match self {
            Self::Bce | Self::Relativistic => sigmoid(logit),
            Self::Hinge => logit.add_scalar(1.0).div_scalar(2.0).clamp(0.0, 1.0),
            Self::LeastSquares => logit.clamp(0.0, 1.0),
        }
    }

    /// 1 where the discriminator takes an image for real, -1 where it takes it for a fake.
    pub fn sign(self, logit: Tensor<1>) -> Tensor<1> {
        match self {
            Self::LeastSquares => logit.sub_scalar(0.5).sign(),
            _ => logit.sign(),
        }
    }

    /// Whether the generator's loss depends on real images.
    pub fn is_relative(self) -> bool {
        self == Self::Relativistic
    }
}

/// ln(1 + e^x), computed as max(x, 0) + ln(1 + e^−|x|), which does not overflow.
fn softplus(x: Tensor<1>) -> Tensor<1> {
    let tail = x.clone().abs().neg().exp().log1p();
    relu(x) + tail
}

/// The objective of a run: section `objective` of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// The loss of both players.
    pub loss: Loss,
    /// Weight γ of R1, 0 to 1e6; 0 for none. R1 adds γ/2 times the squared norm of the gradient of the logit with
    /// respect to the image to the discriminator's loss, on real images (Mescheder, Geiger and Nowozin 2018,
    /// arXiv:1801.04406).
    pub r1: Scheduled,
    /// Weight γ of R2, 0 to 1e6; 0 for none. R2 is the same penalty on fakes.
    pub r2: Scheduled,
    /// Lazy regularisation: the penalties are applied every `every` steps, 1 to 1024, scaled by `every` (Karras et al.
    /// 2020, arXiv:1912.04958).
    pub every: u64,
    /// Weight of the judges of features in the losses of both players beside that of the judge of images, 0 to 1e6. It
    /// has an effect with `model.projected` only.
    #[serde(skip_serializing_if = "is_one")]
    pub projected: f64,
    /// The share of the run after which the judges of features take part, 0 to 1. Before it a step takes the time of one
    /// without them.
    #[serde(skip_serializing_if = "is_zero")]
    pub projected_from: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_one(weight: &f64) -> bool {
    *weight == 1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(share: &f64) -> bool {
    *share == 0.0
}

impl Default for Objective {
    fn default() -> Self {
        let none = Scheduled::Constant(0.0);
        Self { loss: Loss::Bce, r1: none, r2: none, every: 1, projected: 1.0, projected_from: 0.0 }
    }
}

impl Objective {
    /// Whether a penalty is applied at any time in the run.
    pub fn has_penalty(&self) -> bool {
        [self.r1, self.r2].iter().any(|gamma| gamma.most() > 0.0)
    }

    /// Checks the range of every number.
    ///
    /// # Errors
    /// When a number is out of range. The error names its key and the range.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.r1.check("objective.r1", 0.0, 1e6)?;
        self.r2.check("objective.r2", 0.0, 1e6)?;
        Scheduled::Constant(self.projected).check("objective.projected", 0.0, 1e6)?;
        let from = Scheduled::Constant(self.projected_from);
        from.check("objective.projected_from", 0.0, 1.0)?;
        if !(1..=1024).contains(&self.every) {
            let what = format!("objective.every = {}: expected 1 to 1024 steps", self.every);
            return Err(TrainError::Invalid(what));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn row(values: &[f32]) -> Tensor<1> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &Device::flex())
    }

    fn d(loss: Loss, real: &[f32], fake: &[f32]) -> f32 {
        loss.discriminator(row(real), row(fake)).into_scalar::<f32>()
    }

    fn g(loss: Loss, real: &[f32], fake: &[f32]) -> f32 {
        loss.generator(Some(row(real)), row(fake)).into_scalar::<f32>()
    }

    fn near(a: f32, b: f32) {
        assert!((a - b).abs() < 1e-5, "{a} differs from {b}");
    }

    #[test]
    fn every_loss_matches_the_formula_of_its_paper() {
        let plus = |x: f32| (1.0 + x.exp()).ln();
        let (real, fake) = ([0.5, 2.0], [-0.3, 1.0]);
        let mean = |f: &dyn Fn(usize) -> f32| f32::midpoint(f(0), f(1));
        near(d(Loss::Bce, &real, &fake), mean(&|i| plus(-real[i]) + plus(fake[i])));
        near(g(Loss::Bce, &real, &fake), mean(&|i| plus(-fake[i])));
        near(
            d(Loss::Hinge, &real, &fake),
            mean(&|i| (1.0 - real[i]).max(0.0) + (1.0 + fake[i]).max(0.0)),
        );
        near(g(Loss::Hinge, &real, &fake), mean(&|i| -fake[i]));
        near(
            d(Loss::LeastSquares, &real, &fake),
            mean(&|i| (real[i] - 1.0).powi(2) + fake[i].powi(2)),
        );
        near(g(Loss::LeastSquares, &real, &fake), mean(&|i| (fake[i] - 1.0).powi(2)));
        near(d(Loss::Relativistic, &real, &fake), mean(&|i| plus(fake[i] - real[i])));
        near(g(Loss::Relativistic, &real, &fake), mean(&|i| plus(real[i] - fake[i])));
    }

    #[test]
    fn certainty_is_1_or_0_where_the_discriminators_loss_is_0() {
        let sure = |loss: Loss, logit: f32| loss.certainty(row(&[logit])).into_scalar::<f32>();
        for (loss, real, fake) in [
            (Loss::Bce, 20.0, -20.0),
            (Loss::Hinge, 1.0, -1.0),
            (Loss::LeastSquares, 1.0, 0.0),
            (Loss::Relativistic, 20.0, -20.0),
        ] {
            near(d(loss, &[real], &[fake]), 0.0);
            near(sure(loss, real), 1.0);
            near(sure(loss, fake), 0.0);
            let undecided = f32::midpoint(real, fake);
            near(sure(loss, undecided), 0.5);
            let sign = |logit: f32| loss.sign(row(&[logit])).into_scalar::<f32>();
            assert_eq!((sign(undecided + 0.1), sign(undecided - 0.1)), (1.0, -1.0));
        }
    }

    #[test]
    fn no_loss_overflows_for_large_logits() {
        for loss in [Loss::Bce, Loss::Relativistic] {
            assert_eq!(d(loss, &[200.0], &[-200.0]), 0.0);
            assert!(d(loss, &[-200.0], &[200.0]) >= 200.0);
            assert!(g(loss, &[200.0], &[-200.0]).is_finite());
        }
    }
}
