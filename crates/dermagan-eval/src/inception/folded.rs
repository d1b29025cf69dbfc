//! Weights to convolutions with their batch norm folded in.

use std::convert::Infallible;

use dermagan_base::rng::Keyed;
use dermagan_model::weights::{Array, Weights};

use super::plan::{Part, Plan, plan};

/// What batch norm adds to a variance in this network.
const EPSILON: f64 = 1e-3;

/// A convolution with its batch norm folded in.
#[derive(Debug)]
pub(super) struct Folded {
    /// `[channels of the result, channels of the input, rows, columns]`.
    pub shape: [usize; 4],
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub stride: usize,
    pub padding: [usize; 2],
}

/// The whole network from tensors by pytorch-fid's names.
///
/// # Errors
/// When a tensor is missing, of another shape or not finite; the text names it.
pub(super) fn network(weights: &Weights) -> Result<Vec<Part<Folded>>, String> {
    let mut channels = 3;
    load(plan(), &mut channels, &|plan, input| fold(plan, input, weights))
}

/// A network with random weights, which computes as long as a trained one: to measure its rate.
pub(super) fn untrained() -> Vec<Part<Folded>> {
    let mut channels = 3;
    let random = |plan: &Plan, input: usize| {
        let shape = [plan.channels, input, plan.kernel[0], plan.kernel[1]];
        let scale = (2.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
        let size: usize = shape.iter().product();
        let weight = Keyed::new(0, "untrained inception", size as u64).normals(size, 0.0, scale);
        Ok::<_, Infallible>(Folded {
            shape,
            weight,
            bias: vec![0.0; plan.channels],
            stride: plan.stride,
            padding: plan.padding,
        })
    };
    match load(plan(), &mut channels, &random) {
        Ok(parts) => parts,
    }
}

/// Makes every convolution of a table; `channels` are those of the input before and of the output after.
fn load<E>(
    parts: Vec<Part<Plan>>,
    channels: &mut usize,
    make: &impl Fn(&Plan, usize) -> Result<Folded, E>,
) -> Result<Vec<Part<Folded>>, E> {
    let mut loaded = Vec::with_capacity(parts.len());
    for part in parts {
        loaded.push(match part {
            Part::Conv(plan) => {
                let conv = make(&plan, *channels)?;
                *channels = plan.channels;
                Part::Conv(conv)
            }
            Part::Max { stride, padding } => Part::Max { stride, padding },
            Part::Mean => Part::Mean,
            Part::Beside(branches) => {
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
                Part::Beside(branches?)
            }
        });
    }
    Ok(loaded)
}

/// One convolution, and the batch norm behind it as a factor and an offset of each channel.
fn fold(plan: &Plan, input: usize, weights: &Weights) -> Result<Folded, String> {
    let name = &plan.name;
    let [height, width] = plan.kernel;
    let shape = [plan.channels, input, height, width];
    let filter = tensor(weights, format!("{name}.conv.weight"), &shape)?;
    let line = |which| tensor(weights, format!("{name}.bn.{which}"), &shape[..1]);
    let (gamma, beta) = (line("weight")?, line("bias")?);
    let (mean, var) = (line("running_mean")?, line("running_var")?);

    let mut weight = Vec::with_capacity(filter.values.len());
    let mut bias = Vec::with_capacity(plan.channels);
    for (channel, values) in filter.values.chunks(input * height * width).enumerate() {
        let at = |array: &Array| f64::from(array.values[channel]);
        let factor = at(gamma) / (at(var) + EPSILON).sqrt();
        weight.extend(values.iter().map(|value| (f64::from(*value) * factor) as f32));
        bias.push((at(beta) - at(mean) * factor) as f32);
    }
    if weight.iter().chain(&bias).any(|value| !value.is_finite()) {
        return Err(format!("the tensors '{name}.*' hold values that are not finite"));
    }
    Ok(Folded { shape, weight, bias, stride: plan.stride, padding: plan.padding })
}

/// A tensor of the shape that the network needs.
fn tensor<'a>(weights: &'a Weights, name: String, shape: &[usize]) -> Result<&'a Array, String> {
    let array = weights.get(&name).ok_or_else(|| format!("it has no tensor '{name}'"))?;
    if array.shape != shape || array.values.len() != shape.iter().product::<usize>() {
        return Err(format!("tensor '{name}' has shape {:?}, expected {shape:?}", array.shape));
    }
    Ok(array)
}
