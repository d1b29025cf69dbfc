//! The discriminator's half of a step: it learns to tell real images from fakes.

use burn::tensor::Tensor;
use dermagan_model::ops::join;
use dermagan_model::{Discriminator, Flat, Judgement, Precision};

use crate::step::gradients::BackwardPass;
use crate::step::players::Players;
use crate::step::settings::StepSettings;

/// Results of the discriminator's half of a step, still on the device.
pub(super) struct DStep {
    /// Logits of the real images before the step, `[batch]`.
    pub real_logits: Tensor<1>,
    /// Logits of the fakes before the step, `[batch]`.
    pub fake_logits: Tensor<1>,
    /// The loss without penalties, `[1]`.
    pub loss: Tensor<1>,
    /// γ/2 · mean |∇D|² on real images and on fakes, `[1]` each; `None` where it was not taken.
    pub penalties: [Option<Tensor<1>>; 2],
}

impl Players {
    /// Moves the discriminator by its loss and its penalties.
    ///
    /// Real images and fakes go through the network together, normalised apart: their filters are prepared once.
    pub(super) fn d_step(
        &mut self,
        real: Tensor<4>,
        fakes: Tensor<4>,
        class: Option<Tensor<2>>,
        settings: &StepSettings,
        with: &mut BackwardPass<'_, '_>,
    ) -> DStep {
        let n = real.dims()[0];
        let both = join(vec![real, fakes.detach()]);
        let classes = class.map(|class| Tensor::cat(vec![class.clone(), class], 0));
        let judgement = self.discriminator.forward_train(both, classes.clone(), 2, self.precision);
        let real_logits = judgement.logits.clone().narrow(0, 0, n);
        let fake_logits = judgement.logits.clone().narrow(0, n, n);
        let loss = settings.loss.discriminator(real_logits.clone(), fake_logits.clone());
        update_running(&mut self.discriminator, &judgement);

        let gammas = [settings.r1, settings.r2];
        let penalties = penalties(&self.discriminator, judgement, classes, gammas, self.precision);
        let total = penalties.iter().flatten().fold(loss.clone(), |sum, p| sum + p.clone());
        let (gradients, finite) = with.of(total, "D", &self.discriminator, self.d_scale.as_mut());
        self.d_adam.set_learning_rate(settings.d_learning_rate);
        self.discriminator =
            self.d_adam.step(self.discriminator.clone(), gradients, settings.time, finite.as_ref());
        DStep { real_logits, fake_logits, loss, penalties }
    }
}

/// Takes the statistics of a pass into the running ones of the batch normalisations.
pub(super) fn update_running(discriminator: &mut Flat<Discriminator>, judgement: &Judgement) {
    for stats in &judgement.stats {
        discriminator.update_running(|d| d.update_running(stats));
    }
}

/// γ/2 times the mean squared norm of the logits' gradients with respect to the images, `[1]` each: R1 on the real
/// half and R2 on the fake half of what was judged (Mescheder et al. 2018, arXiv:1801.04406).
///
/// The gradient is an explicit network of first order ([`Discriminator::input_gradient`]), taken where the
/// discriminator sees the images: after the augmentation.
fn penalties(
    discriminator: &Discriminator,
    judgement: Judgement,
    classes: Option<Tensor<2>>,
    gammas: [f64; 2],
    precision: Precision,
) -> [Option<Tensor<1>>; 2] {
    let n = judgement.logits.dims()[0] / 2;
    let [from, count] = match gammas.map(|gamma| gamma > 0.0) {
        [false, false] => return [None, None],
        [true, true] => [0, 2 * n],
        [true, false] => [0, n],
        [false, true] => [n, n],
    };
    let part = |x: Tensor<4>| if count < 2 * n { x.narrow(0, from, count) } else { x };
    let activations = judgement.activations.into_iter().map(part).collect();
    let classes = classes.map(|c| c.narrow(0, from, count));
    let gradient = discriminator.input_gradient(activations, classes, precision);
    let Some(gradient) = gradient else { return [None, None] };
    // Channels last, as the CPU has them already.
    let [_, colours, height, width] = gradient.dims();
    let rows: Tensor<2> = gradient.permute([0, 2, 3, 1]).reshape([count, colours * height * width]);
    let squares = rows.powi_scalar(2).sum_dim(1);
    let penalty = |gamma: f64, at: usize| {
        (gamma > 0.0).then(|| squares.clone().narrow(0, at, n).mean().mul_scalar(gamma / 2.0))
    };
    [penalty(gammas[0], 0), penalty(gammas[1], count - n)]
}
