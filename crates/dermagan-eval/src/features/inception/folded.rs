//! Folds batch normalisation into the convolutions before it.

use std::convert::Infallible;

use dermagan_base::rng::Keyed;
use dermagan_model::weights::{Array, Weights};

use super::architecture::{ConvSpec, Op, architecture};

/// The constant that batch normalisation adds to the variance in this network.
const EPSILON: f64 = 1e-3;

/// A convolution with its batch normalisation folded in.
#[derive(Debug)]
pub(super) struct Folded {
    /// `[output channels, input channels, kernel rows, kernel columns]`.
    pub shape: [usize; 4],
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub stride: usize,
    pub padding: [usize; 2],
}

/// Builds the whole network from tensors with pytorch-fid's names.
///
/// # Errors
/// When a tensor is missing, has another shape or is not finite; the message names it.
pub(super) fn network(weights: &Weights) -> Result<Vec<Op<Folded>>, String> {
    let mut channels = 3;
    load(architecture(), &mut channels, &|spec, input| fold(spec, input, weights))
}

/// A network with random weights, which is as fast as a trained one: for benchmarks.
pub(super) fn untrained() -> Vec<Op<Folded>> {
    let mut channels = 3;
    let random = |spec: &ConvSpec, input: usize| {
        let shape = [spec.channels, input, spec.kernel[0], spec.kernel[1]];
        let scale = (2.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
        let size: usize = shape.iter().product();
        let weight = Keyed::new(0, "untrained inception", size as u64).normals(size, 0.0, scale);
        Ok::<_, Infallible>(Folded {
            shape,
            weight,
            bias: vec![0.0; spec.channels],
            stride: spec.stride,
            padding: spec.padding,
        })
    };
    match load(architecture(), &mut channels, &random) {
        Ok(parts) => parts,
    }
}

/// Makes every convolution of a table with `make`. `channels` holds the number of input channels before
/// the call and of output channels after it.
fn load<E>(
    parts: Vec<Op<ConvSpec>>,
    channels: &mut usize,
    make: &impl Fn(&ConvSpec, usize) -> Result<Folded, E>,
) -> Result<Vec<Op<Folded>>, E> {
    let mut loaded = Vec::with_capacity(parts.len());
    for part in parts {
        loaded.push(match part {
            Op::Conv(spec) => {
                let conv = make(&spec, *channels)?;
                *channels = spec.channels;
                Op::Conv(conv)
            }
            Op::MaxPool { stride, padding } => Op::MaxPool { stride, padding },
            Op::AvgPool => Op::AvgPool,
            Op::Concat(branches) => {
                let (input, mut output) = (*channels, 0);
                let branches: Result<_, E> = branches
                    .into_iter()
                    .map(|branch| {
                        let mut channels = input;
                        let branch = load(branch, &mut channels, make)?;
                        output += channels;
                        Ok(branch)
                    })
                    .collect();
                *channels = output;
                Op::Concat(branches?)
            }
        });
    }
    Ok(loaded)
}

/// Folds the batch normalisation after a convolution into it, as a factor and an offset per channel.
fn fold(spec: &ConvSpec, input: usize, weights: &Weights) -> Result<Folded, String> {
    let name = &spec.name;
    let [height, width] = spec.kernel;
    let shape = [spec.channels, input, height, width];
    let filter = tensor(weights, format!("{name}.conv.weight"), &shape)?;
    let line = |which| tensor(weights, format!("{name}.bn.{which}"), &shape[..1]);
    let (gamma, beta) = (line("weight")?, line("bias")?);
    let (mean, var) = (line("running_mean")?, line("running_var")?);

    let mut weight = Vec::with_capacity(filter.values.len());
    let mut bias = Vec::with_capacity(spec.channels);
    for (channel, values) in filter.values.chunks(input * height * width).enumerate() {
        let at = |array: &Array| f64::from(array.values[channel]);
        let factor = at(gamma) / (at(var) + EPSILON).sqrt();
        weight.extend(values.iter().map(|value| (f64::from(*value) * factor) as f32));
        bias.push((at(beta) - at(mean) * factor) as f32);
    }
    if weight.iter().chain(&bias).any(|value| !value.is_finite()) {
        return Err(format!("the tensors '{name}.*' have values that are not finite"));
    }
    Ok(Folded { shape, weight, bias, stride: spec.stride, padding: spec.padding })
}

/// Looks up a tensor, which must have the shape that the network needs.
fn tensor<'a>(weights: &'a Weights, name: String, shape: &[usize]) -> Result<&'a Array, String> {
    let array = weights.get(&name).ok_or_else(|| format!("the file has no tensor '{name}'"))?;
    if array.shape != shape || array.values.len() != shape.iter().product::<usize>() {
        return Err(format!("tensor '{name}' has shape {:?}, expected {shape:?}", array.shape));
    }
    Ok(array)
}
