//! The layers that both generators share.

use dermagan_model::tensor::Array;

use super::graph::{Attribute, Graph};

/// Adds the first layer, from `x`, `[batch, inputs]`, to `[batch, channels, 4, 4]`. Every pixel is a product of all inputs,
/// so the transposed convolution of one pixel is a matrix product. `weight`: `[inputs, channels, 4, 4]`; `bias`: one value
/// per channel and pixel.
pub(super) fn first(graph: &mut Graph, x: &str, weight: &Array, bias: Vec<f32>) -> String {
    let [inputs, channels] = [weight.shape[0], weight.shape[1]];
    let outputs = bias.len();
    let weight = graph.floats("layer0.weight", &[inputs, outputs], weight.values.clone());
    let bias = graph.floats("layer0.bias", &[outputs], bias);
    let row = graph.node("Gemm", &[x, &weight, &bias], "layer0.row", &[]);
    let shape = graph.ints("layer0.shape", vec![-1, channels as i64, 4, 4]);
    graph.node("Reshape", &[&row, &shape], "layer0", &[])
}

/// Adds layer `i`, a transposed convolution that doubles the side. `weight`: `[inputs, channels, 4, 4]`; `bias`: one value
/// per channel, or none.
pub(super) fn doubling(
    graph: &mut Graph,
    i: usize,
    x: &str,
    weight: &Array,
    bias: Option<Vec<f32>>,
) -> String {
    let weight = graph.floats(&format!("layer{i}.weight"), &weight.shape, weight.values.clone());
    let mut inputs = vec![x.to_owned(), weight];
    inputs.extend(bias.map(|bias| graph.floats(&format!("layer{i}.bias"), &[bias.len()], bias)));
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let attributes = [
        ("kernel_shape", Attribute::Ints(vec![4, 4])),
        ("strides", Attribute::Ints(vec![2, 2])),
        ("pads", Attribute::Ints(vec![1; 4])),
    ];
    graph.node("ConvTranspose", &inputs, &format!("layer{i}.made"), &attributes)
}

/// The values of `each`, each repeated for the 4×4 pixels of the first layer.
pub(super) fn per_pixel(each: &[f32]) -> Vec<f32> {
    each.iter().flat_map(|value| [*value; 16]).collect()
}
