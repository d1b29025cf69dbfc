//! One whole training step of both players.

use burn::tensor::Tensor;

use crate::group::team::Team;
use crate::recipe::objective::Loss;
use crate::step::batch::Batch;
use crate::step::d_step::{DStep, Shard};
use crate::step::g_step::GStep;
use crate::step::gradients::{BackwardPass, GradientHook};
use crate::step::measures::Measures;
use crate::step::players::Players;
use crate::step::settings::StepSettings;

impl Players {
    /// One step: the discriminator learns, then the generator learns from the new discriminator.
    ///
    /// Returns the [`Measures`] as one tensor that is still on the device ([`Measures::unpack`] reads it), followed by
    /// the squared norm of each gradient ([`Players::watched_names`]) if the step is watched. Nothing here waits for
    /// the device.
    ///
    /// The step differs from R3GAN's (Huang et al. 2024, arXiv:2501.05441) in three places:
    /// - One batch of fakes serves both players, as in PyTorch's DCGAN example, with one augmentation. R3GAN draws
    ///   another batch for the generator. This saves a pass through the generator per step.
    /// - With a relativistic loss the generator compares its fakes with the discriminator's logits of the real images
    ///   from before its step. They are close to its logits after the step, and another pass would cost a twelfth
    ///   of the step.
    /// - R1 and R2 are computed on the augmented images, which the discriminator sees, and with lazy
    ///   regularisation ([`StepSettings::at`]). R3GAN computes them on unaugmented images in every step.
    ///
    /// `observe` sees each player's gradients before they are used.
    pub fn step(
        &mut self,
        batch: Batch,
        settings: &StepSettings,
        observe: &mut GradientHook<'_>,
    ) -> Tensor<1> {
        self.step_in_shards(vec![batch], &Team::alone(1), settings, observe)
    }

    /// One step as [`Players::step`] does it, divided into the logical shards of `team`. `batches` are those of this
    /// process's shards, in their order.
    ///
    /// Each shard is computed alone, and the means of gradients and measures are taken over all shards in a fixed order, so
    /// the result has the same bits at any number of processes. The networks must not normalise over a batch. All
    /// processes of the team must take part, twice: for the discriminator, then for the generator, which learns from the
    /// new discriminator.
    pub(crate) fn step_in_shards(
        &mut self,
        batches: Vec<Batch>,
        team: &Team,
        settings: &StepSettings,
        observe: &mut GradientHook<'_>,
    ) -> Tensor<1> {
        let fault = self.fault.clone().filter(|fault| fault.strikes());
        let mut with = BackwardPass { team, fault, squares: self.watched.then(Vec::new), observe };

        let shards = batches.into_iter().map(|batch| self.shard(batch)).collect();
        let shards = self.d_step(shards, settings, &mut with);
        let measured = |d: DStep, g: GStep| measured(settings.loss, d, g).pack();
        let measures = self.g_step(shards, settings, measured, &mut with);
        let squares = with.squares.unwrap_or_default();
        Tensor::cat(measures.into_iter().chain(squares).collect(), 0)
    }

    /// The images of a shard as the discriminator sees them.
    fn shard(&mut self, batch: Batch) -> Shard {
        let Batch { mut real, z, class, transforms } = batch;
        let mut fakes = self.generate(z, class.clone());
        if let Some([of_real, of_fakes]) = transforms {
            (real, fakes) = (of_real.apply(real), of_fakes.apply(fakes));
        }
        Shard { real, fakes, class }
    }

    /// Fakes of latents, `[batch, 3, side, side]`, through which gradients pass.
    fn generate(&mut self, z: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<4> {
        let (fakes, stats) = self.generator.forward_train(z, class, self.precision);
        self.generator.update_running(|g| g.update_running(&stats));
        fakes
    }
}

/// What both halves of a step measured.
fn measured(loss: Loss, d: DStep, g: GStep) -> Measures<Tensor<1>> {
    let mean = |x: Tensor<1>| x.inner().mean();
    let probability = |x: Tensor<1>| mean(loss.certainty(x));
    // With a relativistic loss only differences of logits mean anything.
    let (real, fake, after) = if loss.is_relative() {
        let gap = d.real_logits.clone() - d.fake_logits.clone();
        (gap.clone(), gap.neg(), g.fake_logits - d.real_logits.clone().detach())
    } else {
        (d.real_logits.clone(), d.fake_logits.clone(), g.fake_logits)
    };
    let real_sign = mean(loss.sign(real.clone()));
    let zero = || Tensor::zeros([1], &real_sign.device());
    let [r1, r2] = d.penalties.map(|penalty| penalty.map_or_else(zero, Tensor::inner));
    Measures {
        d_loss: d.loss.inner(),
        g_loss: g.loss.inner(),
        real_probability: probability(real),
        fake_probability: probability(fake),
        fake_probability_after: probability(after),
        real_score: mean(d.real_logits),
        fake_score: mean(d.fake_logits),
        real_sign,
        r1,
        r2,
    }
}
