//! The layers of Inception v3, as a table, and what they do.

use burn::tensor::activation::relu;
use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use dermagan_model::weights::{Array, Weights};

/// What batch norm adds to a variance in this network.
const EPSILON: f64 = 1e-3;

/// A piece of the network: `C` describes a convolution in the table, and is one once it is loaded.
#[derive(Debug)]
enum Part<C> {
    /// A convolution, batch norm and ReLU.
    Conv(C),
    /// The largest of 3×3.
    Max { stride: usize, padding: usize },
    /// The mean of those of 3×3 that lie in the picture. torchvision counts the others as zeros;
    /// TensorFlow, and therefore FID, does not.
    Mean,
    /// Branches that all read the same input; their channels are laid one after another.
    Beside(Vec<Vec<Part<C>>>),
}

/// What the table says of a convolution.
struct Plan {
    name: String,
    channels: usize,
    kernel: [usize; 2],
    stride: usize,
    padding: [usize; 2],
}

/// A convolution with its batch norm folded in.
#[derive(Debug)]
struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
}

/// The network on a device.
#[derive(Debug)]
pub(super) struct Network(Vec<Part<Conv>>);

impl Network {
    /// From tensors by pytorch-fid's names.
    ///
    /// # Errors
    /// When a tensor is missing, of another shape or not finite; the text names it.
    pub(super) fn new(weights: &Weights, device: &Device) -> Result<Self, String> {
        let mut channels = 3;
        load(plan(), &mut channels, weights, device).map(Self)
    }

    /// The features of [n, 3, 299, 299] in [-1, 1]: [n, 2048].
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        run(&self.0, x).flatten::<3>(2, 3).mean_dim(2).flatten(1, 2)
    }
}

/// Runs parts one after another.
fn run(parts: &[Part<Conv>], x: Tensor<4>) -> Tensor<4> {
    parts.iter().fold(x, |x, part| match part {
        Part::Conv(conv) => {
            let bias = Some(conv.bias.clone());
            relu(conv2d(x, conv.weight.clone(), bias, conv.options.clone()))
        }
        Part::Max { stride, padding } => {
            let options = MaxPoolOptions::new([3; 2]);
            max_pool2d(x, options.with_stride([*stride; 2]).with_padding([*padding; 2]))
        }
        Part::Mean => {
            let options = AvgPoolOptions::new([3; 2]).with_stride([1; 2]).with_padding([1; 2]);
            avg_pool2d(x, options.with_count_include_pad(false))
        }
        Part::Beside(branches) => {
            Tensor::cat(branches.iter().map(|branch| run(branch, x.clone())).collect(), 1)
        }
    })
}

/// Loads what a table says; `channels` are those of the input before and of the output after.
fn load(
    parts: Vec<Part<Plan>>,
    channels: &mut usize,
    weights: &Weights,
    device: &Device,
) -> Result<Vec<Part<Conv>>, String> {
    let mut loaded = Vec::with_capacity(parts.len());
    for part in parts {
        loaded.push(match part {
            Part::Conv(plan) => {
                let conv = fold(&plan, *channels, weights, device)?;
                *channels = plan.channels;
                Part::Conv(conv)
            }
            Part::Max { stride, padding } => Part::Max { stride, padding },
            Part::Mean => Part::Mean,
            Part::Beside(branches) => {
                let (input, mut output) = (*channels, 0);
                let branches: Result<_, String> = branches
                    .into_iter()
                    .map(|branch| {
                        let mut channels = input;
                        let branch = load(branch, &mut channels, weights, device)?;
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
fn fold(plan: &Plan, input: usize, weights: &Weights, device: &Device) -> Result<Conv, String> {
    let name = &plan.name;
    let [height, width] = plan.kernel;
    let shape = [plan.channels, input, height, width];
    let filter = tensor(weights, format!("{name}.conv.weight"), &shape)?;
    let line = |which| tensor(weights, format!("{name}.bn.{which}"), &shape[..1]);
    let (gamma, beta) = (line("weight")?, line("bias")?);
    let (mean, var) = (line("running_mean")?, line("running_var")?);

    let mut folded = Vec::with_capacity(filter.values.len());
    let mut bias = Vec::with_capacity(plan.channels);
    for (channel, values) in filter.values.chunks(input * height * width).enumerate() {
        let at = |array: &Array| f64::from(array.values[channel]);
        let factor = at(gamma) / (at(var) + EPSILON).sqrt();
        folded.extend(values.iter().map(|value| (f64::from(*value) * factor) as f32));
        bias.push((at(beta) - at(mean) * factor) as f32);
    }
    if folded.iter().chain(&bias).any(|value| !value.is_finite()) {
        return Err(format!("the tensors '{name}.*' hold values that are not finite"));
    }
    Ok(Conv {
        weight: Tensor::from_data(TensorData::new(folded, shape), device),
        bias: Tensor::from_data(TensorData::new(bias, [plan.channels]), device),
        options: ConvOptions::new([plan.stride; 2], plan.padding, [1; 2], 1),
    })
}

/// A tensor of the shape that the network needs.
fn tensor<'a>(weights: &'a Weights, name: String, shape: &[usize]) -> Result<&'a Array, String> {
    let array = weights.get(&name).ok_or_else(|| format!("it has no tensor '{name}'"))?;
    if array.shape != shape || array.values.len() != shape.iter().product::<usize>() {
        return Err(format!("tensor '{name}' has shape {:?}, expected {shape:?}", array.shape));
    }
    Ok(array)
}

/// A convolution that keeps the picture's sides.
fn same(name: String, channels: usize, kernel: [usize; 2]) -> Part<Plan> {
    Part::Conv(Plan { name, channels, kernel, stride: 1, padding: kernel.map(|side| side / 2) })
}

/// A 3×3 convolution without padding.
fn valid(name: String, channels: usize, stride: usize) -> Part<Plan> {
    Part::Conv(Plan { name, channels, kernel: [3; 2], stride, padding: [0; 2] })
}

/// Halves the sides by taking maxima.
fn halve() -> Part<Plan> {
    Part::Max { stride: 2, padding: 0 }
}

/// The whole network up to its global average: torchvision's names, channels and kernels with
/// pytorch-fid's pools.
fn plan() -> Vec<Part<Plan>> {
    let conv = |layer: &str| format!("Conv2d_{layer}");
    vec![
        valid(conv("1a_3x3"), 32, 2),
        valid(conv("2a_3x3"), 32, 1),
        same(conv("2b_3x3"), 64, [3; 2]),
        halve(),
        same(conv("3b_1x1"), 80, [1; 2]),
        valid(conv("4a_3x3"), 192, 1),
        halve(),
        block_a("5b", 32),
        block_a("5c", 64),
        block_a("5d", 64),
        block_b("6a"),
        block_c("6b", 128),
        block_c("6c", 160),
        block_c("6d", 160),
        block_c("6e", 192),
        block_d("7a"),
        block_e("7b", Part::Mean),
        // Other Inceptions average here too. This one takes maxima, probably by mistake; FID is
        // defined with it.
        block_e("7c", Part::Max { stride: 1, padding: 1 }),
    ]
}

/// 35×35 places.
fn block_a(block: &str, pooled: usize) -> Part<Plan> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Part::Beside(vec![
        vec![same(at("1x1"), 64, [1; 2])],
        vec![same(at("5x5_1"), 48, [1; 2]), same(at("5x5_2"), 64, [5; 2])],
        vec![
            same(at("3x3dbl_1"), 64, [1; 2]),
            same(at("3x3dbl_2"), 96, [3; 2]),
            same(at("3x3dbl_3"), 96, [3; 2]),
        ],
        vec![Part::Mean, same(at("_pool"), pooled, [1; 2])],
    ])
}

/// From 35×35 places to 17×17.
fn block_b(block: &str) -> Part<Plan> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Part::Beside(vec![
        vec![valid(at("3x3"), 384, 2)],
        vec![
            same(at("3x3dbl_1"), 64, [1; 2]),
            same(at("3x3dbl_2"), 96, [3; 2]),
            valid(at("3x3dbl_3"), 96, 2),
        ],
        vec![halve()],
    ])
}

/// 17×17 places; 7×7 kernels as a row and a column.
fn block_c(block: &str, inner: usize) -> Part<Plan> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Part::Beside(vec![
        vec![same(at("1x1"), 192, [1; 2])],
        vec![
            same(at("7x7_1"), inner, [1; 2]),
            same(at("7x7_2"), inner, [1, 7]),
            same(at("7x7_3"), 192, [7, 1]),
        ],
        vec![
            same(at("7x7dbl_1"), inner, [1; 2]),
            same(at("7x7dbl_2"), inner, [7, 1]),
            same(at("7x7dbl_3"), inner, [1, 7]),
            same(at("7x7dbl_4"), inner, [7, 1]),
            same(at("7x7dbl_5"), 192, [1, 7]),
        ],
        vec![Part::Mean, same(at("_pool"), 192, [1; 2])],
    ])
}

/// From 17×17 places to 8×8.
fn block_d(block: &str) -> Part<Plan> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Part::Beside(vec![
        vec![same(at("3x3_1"), 192, [1; 2]), valid(at("3x3_2"), 320, 2)],
        vec![
            same(at("7x7x3_1"), 192, [1; 2]),
            same(at("7x7x3_2"), 192, [1, 7]),
            same(at("7x7x3_3"), 192, [7, 1]),
            valid(at("7x7x3_4"), 192, 2),
        ],
        vec![halve()],
    ])
}

/// 8×8 places; 3×3 kernels as a row beside a column.
fn block_e(block: &str, pool: Part<Plan>) -> Part<Plan> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    let cross = |branch: &str| {
        Part::Beside(vec![
            vec![same(at(&format!("{branch}a")), 384, [1, 3])],
            vec![same(at(&format!("{branch}b")), 384, [3, 1])],
        ])
    };
    Part::Beside(vec![
        vec![same(at("1x1"), 320, [1; 2])],
        vec![same(at("3x3_1"), 384, [1; 2]), cross("3x3_2")],
        vec![
            same(at("3x3dbl_1"), 448, [1; 2]),
            same(at("3x3dbl_2"), 384, [3; 2]),
            cross("3x3dbl_3"),
        ],
        vec![pool, same(at("_pool"), 192, [1; 2])],
    ])
}
