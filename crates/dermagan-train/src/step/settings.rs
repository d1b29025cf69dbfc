//! The settings of one step, as the schedules of a run give them.

use crate::recipe::config::TrainConfig;
use crate::recipe::objective::Loss;

/// The settings of one step.
#[derive(Clone, Copy, Debug)]
pub struct StepSettings {
    /// Number of the step, from 1. Adam corrects its bias by it.
    pub time: u64,
    /// Adam's learning rate of the generator.
    pub g_learning_rate: f64,
    /// Adam's learning rate of the discriminator.
    pub d_learning_rate: f64,
    /// The loss of both players.
    pub loss: Loss,
    /// Weight γ of R1 in this step; 0 for none.
    pub r1: f64,
    /// Weight γ of R2 in this step; 0 for none.
    pub r2: f64,
    /// Weight of the judges of features beside the judge of images; 0 if they take no part, without effect if there are
    /// none.
    pub projected: f64,
}

impl StepSettings {
    /// Step `time` of a run, which begins after `nimg` images.
    ///
    /// A frozen generator has the learning rate 0, so that its optimiser learns the size of its gradients meanwhile.
    ///
    /// Penalties are lazy: they come every [`every`](crate::Objective::every) steps, `every` times as
    /// strong (Karras et al. 2020, arXiv:1912.04958).
    pub fn at(config: &TrainConfig, time: u64, nimg: u64) -> Self {
        let (objective, share) = (&config.objective, config.share(nimg));
        let every = objective.every;
        let due = time.saturating_sub(1).is_multiple_of(every);
        let gamma = |gamma: f64| if due { gamma * every as f64 } else { 0.0 };
        Self {
            time,
            g_learning_rate: match config.is_frozen(nimg) {
                true => 0.0,
                false => config.optimiser.learning_rate.at(share),
            },
            d_learning_rate: config.optimiser.d_rate().at(share),
            loss: objective.loss,
            r1: gamma(objective.r1.at(share)),
            r2: gamma(objective.r2.at(share)),
            projected: match share < objective.projected_from {
                true => 0.0,
                false => objective.projected,
            },
        }
    }

    /// The same step with players that stay where they are, to compare gradients.
    pub fn without_moving(self) -> Self {
        Self { g_learning_rate: 0.0, d_learning_rate: 0.0, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{plan, request};

    #[test]
    fn judges_of_features_take_part_from_their_share_of_the_run_on() {
        let set = ["model.projected=true", "objective.projected_from=0.5", "schedule.kimg=2"];
        let config = plan(request("rare", &set)).unwrap().config;
        assert!(config.changes() && config.judged_share() == 0.5);
        let weight = |nimg| StepSettings::at(&config, 1, nimg).projected;
        assert_eq!([0, 999, 1000, 1999].map(weight), [0.0, 0.0, 1.0, 1.0]);
        let always = plan(request("rare", &set[..1])).unwrap().config;
        assert_eq!(StepSettings::at(&always, 1, 0).projected, 1.0);
    }
}
