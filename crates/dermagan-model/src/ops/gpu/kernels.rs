//! Kernels of our own, in CubeCL, for operations that burn would compute as a chain of launches. They run on every
//! GPU. All compute in float32. Operands may have any memory layout; results have that of burn,
//! `[batch, channels, height, width]`.

use burn::tensor::DType;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_std::Shape;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;
use cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};
use dermagan_kernels::pointwise::rms;

use super::super::optimiser::AdamStep;
use super::super::shortcut::Direction;

/// An uninitialised tensor on the device and in the number format of `other`.
fn empty(other: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let (client, device) = (other.client.clone(), other.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), other.dtype)
}

/// The launch grid for `units` units, one per result.
fn grid(out: &CubeTensor, units: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new(&out.client, units);
    (calculate_cube_count_elemwise(&out.client, units, dim), dim)
}

fn dims(x: &CubeTensor) -> [usize; 4] {
    x.meta.shape().dims()
}

#[cube(launch)]
fn gate_kernel(
    u: LinearView<'_, f32>,
    by: LinearView<'_, f32>,
    mut out: LinearViewMut<'_, f32>,
    slope: f32,
) {
    if !out.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let value = u.read(ABSOLUTE_POS);
    out.write(ABSOLUTE_POS, select(by.read(ABSOLUTE_POS) > 0.0, value, value * slope));
}

/// `u` where `by`, of the same shape, is above zero, and `slope` · `u` elsewhere.
pub fn gate(u: CubeTensor, by: CubeTensor, slope: f64) -> CubeTensor {
    let out = empty(&u, u.meta.shape().clone());
    let (count, dim) = grid(&out, out.meta.num_elements());
    let client = out.client.clone();
    let view = out.clone().into_linear_view();
    let (u, by) = (u.into_linear_view(), by.into_linear_view());
    gate_kernel::launch(&client, count, dim, u, by, view, slope as f32);
    out
}

#[cube(launch)]
fn tanh_backward_kernel(
    y: LinearView<'_, f32>,
    gradient: LinearView<'_, f32>,
    mut out: LinearViewMut<'_, f32>,
) {
    if !out.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let y = y.read(ABSOLUTE_POS);
    out.write(ABSOLUTE_POS, gradient.read(ABSOLUTE_POS) * (1.0 - y * y));
}

/// The gradient of the argument of tanh, from its result `y` and the gradient of the result.
pub fn tanh_backward(y: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let out = empty(&y, y.meta.shape().clone());
    let (count, dim) = grid(&out, out.meta.num_elements());
    let client = out.client.clone();
    let view = out.clone().into_linear_view();
    let (y, gradient) = (y.into_linear_view(), gradient.into_linear_view());
    tanh_backward_kernel::launch(&client, count, dim, y, gradient, view);
    out
}

/// One over the root mean square of the channels of a pixel. The first channel is at index `first`, and the distance
/// between channels is `apart`.
#[cube]
fn scale(
    x: &LinearView<'_, f32>,
    first: usize,
    apart: usize,
    channels: usize,
    epsilon: f32,
) -> f32 {
    let mut square = 0.0f32;
    for c in 0..channels {
        let value = x.read(first + c * apart);
        square += value * value;
    }
    1.0 / f32::sqrt(square / f32::cast_from(channels) + epsilon)
}

#[cube(launch)]
fn normed_leaky_kernel(
    x: LinearView<'_, f32>,
    mut out: LinearViewMut<'_, f32>,
    pixels: usize,
    apart: usize,
    channels: usize,
    slope: f32,
    epsilon: f32,
) {
    if ABSOLUTE_POS >= pixels {
        terminate!();
    }
    let first = ABSOLUTE_POS / apart * channels * apart + ABSOLUTE_POS % apart;
    let scale = scale(&x, first, apart, channels, epsilon);
    for c in 0..channels {
        let at = first + c * apart;
        let value = x.read(at) * scale;
        out.write(at, select(value > 0.0, value, value * slope));
    }
}

/// LeakyReLU of the channels of each pixel, divided by their root mean square.
pub fn normed_leaky(x: CubeTensor, slope: f64) -> CubeTensor {
    let [batch, channels, height, width] = dims(&x);
    let (apart, pixels) = (height * width, batch * height * width);
    let out = empty(&x, x.meta.shape().clone());
    let (count, dim) = grid(&out, pixels);
    let client = out.client.clone();
    let (x, view) = (x.into_linear_view(), out.clone().into_linear_view());
    let (slope, epsilon) = (slope as f32, rms::EPSILON as f32);
    normed_leaky_kernel::launch(
        &client, count, dim, x, view, pixels, apart, channels, slope, epsilon,
    );
    out
}

#[cube(launch)]
fn normed_leaky_backward_kernel(
    x: LinearView<'_, f32>,
    gradient: LinearView<'_, f32>,
    mut out: LinearViewMut<'_, f32>,
    pixels: usize,
    apart: usize,
    channels: usize,
    slope: f32,
    epsilon: f32,
) {
    if ABSOLUTE_POS >= pixels {
        terminate!();
    }
    let first = ABSOLUTE_POS / apart * channels * apart + ABSOLUTE_POS % apart;
    let scale = scale(&x, first, apart, channels, epsilon);
    let mut along = 0.0f32;
    for c in 0..channels {
        let at = first + c * apart;
        let (value, g) = (x.read(at), gradient.read(at));
        along += value * select(value > 0.0, g, g * slope);
    }
    // d(s·x) with s = (mean x² + ε)^-½: s·g − x·s³·mean(x·g).
    let back = scale * scale * scale * along / f32::cast_from(channels);
    for c in 0..channels {
        let at = first + c * apart;
        let (value, g) = (x.read(at), gradient.read(at));
        out.write(at, select(value > 0.0, g, g * slope) * scale - value * back);
    }
}

/// The gradient of the argument `x` of [`normed_leaky`], from the gradient of its result.
pub fn normed_leaky_backward(x: CubeTensor, gradient: CubeTensor, slope: f64) -> CubeTensor {
    let [batch, channels, height, width] = dims(&x);
    let (apart, pixels) = (height * width, batch * height * width);
    let out = empty(&x, x.meta.shape().clone());
    let (count, dim) = grid(&out, pixels);
    let client = out.client.clone();
    let view = out.clone().into_linear_view();
    let (x, gradient) = (x.into_linear_view(), gradient.into_linear_view());
    let (slope, epsilon) = (slope as f32, rms::EPSILON as f32);
    normed_leaky_backward_kernel::launch(
        &client, count, dim, x, gradient, view, pixels, apart, channels, slope, epsilon,
    );
    out
}

/// The weight of tap 0 to 3 of the filter \[1, 3, 3, 1\] / 8.
#[cube]
fn weight(tap: usize) -> f32 {
    select(tap == 1 || tap == 2, 0.375, 0.125)
}

/// The index of tap 0 to 3 of the window around a pair of pixels. The window reaches from the last pixel of the previous
/// pair to the first pixel of the next pair. Edges use replicate padding.
#[cube]
fn tapped(pair: usize, tap: usize, length: usize) -> usize {
    let at = 2 * pair + tap;
    // at - 1, clamped to 0 to length - 1.
    let above = select(at > 0, at - select(at > 0, 1usize, 0usize), 0usize);
    select(above < length, above, length - 1)
}

#[cube(launch)]
fn down_kernel(
    main: LinearView<'_, f32>,
    source: LinearView<'_, f32>,
    mut out: LinearViewMut<'_, f32>,
    channels: usize,
    height: usize,
    width: usize,
    gain: f32,
    #[comptime] add: bool,
) {
    if !out.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let (h, w) = (height / 2, width / 2);
    let (column, row) = (ABSOLUTE_POS % w, ABSOLUTE_POS / w % h);
    let (channel, image) =
        (ABSOLUTE_POS / (w * h) % (2 * channels), ABSOLUTE_POS / (w * h * 2 * channels));
    let plane = (image * channels + channel % channels) * height * width;
    let mut sum = 0.0f32;
    for u in 0..4usize {
        let line = plane + tapped(row, u, height) * width;
        let mut across = 0.0f32;
        for v in 0..4usize {
            across += weight(v) * source.read(line + tapped(column, v, width));
        }
        sum += weight(u) * across;
    }
    let mut value = gain * sum;
    if add {
        value += main.read(ABSOLUTE_POS);
    }
    out.write(ABSOLUTE_POS, value);
}

/// The index of the neighbouring source pixel that contributes to pixel `at`. Edges use replicate padding.
#[cube]
fn beside(at: usize, length: usize) -> usize {
    let pair = at / 2;
    let before = select(pair > 0, pair - select(pair > 0, 1usize, 0usize), 0usize);
    let after = select(pair + 1 < length, pair + 1, length - 1);
    select(at == 2 * pair, before, after)
}

#[cube(launch)]
fn up_kernel(
    main: LinearView<'_, f32>,
    source: LinearView<'_, f32>,
    mut out: LinearViewMut<'_, f32>,
    channels: usize,
    height: usize,
    width: usize,
    gain: f32,
    #[comptime] add: bool,
) {
    if !out.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let (h, w, half) = (2 * height, 2 * width, channels / 2);
    let (column, row) = (ABSOLUTE_POS % w, ABSOLUTE_POS / w % h);
    let (channel, image) = (ABSOLUTE_POS / (w * h) % half, ABSOLUTE_POS / (w * h * half));
    let plane = (image * channels + channel) * height * width;
    let other = plane + half * height * width;
    let (here, there) = (column / 2, beside(column, width));
    let mut sum = 0.0f32;
    for u in 0..2usize {
        let line = select(u == 0, row / 2, beside(row, height)) * width;
        let near = source.read(plane + line + here) + source.read(other + line + here);
        let far = source.read(plane + line + there) + source.read(other + line + there);
        // The own source pixel has the weight of an inner tap, the neighbour that of an outer tap.
        sum += weight(1 - u) * (weight(1) * near + weight(0) * far);
    }
    let mut value = gain * sum;
    if add {
        value += main.read(ABSOLUTE_POS);
    }
    out.write(ABSOLUTE_POS, value);
}

/// `main`, or zero if it is `None`, plus `gain` · resampled `source`; see [`super::super::add_resampled`].
pub fn resample(
    main: Option<CubeTensor>,
    source: CubeTensor,
    direction: Direction,
    gain: f64,
) -> CubeTensor {
    let [batch, channels, height, width] = dims(&source);
    let shape = match direction {
        Direction::Down => [batch, 2 * channels, height / 2, width / 2],
        Direction::Up => [batch, channels / 2, 2 * height, 2 * width],
    };
    let out = empty(&source, shape);
    let (count, dim) = grid(&out, out.meta.num_elements());
    let (client, add) = (out.client.clone(), main.is_some());
    // Without `main`, the kernel gets the source in its place and does not read it.
    let main = main.unwrap_or_else(|| source.clone()).into_linear_view();
    let (source, view) = (source.into_linear_view(), out.clone().into_linear_view());
    let gain = gain as f32;
    match direction {
        Direction::Down => down_kernel::launch(
            &client, count, dim, main, source, view, channels, height, width, gain, add,
        ),
        Direction::Up => up_kernel::launch(
            &client, count, dim, main, source, view, channels, height, width, gain, add,
        ),
    }
    out
}

#[cube(launch)]
fn add_noise_kernel(
    x: LinearView<'_, f32>,
    noise: LinearView<'_, f32>,
    strength: LinearView<'_, f32>,
    mut out: LinearViewMut<'_, f32>,
    channels: usize,
    pixels: usize,
) {
    if !out.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let (channel, image) = (ABSOLUTE_POS / pixels % channels, ABSOLUTE_POS / (pixels * channels));
    let noise = noise.read(image * pixels + ABSOLUTE_POS % pixels);
    out.write(ABSOLUTE_POS, x.read(ABSOLUTE_POS) + noise * strength.read(channel));
}

/// `x` plus `noise`, `[batch, 1, height, width]`, times the `strength` of each channel.
pub fn add_noise(x: CubeTensor, noise: CubeTensor, strength: CubeTensor) -> CubeTensor {
    let [_, channels, height, width] = dims(&x);
    let out = empty(&x, x.meta.shape().clone());
    let (count, dim) = grid(&out, out.meta.num_elements());
    let client = out.client.clone();
    let view = out.clone().into_linear_view();
    let (x, noise) = (x.into_linear_view(), noise.into_linear_view());
    let strength = strength.into_linear_view();
    add_noise_kernel::launch(
        &client,
        count,
        dim,
        x,
        noise,
        strength,
        view,
        channels,
        height * width,
    );
    out
}

#[cube(launch)]
fn adam_kernel(
    value: LinearView<'_, f32>,
    first: LinearView<'_, f32>,
    second: LinearView<'_, f32>,
    gradient: LinearView<'_, f32>,
    mut new_value: LinearViewMut<'_, f32>,
    mut new_first: LinearViewMut<'_, f32>,
    mut new_second: LinearViewMut<'_, f32>,
    beta1: f32,
    beta2: f32,
    rest1: f32,
    rest2: f32,
    size: f32,
    root: f32,
    epsilon: f32,
) {
    if !new_value.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let g = gradient.read(ABSOLUTE_POS);
    let first = first.read(ABSOLUTE_POS) * beta1 + g * rest1;
    let second = second.read(ABSOLUTE_POS) * beta2 + g * g * rest2;
    let scale = f32::sqrt(second) / root + epsilon;
    new_value.write(ABSOLUTE_POS, value.read(ABSOLUTE_POS) - first / scale * size);
    new_first.write(ABSOLUTE_POS, first);
    new_second.write(ABSOLUTE_POS, second);
}

/// One step of Adam: returns the new value and both new moments.
pub fn adam(
    step: AdamStep,
    value: CubeTensor,
    moments: [CubeTensor; 2],
    gradient: CubeTensor,
) -> [CubeTensor; 3] {
    let AdamStep { beta1, beta2, epsilon, size, root } = step;
    let shape = value.meta.shape().clone();
    let out = [(); 3].map(|()| empty(&value, shape.clone()));
    let (count, dim) = grid(&out[0], shape.num_elements());
    let client = value.client.clone();
    let [first, second] = moments.map(CubeTensor::into_linear_view);
    let [new_value, new_first, new_second] = out.clone().map(CubeTensor::into_linear_view);
    let (value, gradient) = (value.into_linear_view(), gradient.into_linear_view());
    adam_kernel::launch(
        &client,
        count,
        dim,
        value,
        first,
        second,
        gradient,
        new_value,
        new_first,
        new_second,
        beta1 as f32,
        beta2 as f32,
        (1.0 - beta1) as f32,
        (1.0 - beta2) as f32,
        size as f32,
        root as f32,
        epsilon as f32,
    );
    out
}

#[cube(launch)]
fn lerp_kernel(
    old: LinearView<'_, f32>,
    new: LinearView<'_, f32>,
    mut out: LinearViewMut<'_, f32>,
    decay: f32,
    rest: f32,
) {
    if !out.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    out.write(ABSOLUTE_POS, old.read(ABSOLUTE_POS) * decay + new.read(ABSOLUTE_POS) * rest);
}

/// `old` · `decay` + `new` · (1 − `decay`).
pub fn lerp(old: CubeTensor, new: CubeTensor, decay: f64) -> CubeTensor {
    let out = empty(&old, old.meta.shape().clone());
    let (count, dim) = grid(&out, out.meta.num_elements());
    let client = out.client.clone();
    let view = out.clone().into_linear_view();
    let (old, new) = (old.into_linear_view(), new.into_linear_view());
    lerp_kernel::launch(&client, count, dim, old, new, view, decay as f32, (1.0 - decay) as f32);
    out
}

#[cube(launch)]
fn unpack_kernel(words: LinearView<'_, i32>, mut out: LinearViewMut<'_, f32>, pixels: usize) {
    if !out.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let (pixel, channel) = (ABSOLUTE_POS % pixels, ABSOLUTE_POS / pixels % 3);
    let byte = (ABSOLUTE_POS / (3 * pixels) * pixels + pixel) * 3 + channel;
    let shift = i32::cast_from(byte % 4) * 8;
    let value = (words.read(byte / 4) >> shift) & 255;
    out.write(ABSOLUTE_POS, f32::cast_from(value) / 127.5 - 1.0);
}

/// Converts RGB bytes, four per word, to images `[batch, 3, side, side]` in \[-1, 1\].
pub fn unpack(words: CubeTensor, batch: usize, side: usize) -> CubeTensor {
    let (client, device) = (words.client.clone(), words.device.clone());
    let shape = Shape::from([batch, 3, side, side]);
    let out = empty_device_contiguous_dtype(client.clone(), device, shape, DType::F32);
    let (count, dim) = grid(&out, out.meta.num_elements());
    let view = out.clone().into_linear_view();
    unpack_kernel::launch(&client, count, dim, words.into_linear_view(), view, side * side);
    out
}

#[cube(launch)]
fn row_squares_kernel(values: LinearView<'_, f32>, mut out: LinearViewMut<'_, f32>, row: usize) {
    if !out.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let mut sum = 0.0f32;
    for i in 0..row {
        let value = values.read(ABSOLUTE_POS * row + i);
        sum += value * value;
    }
    out.write(ABSOLUTE_POS, sum);
}

#[cube(launch)]
fn part_sums_kernel(
    rows: LinearView<'_, f32>,
    starts: LinearView<'_, i32>,
    mut out: LinearViewMut<'_, f32>,
) {
    if !out.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let from = usize::cast_from(starts.read(ABSOLUTE_POS));
    let to = usize::cast_from(starts.read(ABSOLUTE_POS + 1));
    let mut sum = 0.0f32;
    for row in from..to {
        sum += rows.read(row);
    }
    out.write(ABSOLUTE_POS, sum);
}

/// The sum of squares of each part of `values`; see [`super::super::squares`].
pub fn squares(values: CubeTensor, starts: CubeTensor, row: usize) -> CubeTensor {
    let rows = empty(&values, [values.meta.num_elements() / row]);
    let out = empty(&values, [starts.meta.num_elements() - 1]);
    let client = values.client.clone();
    let (count, dim) = grid(&rows, rows.meta.num_elements());
    let view = rows.clone().into_linear_view();
    row_squares_kernel::launch(&client, count, dim, values.into_linear_view(), view, row);
    let (count, dim) = grid(&out, out.meta.num_elements());
    let (rows, starts) = (rows.into_linear_view(), starts.into_linear_view());
    part_sums_kernel::launch(&client, count, dim, rows, starts, out.clone().into_linear_view());
    out
}
