//! What happens to a player's gradients between its loss and its optimiser.

use std::sync::Arc;

use burn::tensor::Tensor;
use dermagan_model::{Flat, Gathered, Network};

use crate::step::fault::Fault;
use crate::step::loss_scale::{Finite, LossScale};

/// Receives a player's name, `D` or `G`, and its gradients by parameter, which it may change. A program that trains on several devices
/// averages the gradients over them here.
pub type GradientHook<'a> = dyn FnMut(&str, &mut [(String, Tensor<1>)]) + 'a;

/// What happens to gradients between the loss and the optimiser.
pub(super) struct BackwardPass<'a, 'b> {
    /// Corrupts gradients; tests only.
    pub fault: Option<Arc<Fault>>,
    /// Squared norms of all gradients so far, if they are wanted.
    pub squares: Option<Vec<Tensor<1>>>,
    /// Sees the gradients before they are used.
    pub observe: &'a mut GradientHook<'b>,
}

impl BackwardPass<'_, '_> {
    /// The gradients of a loss in the form of the network's parameters; with a loss scale also whether they are finite.
    pub fn of<N: Network>(
        &mut self,
        loss: Tensor<1>,
        player: &str,
        network: &Flat<N>,
        scale: Option<&mut LossScale>,
    ) -> (Gathered, Option<Finite>) {
        let (mut gradients, finite) = match scale {
            None => (network.gradients(&loss.backward()), None),
            Some(scale) => {
                let scaled = network.gradients(&scale.scaled(loss).backward());
                let (gradients, finite) = scale.unscaled(scaled);
                (gradients, Some(finite))
            }
        };
        self.fault.iter().for_each(|fault| fault.corrupt(player, &mut gradients));
        (self.observe)(player, &mut gradients);
        let gradients = network.gather(gradients);
        if let Some(squares) = &mut self.squares {
            squares.push(network.squares(&gradients));
        }
        (gradients, finite)
    }
}
