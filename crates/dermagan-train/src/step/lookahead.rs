//! Lookahead (Zhang et al. 2019, arXiv:1907.08610) for both players at once (Chavdarova et al. 2021, arXiv:2006.14567).
//! At a fixed interval, both players move part of the way back to the point of the last lookahead step. Players that
//! circle around each other then move towards the centre, where their own steps would lead them outwards.

use dermagan_model::Network;
use dermagan_model::{Discriminator, Flat, Generator};

use crate::step::ema;
use crate::step::players::Players;

/// The slow weights: those of the players at the last lookahead step.
#[derive(Clone, Debug)]
pub struct Lookahead {
    /// Slow weights of the generator.
    pub generator: Flat<Generator>,
    /// Slow weights of the discriminator.
    pub discriminator: Flat<Discriminator>,
}

/// The point at the share `back` of the way from `fast` to `slow`, as the new slow and the new fast weights.
fn between<N: Network>(slow: Flat<N>, fast: Flat<N>, back: f64) -> (Flat<N>, Flat<N>) {
    let slow = ema::update(slow, &fast, back);
    let fast = ema::update(fast, &slow, 0.0);
    (slow, fast)
}

impl Lookahead {
    /// Slow weights that equal those of the players.
    pub fn new(players: &Players) -> Self {
        Self { generator: players.generator.clone(), discriminator: players.discriminator.clone() }
    }

    /// Moves the players back by the share `back`, 0 to 1, of the way to the slow weights. The slow weights become the
    /// same.
    pub fn step(&mut self, players: &mut Players, back: f64) {
        let (generator, discriminator) = (players.generator.clone(), players.discriminator.clone());
        (self.generator, players.generator) = between(self.generator.clone(), generator, back);
        (self.discriminator, players.discriminator) =
            between(self.discriminator.clone(), discriminator, back);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use dermagan_model::tensor::{from_slice, to_vec};

    use super::*;
    use crate::recipe::config::TrainConfig;

    /// Every value of a network.
    fn values<N: Network>(network: &Flat<N>) -> Vec<f32> {
        network.parameters().into_iter().flat_map(|p| to_vec(p.value)).collect()
    }

    fn plus<N: Network>(network: Flat<N>, by: f32) -> Flat<N> {
        network.map_values(|_, old| {
            let values: Vec<f32> = to_vec(old.clone()).into_iter().map(|v| v + by).collect();
            Some(from_slice(&values, &old.device()))
        })
    }

    #[test]
    fn both_players_move_back_by_the_share_and_continue_from_there() {
        let settings = ["model.g_width=2".to_owned(), "model.d_width=2".to_owned()];
        let config = TrainConfig::with_settings("fast", &settings, 0).unwrap();
        let mut players = Players::new(&config, &Device::flex());
        let [g, d] = [values(&players.generator), values(&players.discriminator)];
        let mut lookahead = Lookahead::new(&players);
        let mut moved = 0.0;
        for back in [0.25, 0.5, 0.0, 1.0] {
            players.generator = plus(players.generator, 1.0);
            players.discriminator = plus(players.discriminator, -2.0);
            lookahead.step(&mut players, back);
            moved += 1.0 - back as f32;
            for (found, began, by) in [
                (values(&players.generator), &g, moved),
                (values(&lookahead.generator), &g, moved),
                (values(&players.discriminator), &d, -2.0 * moved),
                (values(&lookahead.discriminator), &d, -2.0 * moved),
            ] {
                let off = found.iter().zip(began).map(|(a, b)| (a - b - by).abs());
                assert!(off.fold(0.0, f32::max) < 1e-5, "after going back {back}");
            }
        }
    }
}
