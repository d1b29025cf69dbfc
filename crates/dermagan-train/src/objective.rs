//! The objectives: what either player wants of the discriminator's logits, and the penalty on its
//! gradient.

use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::schedule::Scheduled;

/// What the players want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy, not saturating for the generator (Goodfellow et al. 2014): the reference.
    #[default]
    Bce,
    /// Hinge (Lim and Ye 2017; Miyato et al. 2018).
    Hinge,
    /// Least squares, to 1 for real and 0 for fake (Mao et al. 2017).
    LeastSquares,
    /// Each fake against a real image, of its class if there are classes: softplus of the
    /// difference (Jolicoeur-Martineau 2019; Huang et al. 2024, R3GAN). Only differences of logits
    /// mean anything.
    Relativistic,
}

impl Loss {
    /// The discriminator's loss, `[1]`. `real`, `fake`: logits, `[batch]`, in pairs.
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

    /// The generator's loss, `[1]`. `real` is looked at by [`Loss::Relativistic`] only.
    pub fn generator(self, real: Option<Tensor<1>>, fake: Tensor<1>) -> Tensor<1> {
        match (self, real) {
            (Self::Relativistic, Some(real)) => softplus(real - fake).mean(),
            (Self::Bce | Self::Relativistic, _) => softplus(fake.neg()).mean(),
            (Self::Hinge, _) => fake.neg().mean(),
            (Self::LeastSquares, _) => fake.sub_scalar(1.0).powi_scalar(2).mean(),
        }
    }

    /// How sure the discriminator is, 0 to 1, on the scale that this loss gives its logits: 1 where it pays
    /// nothing for a real image, 0 where it pays nothing for a fake. Of [`Loss::Relativistic`] a logit is
    /// the difference of two.
    pub fn certainty(self, logit: Tensor<1>) -> Tensor<1> {
        match self {
            Self::Bce | Self::Relativistic => sigmoid(logit),
            Self::Hinge => logit.add_scalar(1.0).div_scalar(2.0).clamp(0.0, 1.0),
            Self::LeastSquares => logit.clamp(0.0, 1.0),
        }
    }

    /// 1 where the discriminator takes an image for a real one, -1 where for a fake.
    pub fn sign(self, logit: Tensor<1>) -> Tensor<1> {
        match self {
            Self::LeastSquares => logit.sub_scalar(0.5).sign(),
            _ => logit.sign(),
        }
    }

    /// Whether the generator's loss looks at real images.
    pub fn is_relative(self) -> bool {
        self == Self::Relativistic
    }
}

/// ln(1 + e^x) in the form that does not overflow: max(x, 0) + ln(1 + e^−|x|).
fn softplus(x: Tensor<1>) -> Tensor<1> {
    let tail = x.clone().abs().neg().exp().log1p();
    relu(x) + tail
}

/// The objective of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objective {
    /// What the players want of the logits.
    pub loss: Loss,
    /// γ of R1: the discriminator pays γ/2 times the squared norm of its logit's gradient by the
    /// image, on real images (Mescheder, Geiger and Nowozin 2018). 0 for none.
    pub r1: Scheduled,
    /// The same on fake images: R2.
    pub r2: Scheduled,
    /// The penalties are taken every so many steps, and so many times (Karras et al. 2020).
    pub every: u64,
}

impl Default for Objective {
    fn default() -> Self {
        let none = Scheduled::Constant(0.0);
        Self { loss: Loss::Bce, r1: none, r2: none, every: 1 }
    }
}

impl Objective {
    /// Whether there is a penalty at any time.
    pub fn has_penalty(&self) -> bool {
        [self.r1, self.r2].iter().any(|gamma| gamma.most() > 0.0)
    }

    /// Checks every number.
    ///
    /// # Errors
    /// Names the option and what is allowed.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.r1.check("objective.r1", 0.0, 1e6)?;
        self.r2.check("objective.r2", 0.0, 1e6)?;
        if !(1..=1024).contains(&self.every) {
            let what = format!("objective.every = {}: 1 to 1024 steps are possible", self.every);
            return Err(TrainError::Option(what));
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
        assert!((a - b).abs() < 1e-5, "{a} is not {b}");
    }

    #[test]
    fn every_loss_is_the_formula_of_its_paper() {
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
    fn a_discriminator_that_pays_nothing_is_sure_whatever_its_loss() {
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
    fn no_loss_overflows_where_a_player_is_sure() {
        for loss in [Loss::Bce, Loss::Relativistic] {
            assert_eq!(d(loss, &[200.0], &[-200.0]), 0.0);
            assert!(d(loss, &[-200.0], &[200.0]) >= 200.0);
            assert!(g(loss, &[200.0], &[-200.0]).is_finite());
        }
    }
}
