//! Compares convolutions, depthwise convolutions and pools of any window with their definition.
#![allow(missing_docs, reason = "tests")]

mod common;

use common::{noise, worst};
use dermagan_kernels::conv::direct::{
    Activation, Depthwise, Filter, Image, Pool, Transposed, Window, pool,
};
use proptest::prelude::*;

/// The image pixel that tap (u, v) of result pixel (i, j) reads. `None` in the padding.
fn place(
    window: &Window,
    image: [usize; 2],
    (i, j): (usize, usize),
    (u, v): (usize, usize),
) -> Option<usize> {
    let row = (i * window.stride + u).checked_sub(window.padding[0][0])?;
    let column = (j * window.stride + v).checked_sub(window.padding[1][0])?;
    (row < image[0] && column < image[1]).then_some(row * image[1] + column)
}

fn pixels(extent: [usize; 2]) -> impl Iterator<Item = (usize, usize)> {
    (0..extent[0]).flat_map(move |i| (0..extent[1]).map(move |j| (i, j)))
}

/// Windows of any kind, and windows that minimal filtering serves, each with a number of channels.
fn windows() -> impl Strategy<Value = (Window, usize)> {
    let any = ([1usize..8, 1usize..8], padding(9), 1usize..4, 1usize..9)
        .prop_map(|(kernel, padding, stride, n)| (Window { kernel, stride, padding }, n));
    let three = (padding(4), 1usize..4)
        .prop_map(|(padding, n)| (Window { kernel: [3; 2], stride: 1, padding }, 16 * n));
    prop_oneof![any, three]
}

/// Fewer than `end` zeros at each of the four borders.
fn padding(end: usize) -> impl Strategy<Value = [[usize; 2]; 2]> {
    [[0..end, 0..end], [0..end, 0..end]]
}

/// All activations, with their definition.
const ACTIVATIONS: [(Activation, [f64; 2]); 3] = [
    (Activation::Identity, [f64::NEG_INFINITY, f64::INFINITY]),
    (Activation::Relu, [0.0, f64::INFINITY]),
    (Activation::Relu6, [0.0, 6.0]),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_window_matches_its_definition_and_writes_its_own_channels_only(
        image in [1usize..12, 1usize..12], (window, channels) in windows(),
        deep in 1usize..70, before in 0usize..3, after in 0usize..3, activation in 0usize..3,
    ) {
        let Window { kernel, stride: _, padding } = window;
        let Some(extent) = window.extent(image) else {
            let padded = |i: usize| image[i] + padding[i].iter().sum::<usize>();
            prop_assert!((0..2).any(|i| padded(i) < kernel[i]));
            return Ok(());
        };
        let taps = kernel[0] * kernel[1];
        let (activation, [least, most]) = ACTIVATIONS[activation];
        let x = noise::<f32>(image[0] * image[1] * channels, 1);
        let w = noise::<f32>(deep * channels * taps, 2);
        let bias = noise::<f32>(deep, 3);
        let row = before + deep + after;
        let mut expected = vec![7.0f32; extent[0] * extent[1] * row];
        for (at, (i, j)) in pixels(extent).enumerate() {
            for o in 0..deep {
                let mut sum = f64::from(bias[o]);
                for (tap, (u, v)) in pixels(kernel).enumerate() {
                    let Some(from) = place(&window, image, (i, j), (u, v)) else { continue };
                    for c in 0..channels {
                        let weight = w[(o * channels + c) * taps + tap];
                        sum += f64::from(x[from * channels + c]) * f64::from(weight);
                    }
                }
                expected[at * row + before + o] = sum.clamp(least, most) as f32;
            }
        }
        let mut found = vec![7.0f32; expected.len()];
        let filter = Filter::new(&w, &bias, channels, window, activation);
        filter.apply(Image { values: &x, extent: image }, &mut found, row, before);
        prop_assert!(worst(&found, &expected) < 5e-6);
    }

    #[test]
    fn pixels_in_bfloat16_match_the_definition_where_it_is_exact(
        image in [1usize..12, 1usize..12], channels in 1usize..70, deep in 1usize..70,
        before in 0usize..3, after in 0usize..3, activation in 0usize..3,
    ) {
        // Whole numbers that bfloat16 holds, whose sums are exact in float32.
        let whole = |i: usize| ((i * 7919 + 13) % 17) as f32 - 8.0;
        let filter: Vec<f32> = (0..deep * channels).map(whole).collect();
        let bias: Vec<f32> = (0..deep).map(|i| whole(i + 5)).collect();
        let values: Vec<f32> = (0..image[0] * image[1] * channels).map(|i| whole(i + 99)).collect();
        let (activation, [low, high]) = ACTIVATIONS[activation];
        let layer = Filter::of_pixels_in_bf16(&filter, &bias, channels, activation);
        let row = before + deep + after;
        let mut into = vec![0.5; image[0] * image[1] * row];
        layer.apply(Image { values: &values, extent: image }, &mut into, row, before);
        for (pixel, into) in into.chunks_exact(row).enumerate() {
            for (at, found) in into.iter().enumerate() {
                let expected = match at.checked_sub(before).filter(|n| *n < deep) {
                    Some(n) => {
                        let products = (0..channels)
                            .map(|c| values[pixel * channels + c] * filter[n * channels + c]);
                        f64::from(bias[n] + products.sum::<f32>()).clamp(low, high) as f32
                    }
                    None => 0.5,
                };
                prop_assert_eq!(*found, expected, "pixel {}, channel {}", pixel, at);
            }
        }
    }

    #[test]
    fn depthwise_convolutions_match_their_definition(
        image in [1usize..12, 1usize..12], (window, _) in windows(), channels in 1usize..70,
        activation in 0usize..3,
    ) {
        let Some(extent) = window.extent(image) else { return Ok(()) };
        let taps = window.kernel[0] * window.kernel[1];
        let (activation, [least, most]) = ACTIVATIONS[activation];
        let x: Vec<f32> = noise::<f32>(image[0] * image[1] * channels, 1).iter().map(|x| 4.0 * x).collect();
        let w = noise::<f32>(channels * taps, 2);
        let bias = noise::<f32>(channels, 3);
        let mut expected = Vec::new();
        for pixel in pixels(extent) {
            for c in 0..channels {
                let mut sum = f64::from(bias[c]);
                for (tap, at) in pixels(window.kernel).enumerate() {
                    let Some(from) = place(&window, image, pixel, at) else { continue };
                    sum += f64::from(x[from * channels + c]) * f64::from(w[c * taps + tap]);
                }
                expected.push(sum.clamp(least, most) as f32);
            }
        }
        let mut found = vec![7.0f32; expected.len()];
        let filter = Depthwise::new(&w, &bias, window, activation);
        filter.apply(Image { values: &x, extent: image }, &mut found);
        prop_assert!(worst(&found, &expected) < 5e-6);
    }

    #[test]
    fn transposes_match_their_definition(
        image in [1usize..12, 1usize..12], (window, _) in windows(), channels in 1usize..70,
        of_result in 1usize..20,
    ) {
        let Some(extent) = window.extent(image) else { return Ok(()) };
        let taps = window.kernel[0] * window.kernel[1];
        let pixels_of = |extent: [usize; 2]| extent[0] * extent[1];
        // Depthwise: each channel of the gradient goes back to the same channel.
        let w = noise::<f32>(channels * taps, 2);
        let g = noise::<f32>(pixels_of(extent) * channels, 3);
        let mut expected = vec![0.0f32; pixels_of(image) * channels];
        for (at, pixel) in pixels(extent).enumerate() {
            for (tap, offset) in pixels(window.kernel).enumerate() {
                let Some(to) = place(&window, image, pixel, offset) else { continue };
                for c in 0..channels {
                    expected[to * channels + c] += g[at * channels + c] * w[c * taps + tap];
                }
            }
        }
        let mut found = vec![7.0f32; expected.len()];
        let filter = Depthwise::new(&w, &vec![1.0; channels], window, Activation::Relu6);
        filter.apply_transposed(Image { values: &g, extent }, image, &mut found);
        prop_assert!(worst(&found, &expected) < 5e-6);
        // Dense: every channel of the gradient goes back to every channel.
        let few = channels.min(5);
        let w = noise::<f32>(of_result * few * taps, 4);
        let g = noise::<f32>(pixels_of(extent) * of_result, 5);
        let mut expected = vec![0.0f32; pixels_of(image) * few];
        for (at, pixel) in pixels(extent).enumerate() {
            for (tap, offset) in pixels(window.kernel).enumerate() {
                let Some(to) = place(&window, image, pixel, offset) else { continue };
                for (n, c) in (0..of_result).flat_map(|n| (0..few).map(move |c| (n, c))) {
                    expected[to * few + c] += g[at * of_result + n] * w[(n * few + c) * taps + tap];
                }
            }
        }
        let mut found = vec![7.0f32; expected.len()];
        let filter = Transposed::new(&w, [few, of_result], window);
        filter.apply(Image { values: &g, extent }, image, &mut found);
        prop_assert!(worst(&found, &expected) < 1e-5);
    }

    #[test]
    fn pools_take_the_maximum_or_the_mean_of_the_values_in_the_image(
        image in [1usize..10, 1usize..10], stride in 1usize..3, padding in 0usize..2,
        channels in 1usize..20, mean: bool,
    ) {
        let window = Window::symmetric([3; 2], stride, [padding; 2]);
        let Some(extent) = window.extent(image) else { return Ok(()) };
        let x = noise::<f32>(image[0] * image[1] * channels, 1);
        let row = channels + 2;
        let mut expected = vec![7.0f32; extent[0] * extent[1] * row];
        for (at, pixel) in pixels(extent).enumerate() {
            for c in 0..channels {
                let values: Vec<f32> = pixels([3; 2])
                    .filter_map(|tap| place(&window, image, pixel, tap))
                    .map(|from| x[from * channels + c])
                    .collect();
                expected[at * row + 1 + c] = match mean {
                    true => values.iter().sum::<f32>() / values.len() as f32,
                    false => values.into_iter().fold(f32::NEG_INFINITY, f32::max),
                };
            }
        }
        let mut found = vec![7.0f32; expected.len()];
        let how = if mean { Pool::Mean } else { Pool::Max };
        pool(how, window, Image { values: &x, extent: image }, channels, &mut found, row, 1);
        prop_assert!(worst(&found, &expected) < 1e-6);
    }
}

#[test]
fn results_have_the_same_bits_on_any_number_of_threads() {
    let window = Window::symmetric([3; 2], 1, [1; 2]);
    let x = noise::<f32>(35 * 35 * 48, 1);
    let filter = Filter::new(&noise(64 * 48 * 9, 2), &noise(64, 3), 48, window, Activation::Relu);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let mut found = vec![0.0f32; 35 * 35 * 64];
        let image = Image { values: &x, extent: [35; 2] };
        pool.expect("threads").install(|| filter.apply(image, &mut found, 64, 0));
        found
    };
    let one = on(1);
    assert!(on(2) == one && on(5) == one);
}
