//! Adam, with its state by parameter name.
//!
//! burn's own keys its state by an id that only burn's file format keeps; a checkpoint in
//! safetensors needs names. The arithmetic is PyTorch's, in PyTorch's order.

use std::collections::BTreeMap;

use burn::tensor::{Device, Gradients, Tensor};
use dermagan_model::named::{Network, from_slice, to_vec};
use dermagan_model::weights::{Array, Weights};

use crate::config::OptimiserConfig;

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
    /// An optimiser that has seen nothing.
    pub fn new(config: &OptimiserConfig) -> Self {
        Self {
            learning_rate: config.learning_rate,
            beta1: config.beta1,
            beta2: config.beta2,
            epsilon: config.epsilon,
            moments: BTreeMap::new(),
        }
    }

    /// Moves `network` against its gradients. `time` counts the steps from 1.
    pub fn step<N: Network>(&mut self, network: N, gradients: &Gradients, time: u64) -> N {
        let mut gradients: BTreeMap<String, Tensor<1>> =
            network.gradients(gradients).into_iter().collect();
        let correction = |beta: f64| 1.0 - beta.powf(time as f64);
        let size = self.learning_rate / correction(self.beta1);
        let root = correction(self.beta2).sqrt();
        network.map_values(|name, value| {
            let gradient = gradients.remove(name)?;
            let moments = self.moments.entry(name.to_owned()).or_insert_with(|| Moments {
                first: value.zeros_like(),
                second: value.zeros_like(),
            });
            let (beta1, beta2) = (self.beta1, self.beta2);
            let first =
                moments.first.clone().mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1);
            let square = gradient.clone() * gradient;
            let second = moments.second.clone().mul_scalar(beta2) + square.mul_scalar(1.0 - beta2);
            let scale = second.clone().sqrt().div_scalar(root).add_scalar(self.epsilon);
            let update = (first.clone() / scale).mul_scalar(size);
            *moments = Moments { first, second };
            Some(value - update)
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

    /// Takes the state back from [`Adam::save`]'s names, for the trainable parameters of
    /// `network`; before the first step there is none.
    ///
    /// # Errors
    /// Names the first tensor that is missing or of the wrong length.
    pub fn load<N: Network>(
        &mut self,
        prefix: &str,
        network: &N,
        from: &mut Weights,
        device: &Device,
    ) -> Result<(), String> {
        self.moments.clear();
        if !from.keys().any(|name| name.starts_with(&format!("{prefix}."))) {
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
