//! What a residual network needs besides its convolutions: the path around a stride-2 layer, without
//! a parameter, and biases. Channels-last.

use rayon::prelude::*;

use crate::lane::Real;
use crate::vectorised::vectorised;

/// Which way an image goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Half the side, twice the channels: each is averaged over the image and then repeated.
    Down,
    /// Twice the side, half the channels: the transpose of [`Direction::Down`].
    Up,
}

impl Direction {
    /// The other one.
    pub fn opposite(self) -> Self {
        match self {
            Self::Down => Self::Up,
            Self::Up => Self::Down,
        }
    }
}

/// Extents of the large image `[batch, 2·height, 2·width, channels]` and of the small one `[batch,
/// height, width, 2·channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows of the small image.
    pub height: usize,
    /// Columns of the small image.
    pub width: usize,
    /// Channels of the large image.
    pub channels: usize,
}

impl Extent {
    fn large(&self) -> usize {
        4 * self.height * self.width * self.channels
    }

    fn small(&self) -> usize {
        2 * self.height * self.width * self.channels
    }
}

/// The filter along either axis: [1, 3, 3, 1] / 8, which lets less through that the coarser image
/// cannot show than the mean of two would (Karras et al. 2019). Beyond the border is the border.
const NEAR: f64 = 0.375;
const FAR: f64 = 0.125;

/// y += gain · resampled(x). Down: `y` is small and `x` large; up: the other way round.
///
/// # Panics
/// When the slices are not of these extents.
pub fn add_resampled<T: Real>(
    extent: &Extent,
    direction: Direction,
    gain: f64,
    x: &[T],
    y: &mut [T],
) {
    let Extent { width, channels, .. } = *extent;
    let (large, small) = (extent.large(), extent.small());
    let (from, to) = match direction {
        Direction::Down => (large, small),
        Direction::Up => (small, large),
    };
    assert!(x.len() / from * to == y.len() && x.len().is_multiple_of(from), "the extents");
    y.par_chunks_mut(to).zip(x.par_chunks(from)).for_each(|(y, x)| match direction {
        Direction::Down => {
            let mut line = vec![T::default(); 2 * width * channels];
            down(extent, T::of(gain), x, &mut line, y);
        }
        Direction::Up => {
            let mut line = vec![T::default(); width * channels];
            up(extent, T::of(gain), x, &mut line, y);
        }
    });
}

vectorised! {
    fn down[T: Real](extent: &Extent, gain: T, x: &[T], line: &mut [T], y: &mut [T]) {
        let Extent { height, width, channels } = *extent;
        let (near, far) = (T::of(NEAR), T::of(FAR));
        let row = 2 * width * channels;
        let at = |r: usize| &x[r * row..(r + 1) * row];
        for (i, y) in y.chunks_exact_mut(row).enumerate() {
            let (a, b) = (at((2 * i).saturating_sub(1)), at(2 * i));
            let (c, d) = (at(2 * i + 1), at((2 * i + 2).min(2 * height - 1)));
            let line = &mut line[..row];
            for k in 0..row {
                line[k] = (near * (b[k] + c[k]) + far * (a[k] + d[k])) * gain;
            }
            for (j, y) in y.chunks_exact_mut(2 * channels).enumerate() {
                let at = |p: usize| &line[p * channels..(p + 1) * channels];
                let (a, b) = (at((2 * j).saturating_sub(1)), at(2 * j));
                let (c, d) = (at(2 * j + 1), at((2 * j + 2).min(2 * width - 1)));
                let (first, second) = y.split_at_mut(channels);
                let (first, second) = (&mut first[..channels], &mut second[..channels]);
                for k in 0..channels {
                    let v = near * (b[k] + c[k]) + far * (a[k] + d[k]);
                    first[k] += v;
                    second[k] += v;
                }
            }
        }
    }
}

/// The small image's row or column, of `n`, that is the second nearest to the large one's `i`.
#[inline(always)]
fn next(i: usize, n: usize) -> usize {
    if i.is_multiple_of(2) { (i / 2).saturating_sub(1) } else { (i / 2 + 1).min(n - 1) }
}

vectorised! {
    fn up[T: Real](extent: &Extent, gain: T, x: &[T], line: &mut [T], y: &mut [T]) {
        let Extent { height, width, channels } = *extent;
        let (near, far) = (T::of(NEAR), T::of(FAR));
        let row = 2 * width * channels;
        let at = |r: usize| &x[r * row..(r + 1) * row];
        for (i, y) in y.chunks_exact_mut(row).enumerate() {
            let middle = at(i / 2);
            let beside = at(next(i, height));
            for (j, line) in line.chunks_exact_mut(channels).enumerate() {
                let line = &mut line[..channels];
                let (m, m_next) = middle[2 * j * channels..][..2 * channels].split_at(channels);
                let (b, b_next) = beside[2 * j * channels..][..2 * channels].split_at(channels);
                let (m_next, b_next) = (&m_next[..channels], &b_next[..channels]);
                for k in 0..channels {
                    line[k] = (near * (m[k] + m_next[k]) + far * (b[k] + b_next[k])) * gain;
                }
            }
            for (j, y) in y.chunks_exact_mut(channels).enumerate() {
                let y = &mut y[..channels];
                let m = &line[j / 2 * channels..][..channels];
                let b = &line[next(j, width) * channels..][..channels];
                for k in 0..channels {
                    y[k] += near * m[k] + far * b[k];
                }
            }
        }
    }
}

/// Rows that one task takes: fixed, so that sums do not depend on the number of threads.
const ROWS: usize = 128;

/// x += bias, in every row of channels.
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

/// x += noise · strength: a number for every row of channels, a strength for every channel.
///
/// # Panics
/// When there is not one number of noise a row.
pub fn add_noise<T: Real>(x: &mut [T], noise: &[T], strength: &[T]) {
    assert_eq!(x.len(), noise.len() * strength.len(), "a number a row");
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

/// The sum of all rows of channels: the bias's gradient.
pub fn sum_rows<T: Real>(g: &[T], channels: usize) -> Vec<T> {
    sum_blocks(g.par_chunks(ROWS * channels), channels, sum_block)
}

/// The sum of all rows of channels, each times its number: the gradient of noise's strength.
///
/// # Panics
/// When there is not one number of noise a row.
pub fn sum_products<T: Real>(g: &[T], noise: &[T], channels: usize) -> Vec<T> {
    assert_eq!(g.len(), noise.len() * channels, "a number a row");
    let blocks = g.par_chunks(ROWS * channels).zip(noise.par_chunks(ROWS));
    sum_blocks(blocks, channels, |(rows, noise), sum| products_block(rows, noise, sum))
}

/// The sum of what `of` makes of every block, in the blocks' order.
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

    /// The matrix of the filter along an axis of 2n, by its definition.
    fn weight(n: usize, small: usize, large: usize) -> f64 {
        let clamp = |i: isize| i.clamp(0, 2 * n.cast_signed() - 1).cast_unsigned();
        let first = 2 * small.cast_signed() - 1;
        let taps = [FAR, NEAR, NEAR, FAR];
        let hit = |t: &usize| clamp(first + t.cast_signed()) == large;
        (0..4).filter(hit).map(|t| taps[t]).sum()
    }

    #[test]
    fn both_directions_are_the_filter_by_its_definition_and_each_others_transpose() {
        let extent = Extent { height: 3, width: 2, channels: 3 };
        let Extent { height, width, channels } = extent;
        let value = |i: usize| ((i * 7919 + 13) % 101) as f64 / 50.0 - 1.0;
        let large: Vec<f64> = (0..2 * extent.large()).map(value).collect();
        let small: Vec<f64> = (0..2 * extent.small()).map(|i| value(i + 999)).collect();
        let (mut down, mut up) = (vec![0.0; small.len()], vec![0.0; large.len()]);
        for b in 0..2 {
            for i in 0..height {
                for j in 0..width {
                    for r in 0..2 * height {
                        for s in 0..2 * width {
                            let w = 1.5 * weight(height, i, r) * weight(width, j, s);
                            for c in 0..2 * channels {
                                let at = ((b * height + i) * width + j) * 2 * channels + c;
                                let to = ((b * 2 * height + r) * 2 * width + s) * channels;
                                down[at] += w * large[to + c % channels];
                                up[to + c % channels] += w * small[at];
                            }
                        }
                    }
                }
            }
        }
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        let (mut got_down, mut got_up) = (vec![0.0; small.len()], vec![0.0; large.len()]);
        add_resampled(&extent, Direction::Down, 1.5, &large, &mut got_down);
        add_resampled(&extent, Direction::Up, 1.5, &small, &mut got_up);
        assert!(near(&got_down, &down) && near(&got_up, &up));
        add_resampled(&extent, Direction::Down, 0.0, &large, &mut got_down);
        assert!(near(&got_down, &down), "the result is added to what was there");
    }

    #[test]
    fn a_flat_image_stays_flat_up_to_its_border() {
        let extent = Extent { height: 4, width: 4, channels: 2 };
        let mut small = vec![0.0f32; extent.small()];
        add_resampled(&extent, Direction::Down, 1.0, &vec![3.0; extent.large()], &mut small);
        assert!(small.iter().all(|v| (v - 3.0).abs() < 1e-6));
        let mut large = vec![0.0f32; extent.large()];
        add_resampled(&extent, Direction::Up, 2.0, &small, &mut large);
        assert!(large.iter().all(|v| (v - 3.0).abs() < 1e-6));
    }

    #[test]
    fn noise_is_added_by_each_channels_strength_and_their_gradient_is_its_sum_over_pixels() {
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
