//! Biases and noise that are added to every pixel, with their gradients, channels-last.

use rayon::prelude::*;

use crate::matmul::Real;
use crate::vectorised::vectorised;

/// Number of pixels per task. It is fixed, so that sums do not depend on the number of threads.
const ROWS: usize = 128;

/// x += bias in every pixel. `x` is `[pixels, channels]`, `bias` is `[channels]`.
pub fn add_bias<T: Real>(x: &mut [T], bias: &[T]) {
    x.par_chunks_mut(ROWS * bias.len()).for_each(|x| add_rows(x, bias));
}

vectorised! {
    fn add_rows[T: Real](x: &mut [T], bias: &[T]) {
        for x in x.chunks_exact_mut(bias.len()) {
            let x = &mut x[..bias.len()];
            for k in 0..bias.len() {
                x[k] += bias[k];
            }
        }
    }
}

/// x += noise · strength. `x` is `[pixels, channels]`, `noise` is `[pixels]`, `strength` is `[channels]`.
///
/// # Panics
/// If `noise` does not have one value per pixel.
pub fn add_noise<T: Real>(x: &mut [T], noise: &[T], strength: &[T]) {
    assert_eq!(x.len(), noise.len() * strength.len(), "one value of noise per pixel");
    let rows = x.par_chunks_mut(ROWS * strength.len()).zip(noise.par_chunks(ROWS));
    rows.for_each(|(x, noise)| add_products(x, noise, strength));
}

vectorised! {
    fn add_products[T: Real](x: &mut [T], noise: &[T], strength: &[T]) {
        let n = strength.len();
        for (i, x) in x.chunks_exact_mut(n).enumerate() {
            let (x, noise) = (&mut x[..n], noise[i]);
            for k in 0..n {
                x[k] += noise * strength[k];
            }
        }
    }
}

/// The sum of `g`, `[pixels, channels]`, over all pixels: the gradient of the bias.
pub fn sum_rows<T: Real>(g: &[T], channels: usize) -> Vec<T> {
    sum_blocks(g.par_chunks(ROWS * channels), channels, sum_block)
}

/// The sum of `g`, `[pixels, channels]`, times `noise`, `[pixels]`, over all pixels: the gradient of the strength of the
/// noise.
///
/// # Panics
/// If `noise` does not have one value per pixel.
pub fn sum_products<T: Real>(g: &[T], noise: &[T], channels: usize) -> Vec<T> {
    assert_eq!(g.len(), noise.len() * channels, "one value of noise per pixel");
    let blocks = g.par_chunks(ROWS * channels).zip(noise.par_chunks(ROWS));
    sum_blocks(blocks, channels, |(rows, noise), sum| products_block(rows, noise, sum))
}

/// Applies `of` to every block and adds the results in the order of the blocks.
fn sum_blocks<T: Real, B: Send>(
    blocks: impl IndexedParallelIterator<Item = B>,
    channels: usize,
    of: impl Fn(B, &mut [T]) + Sync,
) -> Vec<T> {
    let blocks: Vec<Vec<T>> = blocks
        .map(|block| {
            let mut sum = vec![T::default(); channels];
            of(block, &mut sum);
            sum
        })
        .collect();
    let mut sums = vec![0.0; channels];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, v)| *sum += v.double());
    }
    sums.into_iter().map(T::of).collect()
}

vectorised! {
    fn sum_block[T: Real](rows: &[T], sum: &mut [T]) {
        let n = sum.len();
        for row in rows.chunks_exact(n) {
            let row = &row[..n];
            for k in 0..n {
                sum[k] += row[k];
            }
        }
    }
}

vectorised! {
    fn products_block[T: Real](rows: &[T], noise: &[T], sum: &mut [T]) {
        let n = sum.len();
        for (i, row) in rows.chunks_exact(n).enumerate() {
            let (row, noise) = (&row[..n], noise[i]);
            for k in 0..n {
                sum[k] += row[k] * noise;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_scaled_by_each_channels_strength_whose_gradient_is_the_weighted_sum_over_pixels() {
        let (channels, rows) = (3, 1000);
        let noise: Vec<f64> = (0..rows).map(|i| f64::from(i % 7) - 3.0).collect();
        let mut x = vec![1.0; channels * rows as usize];
        add_noise(&mut x, &noise, &[0.0, 0.5, -2.0]);
        assert_eq!(x[6..9], [1.0, 1.0 + 0.5 * noise[2], 1.0 - 2.0 * noise[2]]);
        let g: Vec<f64> = (0..x.len()).map(|i| (i % 11) as f64).collect();
        let sum = |k: usize| (0..noise.len()).map(|r| noise[r] * g[channels * r + k]).sum::<f64>();
        assert_eq!(sum_products(&g, &noise, channels), [0, 1, 2].map(sum));
    }

    #[test]
    fn biases_are_added_to_every_pixel_and_their_gradient_is_the_sum_over_pixels() {
        let mut x: Vec<f32> = (0..3000).map(|i| i as f32).collect();
        add_bias(&mut x, &[1.0, 2.0, 3.0]);
        assert_eq!(&x[2997..], [2998.0, 3000.0, 3002.0]);
        assert_eq!(sum_rows(&x, 3), [1_499_500.0, 1_501_500.0, 1_503_500.0]);
    }
}
