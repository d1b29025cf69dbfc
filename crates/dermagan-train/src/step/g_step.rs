//! The generator's half of a step: it learns to make images that the discriminator takes for real.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::step::d_step::{DStep, update_running};
use crate::step::gradients::BackwardPass;
use crate::step::players::Players;
use crate::step::settings::StepSettings;

/// Results of the generator's half of a step, still on the device.
pub(super) struct GStep {
    /// Logits of the fakes after the discriminator's step, `[batch]`.
    pub fake_logits: Tensor<1>,
    /// The loss, `[1]`.
    pub loss: Tensor<1>,
}

impl Players {
    /// Moves the generator by the new discriminator's logits of the same fakes.
    pub(super) fn g_step(
        &mut self,
        fakes: Tensor<4>,
        class: Option<Tensor<2>>,
        d: &DStep,
        settings: &StepSettings,
        with: &mut BackwardPass<'_, '_>,
    ) -> GStep {
        // The discriminator's parameters are frozen: only the gradient with respect to the fakes is needed. That saves
        // 3 % of a step (on two CPU cores).
        let judge = self.discriminator.clone().into_network().no_grad();
        let of_features = d.projected.as_ref().and_then(|projected| {
            self.projected_loss(fakes.clone(), class.as_ref(), projected, settings)
        });
        let judgement = judge.forward_train(fakes, class, 1, self.precision);
        update_running(&mut self.discriminator, &judgement);
        let fake_logits = judgement.logits;

        let real_logits = settings.loss.is_relative().then(|| d.real_logits.clone().detach());
        let loss = settings.loss.generator(real_logits, fake_logits.clone());
        let total = of_features.into_iter().fold(loss.clone(), |sum, part| sum + part);
        let (gradients, finite) = with.of(total, "G", &self.generator, self.g_scale.as_mut());
        self.g_adam.set_learning_rate(settings.g_learning_rate);
        self.generator =
            self.g_adam.step(self.generator.clone(), gradients, settings.time, finite.as_ref());
        GStep { fake_logits, loss }
    }
}
