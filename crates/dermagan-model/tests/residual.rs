//! The residual networks, and the gradient of the discriminator with respect to the image, compared with
//! PyTorch (scripts/make_residual_fixture.py) and with finite differences in float64.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test panics at the first error")]

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{ModuleMapper, Param};
use burn::tensor::{DType, Device, Gradients, Tensor, TensorData};
use dermagan_base::rng::Keyed;
use dermagan_model::imagenet::{TAPS, Taps};
use dermagan_model::ops::{Direction, add_bias, add_noise, add_resampled, gate};
use dermagan_model::weights::{Weights, from_safetensors};
use dermagan_model::{Backbone, Discriminator, Generator, Init, ModelConfig, Precision};
use dermagan_model::{Network, tensor::to_vec};

/// The networks of the fixture.
const SMALL: ModelConfig = ModelConfig {
    backbone: Backbone::Residual,
    classes: 3,
    resolution: 32,
    z_dim: 8,
    noise: true,
    g_width: 4,
    d_width: 4,
    projected: false,
};

fn cpu() -> Device {
    Device::flex().autodiff()
}

fn flat<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let n = x.shape().num_elements();
    to_vec(x.inner().reshape([n]))
}

mod pytorch {
    use super::*;

    struct Fixture(Weights);

    impl Fixture {
        fn read() -> Self {
            let path =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/residual.safetensors");
            Self(from_safetensors("residual", &std::fs::read(path).unwrap()).unwrap().weights)
        }

        fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
            let array = &self.0[name];
            Tensor::from_data(TensorData::new(array.values.clone(), array.shape.clone()), &cpu())
        }

        /// The tensors whose names begin with `prefix`, under the rest of their names.
        fn under(&self, prefix: &str) -> Weights {
            let all = self.0.iter();
            all.filter_map(|(name, array)| {
                Some((name.strip_prefix(prefix)?.to_owned(), array.clone()))
            })
            .collect()
        }

        fn generator(&self) -> Generator {
            Generator::new(&SMALL, &cpu()).with_weights(&self.under("G.")).unwrap()
        }

        fn discriminator(&self) -> Discriminator {
            Discriminator::new(&SMALL, &cpu()).with_weights(&self.under("D.")).unwrap()
        }

        fn has<const D: usize>(&self, name: &str, found: Tensor<D>, tolerance: f64) {
            close(name, &flat(found), &self.0[name].values, tolerance);
        }

        /// Checks the gradients of all parameters of `network`. A missing gradient counts as zeros.
        fn has_gradients<N: Network>(
            &self,
            prefix: &str,
            network: &N,
            gradients: &Gradients,
            tolerance: f64,
        ) {
            let found: BTreeMap<_, _> = network.gradients(gradients).into_iter().collect();
            let expected = self.under(prefix);
            assert!(found.keys().all(|name| expected.contains_key(name)));
            assert_eq!(expected.len(), network.parameters().len());
            for (name, expected) in expected {
                let zeros = || vec![0.0; expected.values.len()];
                let found = found.get(&name).map_or_else(zeros, |g| to_vec(g.clone()));
                close(&format!("{prefix}{name}"), &found, &expected.values, tolerance);
            }
        }
    }

    /// Compares the norm of the difference with the norm of the expected values. Single values may differ
    /// by more: with bfloat16 a few activations near zero change their sign, and with them single values of
    /// a gradient change by more than rounding.
    fn close(name: &str, found: &[f32], expected: &[f32], tolerance: f64) {
        assert_eq!(found.len(), expected.len(), "{name}");
        let difference = found.iter().zip(expected).map(|(a, b)| f64::from(a - b).powi(2));
        let size = expected.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt().max(1e-6);
        let off = difference.sum::<f64>().sqrt() / size;
        assert!(off <= tolerance, "{name}: relative difference {off:.1e}");
    }

    #[test]
    fn images_and_logits_and_their_gradients_match_pytorch() {
        let fixture = Fixture::read();
        let class = || Some(fixture.tensor::<2>("class"));
        let x = || fixture.tensor::<4>("x");
        // bfloat16 changes the signs of a few activations near zero, so float32 has the strict tolerance.
        for (precision, tolerance) in [(Precision::F32, 3e-6), (Precision::Bf16, 2e-1)] {
            let generator = fixture.generator();
            let (images, _) = generator.forward_train(fixture.tensor("z"), class(), precision);
            fixture.has("pictures", images.clone(), tolerance);
            let gradients = (images * x()).sum().backward();
            fixture.has_gradients("grad.G.", &generator, &gradients, tolerance);

            let discriminator = fixture.discriminator();
            let logits = discriminator.forward_train(x(), class(), 1, precision).logits;
            fixture.has("logits", logits.clone(), tolerance);
            let gradients = (logits * fixture.tensor("h")).sum().backward();
            fixture.has_gradients("grad.D.", &discriminator, &gradients, tolerance);
        }
        let images = fixture.generator().forward(fixture.tensor("z"), class());
        fixture.has("pictures", images, 3e-6);
    }

    #[test]
    fn the_input_gradient_and_the_gradients_of_its_penalty_match_pytorchs_double_backward() {
        let fixture = Fixture::read();
        let class = || Some(fixture.tensor::<2>("class"));
        for (precision, tolerance) in [(Precision::F32, 3e-6), (Precision::Bf16, 6e-2)] {
            let network = fixture.discriminator();
            let judged = network.forward_train(fixture.tensor("x"), class(), 1, precision);
            let slopes = network.input_gradient(judged.activations, class(), precision).unwrap();
            fixture.has("input_gradient", slopes.clone(), tolerance);
            let penalty = slopes.powi_scalar(2).sum().div_scalar(3);
            fixture.has("penalty", penalty.clone(), tolerance);
            let gradients = penalty.backward();
            fixture.has_gradients("grad.penalty.D.", &network, &gradients, tolerance);
        }
    }
}

mod differences {
    use super::*;

    /// The step of the finite differences to either side. It is so small that no activation changes its
    /// sign, and so large that the rounding of float64 stays far below the tolerance.
    const STEP: f64 = 1e-6;
    /// Number of entries that are tested per tensor.
    const TRIED: usize = 5;
    const BATCH: usize = 2;
    /// Wide enough that some layers use minimal filtering and others patches.
    const CONFIG: ModelConfig = ModelConfig { g_width: 16, d_width: 16, ..SMALL };

    fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), (&cpu(), DType::F64))
    }

    fn noise<const D: usize>(name: &'static str, shape: [usize; D]) -> Vec<f64> {
        let values = Keyed::new(1, name, 0).normals(shape.iter().product(), 0.0, 1.0);
        values.into_iter().map(f64::from).collect()
    }

    fn doubles<const D: usize>(x: Tensor<D>) -> Vec<f64> {
        x.into_data().try_to_vec::<f64>().unwrap()
    }

    /// Replaces the parameters of a network by float64 values, in the order of [`Network::parameters`].
    struct Put<'a>(std::slice::Iter<'a, Vec<f64>>);

    impl ModuleMapper for Put<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let values = self.0.next().unwrap().clone();
            let shape = param.val().dims();
            param.map(|_| tensor(values, shape).require_grad())
        }
    }

    fn with<N: Network>(network: &N, values: &[Vec<f64>]) -> N {
        network.clone().map(&mut Put(values.iter()))
    }

    /// The values of a float64 network: those of `network`, but biases that are not zero.
    fn values<N: Network>(network: &N) -> Vec<Vec<f64>> {
        let parameters = network.parameters().into_iter().enumerate();
        let values = parameters.map(|(i, p)| match p.name.ends_with("bias") {
            true => Keyed::new(2, "biases", i as u64).normals(p.shape[0], 0.0, 0.3),
            false => to_vec(p.value),
        });
        values.map(|v| v.into_iter().map(f64::from).collect()).collect()
    }

    fn agree(name: &str, found: f64, difference: f64, size: f64) {
        let off = (found - difference).abs();
        assert!(
            off <= 1e-5 * difference.abs() + 1e-8 * size,
            "{name}: gradient {found}, difference {difference}"
        );
    }

    /// Moves some of `values` to either side and compares the finite difference of `run` with `gradient`.
    fn slopes_are(
        name: &str,
        gradient: &[f64],
        values: &[f64],
        tried: usize,
        mut run: impl FnMut(Vec<f64>) -> f64,
    ) {
        assert_eq!(gradient.len(), values.len(), "{name}");
        let size = run(values.to_vec()).abs();
        // At different positions in their filters.
        let stride = (values.len() / tried).max(1);
        for at in (0..tried.min(values.len())).map(|i| i * stride + i % stride) {
            let mut moved = |by: f64| {
                let mut values = values.to_vec();
                values[at] += by;
                run(values)
            };
            let difference = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            agree(&format!("{name}[{at}]"), gradient[at], difference, size);
        }
    }

    /// Compares the gradients of `run` with finite differences, for some entries of every parameter.
    fn gradients_are_slopes<N: Network>(network: &N, run: impl Fn(&N) -> Tensor<1>) {
        let start = values(network);
        let begun = with(network, &start);
        let gradients: BTreeMap<_, _> =
            begun.gradients(&run(&begun).backward()).into_iter().collect();
        for (i, parameter) in network.parameters().into_iter().enumerate() {
            // A parameter without influence on the result has no gradient.
            let zeros = || vec![0.0; start[i].len()];
            let gradient =
                gradients.get(&parameter.name).map_or_else(zeros, |g| doubles(g.clone()));
            slopes_are(&parameter.name, &gradient, &start[i], TRIED, |values| {
                let mut all = start.clone();
                all[i] = values;
                doubles(run(&with(network, &all)))[0]
            });
        }
    }

    fn class() -> Tensor<2> {
        tensor(vec![0.3, 0.5, 0.2, 0.0, 0.5, 0.0], [BATCH, SMALL.classes])
    }

    #[test]
    fn the_gradient_of_the_generator_is_the_slope_of_its_images() {
        let network = Init::He.generator(&CONFIG, 3, &cpu());
        let (z, g) = ([BATCH, CONFIG.latents()], [BATCH, 3, 32, 32]);
        let (z, g) = (tensor(noise("z", z), z), tensor(noise("g", g), g));
        gradients_are_slopes(&network, |network| {
            (network.forward(z.clone(), Some(class())) * g.clone()).sum()
        });
    }

    #[test]
    fn the_input_gradient_is_the_slope_of_the_images_own_logit_and_of_no_other() {
        let network = Init::He.discriminator(&CONFIG, 4, &cpu());
        let network = with(&network, &values(&network));
        let shape = [BATCH, 3, 32, 32];
        let x = noise("x", shape);
        let judge = |x| network.forward_train(tensor(x, shape), Some(class()), 1, Precision::F32);
        let activations = judge(x.clone()).activations;
        let slopes = network.input_gradient(activations, Some(class()), Precision::F32);
        let slopes = doubles(slopes.unwrap());
        for logit in 0..BATCH {
            let own = |i: usize| i / (x.len() / BATCH) == logit;
            let slopes: Vec<f64> =
                slopes.iter().enumerate().map(|(i, s)| if own(i) { *s } else { 0.0 }).collect();
            slopes_are(&format!("logit {logit}"), &slopes, &x, 40, |x| {
                doubles(judge(x).logits)[logit]
            });
        }
    }

    /// A projected discriminator, whose last judge has a single layer, and features for one of its judges.
    fn judged(head: usize) -> (Discriminator, [usize; 4]) {
        let config = ModelConfig { projected: true, ..CONFIG };
        let (tap, input) = (TAPS[head], Taps::input_side(config.resolution));
        let side = input / tap.reduction;
        let network = Init::He.discriminator(&config, 4, &cpu());
        assert_eq!(network.heads().len(), 4);
        (network, [BATCH, tap.channels, side, side])
    }

    #[test]
    fn the_input_gradient_of_a_judge_of_features_is_the_slope_of_its_logits() {
        for head in [1, 2, 3] {
            let (network, shape) = judged(head);
            let network = with(&network, &values(&network));
            let judge = &network.heads()[head];
            let run = |x: Vec<f64>| judge.forward(tensor(x, shape), Some(class()), Precision::F32);
            let x = noise("x", shape);
            let activations = run(x.clone()).1;
            let slopes =
                doubles(judge.input_gradient(activations, Some(class()), BATCH, Precision::F32));
            slopes_are(&format!("judge {head}"), &slopes, &x, 40, |x| {
                doubles(run(x).0).into_iter().sum()
            });
        }
    }

    #[test]
    fn the_gradients_of_a_judge_of_features_and_of_its_penalty_are_slopes() {
        for head in [2, 3] {
            let (network, shape) = judged(head);
            let x = tensor(noise("x", shape), shape);
            gradients_are_slopes(&network, |network| {
                let judge = &network.heads()[head];
                let (logits, activations) = judge.forward(x.clone(), Some(class()), Precision::F32);
                let class = Some(class());
                let slopes = judge.input_gradient(activations, class, BATCH, Precision::F32);
                logits.sum() + slopes.powi_scalar(2).sum().div_scalar(BATCH as f64)
            });
        }
    }

    #[test]
    fn the_gradient_of_the_penalty_is_its_slope() {
        let network = Init::He.discriminator(&CONFIG, 4, &cpu());
        let shape = [BATCH, 3, 32, 32];
        let x = tensor(noise("x", shape), shape);
        gradients_are_slopes(&network, |network| {
            let judged = network.forward_train(x.clone(), Some(class()), 1, Precision::F32);
            let slopes = network.input_gradient(judged.activations, Some(class()), Precision::F32);
            slopes.unwrap().powi_scalar(2).sum().div_scalar(BATCH as f64)
        });
    }

    /// Compares the gradients of `run` with finite differences, for all entries of its arguments, which have
    /// the shapes `a` and `b`.
    fn operation<const A: usize, const B: usize>(
        name: &str,
        a: [usize; A],
        b: [usize; B],
        run: impl Fn(Tensor<A>, Tensor<B>) -> Tensor<4>,
    ) {
        let (a_values, b_values) = (noise("a", a), noise("b", b));
        let x = tensor(a_values.clone(), a).require_grad();
        let y = tensor(b_values.clone(), b).require_grad();
        let made = run(x.clone(), y.clone());
        let g = tensor(noise("g", made.dims()), made.dims());
        let gradients = (made * g.clone()).sum().backward();
        let result = |x, y| doubles((run(x, y) * g.clone()).sum())[0];
        let gradient = doubles(x.grad(&gradients).unwrap());
        slopes_are(&format!("{name} a"), &gradient, &a_values, usize::MAX, |values| {
            result(tensor(values, a), tensor(b_values.clone(), b))
        });
        let gradient = doubles(y.grad(&gradients).unwrap());
        slopes_are(&format!("{name} b"), &gradient, &b_values, usize::MAX, |values| {
            result(tensor(a_values.clone(), a), tensor(values, b))
        });
    }

    #[test]
    fn the_gradients_of_biases_of_noise_and_of_the_shortcut_are_slopes() {
        operation("bias", [2, 3, 4, 2], [3], add_bias);
        let grain = tensor(noise("grain", [2, 1, 4, 2]), [2, 1, 4, 2]);
        operation("noise", [2, 3, 4, 2], [3], |x, strength| add_noise(x, grain.clone(), strength));
        let (large, small) = ([2, 3, 4, 6], [2, 6, 2, 3]);
        operation("down", small, large, |main, source| {
            add_resampled(main, source, Direction::Down, 0.7)
        });
        operation("up", large, small, |main, source| {
            add_resampled(main, source, Direction::Up, 2.0)
        });
    }

    #[test]
    fn a_gate_passes_what_the_activation_passes_and_the_activation_gets_no_gradient() {
        let shape = [2, 3, 4, 2];
        let (values, active, g) = (noise("u", shape), noise("y", shape), noise("g", shape));
        let u = tensor(values.clone(), shape).require_grad();
        let y = tensor(active.clone(), shape).require_grad();
        let run = |u, y| (gate(u, y, 0.2) * tensor(g.clone(), shape)).sum();
        let gradients = run(u.clone(), y.clone()).backward();
        assert!(y.grad(&gradients).is_none());
        let gradient = doubles(u.grad(&gradients).unwrap());
        let expected = active.iter().zip(&g).map(|(y, g)| if *y > 0.0 { *g } else { 0.2 * g });
        assert_eq!(gradient, expected.collect::<Vec<_>>());
        slopes_are("gate", &gradient, &values, usize::MAX, |values| {
            doubles(run(tensor(values, shape), tensor(active.clone(), shape)))[0]
        });
    }
}

/// Shapes of networks of either backbone.
fn configs() -> Vec<ModelConfig> {
    let mut all = Vec::new();
    for resolution in [32, 64, 128, 256] {
        for (backbone, classes, noise, projected) in [
            (Backbone::Dcgan, 0, false, false),
            (Backbone::Residual, 0, false, false),
            (Backbone::Residual, 0, true, true),
            (Backbone::Residual, 5, false, true),
            (Backbone::Residual, 5, true, false),
        ] {
            let config = ModelConfig {
                backbone,
                classes,
                resolution,
                z_dim: 10,
                noise,
                g_width: 2,
                d_width: 3,
                projected,
            };
            config.validate().unwrap();
            all.push(config);
        }
    }
    all
}

#[test]
fn predicted_shapes_and_sizes_match_those_of_the_networks() {
    for config in configs() {
        let device = Device::flex();
        let made = Generator::new(&config, &device).parameters();
        let made: Vec<_> = made.into_iter().map(|p| (p.name, p.shape)).collect();
        let shapes = Generator::shapes(&config);
        assert_eq!(made.len(), shapes.len(), "{config:?}");
        assert_eq!(made.into_iter().collect::<BTreeMap<_, _>>(), shapes);
        let made = Discriminator::new(&config, &device).parameters();
        let learnt = made.iter().filter(|p| p.trainable);
        let learnt: usize = learnt.map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(learnt, Discriminator::parameters_of(&config), "{config:?}");
    }
}

#[test]
fn images_and_logits_have_the_documented_shapes_with_and_without_a_class() {
    for config in configs() {
        let ModelConfig { resolution, classes, .. } = config;
        let device = Device::flex();
        let generator = Init::He.generator(&config, 1, &device);
        let discriminator = Init::He.discriminator(&config, 1, &device);
        let class = (classes > 0).then(|| Tensor::ones([2, classes], &device));
        for class in [class, None] {
            let x = generator.forward(Tensor::ones([2, config.latents()], &device), class.clone());
            assert_eq!(x.dims(), [2, 3, resolution, resolution]);
            let judged = discriminator.forward_train(x, class.clone(), 1, Precision::F32);
            assert_eq!(judged.logits.dims(), [2]);
            let slopes = discriminator.input_gradient(judged.activations, class, Precision::F32);
            assert_eq!(slopes.is_some(), config.backbone == Backbone::Residual);
            assert!(slopes.is_none_or(|x| x.dims() == [2, 3, resolution, resolution]));
        }
    }
}

/// A tensor of standard normal numbers.
fn noise<const D: usize>(name: &'static str, shape: [usize; D]) -> Tensor<D> {
    let values = Keyed::new(1, name, 0).normals(shape.iter().product(), 0.0, 1.0);
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

#[test]
fn different_noise_makes_a_different_image_of_the_same_latent() {
    let config = ModelConfig { classes: 0, ..SMALL };
    let generator = Init::He.generator(&config, 5, &Device::flex());
    let z = noise("z", [1, config.latents()]);
    let from = |range: std::ops::Range<usize>| z.clone().slice([0..1, range]);
    let (latent, grain) = (from(0..8), from(8..config.latents()));
    let image = |grain| flat(generator.forward(Tensor::cat(vec![latent.clone(), grain], 1), None));
    let (one, other) = (image(grain.clone()), image(grain.clone().neg()));
    let apart = one.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!((0.001..1.0).contains(&apart), "{apart}");
    assert_eq!(image(grain), one);
}

#[test]
fn a_constant_activation_stays_constant_through_every_doubling() {
    let config = ModelConfig { classes: 0, noise: false, ..SMALL };
    let Generator::Residual(mut network) = Init::He.generator(&config, 5, &Device::flex()) else {
        unreachable!()
    };
    // All taps of the first layer have the same weight, so its 4×4 pixels are equal.
    let first = noise("first", [8, 16, 1, 1]).expand([8, 16, 4, 4]);
    network.main[0].weight = Param::from_tensor(first);
    let x = network.forward(noise("z", [2, 8]), None, Precision::F32);
    // The zeros beyond the border affect one pixel at each edge after the first layer, then three, then
    // seven, and one more after the layer that makes the colours.
    let (border, inside) = (8, 16);
    let spread = |x: Tensor<4>| flat(x.clone().max_dims(&[2, 3]) - x.min_dims(&[2, 3]));
    let middle = x.clone().narrow(2, border, inside).narrow(3, border, inside);
    for (all, inside) in spread(x).into_iter().zip(spread(middle)) {
        assert!(all > 0.01, "an empty image would make the test useless");
        assert!(inside < 1e-5 * all, "spread {inside} inside, {all} in total");
    }
}

#[test]
fn the_same_seed_makes_the_same_weights() {
    let device = Device::flex();
    let generator = |seed| Init::He.generator(&SMALL, seed, &device).to_weights();
    let discriminator = |seed| Init::He.discriminator(&SMALL, seed, &device).to_weights();
    for (one, again, other) in [
        (generator(1), generator(1), generator(2)),
        (discriminator(1), discriminator(1), discriminator(2)),
    ] {
        assert_eq!(one, again);
        for (name, array) in &one {
            let zero = array.values.iter().all(|v| *v == 0.0);
            assert_eq!(zero, name.ends_with("bias"), "{name}");
            assert_eq!(*array == other[name], zero, "{name}");
        }
    }
}

#[test]
fn initial_weights_preserve_the_spread_of_the_activations() {
    let config = ModelConfig { resolution: 64, d_width: 16, ..SMALL };
    for seed in 0..3 {
        let network = Init::He.discriminator(&config, seed, &Device::flex());
        let x = noise("x", [4, 3, 64, 64]);
        let activations = network.forward_train(x.clone(), None, 1, Precision::F32).activations;
        assert_eq!(activations.len(), config.stages());
        let spread = |x: Tensor<4>| flat(x.flatten::<1>(0, 3).var(0).sqrt())[0];
        let spreads: Vec<f32> = [x].into_iter().chain(activations).map(spread).collect();
        let (least, most) =
            spreads.iter().fold((f32::MAX, 0f32), |(a, b), v| (a.min(*v), b.max(*v)));
        assert!(most < 4.0 * least, "{spreads:?}");
    }
}
