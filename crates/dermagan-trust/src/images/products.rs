//! The dot products of rows with many others, in float32 on the kernels of this project.

use dermagan_kernels::matmul::{Extents, Into, Left, Out, PANEL, Right, gemm, pack};
use dermagan_kernels::{Buffer, Lane};
use rayon::prelude::*;

/// Rows that are multiplied with at a time.
const ROWS: usize = 64;

/// Rows `[count, dims]` in the order in which products read them.
pub(crate) struct Packed {
    values: Buffer<f32>,
    pub count: usize,
    pub dims: usize,
}

impl Packed {
    /// Packs rows `[n, dims]`; `dims` is at least 1.
    pub fn new(rows: &[f32], dims: usize) -> Self {
        let count = rows.len() / dims;
        let (values, _) = pack::<f32>(dims, count, |p, j| rows[j * dims + p]);
        Self { values, count, dims }
    }

    /// The products of `rows`, `[m, dims]`, with all: `[m, count]`.
    pub fn dots(&self, rows: &[f32], into: &mut Vec<f32>) {
        let m = rows.len() / self.dims;
        into.resize(m * self.count, 0.0);
        let size = Extents { m, n: self.count, k: self.dims };
        let left = Left { data: rows, row: self.dims, col: 1 };
        let right = Right { data: &self.values[..], panel: self.dims * PANEL, row: PANEL };
        let mut out = Out { data: into, row: self.count };
        gemm::<f32>(size, left, right, &mut out, Into::Replace);
    }
}

/// Rows of features with their squared lengths.
pub(crate) struct Points {
    rows: Vec<f32>,
    packed: Packed,
    lengths: Vec<f32>,
}

/// The distance of a row to its nearest row of another set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Near {
    /// The number of that row.
    pub row: usize,
    /// The squared distance; infinite if there is no other row.
    pub squared: f32,
}

impl Points {
    /// Rows `[n, dims]`.
    pub fn new(rows: Vec<f32>, dims: usize) -> Self {
        let packed = Packed::new(&rows, dims);
        let lengths = rows.chunks_exact(dims).map(|row| row.iter().map(|v| v * v).sum()).collect();
        Self { rows, packed, lengths }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.packed.count
    }

    /// Calls `visit` with the number of each row of `queries` and its squared distances to all of these rows, and returns
    /// the results in order.
    pub fn distances<T: Send>(
        &self,
        queries: &Points,
        visit: impl Fn(usize, &[f32]) -> T + Sync,
    ) -> Vec<T> {
        let dims = self.packed.dims;
        let strip = |(strip, rows): (usize, &[f32])| {
            let mut products = <f32 as Lane>::scratch(0).to_vec();
            self.packed.dots(rows, &mut products);
            let rows = products.chunks_exact_mut(self.count().max(1)).enumerate();
            rows.map(|(i, row)| {
                let i = strip * ROWS + i;
                let length = queries.lengths[i];
                let squares = row.iter_mut().zip(&self.lengths);
                squares.for_each(|(v, own)| *v = (length + own - 2.0 * *v).max(0.0));
                visit(i, row)
            })
            .collect::<Vec<T>>()
        };
        queries.rows.par_chunks(ROWS * dims).enumerate().flat_map_iter(strip).collect()
    }

    /// For each row of `queries`, the nearest of these rows for which `counts` holds; it gets the numbers of both.
    pub fn nearest(
        &self,
        queries: &Points,
        counts: impl Fn(usize, usize) -> bool + Sync,
    ) -> Vec<Near> {
        self.distances(queries, |i, squares| {
            let mut best = Near { row: 0, squared: f32::INFINITY };
            for (row, squared) in squares.iter().enumerate() {
                if *squared < best.squared && counts(i, row) {
                    best = Near { row, squared: *squared };
                }
            }
            best
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermagan_base::rng::Keyed;

    #[test]
    fn distances_are_those_of_a_loop() {
        let dims = 7;
        let rows = |n: usize, seed: u64| Keyed::new(seed, "test", 0).uniforms(n * dims, -1.0, 1.0);
        let (x, y) = (rows(130, 1), rows(45, 2));
        let points = Points::new(y.clone(), dims);
        let found = points.nearest(&Points::new(x.clone(), dims), |i, row| row != i % 45);
        for (i, near) in found.iter().enumerate() {
            let squared = |j: usize| -> f32 {
                let of = |rows: &[f32], i: usize| rows[i * dims..(i + 1) * dims].to_vec();
                of(&x, i).iter().zip(of(&y, j)).map(|(a, b)| (a - b).powi(2)).sum()
            };
            let best =
                (0..45).filter(|j| *j != i % 45).min_by(|a, b| squared(*a).total_cmp(&squared(*b)));
            assert_eq!(Some(near.row), best);
            assert!((near.squared - squared(near.row)).abs() < 1e-4);
        }
    }
}
