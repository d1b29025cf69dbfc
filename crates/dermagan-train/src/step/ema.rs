//! The exponential moving average of the generator's weights. Its images are better than those of the weights at any
//! one time.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use dermagan_model::Flat;
use dermagan_model::Network;
use dermagan_model::ops::lerp;

use crate::recipe::config::TrainConfig;

/// Weight of the old average, 0 to less than 1, in the step after which the run has seen `nimg` images. The half-life is
/// `ema_kimg`, but at most `ema_rampup` of the images seen (StyleGAN2's rule), so that the average forgets the beginning of
/// the run. A run that starts from a trained generator has nothing to forget.
pub fn decay(config: &TrainConfig, nimg: u64) -> f64 {
    let optimiser = &config.optimiser;
    let whole = optimiser.ema_kimg.at(config.share(nimg)) * 1000.0;
    let half_life = match config.initial {
        None => whole.min(nimg as f64 * optimiser.ema_rampup),
        Some(_) => whole,
    };
    if half_life > 0.0 { 0.5f64.powf(optimiser.batch as f64 / half_life) } else { 0.0 }
}

/// Moves `average` towards `live` by the share 1 - `decay`. With a decay of 0 it becomes a copy of `live`. Either both
/// networks are on an autodiff device or neither is.
pub fn update<N: Network>(average: Flat<N>, live: &Flat<N>, decay: f64) -> Flat<N> {
    let towards = |old: Tensor<1>, new: Tensor<1>| match decay > 0.0 {
        true => lerp(old, new, decay),
        false => new,
    };
    let mut by_name: BTreeMap<_, _> =
        live.parameters().into_iter().map(|p| (p.name, p.value)).collect();
    let average = average.map_values(|name, old| Some(towards(old, by_name.remove(name)?)));
    match (average.buffer().cloned(), live.buffer().cloned()) {
        (Some((_, old)), Some((_, new))) => average.with_buffer(towards(old, new)),
        _ => average,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::config::InitialConfig;
    use crate::recipe::schedule::Scheduled;

    #[test]
    fn after_one_half_life_the_old_average_has_half_of_the_weight() {
        let mut config = TrainConfig::of_preset("reference", 0).unwrap();
        (config.optimiser.ema_kimg, config.optimiser.batch) = (Scheduled::Constant(10.0), 100);
        let late = decay(&config, 10_000_000);
        assert!((late.powi(100) - 0.5).abs() < 1e-9);
        assert!(decay(&config, 1000) < late);
        assert_eq!(decay(&config, 0), 0.0);
        let origin = || "x".to_owned();
        let (model, sha256, data, licence) = (origin(), origin(), origin(), origin());
        config.initial = Some(InitialConfig { model, sha256, data, licence });
        assert_eq!(decay(&config, 100), late, "a trained generator is not forgotten");
    }
}
