//! Compares the taps of EfficientNet-Lite0 and the gradient of the image with PyTorch
//! (scripts/convert_imagenet_encoder.py) and with finite differences in float64.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

#[path = "../../dermagan-eval/tests/formulas/mod.rs"]
mod formulas;

use std::path::Path;

use dermagan_model::Precision;
use dermagan_model::imagenet::{DEVIATION, MEAN, TAPS, Taps};
use formulas::random_bits;
use safetensors::SafeTensors;

fn read(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn network() -> Taps {
    network_in(Precision::F32)
}

fn network_in(precision: Precision) -> Taps {
    let bytes = read("../../models/imagenet-encoder/encoder.safetensors");
    Taps::from_bytes(&bytes, precision).unwrap()
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let data = file.tensor(name).unwrap();
    data.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// The image of scripts/formulas.py, in [-1, 1].
fn image(side: usize) -> Vec<f32> {
    let bytes = formulas::image(side, side).pixels;
    bytes.into_iter().map(|byte| f32::from(byte) / 127.5 - 1.0).collect()
}

/// The weights of each tap in the sum whose gradient is compared.
fn weights(taps: [usize; 4]) -> [Vec<f32>; 4] {
    std::array::from_fn(|i| {
        let bits = random_bits(&format!("tap {i}"), taps[i]).map(|bits| bits >> 40);
        bits.map(|bits| ((bits as f64 / (1 << 24) as f64 - 0.5) / taps[i] as f64) as f32).collect()
    })
}

/// The weights of one tap, and zeros for the others.
fn only(tap: usize, weights: &[Vec<f32>; 4]) -> [Vec<f32>; 4] {
    std::array::from_fn(|i| weights[i].iter().map(|w| if i == tap { *w } else { 0.0 }).collect())
}

/// How far the gradients of the taps may be from PyTorch's, and from those in float64, as shares of their norm. ReLU6 has
/// kinks. A value within rounding of one falls on either side, and the stored weights are rounded to 16 bits; the deeper a
/// tap, the more values do. Tap 0 is off by less than 1e-5, and at level `baseline`, whose sums are rounded otherwise, by 4e-3.
const FROM_PYTORCH: [f64; 4] = [2e-2, 3e-2, 5e-2, 1e-1];
const FROM_DOUBLES: [f64; 4] = [1e-2, 1e-2, 2e-2, 5e-2];

fn apart(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let pairs = found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b));
    norm(&mut { pairs }) / norm(&mut expected.iter().map(|v| f64::from(*v)))
}

#[test]
fn taps_and_the_gradient_of_the_image_are_those_of_pytorch() {
    let bytes = read("tests/data/imagenet_taps.safetensors");
    let fixture = SafeTensors::deserialize(&bytes).unwrap();
    let network = network();
    let (taps, kept) = network.forward(&image(64), 64, 1);
    let squares = floats(&fixture, "squares");
    for (tap, square) in taps.iter().zip(squares) {
        let found: f64 = tap.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
        assert!((found / f64::from(square) - 1.0).abs() < 1e-3, "{found}, expected {square}");
    }
    for (i, tolerance) in FROM_PYTORCH.into_iter().enumerate() {
        let weights = only(i, &weights(taps.each_ref().map(Vec::len)));
        let found = network.gradient(&kept, &weights);
        let off = apart(&found, &floats(&fixture, &format!("gradient_{i}")));
        println!("the gradient of tap {i} is off by {off:.1e} of its norm");
        assert!(off < tolerance, "tap {i}: {off:.1e}");
    }
}

/// How far results in bfloat16 may be from those in float32, as shares of their norm. Measured: taps 0.006 to 0.03, gradients
/// 0.05 to 0.2; a value that falls on the other side of a kink of ReLU6 changes a whole gradient.
const IN_BF16: [(f64, f64); 4] = [(0.02, 0.15), (0.03, 0.2), (0.05, 0.3), (0.08, 0.4)];

#[test]
fn in_bfloat16_taps_and_gradients_are_near_those_in_float32() {
    let [exact, rounded] = [Precision::F32, Precision::Bf16].map(network_in);
    let (expected, kept) = exact.forward(&image(64), 64, 1);
    let (found, kept_rounded) = rounded.forward(&image(64), 64, 1);
    let weights = weights(expected.each_ref().map(Vec::len));
    for (i, (tap, gradient)) in IN_BF16.into_iter().enumerate() {
        let off = apart(&found[i], &expected[i]);
        let slope = |network: &Taps, kept| network.gradient(kept, &only(i, &weights));
        let off_back = apart(&slope(&rounded, &kept_rounded), &slope(&exact, &kept));
        println!("tap {i} is off by {off:.1e}, its gradient by {off_back:.1e}");
        assert!(off > 0.0 && off < tap, "tap {i}: {off:.1e}");
        assert!(off_back < gradient, "tap {i}, gradient: {off_back:.1e}");
    }
}

#[test]
fn each_image_has_its_own_taps_and_gradient_and_only_the_last_are_kept() {
    let network = network();
    let images = [image(64), image(64).into_iter().rev().collect()];
    let (together, kept) = network.forward(&images.concat(), 64, 1);
    let (alone, _) = network.forward(&images[0], 64, 0);
    let (second, own) = network.forward(&images[1], 64, 1);
    for i in 0..4 {
        assert_eq!(together[i], [&alone[i][..], &second[i]].concat());
        let (tap, input) = (TAPS[i], Taps::input_side(64));
        assert_eq!(alone[i].len(), (input / tap.reduction).pow(2) * tap.channels);
    }
    let weights = weights(second.each_ref().map(Vec::len));
    assert_eq!(network.gradient(&kept, &weights), network.gradient(&own, &weights));
    assert_eq!([32, 64, 128, 256].map(Taps::input_side), [128, 128, 128, 256]);
}

#[test]
fn the_gradient_is_the_slope_of_the_network_in_float64() {
    let bytes = read("../../models/imagenet-encoder/encoder.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let plain = Plain::new(&file);
    let network = network();
    // At 32 pixels the image is enlarged twice.
    let x = image(32);
    let (taps, kept) = network.forward(&x, 32, 1);
    let weights = weights(taps.each_ref().map(Vec::len));
    let x: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    let bits = random_bits("direction", x.len()).map(|bits| bits >> 40);
    let direction: Vec<f64> = bits.map(|b| b as f64 / (1 << 24) as f64 - 0.5).collect();
    let h = 1e-7;
    let moved = |s: f64| x.iter().zip(&direction).map(|(x, d)| x + s * d).collect::<Vec<_>>();
    let [ahead, behind] = [h, -h].map(|s| plain.taps(&moved(s), 32));
    let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
    for (i, tolerance) in FROM_DOUBLES.into_iter().enumerate() {
        let gradient = network.gradient(&kept, &only(i, &weights));
        let gradient: Vec<f64> = gradient.into_iter().map(f64::from).collect();
        let differences = ahead[i].iter().zip(&behind[i]).zip(&weights[i]);
        let slope: f64 = differences.map(|((a, b), w)| (a - b) / (2.0 * h) * f64::from(*w)).sum();
        let along: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
        // The size that a slope along a random direction has on average. One slope can be near 0.
        let usual = norm(&gradient) * norm(&direction) / (x.len() as f64).sqrt();
        let off = (slope - along).abs() / usual;
        println!(
            "along a direction, tap {i} is off by {off:.1e} ({:.1} of the usual slope)",
            slope.abs() / usual
        );
        assert!(off < tolerance, "tap {i}: {along}, expected {slope}");
    }
}

/// The network by its definition, in float64.
struct Plain<'a>(&'a SafeTensors<'a>);

/// Values, `[height, width, channels]`, and the side.
type Values = (Vec<f64>, usize);

impl<'a> Plain<'a> {
    fn new(file: &'a SafeTensors<'a>) -> Self {
        Self(file)
    }

    /// The filter of a layer, and its shape.
    fn filter(&self, layer: &str) -> (Vec<f64>, Vec<usize>) {
        let view = self.0.tensor(&format!("{layer}.weight")).unwrap();
        let shape = view.shape().to_vec();
        if view.dtype() == safetensors::Dtype::F32 {
            let values = floats(self.0, &format!("{layer}.weight"));
            return (values.into_iter().map(f64::from).collect(), shape);
        }
        let scales = floats(self.0, &format!("{layer}.scale"));
        let each: usize = shape[1..].iter().product();
        let integers =
            view.data().chunks_exact(2).map(|b| i16::from_le_bytes(b.try_into().unwrap()));
        let value = |(i, v): (usize, i16)| f64::from(f32::from(v) * scales[i / each]);
        (integers.enumerate().map(value).collect(), shape)
    }

    fn conv(&self, layer: &str, (x, side): &Values, stride: usize, clip: bool) -> Values {
        let (w, shape) = self.filter(layer);
        let bias = floats(self.0, &format!("{layer}.bias"));
        let [to, from, kernel, _] = shape[..] else { panic!("{shape:?}") };
        let channels = x.len() / (side * side);
        let depthwise = from == 1 && channels > 1;
        let before = kernel.saturating_sub(stride) / 2;
        let out = side / stride;
        let mut y = Vec::with_capacity(out * out * to);
        for (i, j) in (0..out).flat_map(|i| (0..out).map(move |j| (i, j))) {
            for n in 0..to {
                let mut sum = f64::from(bias[n]);
                for (u, v) in (0..kernel).flat_map(|u| (0..kernel).map(move |v| (u, v))) {
                    let (Some(row), Some(column)) = (
                        (i * stride + u).checked_sub(before),
                        (j * stride + v).checked_sub(before),
                    ) else {
                        continue;
                    };
                    if row >= *side || column >= *side {
                        continue;
                    }
                    let pixel = &x[(row * side + column) * channels..][..channels];
                    let tap = |c: usize| w[((n * from + c) * kernel + u) * kernel + v];
                    sum += match depthwise {
                        true => pixel[n] * tap(0),
                        false => pixel.iter().enumerate().map(|(c, x)| x * tap(c)).sum::<f64>(),
                    };
                }
                y.push(if clip { sum.clamp(0.0, 6.0) } else { sum });
            }
        }
        (y, out)
    }

    fn taps(&self, image: &[f64], side: usize) -> Vec<Vec<f64>> {
        let mut x: Values = (image.to_vec(), side);
        while x.1 < 128 {
            x = enlarged(&x);
        }
        for (i, v) in x.0.iter_mut().enumerate() {
            *v = ((*v + 1.0) / 2.0 - f64::from(MEAN[i % 3])) / f64::from(DEVIATION[i % 3]);
        }
        x = self.conv("stem", &x, 2, true);
        let strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1];
        let scales = [(2, 10.8), (4, 8.89), (10, 5.73), (15, 2.97)];
        let mut taps = Vec::new();
        for (i, stride) in strides.into_iter().enumerate() {
            let at = |layer: &str| format!("blocks.{i}.{layer}");
            let wide = match i {
                0 => x.clone(),
                _ => self.conv(&at("expand"), &x, 1, true),
            };
            let mut y = self.conv(
                &at("project"),
                &self.conv(&at("depthwise"), &wide, stride, true),
                1,
                false,
            );
            if stride == 1 && y.0.len() == x.0.len() {
                y.0.iter_mut().zip(&x.0).for_each(|(y, x)| *y += x);
            }
            x = y;
            for (_, scale) in scales.iter().filter(|(at, _)| *at == i) {
                taps.push(x.0.iter().map(|v| v / f64::from(*scale as f32)).collect());
            }
        }
        taps
    }
}

/// An image enlarged by 2 with bilinear interpolation.
fn enlarged((x, side): &Values) -> Values {
    let out = 2 * side;
    let mut y = vec![0.0; out * out * 3];
    let position = |at: usize| ((at as f64 + 0.5) / 2.0 - 0.5).clamp(0.0, (side - 1) as f64);
    for (i, j) in (0..out).flat_map(|i| (0..out).map(move |j| (i, j))) {
        let (row, column) = (position(i), position(j));
        let (top, left) = (row as usize, column as usize);
        let (down, right) = ((top + 1).min(side - 1), (left + 1).min(side - 1));
        let (by_row, by_column) = (row - top as f64, column - left as f64);
        for c in 0..3 {
            let value = |i: usize, j: usize| x[(i * side + j) * 3 + c];
            let across = |i| (1.0 - by_column) * value(i, left) + by_column * value(i, right);
            y[(i * out + j) * 3 + c] = (1.0 - by_row) * across(top) + by_row * across(down);
        }
    }
    (y, out)
}
