//! The matrix product and the packing of its right operand.
//!
//! General libraries pack both operands on every call. Here the transforms that make an operand write it in the
//! order in which it is read, and a filter is packed once for all images, so nothing is copied twice. B comes in
//! panels of [`PANEL`] columns; A is read where it lies.

use rayon::prelude::*;

use super::layout::{Extents, Into, Left, Out, PANEL, Right, panels, reach};
use super::operand::{Lane, Real};
use super::tile;
use crate::scratch::Buffer;

/// Computes C = A·B or C += A·B on this thread. `size.k` counts lanes, not floats.
///
/// The order in which a value is summed depends on k alone (in order with vectors, in pairs of 16 with a matrix
/// unit), so results depend neither on the batch nor on the number of threads. [`Into::Add`] adds the finished sum
/// to C with AVX-512, and continues C's sum at the lower levels.
///
/// # Panics
/// If an operand is shorter than its extents and strides require, or if rows of C overlap.
#[allow(unsafe_code, reason = "hands checked operands to a unit for whole products")]
pub fn gemm<L: Lane>(
    size: Extents,
    a: Left<'_, L>,
    b: Right<'_, L>,
    c: &mut Out<'_, L::Real>,
    into: Into,
) {
    let Extents { m, n, k } = size;
    if m == 0 || n == 0 {
        return;
    }
    let panels = n.div_ceil(PANEL);
    assert!(c.data.len() >= reach(&[(m - 1, c.row), (n, 1)]), "C is too short");
    assert!(m == 1 || c.row >= n, "rows of C overlap");
    if k == 0 {
        if into == Into::Replace {
            c.data.chunks_mut(c.row).take(m).for_each(|row| row[..n].fill(L::Real::default()));
        }
        return;
    }
    assert!(a.data.len() > reach(&[(m - 1, a.row), (k - 1, a.col)]), "A is too short");
    let end = reach(&[(panels - 1, b.panel), (k - 1, b.row), (PANEL, 1)]);
    assert!(b.data.len() >= end, "B is too short");
    // SAFETY: the assertions above bound every access, and no extent is 0.
    if unsafe { L::whole(size, a, b, c, into) } {
        return;
    }
    // Spread the rows evenly: 64 rows are six tiles of 11 or 10, not five of 12 and one of 4.
    let tiles = m.div_ceil(tile::rows());
    for panel in 0..panels {
        let width = PANEL.min(n - panel * PANEL);
        let b = Right { data: &b.data[panel * b.panel..], ..b };
        for t in 0..tiles {
            let (from, to) = (t * m / tiles, (t + 1) * m / tiles);
            let a = Left { data: &a.data[from * a.row..], ..a };
            let at = from * c.row + panel * PANEL;
            let c = Out { data: &mut c.data[at..], row: c.row };
            tile::run(to - from, width, k, a, b, c, into);
        }
    }
}

/// Packs the right operand whose value (i, j) is `value(i, j)`, for `k` rows of floats and `n` columns. Returns the
/// panels and the number of summed lanes, including those that pad with zeros.
pub fn pack<L: Lane>(
    k: usize,
    n: usize,
    value: impl Fn(usize, usize) -> L::Real + Sync,
) -> (Buffer<L>, usize) {
    let lanes = L::lanes(k);
    let mut packed = L::scratch(panels(lanes, n));
    packed.par_chunks_mut((lanes * PANEL).max(1)).enumerate().for_each(|(p, panel)| {
        let mut column = L::Real::scratch(L::PER * PANEL);
        for (i, lane) in panel.chunks_mut(PANEL).enumerate() {
            for (at, slot) in column.iter_mut().enumerate() {
                let (row, j) = (i * L::PER + at / PANEL, p * PANEL + at % PANEL);
                *slot = if row < k && j < n { value(row, j) } else { L::Real::of(0.0) };
            }
            L::pack_rows(&column, lane);
        }
    });
    (packed, lanes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matmul::operand::Pair;
    use proptest::prelude::*;

    /// Values that bfloat16 holds exactly and whose sums of products are exact in f32.
    fn number(i: usize) -> f32 {
        ((i * 7919 + 13) % 17) as f32 - 8.0
    }

    fn check<L: Lane<Real = f32>>(
        (m, n, k): (usize, usize, usize),
        gap: usize,
        transposed: bool,
        into: Into,
    ) {
        let left = |i: usize, p: usize| number(i * k + p);
        let right = |p: usize, j: usize| number(1000 + p * n + j);
        let (b, lanes) = pack::<L>(k, n, right);
        // Rows with a gap between them; the slice ends with the last row.
        let (row, col) = if transposed { (1, m + gap) } else { (lanes + gap, 1) };
        let mut a = vec![L::default(); (m - 1) * row + (lanes - 1) * col + 1];
        for i in 0..m {
            let values: Vec<f32> = (0..k).map(|p| left(i, p)).collect();
            let mut packed = vec![L::default(); lanes];
            L::pack_row(&values, &mut packed);
            for (p, lane) in packed.into_iter().enumerate() {
                a[i * row + p * col] = lane;
            }
        }
        // A single row needs no stride.
        let (row, stride) = if m == 1 { (0, 0) } else { (row, n + gap) };
        let mut c = vec![0.5; (m - 1) * stride + n];
        gemm(
            Extents { m, n, k: lanes },
            Left { data: &a, row, col },
            Right { data: &b, panel: lanes * PANEL, row: PANEL },
            &mut Out { data: &mut c, row: stride },
            into,
        );
        let start = if into == Into::Add { 0.5 } else { 0.0 };
        for (at, value) in c.iter().enumerate() {
            let (i, j) = (at / stride.max(n), at % stride.max(n));
            let sum: f32 = (0..k).map(|p| left(i, p) * right(p, j % n)).sum();
            let expected = if j < n { start + sum } else { 0.5 };
            assert_eq!(*value, expected, "({i}, {j}) of {m}x{n}x{k}");
        }
    }

    proptest! {
        #[test]
        fn products_of_any_extent_are_exact_where_floats_are(
            m in 1usize..70, n in 1usize..80, k in 1usize..400, gap in 0usize..4,
            transposed: bool, add: bool,
        ) {
            let into = if add { Into::Add } else { Into::Replace };
            check::<f32>((m, n, k), gap, transposed, into);
            check::<Pair>((m, n, k), gap, transposed, into);
        }
    }

    /// Rows `rows` of a product whose sums are rounded.
    fn rounded<L: Lane<Real = f32>>(k: usize, rows: std::ops::Range<usize>) -> Vec<f32> {
        let value = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 1009.0 - 0.3;
        let n = 40;
        let (b, lanes) = pack::<L>(k, n, |p, j| value(p * n + j));
        let mut a = vec![L::default(); rows.len() * lanes];
        for (i, lanes) in rows.clone().zip(a.chunks_mut(lanes)) {
            let values: Vec<f32> = (0..k).map(|p| value(77 + i * k + p)).collect();
            L::pack_row(&values, lanes);
        }
        let mut c = vec![0.0; rows.len() * n];
        gemm(
            Extents { m: rows.len(), n, k: lanes },
            Left { data: &a, row: lanes, col: 1 },
            Right { data: &b, panel: lanes * PANEL, row: PANEL },
            &mut Out { data: &mut c, row: n },
            Into::Replace,
        );
        c
    }

    #[test]
    fn a_row_has_the_same_bits_whatever_the_other_rows_are() {
        fn same<L: Lane<Real = f32>>() {
            for k in [16, 31, 32, 34, 100, 128, 129, 257, 300, 600] {
                let all = rounded::<L>(k, 0..70);
                for (i, row) in all.chunks(40).enumerate() {
                    assert!(row == rounded::<L>(k, i..i + 1), "row {i} of k {k}");
                }
                assert!(all[5 * 40..38 * 40] == rounded::<L>(k, 5..38), "k {k}");
            }
        }
        same::<f32>();
        same::<Pair>();
    }
}
