//! Grids of two and four pixels, which upsampling by transposed convolutions leaves in images.
//!
//! A. Odena et al., "Deconvolution and checkerboard artifacts", Distill (2016). An image that was
//! made larger than 64×64 shows its four-pixel grid here as one of two, and finer ones not at all.

use std::f32::consts::TAU;
use std::sync::LazyLock;

use super::Feature;
use super::Group::Texture;
use super::plane::{SIDE, transposed};

/// What [`row`] gives.
pub(super) const FEATURES: [Feature; 2] = [
    Feature::of("grid_2", Texture, "the grid of 2 pixels (checkerboard)"),
    Feature::of("grid_4", Texture, "the grid of 4 pixels (checkerboard)"),
];

/// Waves across the image that make a grid of 2 pixels, and of 4.
const PEAKS: [usize; 2] = [SIDE / 2, SIDE / 4];

/// The waves beside each peak, beyond what the window spreads it over, on both sides where there are
/// two.
const BESIDE: [&[usize]; 2] = [&[28, 29, 30], &[12, 13, 14, 18, 19, 20]];

/// The power, in L*² a wave, that rounding to bytes leaves at most: no ratio rests on less.
const ROUNDING: f32 = 0.02;

/// How far the power of waves of 2 and of 4 pixels along rows and columns stands above that of the
/// waves beside them, in decibels: about 0 in a photograph, more where there is a grid.
pub(super) fn row(lightness: &[f32]) -> [f32; 2] {
    let columns = transposed(lightness);
    let power = |wave: usize| power(lightness, wave) + power(&columns, wave) + 2.0 * ROUNDING;
    let decibels = |wave: usize| 10.0 * power(wave).log10();
    // The mean of decibels, not of powers: blur makes these fall in a straight line, which must not
    // look like a dent at the peak.
    [0, 1].map(|i| {
        let beside = BESIDE[i].iter().map(|wave| decibels(*wave)).sum::<f32>();
        decibels(PEAKS[i]) - beside / BESIDE[i].len() as f32
    })
}

/// The mean power of a wave over the rows; white noise has its variance at every wave.
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

/// Cosine and sine of every wave under Hann's window, which keeps the step between an image's
/// opposite edges out of the high waves; scaled so that the window's power is 1.
static WAVES: LazyLock<Vec<[[f32; SIDE]; 2]>> = LazyLock::new(|| {
    let window = |x: usize| (0.5 * TAU * (x as f32 + 0.5) / SIDE as f32).sin().powi(2);
    let scale = (0..SIDE).map(|x| window(x).powi(2)).sum::<f32>().sqrt().recip();
    // The wave is reduced to one turn before the cosine, which keeps it exact.
    let turn = |wave: usize, x: usize| (wave * x % SIDE) as f32 / SIDE as f32 * TAU;
    let of = |wave: usize| {
        [f32::cos, f32::sin].map(|f| std::array::from_fn(|x| scale * window(x) * f(turn(wave, x))))
    };
    (0..=SIDE / 2).map(of).collect()
});
