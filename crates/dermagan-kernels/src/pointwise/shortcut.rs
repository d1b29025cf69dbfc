//! The shortcut around a stride-2 layer of a residual network: antialiased resampling without parameters,
//! channels-last.

use rayon::prelude::*;

use crate::matmul::Real;
use crate::vectorised::vectorised;

/// The direction of the resampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Half the side and twice the channels: each channel is averaged over the image and then repeated.
    Down,
    /// Twice the side and half the channels: the transpose of [`Direction::Down`].
    Up,
}

impl Direction {
    /// The other direction.
    pub fn opposite(self) -> Self {
        match self {
            Self::Down => Self::Up,
            Self::Up => Self::Down,
        }
    }
}

/// Extents of the large image `[batch, 2·height, 2·width, channels]` and of the small one
/// `[batch, height, width, 2·channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Number of rows of the small image.
    pub height: usize,
    /// Number of columns of the small image.
    pub width: usize,
    /// Number of channels of the large image.
    pub channels: usize,
}

impl Extent {
    /// Number of values of one large image.
    fn large(&self) -> usize {
        4 * self.height * self.width * self.channels
    }

    /// Number of values of one small image.
    fn small(&self) -> usize {
        2 * self.height * self.width * self.channels
    }
}

/// The inner taps of the filter along either axis, `[1, 3, 3, 1] / 8`. It removes more of the frequencies that the
/// coarser image cannot represent than the mean of two pixels does (Karras et al. 2019). Edges use replicate padding.
const NEAR: f64 = 0.375;
/// The outer taps of the filter.
const FAR: f64 = 0.125;

/// y += gain · resampled(x). For [`Direction::Down`], `x` is large and `y` is small; for [`Direction::Up`] it is the
/// other way round.
///
/// # Panics
/// If a slice does not have the extent that `extent` gives it.
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
    assert!(
        x.len() / from * to == y.len() && x.len().is_multiple_of(from),
        "the extents of both images"
    );
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
    /// Adds one resampled large image `x` to a small image `y`. `line` receives one row after
    /// the vertical filter.
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

/// The row or column of the small image, out of `n`, that is the second nearest to row or column `i` of the large one.
#[inline(always)]
fn next(i: usize, n: usize) -> usize {
    if i.is_multiple_of(2) { (i / 2).saturating_sub(1) } else { (i / 2 + 1).min(n - 1) }
}

vectorised! {
    /// Adds one resampled small image `x` to a large image `y`. `line` receives one row after
    /// the vertical filter.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An element of the filter's matrix along an axis of 2n pixels, by its definition.
    fn weight(n: usize, small: usize, large: usize) -> f64 {
        let clamp = |i: isize| i.clamp(0, 2 * n.cast_signed() - 1).cast_unsigned();
        let first = 2 * small.cast_signed() - 1;
        let taps = [FAR, NEAR, NEAR, FAR];
        let hit = |t: &usize| clamp(first + t.cast_signed()) == large;
        (0..4).filter(hit).map(|t| taps[t]).sum()
    }

    #[test]
    fn both_directions_match_the_definition_and_are_each_others_transpose() {
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
        assert!(near(&got_down, &down), "the result must be added to the old values");
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
}
