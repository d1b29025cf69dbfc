//! The graph of the residual generator ([`dermagan_model::residual`]).

use dermagan_model::ModelConfig;
use dermagan_model::tensor::{Array, Weights};

use super::filter::{blurred, ordinary};
use super::graph::{Attribute, Graph, Type};
use super::layer::{doubling, first, per_pixel};

/// Slope of LeakyReLU below zero.
const SLOPE: f32 = 0.2;
/// The value that the normalisation adds to the mean square of the channels.
const EPSILON: f32 = 1e-8;

/// Where the class of an image comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Class {
    /// The generator is not conditioned on classes, or was saved before it was.
    None,
    /// All images are of the class with this index, at this strength.
    Fixed(usize, f64),
    /// The input `label`, at this strength.
    Input(f64),
}

/// Adds the network and returns the name of its result, in \[-1, 1\]. `z`: `[batch, latents]`.
pub(super) fn network(
    graph: &mut Graph,
    weights: &Weights,
    config: &ModelConfig,
    class: Class,
    z: &str,
) -> String {
    let sides = config.noise_sides();
    let (latent, noise) = split(graph, config.z_dim, &sides, z);
    let mut x = beginning(graph, weights, config.z_dim, class, &latent);
    let last = config.generator_channels().len() - 1;
    for i in 1..last {
        let (weight, bias) = layer_of(weights, i);
        let active = normed_leaky(graph, i, &x);
        let made = doubling(graph, i, &active, &blurred(weight), Some(bias));
        let around = shortcut(graph, i, &x);
        x = graph.node("Add", &[&made, &around], &format!("layer{i}.sum"), &[]);
        if let Some(side) = sides.get(i - 1) {
            let strength = &weights[&format!("noise.{}", i - 1)].values;
            x = add_noise(graph, i, &x, (&noise[i - 1], *side), strength);
        }
    }
    let (weight, bias) = layer_of(weights, last);
    let active = normed_leaky(graph, last, &x);
    let weight = ordinary(weight);
    let weight = graph.floats(&format!("layer{last}.weight"), &weight.shape, weight.values);
    let bias = graph.floats(&format!("layer{last}.bias"), &[bias.len()], bias);
    let attributes =
        [("kernel_shape", Attribute::Ints(vec![3, 3])), ("pads", Attribute::Ints(vec![1; 4]))];
    let name = format!("layer{last}.made");
    let made = graph.node("Conv", &[&active, &weight, &bias], &name, &attributes);
    graph.node("Tanh", &[&made], "values", &[])
}

/// The filter and the bias of layer `i`.
fn layer_of(weights: &Weights, i: usize) -> (&Array, Vec<f32>) {
    (&weights[&format!("main.{i}.weight")], weights[&format!("main.{i}.bias")].values.clone())
}

/// Splits the input into the latent and the noise of each layer.
fn split(graph: &mut Graph, z_dim: usize, sides: &[usize], z: &str) -> (String, Vec<String>) {
    if sides.is_empty() {
        return (z.to_owned(), Vec::new());
    }
    let sizes = std::iter::once(z_dim).chain(sides.iter().map(|side| side * side));
    let sizes = graph.ints("z.sizes", sizes.map(|size| size as i64).collect());
    let noise: Vec<String> = (1..=sides.len()).map(|i| format!("noise{i}.row")).collect();
    let outputs = [&["latent".to_owned()], &noise[..]].concat();
    graph.nodes_of("Split", &[z, &sizes], &outputs, &[("axis", Attribute::Int(1))]);
    ("latent".to_owned(), noise)
}

/// The first layer, from the latent and the class. The filter has a row per number of the latent, followed by those of the
/// embedding of the class. A fixed embedding is part of the bias.
fn beginning(
    graph: &mut Graph,
    weights: &Weights,
    z_dim: usize,
    class: Class,
    latent: &str,
) -> String {
    let (whole, bias) = layer_of(weights, 0);
    let mut bias = per_pixel(&bias);
    let row = bias.len();
    if let Class::Input(strength) = class {
        let embed = &weights["embed"];
        let values = embed.values.iter().map(|v| v * strength as f32).collect();
        let embed = graph.floats("embed", &embed.shape, values);
        let text = "the class of each image: its index in the list `classes` of the metadata";
        let label = graph.input("label", Type::Int64, &[], text.into());
        let of = graph.node("Gather", &[&embed, &label], "label.embedding", &[]);
        let axis = [("axis", Attribute::Int(1))];
        let x = graph.node("Concat", &[latent, &of], "latent.with_class", &axis);
        return first(graph, &x, whole, bias);
    }
    if let Class::Fixed(index, strength) = class {
        let embed = &weights["embed"];
        let length = embed.shape[1];
        let embedding = &embed.values[index * length..(index + 1) * length];
        let rows = whole.values[z_dim * row..].chunks_exact(row);
        let mut sums: Vec<f64> = bias.iter().map(|v| f64::from(*v)).collect();
        for (value, taps) in embedding.iter().zip(rows) {
            for (sum, tap) in sums.iter_mut().zip(taps) {
                *sum += f64::from(*value) * strength * f64::from(*tap);
            }
        }
        bias = sums.into_iter().map(|v| v as f32).collect();
    }
    let mut shape = whole.shape.clone();
    shape[0] = z_dim;
    let weight = Array { shape, values: whole.values[..z_dim * row].to_vec() };
    first(graph, latent, &weight, bias)
}

/// Divides the channels of each pixel by their root mean square, then applies LeakyReLU.
fn normed_leaky(graph: &mut Graph, i: usize, x: &str) -> String {
    let epsilon = graph.floats("epsilon", &[], vec![EPSILON]);
    let channels = graph.ints("channels", vec![1]);
    let square = graph.node("Mul", &[x, x], &format!("layer{i}.square"), &[]);
    let mean = graph.node("ReduceMean", &[&square, &channels], &format!("layer{i}.mean"), &[]);
    let above = graph.node("Add", &[&mean, &epsilon], &format!("layer{i}.above_zero"), &[]);
    let root = graph.node("Sqrt", &[&above], &format!("layer{i}.root"), &[]);
    let normed = graph.node("Div", &[x, &root], &format!("layer{i}.normed"), &[]);
    let slope = [("alpha", Attribute::Float(SLOPE))];
    graph.node("LeakyRelu", &[&normed], &format!("layer{i}.active"), &slope)
}

/// The path around layer `i`. It is twice the transpose of the discriminator's: the mean of the channels k and k + half of
/// them, enlarged with the filter \[1, 3, 3, 1\] / 4 along each axis and replicate padding, which is bilinear interpolation.
fn shortcut(graph: &mut Graph, i: usize, x: &str) -> String {
    let half = graph.floats("half", &[], vec![0.5]);
    let scales = graph.floats("scales", &[4], vec![1.0, 1.0, 2.0, 2.0]);
    let halves = [format!("layer{i}.first_half"), format!("layer{i}.second_half")];
    let both = [("axis", Attribute::Int(1)), ("num_outputs", Attribute::Int(2))];
    graph.nodes_of("Split", &[x], &halves, &both);
    let [a, b] = &halves;
    let sum = graph.node("Add", &[a, b], &format!("layer{i}.pairs"), &[]);
    let mean = graph.node("Mul", &[&sum, &half], &format!("layer{i}.mean_of_pairs"), &[]);
    let attributes = [
        ("mode", Attribute::Text("linear")),
        ("coordinate_transformation_mode", Attribute::Text("half_pixel")),
    ];
    graph.node("Resize", &[&mean, "", &scales], &format!("layer{i}.around"), &attributes)
}

/// Adds noise, with a strength per channel. `noise` is the name of its values, `[batch, side²]`, and its side.
fn add_noise(
    graph: &mut Graph,
    i: usize,
    x: &str,
    noise: (&str, usize),
    strength: &[f32],
) -> String {
    let (row, side) = noise;
    let shape = graph.ints(&format!("noise{i}.shape"), vec![-1, 1, side as i64, side as i64]);
    let image = graph.node("Reshape", &[row, &shape], &format!("noise{i}"), &[]);
    let channels = [1, strength.len(), 1, 1];
    let strength = graph.floats(&format!("noise{i}.strength"), &channels, strength.to_vec());
    let scaled = graph.node("Mul", &[&image, &strength], &format!("noise{i}.scaled"), &[]);
    graph.node("Add", &[x, &scaled], &format!("layer{i}.noisy"), &[])
}
