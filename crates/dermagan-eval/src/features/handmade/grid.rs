//! Grids with a period of two and four pixels, which upsampling by transposed convolutions leaves in
//! images.
//!
//! A. Odena et al., "Deconvolution and checkerboard artifacts", Distill (2016). In an image that
//! was generated at 128×128, the four-pixel grid appears here as one of two pixels, and finer grids do not
//! appear.

use std::f32::consts::TAU;
use std::sync::LazyLock;

use super::feature::Feature;
use super::feature::Group::Texture;
use super::plane::{SIDE, transposed};

/// The features that [`row`] computes.
pub(super) const FEATURES: [Feature; 2] = [
    Feature::of("grid_2", Texture, "the grid of 2 pixels (checkerboard)"),
    Feature::of("grid_4", Texture, "the grid of 4 pixels (checkerboard)"),
];

/// The spatial frequencies of grids of 2 and of 4 pixels, in cycles per image.
const PEAKS: [usize; 2] = [SIDE / 2, SIDE / 4];

/// The frequencies beside each peak, outside the main lobe of the window, on both sides where the peak
/// has two.
const BESIDE: [&[usize]; 2] = [&[28, 29, 30], &[12, 13, 14, 18, 19, 20]];

/// The largest power per frequency, in L*², that rounding to bytes causes. It is added to every power, so
/// that no ratio depends on smaller ones.
const ROUNDING: f32 = 0.02;

/// Computes by how many decibels the power at the frequencies of 2 and of 4 pixels, along rows and
/// columns, exceeds that of the frequencies beside them: about 0 in a photograph, more with a grid.
pub(super) fn row(lightness: &[f32]) -> [f32; 2] {
    let columns = transposed(lightness);
    let power = |wave: usize| power(lightness, wave) + power(&columns, wave) + 2.0 * ROUNDING;
    let decibels = |wave: usize| 10.0 * power(wave).log10();
    // Take the mean of decibels, not of powers: in an image with blur the decibels fall along a
    // straight line, which must not look like a dent at the peak.
    [0, 1].map(|i| {
        let beside = BESIDE[i].iter().map(|wave| decibels(*wave)).sum::<f32>();
        decibels(PEAKS[i]) - beside / BESIDE[i].len() as f32
    })
}

/// The mean power at a frequency over the rows. That of white noise is its variance at every frequency.
fn power(plane: &[f32], wave: usize) -> f32 {
    let [cosine, sine] = &WAVES[wave];
    let along = |row: &[f32], wave: &[f32; SIDE]| -> f32 {
        let mut sums = [0.0_f32; 8];
        for (row, wave) in row.chunks_exact(8).zip(wave.chunks_exact(8)) {
            for (sum, (a, b)) in sums.iter_mut().zip(row.iter().zip(wave)) {
                *sum += a * b;
            }
        }
        sums.iter().sum()
    };
    let rows = plane.chunks_exact(SIDE);
    rows.map(|row| along(row, cosine).powi(2) + along(row, sine).powi(2)).sum::<f32>() / SIDE as f32
}

/// Cosine and sine of every frequency times the Hann window, which keeps the step between opposite edges
/// of an image out of the high frequencies; scaled so that the window's power is 1.
static WAVES: LazyLock<Vec<[[f32; SIDE]; 2]>> = LazyLock::new(|| {
    let window = |x: usize| (0.5 * TAU * (x as f32 + 0.5) / SIDE as f32).sin().powi(2);
    let scale = (0..SIDE).map(|x| window(x).powi(2)).sum::<f32>().sqrt().recip();
    // The phase is reduced to one turn before the cosine, which keeps it exact.
    let turn = |wave: usize, x: usize| (wave * x % SIDE) as f32 / SIDE as f32 * TAU;
    let of = |wave: usize| {
        [f32::cos, f32::sin].map(|f| std::array::from_fn(|x| scale * window(x) * f(turn(wave, x))))
    };
    (0..=SIDE / 2).map(of).collect()
});
