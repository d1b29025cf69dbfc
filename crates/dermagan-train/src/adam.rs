//! Adam, with its state by parameter name.
//!
//! burn's own keys its state by an id that only burn's file format keeps; a checkpoint in
//! safetensors needs names. The arithmetic is PyTorch's, in PyTorch's order.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use dermagan_model::named::{Network, from_slice, to_vec};
use dermagan_model::ops::{AdamStep as Step, adam};
use dermagan_model::weights::{Array, Weights};

use crate::loss_scale::Verdict;

/// The new tensors, or the old ones where `finite` is false.
fn keep(old: [Tensor<1>; 3], new: [Tensor<1>; 3], finite: &Verdict) -> [Tensor<1>; 3] {
    let mut new = new.into_iter();
    old.map(|old| match new.next() {
        Some(new) => {
            let mask = finite.clone().expand(old.shape());
            old.mask_where(mask, new)
        }
        None => old,
    })
}

/// State of one player's optimiser (Kingma and Ba 2015).
#[derive(Clone, Debug)]
pub struct Adam {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    moments: BTreeMap<String, Moments>,
}

#[derive(Clone, Debug)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

impl Adam {
    /// An optimiser that has seen nothing. Its first learning rate is 0: see
    /// [`Adam::set_learning_rate`]. `betas`: the decays of both moments; `epsilon` is added to the root
    /// of the second.
    pub fn new([beta1, beta2]: [f64; 2], epsilon: f64) -> Self {
        Self { learning_rate: 0.0, beta1, beta2, epsilon, moments: BTreeMap::new() }
    }

    /// Another learning rate from the next step on.
    pub fn set_learning_rate(&mut self, rate: f64) {
        self.learning_rate = rate;
    }

    /// Moves `network` against its gradients by name. `time` counts the steps from 1. Where `finite`
    /// says no, network and state stay as they were; `time` goes on, so that nobody waits for the
    /// verdict, and Adam's bias correction is a little weaker after such steps than PyTorch's.
    pub fn step<N: Network>(
        &mut self,
        network: N,
        gradients: Vec<(String, Tensor<1>)>,
        time: u64,
        finite: Option<&Verdict>,
    ) -> N {
        let mut gradients: BTreeMap<String, Tensor<1>> = gradients.into_iter().collect();
        let correction = |beta: f64| 1.0 - beta.powf(time as f64);
        let step = Step {
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            size: self.learning_rate / correction(self.beta1),
            root: correction(self.beta2).sqrt(),
        };
        network.map_values(|name, value| {
            let gradient = gradients.remove(name)?;
            // Taken out, so that nobody else holds them and they are updated in place.
            let Moments { first, second } = self.moments.remove(name).unwrap_or_else(|| Moments {
                first: value.zeros_like(),
                second: value.zeros_like(),
            });
            let (value, [first, second]) = match finite {
                None => adam(step, value, [first, second], gradient),
                Some(finite) => {
                    let before = [value.clone(), first.clone(), second.clone()];
                    let (value, [first, second]) = adam(step, value, [first, second], gradient);
                    let [value, first, second] = keep(before, [value, first, second], finite);
                    (value, [first, second])
                }
            };
            self.moments.insert(name.to_owned(), Moments { first, second });
            Some(value)
        })
    }

    /// Copies the state to the host, as `PREFIX.m.NAME` and `PREFIX.v.NAME`.
    pub fn save(&self, prefix: &str, into: &mut Weights) {
        for (name, moments) in &self.moments {
            for (kind, tensor) in [("m", &moments.first), ("v", &moments.second)] {
                let values = to_vec(tensor.clone());
                let array = Array { shape: vec![values.len()], values };
                into.insert(format!("{prefix}.{kind}.{name}"), array);
            }
        }
    }

    /// Takes the state after `time` steps back from [`Adam::save`]'s names, for the trainable parameters
    /// of `network`; before the first step there is none.
    ///
    /// # Errors
    /// Names the first tensor that is missing or of the wrong length.
    pub fn load<N: Network>(
        &mut self,
        prefix: &str,
        network: &N,
        time: u64,
        from: &mut Weights,
        device: &Device,
    ) -> Result<(), String> {
        self.moments.clear();
        if time == 0 {
            return Ok(());
        }
        for parameter in network.parameters().into_iter().filter(|p| p.trainable) {
            let mut take = |kind: &str| {
                let name = format!("{prefix}.{kind}.{}", parameter.name);
                let array = from.remove(&name).ok_or_else(|| format!("no tensor '{name}'"))?;
                if array.values.len() != parameter.shape.iter().product::<usize>() {
                    return Err(format!("tensor '{name}' has {} values", array.values.len()));
                }
                Ok(from_slice(&array.values, device))
            };
            let moments = Moments { first: take("m")?, second: take("v")? };
            self.moments.insert(parameter.name, moments);
        }
        Ok(())
    }
}
