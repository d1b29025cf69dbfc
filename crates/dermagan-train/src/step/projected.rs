//! The judges of a projected discriminator, which see features of a network that was trained on ImageNet (Projected GAN,
//! Sauer et al. 2021, arXiv:2111.01007).
//!
//! The features are computed on the CPU, whatever device the players are on. For the generator, the judges' gradient with
//! respect to the features goes back through the network to the fakes there, and from the fakes on it is part of the
//! generator's loss.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use dermagan_model::imagenet::{KeptTaps, TAPS, Taps};
use dermagan_model::tensor::{to_vec, upload};

use crate::step::penalties::{Part, penalties};
use crate::step::players::Players;
use crate::step::settings::StepSettings;

/// The mean square of the values of an image. R1 and R2 of the judges are scaled as if their features had the squares of an
/// image in sum, so that one γ suits all judges.
const MEAN_SQUARE: f64 = 0.16;

/// What the discriminator's half of a step leaves for the generator's.
pub(super) struct Projected {
    /// What the gradient of the fakes needs.
    kept: KeptTaps,
    /// The features of the fakes, `[batch, side, side, channels]` each.
    fakes: [Vec<f32>; 4],
    /// Each judge's logits of the real images before the discriminator's step, `[batch]`.
    real_logits: Vec<Tensor<1>>,
}

impl Players {
    /// The judges' part of the discriminator's loss on `both`, real images followed by as many fakes, with penalties.
    /// `None` if the discriminator is not projected, or its judges of features have no weight in this step.
    pub(super) fn judge_features(
        &self,
        both: Tensor<4>,
        classes: Option<&Tensor<2>>,
        settings: &StepSettings,
    ) -> Option<(Tensor<1>, Projected)> {
        let network = self.taps.as_ref().filter(|_| settings.projected > 0.0)?;
        let [count, _, side, _] = both.dims();
        let (n, device) = (count / 2, both.device());
        let pixels = to_vec(both.inner().permute([0, 2, 3, 1]).flatten::<1>(0, 3));
        let (taps, kept) = network.forward(&pixels, side, n);
        let heads = self.discriminator.heads();
        let mut losses = Vec::with_capacity(heads.len());
        let mut real_logits = Vec::with_capacity(heads.len());
        for (i, head) in heads.iter().enumerate() {
            let x = images(features(&taps[i], i, side, &device));
            let squares = MEAN_SQUARE * pixels.len() as f64 / taps[i].len() as f64;
            let gammas = [settings.r1, settings.r2].map(|gamma| gamma * squares);
            let (logits, activations) = head.forward(x, classes.cloned(), self.precision);
            let (real, fake) = (logits.clone().narrow(0, 0, n), logits.narrow(0, n, n));
            let loss = settings.loss.discriminator(real.clone(), fake);
            let penalties = penalties(n, gammas, |part: Part| {
                let activations = activations.into_iter().map(|x| part.of(x)).collect();
                let classes = classes.map(|classes| part.of(classes.clone()));
                Some(head.input_gradient(activations, classes, part.count, self.precision))
            });
            losses.push(penalties.into_iter().flatten().fold(loss, |sum, p| sum + p));
            real_logits.push(real.detach());
        }
        let mean = losses.into_iter().reduce(|a, b| a + b)?.div_scalar(heads.len() as f64);
        let fakes = taps.map(|tap| tap[tap.len() / 2..].to_vec());
        Some((mean.mul_scalar(settings.projected), Projected { kept, fakes, real_logits }))
    }

    /// A loss whose gradient with respect to the fakes is that of the judges' part of the generator's loss.
    pub(super) fn projected_loss(
        &self,
        fakes: Tensor<4>,
        class: Option<&Tensor<2>>,
        projected: &Projected,
        settings: &StepSettings,
    ) -> Option<Tensor<1>> {
        let network = self.taps.as_ref()?;
        let [n, channels, side, _] = fakes.dims();
        let device = fakes.device();
        let judge = self.discriminator.clone().into_network().no_grad();
        let leaves: Vec<Tensor<4>> = (0..TAPS.len())
            .map(|i| features(&projected.fakes[i], i, side, &device).require_grad())
            .collect();
        let losses = judge.heads().iter().zip(&leaves).zip(&projected.real_logits);
        let losses = losses.map(|((head, leaf), real)| {
            let (logits, _) = head.forward(images(leaf.clone()), class.cloned(), self.precision);
            let real = settings.loss.is_relative().then(|| real.clone());
            settings.loss.generator(real, logits)
        });
        let loss = losses.reduce(|a, b| a + b)?.div_scalar(leaves.len() as f64);
        let gradients = loss.mul_scalar(settings.projected).backward();
        let mut of_taps: [Vec<f32>; 4] = Default::default();
        for (leaf, into) in leaves.iter().zip(&mut of_taps) {
            *into = to_vec(leaf.grad(&gradients)?.flatten::<1>(0, 3));
        }
        let values = network.gradient(&projected.kept, &of_taps);
        let gradient = TensorData::new(values, [n, side, side, channels]);
        let gradient: Tensor<4> = upload(gradient, &device);
        Some((fakes * images(gradient)).sum())
    }
}

/// The features of tap `i` on a device, `[n, side, side, channels]`. `side` is that of the images.
fn features(values: &[f32], i: usize, side: usize, device: &Device) -> Tensor<4> {
    let (tap, channels) = (Taps::input_side(side) / TAPS[i].reduction, TAPS[i].channels);
    let n = values.len() / (tap * tap * channels);
    upload(TensorData::new(values.to_vec(), [n, tap, tap, channels]), device)
}

/// Channels-last values as `[n, channels, side, side]`.
fn images(values: Tensor<4>) -> Tensor<4> {
    values.permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::config::TrainConfig;

    /// Players on 32×32 images, and noise as real images and fakes.
    fn players() -> (Players, Tensor<4>, Tensor<4>, StepSettings) {
        let settings = ["model.resolution=32", "objective.projected_from=0", "objective.every=1"];
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        let mut config = TrainConfig::with_settings("fast", &settings, 3).unwrap();
        (config.model.g_width, config.model.d_width) = (4, 16);
        let players = Players::new(&config, &Device::flex());
        let noise = |seed: u64| {
            let mut random = dermagan_base::rng::Keyed::new(seed, "noise", 0);
            let values = random.uniforms(2 * 3 * 32 * 32, -0.8, 0.8);
            let data = TensorData::new(values, [2, 32, 32, 3]);
            images(upload::<4, _>(data, &Device::flex().autodiff()))
        };
        (players, noise(1), noise(2), StepSettings::at(&config, 1, 0))
    }

    /// The judges' part of the generator's loss on `fakes`, forward only.
    fn loss(players: &Players, real: &Tensor<4>, fakes: Tensor<4>, settings: &StepSettings) -> f64 {
        let network = players.taps.as_ref().unwrap();
        let both = Tensor::cat(vec![real.clone(), fakes], 0);
        let pixels = to_vec(both.inner().permute([0, 2, 3, 1]).flatten::<1>(0, 3));
        let (taps, _) = network.forward(&pixels, 32, 0);
        let heads = players.discriminator.heads();
        let of = |(i, head): (usize, &dermagan_model::residual::Judge)| {
            let x = images(features(&taps[i], i, 32, &Device::flex().autodiff()));
            let logits = head.forward(x, None, players.precision).0;
            let (real, fake) = (logits.clone().narrow(0, 0, 2), logits.narrow(0, 2, 2));
            f64::from(settings.loss.generator(Some(real), fake).into_scalar::<f32>())
        };
        heads.iter().enumerate().map(of).sum::<f64>() / heads.len() as f64
    }

    #[test]
    fn the_gradient_of_the_fakes_is_the_slope_of_the_judges_loss() {
        let (players, real, fakes, settings) = players();
        let both = Tensor::cat(vec![real.clone(), fakes.clone()], 0);
        let (_, projected) = players.judge_features(both, None, &settings).unwrap();
        let fakes = fakes.require_grad();
        let total = players.projected_loss(fakes.clone(), None, &projected, &settings).unwrap();
        let gradient = to_vec(fakes.grad(&total.backward()).unwrap().flatten::<1>(0, 3));
        // Along the gradient itself the loss rises most. ReLU6 has kinks, and the forward pass is in float32.
        let size = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let h = 2e-2;
        let moved = |s: f64| {
            let step = gradient.iter().map(|g| (f64::from(*g) / size * s) as f32).collect();
            let step = TensorData::new::<f32, _>(step, fakes.dims());
            let step: Tensor<4> = upload(step, &fakes.device());
            loss(&players, &real, fakes.clone().detach() + step, &settings)
        };
        let slope = (moved(h) - moved(-h)) / (2.0 * h);
        assert!((slope / size - 1.0).abs() < 0.05, "{slope}, expected {size}");
    }

    #[test]
    fn the_weight_scales_the_judges_part_and_a_plain_discriminator_has_none() {
        let (players, real, fakes, settings) = players();
        let both = Tensor::cat(vec![real, fakes], 0);
        let part = |weight: f64| {
            let settings = StepSettings { projected: weight, ..settings };
            let (loss, _) = players.judge_features(both.clone(), None, &settings).unwrap();
            f64::from(loss.into_scalar::<f32>())
        };
        assert!((part(3.0) / part(1.0) - 3.0).abs() < 1e-5);
        let plain = Players { taps: None, ..players.clone() };
        assert!(plain.judge_features(both.clone(), None, &settings).is_none());
    }
}
