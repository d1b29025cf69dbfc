//! Lookahead (Zhang et al. 2019) for both players at once (Chavdarova et al. 2021, arXiv 2006.14567): every
//! so many steps they go back some of the way to where they were the last time. Players that turn round each
//! other come nearer to the middle, where steps of either alone would lead them out.

use dermagan_model::named::Network;
use dermagan_model::{Discriminator, Flat, Generator};

use crate::ema;
use crate::step::Players;

/// Where the players were when they last went back.
#[derive(Clone, Debug)]
pub struct Lookahead {
    /// The generator then.
    pub generator: Flat<Generator>,
    /// The discriminator then.
    pub discriminator: Flat<Discriminator>,
}

/// `back` of the way from `fast` to `slow`, twice: what stays as `slow`, and what goes on.
fn met<N: Network>(slow: Flat<N>, fast: Flat<N>, back: f64) -> (Flat<N>, Flat<N>) {
    let slow = ema::update(slow, &fast, back);
    let fast = ema::update(fast, &slow, 0.0);
    (slow, fast)
}

impl Lookahead {
    /// From where the players are.
    pub fn new(players: &Players) -> Self {
        Self { generator: players.generator.clone(), discriminator: players.discriminator.clone() }
    }

    /// Takes the players `back` of the way, 0 to 1, and this place with them.
    pub fn meet(&mut self, players: &mut Players, back: f64) {
        let (generator, discriminator) = (players.generator.clone(), players.discriminator.clone());
        (self.generator, players.generator) = met(self.generator.clone(), generator, back);
        (self.discriminator, players.discriminator) =
            met(self.discriminator.clone(), discriminator, back);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use dermagan_model::named::{from_slice, to_vec};

    use super::*;
    use crate::config::TrainConfig;

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
    fn both_players_go_back_their_share_of_the_way_and_on_from_there() {
        let settings = ["model.g_width=2".to_owned(), "model.d_width=2".to_owned()];
        let config = TrainConfig::with_settings("fast", &settings, 0).unwrap();
        let mut players = Players::new(&config, &Device::flex());
        let [g, d] = [values(&players.generator), values(&players.discriminator)];
        let mut lookahead = Lookahead::new(&players);
        let mut moved = 0.0;
        for back in [0.25, 0.5, 0.0, 1.0] {
            players.generator = plus(players.generator, 1.0);
            players.discriminator = plus(players.discriminator, -2.0);
            lookahead.meet(&mut players, back);
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
