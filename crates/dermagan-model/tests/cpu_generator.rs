//! The generator prepared for sampling on the CPU, compared with the one that trains.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test panics at the first error")]

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::rng::Keyed;
use dermagan_model::dcgan::DcganGenerator;
use dermagan_model::tensor::to_vec;
use dermagan_model::{CpuGenerator, Generator, Init, ModelConfig};

/// A generator in which no normalisation is the identity.
fn generator(config: &ModelConfig) -> DcganGenerator {
    let device = Device::flex();
    let Generator::Dcgan(mut generator) = Init::Dcgan.generator(config, 7, &device) else {
        panic!("the default backbone is the DCGAN");
    };
    for (i, norm) in generator.norms().enumerate() {
        let [channels] = norm.gamma.dims();
        let draw = |purpose: &'static str, from: f64, to: f64| {
            let values = Keyed::new(1, purpose, i as u64).uniforms(channels, from, to);
            Param::from_tensor(Tensor::<1>::from_data(TensorData::new(values, [channels]), &device))
        };
        norm.gamma = draw("gamma", 0.5, 1.5);
        norm.beta = draw("beta", -0.5, 0.5);
        norm.running_mean = draw("mean", -0.2, 0.2);
        norm.running_var = draw("var", 0.1, 2.0);
    }
    generator
}

#[test]
fn a_cpu_generator_makes_the_same_bits_as_the_generator_that_trains() {
    // 16 or more channels use minimal filtering, 5 channels use patches. The number of layers depends on
    // the resolution.
    for (resolution, g_width, batch) in [(64, 16, 5), (32, 5, 3), (128, 16, 1), (64, 48, 2)] {
        let config =
            ModelConfig { resolution, z_dim: 20, g_width, d_width: 4, ..ModelConfig::default() };
        let generator = generator(&config);
        let z = Keyed::new(3, "z", 0).normals(batch * 20, 0.0, 1.0);
        let data = TensorData::new(z.clone(), [batch, 20]);
        let images = generator.forward(Tensor::from_data(data, &Device::flex()));
        assert_eq!(images.dims(), [batch, 3, resolution, resolution]);
        let n = images.shape().num_elements();
        let expected = to_vec(images.permute([0, 2, 3, 1]).reshape([n]));
        let prepared = CpuGenerator::new(&generator);
        assert_eq!(prepared.side(), resolution);
        let found = prepared.forward(&z);
        assert!(
            expected.iter().any(|v| v.abs() > 0.01),
            "an empty image would make the test useless"
        );
        assert!(found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(found.len(), expected.len());
    }
}
