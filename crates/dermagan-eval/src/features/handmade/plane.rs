//! One channel of a small square image, and its filters.

/// Pixels per side.
pub(super) const SIDE: usize = 64;

/// Pixels in a plane.
pub(super) const AREA: usize = SIDE * SIDE;

/// One channel, row by row: `AREA` values.
pub(super) type Plane = Vec<f32>;

/// The index of pixel `i` of a row or column, reflected at both ends so that no edge appears there.
fn reflect(i: isize) -> usize {
    let last = SIDE as isize - 1;
    let inside = if i < 0 { -1 - i } else { i };
    (if inside > last { 2 * last + 1 - inside } else { inside }) as usize
}

/// The right half of a Gaussian, from its middle to three standard deviations; the whole sums to 1.
fn half_gaussian(sigma: f32) -> Vec<f32> {
    let reach = (3.0 * sigma).ceil() as usize;
    let raw: Vec<f32> = (0..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let sum = raw[0] + 2.0 * raw[1..].iter().sum::<f32>();
    raw.iter().map(|v| v / sum).collect()
}

/// Smooths with a Gaussian of `sigma` pixels, which must be less than a third of `SIDE`.
pub(super) fn blurred(plane: &[f32], sigma: f32) -> Plane {
    let weights = half_gaussian(sigma);
    transposed(&blurred_down(&transposed(&blurred_down(plane, &weights)), &weights))
}

/// Smooths along the columns. It adds whole rows at a time, which the compiler vectorises.
fn blurred_down(plane: &[f32], weights: &[f32]) -> Plane {
    let mut out = vec![0.0; AREA];
    for (y, row) in out.chunks_exact_mut(SIDE).enumerate() {
        for (i, weight) in weights.iter().enumerate() {
            let above = reflect(y as isize - i as isize) * SIDE;
            let below = reflect(y as isize + i as isize) * SIDE;
            // The middle row counts twice, above and below.
            let weight = if i == 0 { 0.5 * weight } else { *weight };
            let pairs = plane[above..above + SIDE].iter().zip(&plane[below..below + SIDE]);
            for (out, (a, b)) in row.iter_mut().zip(pairs) {
                *out += weight * (a + b);
            }
        }
    }
    out
}

/// The transposed plane.
pub(super) fn transposed(plane: &[f32]) -> Plane {
    let mut out = vec![0.0; AREA];
    for (y, row) in plane.chunks_exact(SIDE).enumerate() {
        for (x, value) in row.iter().enumerate() {
            out[x * SIDE + y] = *value;
        }
    }
    out
}

/// The indices of the neighbours above, below, left and right that lie in the image.
pub(super) fn neighbours(at: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (at % SIDE, at / SIDE);
    let all = [
        (y > 0).then(|| at - SIDE),
        (y + 1 < SIDE).then_some(at + SIDE),
        (x > 0).then(|| at - 1),
        (x + 1 < SIDE).then_some(at + 1),
    ];
    all.into_iter().flatten()
}

/// The magnitude of the gradient at a pixel, per pixel, from central differences.
pub(super) fn slope(plane: &[f32], at: usize) -> f32 {
    let (x, y) = ((at % SIDE) as isize, (at / SIDE) as isize);
    let value = |x: isize, y: isize| plane[reflect(y) * SIDE + reflect(x)];
    let across = value(x + 1, y) - value(x - 1, y);
    let down = value(x, y + 1) - value(x, y - 1);
    0.5 * across.hypot(down)
}

/// The discrete Laplacian: the sum of a pixel's four neighbours minus four times the pixel.
pub(super) fn laplacian(plane: &[f32]) -> Plane {
    let row = |y: isize| &plane[reflect(y) * SIDE..][..SIDE];
    let mut out = Vec::with_capacity(AREA);
    for y in 0..SIDE as isize {
        let (above, here, below) = (row(y - 1), row(y), row(y + 1));
        for x in 0..SIDE {
            let (left, right) = (here[x.saturating_sub(1)], here[(x + 1).min(SIDE - 1)]);
            out.push(above[x] + below[x] + left + right - 4.0 * here[x]);
        }
    }
    out
}

/// Mean and standard deviation (over n) of some values; zeros without values.
pub(super) fn mean_and_deviation(values: impl Iterator<Item = f32> + Clone) -> [f32; 2] {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / count;
    let variance = values.map(|v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
    [mean as f32, variance.sqrt() as f32]
}
