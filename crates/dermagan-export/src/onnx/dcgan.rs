//! The graph of the DCGAN generator ([`dermagan_model::dcgan`]).

use dermagan_model::tensor::{Array, Weights};

use super::filter::scaled;
use super::graph::Graph;
use super::layer::{doubling, first, per_pixel};

/// The value that batch normalisation adds to the variance; PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Adds the network and returns the name of its result, in \[-1, 1\]. `z`: `[batch, z_dim]`; `layers`: the number of
/// transposed convolutions. Batch normalisation by the running statistics is a factor and an offset per channel: the
/// factor becomes part of the filter, and the offset is its bias.
pub(super) fn network(graph: &mut Graph, weights: &Weights, layers: usize, z: &str) -> String {
    let mut x = z.to_owned();
    for i in 0..layers {
        // In PyTorch, ReLU counts as a layer too.
        let weight = &weights[&format!("main.{}.weight", 3 * i)];
        if i + 1 == layers {
            let made = doubling(graph, i, &x, weight, None);
            return graph.node("Tanh", &[&made], "values", &[]);
        }
        let norm = |leaf: &str| &weights[&format!("main.{}.{leaf}", 3 * i + 1)];
        let (factors, offsets) =
            folded(norm("weight"), norm("bias"), norm("running_mean"), norm("running_var"));
        let weight = scaled(weight, &factors);
        let made = match i {
            0 => first(graph, &x, &weight, per_pixel(&offsets)),
            _ => doubling(graph, i, &x, &weight, Some(offsets)),
        };
        x = graph.node("Relu", &[&made], &format!("layer{i}.active"), &[]);
    }
    x
}

/// The factor and the offset of each channel.
fn folded(gamma: &Array, beta: &Array, mean: &Array, var: &Array) -> (Vec<f64>, Vec<f32>) {
    let channels = gamma.values.iter().zip(&beta.values).zip(mean.values.iter().zip(&var.values));
    channels
        .map(|((gamma, beta), (mean, var))| {
            let factor = f64::from(*gamma) / (f64::from(*var) + EPSILON).sqrt();
            (factor, (f64::from(*beta) - f64::from(*mean) * factor) as f32)
        })
        .unzip()
}
