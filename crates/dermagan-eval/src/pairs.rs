//! Every row of one set against every row of another, a block of products at a time.
//!
//! The products of 50,000 rows with 50,000 others take 20 GB; [`strips`] holds one block of
//! [`BLOCK`] by [`BLOCK`] per thread. Blocks are of that size whatever the sets are, filled up with
//! zeros: each product is then summed in the same order wherever its rows stand, so that equal rows
//! have equal products, bit for bit, and the number of threads changes nothing.

use std::ops::Range;

use nalgebra::DMatrix;
use rayon::prelude::*;

use crate::error::EvalError;
use crate::features::Features;

/// Rows of a block.
pub(crate) const BLOCK: usize = 256;

/// Rows as the metrics see them: in f64, less a centre.
pub(crate) struct Rows<'a> {
    features: &'a Features,
    centre: Vec<f64>,
}

/// The products of some rows of one set with some of another.
pub(crate) struct Block<'a> {
    /// Rows of the first set.
    pub rows: Range<usize>,
    /// Rows of the second set.
    pub columns: Range<usize>,
    products: &'a DMatrix<f64>,
}

impl Block<'_> {
    /// The products of all [`Block::rows`] with row `column` of the second set.
    pub fn column(&self, column: usize) -> &[f64] {
        let start = (column - self.columns.start) * BLOCK;
        &self.products.as_slice()[start..start + self.rows.len()]
    }
}

impl<'a> Rows<'a> {
    /// The rows as they are.
    pub fn new(features: &'a Features) -> Self {
        Self::about(features, vec![0.0; features.dims])
    }

    /// The rows less `centre`, which has a number for each of their dimensions.
    pub fn about(features: &'a Features, centre: Vec<f64>) -> Self {
        Self { features, centre }
    }

    /// How many rows.
    pub fn count(&self) -> usize {
        self.features.count()
    }

    /// One row.
    pub fn row(&self, i: usize) -> impl Iterator<Item = f64> + '_ {
        self.features.row(i).iter().zip(&self.centre).map(|(v, c)| f64::from(*v) - c)
    }

    /// The rows of `range` as the columns of `dims` by [`BLOCK`], zeros after them.
    fn columns(&self, range: &Range<usize>, into: &mut DMatrix<f64>) {
        into.fill(0.0);
        for (mut column, i) in into.column_iter_mut().zip(range.clone()) {
            column.iter_mut().zip(self.row(i)).for_each(|(into, v)| *into = v);
        }
    }
}

/// Goes through all products of rows of `x` with rows of `y`: for each strip of [`BLOCK`] rows of
/// `x`, `start` makes a state and `visit` sees the blocks of the strip from left to right. Answers
/// with the states, from the first strip to the last.
pub(crate) fn strips<S: Send>(
    x: &Rows<'_>,
    y: &Rows<'_>,
    start: impl Fn(Range<usize>) -> S + Sync,
    visit: impl Fn(&mut S, &Block<'_>) + Sync,
) -> Vec<S> {
    let dims = x.features.dims;
    let buffers = || (DMatrix::zeros(dims, BLOCK), DMatrix::zeros(BLOCK, BLOCK));
    let strip = |(columns, products): &mut (DMatrix<f64>, DMatrix<f64>), rows: Range<usize>| {
        x.columns(&rows, columns);
        // Laid out so that nalgebra hands the product to its fast kernel.
        let left = columns.transpose();
        let mut state = start(rows.clone());
        for range in blocks(y.count(), BLOCK) {
            y.columns(&range, columns);
            products.gemm(1.0, &left, columns, 0.0);
            visit(&mut state, &Block { rows: rows.clone(), columns: range, products });
        }
        state
    };
    let all: Vec<_> = blocks(x.count(), BLOCK).collect();
    all.into_par_iter().map_init(buffers, strip).collect()
}

/// `0..count` in pieces of `size`, the last one shorter.
pub(crate) fn blocks(count: usize, size: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    (0..count).step_by(size).map(move |start| start..count.min(start + size))
}

/// The mean row.
pub(crate) fn mean(features: &Features) -> Vec<f64> {
    let mut mean = vec![0.0; features.dims];
    for i in 0..features.count() {
        mean.iter_mut().zip(features.row(i)).for_each(|(m, v)| *m += f64::from(*v));
    }
    mean.iter_mut().for_each(|m| *m /= features.count() as f64);
    mean
}

/// Refuses a set that is not rows of finite numbers, or fewer than `least` of them.
pub(crate) fn check(name: &str, features: &Features, least: usize) -> Result<(), EvalError> {
    let (count, dims) = (features.count(), features.dims);
    if dims == 0 || features.values.len() != count * dims {
        return Err(EvalError::Input(format!(
            "the {name} images' features are {} values, which are not rows of {dims}",
            features.values.len()
        )));
    }
    if count < least {
        return Err(EvalError::Input(format!(
            "{count} {name} images are too few: at least {least} are needed"
        )));
    }
    match features.values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(EvalError::Input(format!(
            "feature {} of {name} image {} is {}: look for a broken image or weights file",
            at % dims,
            at / dims,
            features.values[at]
        ))),
    }
}

/// [`check`] for both sets, which must have the same dimensions.
pub(crate) fn check_both(real: &Features, fake: &Features, least: usize) -> Result<(), EvalError> {
    check("real", real, least)?;
    check("generated", fake, least)?;
    if real.dims != fake.dims {
        return Err(EvalError::Input(format!(
            "real images have {} features and generated ones {}: take both from one extractor",
            real.dims, fake.dims
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(count: usize, dims: usize) -> Features {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as f32 / u32::MAX as f32 - 0.4
        };
        Features { dims, values: (0..count * dims).map(|_| next()).collect() }
    }

    fn products(x: &Features, y: &Features) -> DMatrix<f64> {
        let mut out = DMatrix::zeros(x.count(), y.count());
        let strips = strips(
            &Rows::new(x),
            &Rows::new(y),
            |_| Vec::new(),
            |seen: &mut Vec<(usize, usize, f64)>, block| {
                for j in block.columns.clone() {
                    let column = block.column(j);
                    seen.extend(block.rows.clone().zip(column).map(|(i, v)| (i, j, *v)));
                }
            },
        );
        strips.into_iter().flatten().for_each(|(i, j, v)| out[(i, j)] = v);
        out
    }

    #[test]
    fn every_product_is_seen_at_its_place() {
        for (n, m, dims) in [(1, 1, 1), (7, 300, 3), (513, 256, 70)] {
            let (x, y) = (some(n, dims), some(m, dims));
            let seen = products(&x, &y);
            for (i, j) in (0..n).flat_map(|i| (0..m).map(move |j| (i, j))) {
                let dot = |(a, b): (&f32, &f32)| f64::from(*a) * f64::from(*b);
                let expected: f64 = x.row(i).iter().zip(y.row(j)).map(dot).sum();
                assert!((seen[(i, j)] - expected).abs() < 1e-12, "{i} {j}");
            }
        }
    }

    #[test]
    fn a_product_has_the_same_bits_wherever_its_rows_stand() {
        let x = some(300, 37);
        let order: Vec<usize> = (0..300).rev().chain([5, 5, 5]).collect();
        let (here, there) = (products(&x, &x), products(&x.select(&order), &x));
        for (place, &i) in order.iter().enumerate() {
            assert!((0..300).all(|j| here[(i, j)].to_bits() == there[(place, j)].to_bits()));
            assert!((0..300).all(|j| here[(j, i)].to_bits() == there[(place, j)].to_bits()));
        }
    }
}
