//! The discriminator's half of a step: it learns to tell real images from fakes.

use burn::tensor::Tensor;
use dermagan_model::ops::join;
use dermagan_model::{Discriminator, Flat, Judgement};

use crate::group::sum::Tree;
use crate::step::gradients::{BackwardPass, of_shard};
use crate::step::penalties::penalties;
use crate::step::players::Players;
use crate::step::projected::Projected;
use crate::step::settings::StepSettings;

/// The images of a logical shard, as the discriminator sees them.
pub(super) struct Shard {
    /// Real images, `[images, 3, side, side]`.
    pub real: Tensor<4>,
    /// Fakes, through which gradients pass to the generator, `[images, 3, side, side]`.
    pub fakes: Tensor<4>,
    /// The classes of both, `[images, classes]`.
    pub class: Option<Tensor<2>>,
}

/// Results of the discriminator's half of a step on a shard, still on the device.
pub(super) struct DStep {
    /// The shard's fakes.
    pub fakes: Tensor<4>,
    /// The shard's classes.
    pub class: Option<Tensor<2>>,
    /// Logits of the real images before the step, `[batch]`.
    pub real_logits: Tensor<1>,
    /// Logits of the fakes before the step, `[batch]`.
    pub fake_logits: Tensor<1>,
    /// The loss without penalties, `[1]`.
    pub loss: Tensor<1>,
    /// γ/2 · mean |∇D|² on real images and on fakes, `[1]` each; `None` where it was not taken.
    pub penalties: [Option<Tensor<1>>; 2],
    /// What the judges of features leave for the generator; `None` without them.
    pub projected: Option<Projected>,
}

impl Players {
    /// Moves the discriminator by its loss and its penalties on all shards. Returns the results of this process's shards.
    pub(super) fn d_step(
        &mut self,
        shards: Vec<Shard>,
        settings: &StepSettings,
        with: &mut BackwardPass<'_, '_>,
    ) -> Vec<DStep> {
        let mut tree = Tree::default();
        let mut done = Vec::with_capacity(shards.len());
        for shard in shards {
            let (total, d) = self.d_loss(shard, settings);
            tree.push_gradients(of_shard(total, &self.discriminator, self.d_scale.as_ref()));
            done.push(d);
        }
        let (gradients, finite, _) =
            with.join(tree, None, "D", &self.discriminator, self.d_scale.as_mut());
        self.d_adam.set_learning_rate(settings.d_learning_rate);
        self.discriminator =
            self.d_adam.step(self.discriminator.clone(), gradients, settings.time, finite.as_ref());
        done
    }

    /// The discriminator's loss with penalties on a shard.
    ///
    /// Real images and fakes go through the network together, normalised apart: their filters are prepared once.
    fn d_loss(&mut self, shard: Shard, settings: &StepSettings) -> (Tensor<1>, DStep) {
        let Shard { real, fakes, class } = shard;
        let n = real.dims()[0];
        let both = join(vec![real, fakes.clone().detach()]);
        let classes = class.clone().map(|class| Tensor::cat(vec![class.clone(), class], 0));
        let features = self.judge_features(both.clone(), classes.as_ref(), settings);
        let judgement = self.discriminator.forward_train(both, classes.clone(), 2, self.precision);
        let real_logits = judgement.logits.clone().narrow(0, 0, n);
        let fake_logits = judgement.logits.clone().narrow(0, n, n);
        let loss = settings.loss.discriminator(real_logits.clone(), fake_logits.clone());
        update_running(&mut self.discriminator, &judgement);

        let gammas = [settings.r1, settings.r2];
        let penalties = penalties(n, gammas, |part| {
            let activations = judgement.activations.into_iter().map(|x| part.of(x)).collect();
            let classes = classes.map(|classes| part.of(classes));
            self.discriminator.input_gradient(activations, classes, self.precision)
        });
        let (of_features, projected) = features.unzip();
        let parts = penalties.iter().flatten().cloned().chain(of_features);
        let total = parts.fold(loss.clone(), |sum, part| sum + part);
        (total, DStep { fakes, class, real_logits, fake_logits, loss, penalties, projected })
    }
}

/// Takes the statistics of a pass into the running ones of the batch normalisations.
pub(super) fn update_running(discriminator: &mut Flat<Discriminator>, judgement: &Judgement) {
    for stats in &judgement.stats {
        discriminator.update_running(|d| d.update_running(stats));
    }
}
