//! Adam (Kingma and Ba 2015, arXiv:1412.6980), with its state by parameter name.
//!
//! burn's own Adam keys its state by an id that only burn's file format keeps, but a checkpoint in safetensors needs
//! names. The arithmetic is PyTorch's, in PyTorch's order.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use dermagan_model::Flat;
use dermagan_model::Network;
use dermagan_model::ops::{AdamStep as Step, adam};
use dermagan_model::tensor::{from_slice, to_vec};
use dermagan_model::weights::{Array, Weights};
use dermagan_model::{Gathered, Layout};

use crate::step::loss_scale::Finite;

/// The new tensors, or the old ones where `finite` is false.
fn keep(old: [Tensor<1>; 3], new: [Tensor<1>; 3], finite: &Finite) -> [Tensor<1>; 3] {
    let mut new = new.into_iter();
    old.map(|old| match new.next() {
        Some(new) => {
            let mask = finite.clone().expand(old.shape());
            old.mask_where(mask, new)
        }
        None => old,
    })
}

/// Adam for one network: its settings and its state (Kingma and Ba 2015, arXiv:1412.6980).
#[derive(Clone, Debug)]
pub struct Adam {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    state: State,
}

/// The running means of a gradient and of its square.
#[derive(Clone, Debug)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

impl Moments {
    /// The moments before the first gradient.
    fn zeros(values: &Tensor<1>) -> Self {
        Self { first: values.zeros_like(), second: values.zeros_like() }
    }
}

/// The moments in the form of the network's parameters.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per player")]
enum State {
    /// By parameter name. This is also the form before the first step.
    Named(BTreeMap<String, Moments>),
    /// In buffers, as [`Flat`] holds the parameters.
    Joined(Arc<Layout>, Moments),
}

impl Default for State {
    fn default() -> Self {
        Self::Named(BTreeMap::new())
    }
}

/// One update of values and moments. They stay the same if `finite` is false.
fn update(
    step: Step,
    value: Tensor<1>,
    Moments { first, second }: Moments,
    gradient: Tensor<1>,
    finite: Option<&Finite>,
) -> (Tensor<1>, Moments) {
    let Some(finite) = finite else {
        let (value, [first, second]) = adam(step, value, [first, second], gradient);
        return (value, Moments { first, second });
    };
    let before = [value.clone(), first.clone(), second.clone()];
    let (value, [first, second]) = adam(step, value, [first, second], gradient);
    let [value, first, second] = keep(before, [value, first, second], finite);
    (value, Moments { first, second })
}

impl Adam {
    /// An optimiser before its first step. `beta1` and `beta2` are the decay rates of the first and the second moment,
    /// 0 to less than 1. `epsilon`, more than 0, is added to the square root of the second moment. The learning rate is
    /// 0 until [`Adam::set_learning_rate`] is called.
    pub fn new([beta1, beta2]: [f64; 2], epsilon: f64) -> Self {
        Self { learning_rate: 0.0, beta1, beta2, epsilon, state: State::default() }
    }

    /// Sets the learning rate for the following steps.
    pub fn set_learning_rate(&mut self, rate: f64) {
        self.learning_rate = rate;
    }

    /// Moves `network` against its gradients and returns it. `time` is the number of the step, from 1.
    ///
    /// If `finite` is false, network and state stay the same. `time` still counts such a step, so that the host need
    /// not wait for the check. After it, Adam's bias correction is a little weaker than PyTorch's.
    pub fn step<N: Network>(
        &mut self,
        network: Flat<N>,
        gradients: Gathered,
        time: u64,
        finite: Option<&Finite>,
    ) -> Flat<N> {
        let correction = |beta: f64| 1.0 - beta.powf(time as f64);
        let step = Step {
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            size: self.learning_rate / correction(self.beta1),
            root: correction(self.beta2).sqrt(),
        };
        // The state is taken out, so that there is only one reference and the CPU updates it in place.
        let state = std::mem::take(&mut self.state);
        match (gradients, network.buffer().cloned()) {
            (Gathered::Joined(gradient), Some((layout, value))) => {
                let moments = match state {
                    State::Joined(_, moments) => moments,
                    State::Named(_) => Moments::zeros(&value),
                };
                let (value, moments) = update(step, value, moments, gradient, finite);
                self.state = State::Joined(layout, moments);
                network.with_buffer(value)
            }
            (Gathered::Named(gradients), _) => {
                let mut gradients: BTreeMap<String, Tensor<1>> = gradients.into_iter().collect();
                let mut known = match state {
                    State::Named(known) => known,
                    State::Joined(..) => BTreeMap::new(),
                };
                let network = network.map_values(|name, value| {
                    let gradient = gradients.remove(name)?;
                    let moments = known.remove(name).unwrap_or_else(|| Moments::zeros(&value));
                    let (value, moments) = update(step, value, moments, gradient, finite);
                    known.insert(name.to_owned(), moments);
                    Some(value)
                });
                self.state = State::Named(known);
                network
            }
            // This cannot happen: joined gradients come only from a network in a buffer.
            (Gathered::Joined(_), None) => network,
        }
    }

    /// Adds the state for the trainable parameters of `network` to `into`, as tensors `PREFIX.m.NAME` (first moment) and
    /// `PREFIX.v.NAME` (second moment). A parameter that has had no gradient yet, such as those of judges of features that join
    /// later, has moments of zero. Before the first step there is no state.
    pub fn save<N: Network>(&self, prefix: &str, network: &Flat<N>, into: &mut Weights) {
        let mut add = |name: &str, kind: &str, values: Vec<f32>| {
            let array = Array { shape: vec![values.len()], values };
            into.insert(format!("{prefix}.{kind}.{name}"), array);
        };
        match &self.state {
            State::Named(known) => {
                for parameter in network.parameters().into_iter().filter(|_| !known.is_empty()) {
                    let (name, moments) = (&parameter.name, known.get(&parameter.name));
                    if let Some(Moments { first, second }) = moments {
                        add(name, "m", to_vec(first.clone()));
                        add(name, "v", to_vec(second.clone()));
                    } else if parameter.trainable {
                        let zeros = vec![0.0; parameter.shape.iter().product()];
                        add(name, "m", zeros.clone());
                        add(name, "v", zeros);
                    }
                }
            }
            State::Joined(layout, Moments { first, second }) => {
                for (kind, buffer) in [("m", first), ("v", second)] {
                    for name in layout.names() {
                        if let Some(part) = layout.part(buffer, name) {
                            add(name, kind, to_vec(part));
                        }
                    }
                }
            }
        }
    }

    /// Takes the state after `time` steps out of `from`, under the names of [`Adam::save`], for the trainable
    /// parameters of `network`. Before the first step there is no state.
    ///
    /// # Errors
    /// When a tensor is missing or has the wrong length. The error names it.
    pub fn load<N: Network>(
        &mut self,
        prefix: &str,
        network: &Flat<N>,
        time: u64,
        from: &mut Weights,
        device: &Device,
    ) -> Result<(), String> {
        self.state = State::default();
        if time == 0 {
            return Ok(());
        }
        let mut known = BTreeMap::new();
        for parameter in network.parameters().into_iter().filter(|p| p.trainable) {
            let mut take = |kind: &str| {
                let name = format!("{prefix}.{kind}.{}", parameter.name);
                let array = from.remove(&name).ok_or_else(|| format!("no tensor '{name}'"))?;
                if array.values.len() != parameter.shape.iter().product::<usize>() {
                    let expected = parameter.shape.iter().product::<usize>();
                    return Err(format!(
                        "tensor '{name}' has {} values, expected {expected}",
                        array.values.len()
                    ));
                }
                Ok(from_slice(&array.values, device))
            };
            let moments = Moments { first: take("m")?, second: take("v")? };
            known.insert(parameter.name, moments);
        }
        self.state = match network.buffer() {
            None => State::Named(known),
            Some((layout, _)) => {
                let of = |moment: fn(&Moments) -> &Tensor<1>| {
                    layout.join(known.iter().map(|(name, m)| (name.clone(), moment(m).clone())))
                };
                let moments = Moments { first: of(|m| &m.first), second: of(|m| &m.second) };
                State::Joined(layout.clone(), moments)
            }
        };
        Ok(())
    }
}
