//! What happens to a player's gradients between its loss and its optimiser.

use std::sync::Arc;

use burn::tensor::Tensor;
use dermagan_model::{Flat, Gathered, Network};

use crate::group::sum::Tree;
use crate::group::team::{Named, Team};
use crate::step::fault::Fault;
use crate::step::loss_scale::{Finite, LossScale};

/// Receives a player's name, `D` or `G`, and its gradients by parameter, which it may change. A program that trains on several devices
/// averages the gradients over them here.
pub type GradientHook<'a> = dyn FnMut(&str, &mut [(String, Tensor<1>)]) + 'a;

/// What happens to gradients between the loss and the optimiser.
pub(super) struct BackwardPass<'a, 'b> {
    /// The processes that share the step.
    pub team: &'a Team,
    /// Corrupts gradients; tests only.
    pub fault: Option<Arc<Fault>>,
    /// Squared norms of all gradients so far, if they are wanted.
    pub squares: Option<Vec<Tensor<1>>>,
    /// Sees the gradients before they are used.
    pub observe: &'a mut GradientHook<'b>,
}

/// The gradients of a shard's loss by name, multiplied by the loss scale if there is one.
pub(super) fn of_shard<N: Network>(
    loss: Tensor<1>,
    network: &Flat<N>,
    scale: Option<&LossScale>,
) -> Named {
    let loss = match scale {
        None => loss,
        Some(scale) => scale.scaled(loss),
    };
    network.gradients(&loss.backward())
}

impl BackwardPass<'_, '_> {
    /// The gradients of a whole step in the form of the network's parameters, from those of this process's shards; with a
    /// loss scale also whether they are finite. `measures`, the sum of what the shards measured, is summed with them, and
    /// its mean is returned.
    pub fn join<N: Network>(
        &mut self,
        shards: Tree<Named>,
        measures: Option<Tensor<1>>,
        player: &str,
        network: &Flat<N>,
        scale: Option<&mut LossScale>,
    ) -> (Gathered, Option<Finite>, Option<Tensor<1>>) {
        let (names, mut sums): (Vec<_>, Vec<_>) =
            shards.sum().unwrap_or_default().into_iter().unzip();
        let measured = measures.is_some();
        sums.extend(measures);
        let mut means = self.team.mean(sums);
        let measures = if measured { means.pop() } else { None };
        let gradients: Named = names.into_iter().zip(means).collect();
        let (mut gradients, finite) = match scale {
            None => (gradients, None),
            Some(scale) => {
                let (gradients, finite) = scale.unscaled(gradients);
                (gradients, Some(finite))
            }
        };
        self.fault.iter().for_each(|fault| fault.corrupt(player, &mut gradients));
        (self.observe)(player, &mut gradients);
        let gradients = network.gather(gradients);
        if let Some(squares) = &mut self.squares {
            squares.push(network.squares(&gradients));
        }
        (gradients, finite, measures)
    }
}
