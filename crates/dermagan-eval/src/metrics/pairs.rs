//! The dot products of all rows of one set with all rows of another, computed in blocks.
//!
//! All products of 50,000 rows with 50,000 others would take 20 GB; [`strips`] holds one block of
//! [`BLOCK`]×[`BLOCK`] products per thread. Every block has that size, whatever the size of the sets, and is
//! padded with zeros. Each product is therefore summed in the same order wherever its rows are, so equal
//! rows have equal products, bit for bit, and the number of threads changes nothing.

use std::ops::Range;

use nalgebra::DMatrix;
use rayon::prelude::*;

use crate::error::EvalError;
use crate::features::Features;

/// Rows and columns of a block.
pub(crate) const BLOCK: usize = 256;

/// The rows of a set in `f64`, with a centre subtracted.
pub(crate) struct CentredRows<'a> {
    features: &'a Features,
    centre: Vec<f64>,
}

/// A block of products: some rows of the first set with some rows of the second.
pub(crate) struct Block<'a> {
    /// Rows of the first set.
    pub rows: Range<usize>,
    /// Rows of the second set.
    pub columns: Range<usize>,
    products: &'a DMatrix<f64>,
}

impl Block<'_> {
    /// The products of [`Block::rows`] with row `column` of the second set.
    pub fn column(&self, column: usize) -> &[f64] {
        let start = (column - self.columns.start) * BLOCK;
        &self.products.as_slice()[start..start + self.rows.len()]
    }
}

impl<'a> CentredRows<'a> {
    /// The rows without a centre.
    pub fn new(features: &'a Features) -> Self {
        Self::about(features, vec![0.0; features.dims])
    }

    /// The rows with `centre`, of `dims` values, subtracted from each.
    pub fn about(features: &'a Features, centre: Vec<f64>) -> Self {
        Self { features, centre }
    }

    /// The number of rows.
    pub fn count(&self) -> usize {
        self.features.count()
    }

    /// Row `i`: `dims` values.
    pub fn row(&self, i: usize) -> impl Iterator<Item = f64> + '_ {
        self.features.row(i).iter().zip(&self.centre).map(|(v, c)| f64::from(*v) - c)
    }

    /// Writes the rows of `range` into the columns of a matrix of `dims`×[`BLOCK`], with zeros after them.
    fn columns(&self, range: &Range<usize>, into: &mut DMatrix<f64>) {
        into.fill(0.0);
        for (mut column, i) in into.column_iter_mut().zip(range.clone()) {
            column.iter_mut().zip(self.row(i)).for_each(|(into, v)| *into = v);
        }
    }
}

/// Visits all products of the rows of `x` with the rows of `y`. For each strip of [`BLOCK`] rows of `x`,
/// `start` makes a state, and `visit` receives it with the blocks of the strip from left to right. Returns
/// the states of all strips in order.
pub(crate) fn strips<S: Send>(
    x: &CentredRows<'_>,
    y: &CentredRows<'_>,
    start: impl Fn(Range<usize>) -> S + Sync,
    visit: impl Fn(&mut S, &Block<'_>) + Sync,
) -> Vec<S> {
    let dims = x.features.dims;
    let buffers = || (DMatrix::zeros(dims, BLOCK), DMatrix::zeros(BLOCK, BLOCK));
    let strip = |(columns, products): &mut (DMatrix<f64>, DMatrix<f64>), rows: Range<usize>| {
        x.columns(&rows, columns);
        // Transposed, so that nalgebra uses its fast kernel for the product.
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

/// `0..count` in ranges of `size`; the last one may be shorter.
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

/// Checks that a set has at least `least` rows of finite values. `name` says in messages which set it is.
pub(crate) fn check(name: &str, features: &Features, least: usize) -> Result<(), EvalError> {
    let (count, dims) = (features.count(), features.dims);
    if dims == 0 || features.values.len() != count * dims {
        return Err(EvalError::Input(format!(
            "the features of the {name} images are {} values, not rows of {dims}",
            features.values.len()
        )));
    }
    if count < least {
        return Err(EvalError::Input(format!(
            "{count} {name} images are too few: expected at least {least}"
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
            &CentredRows::new(x),
            &CentredRows::new(y),
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
    fn every_product_appears_at_its_position() {
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
    fn a_product_has_the_same_bits_wherever_its_rows_are() {
        let x = some(300, 37);
        let order: Vec<usize> = (0..300).rev().chain([5, 5, 5]).collect();
        let (here, there) = (products(&x, &x), products(&x.select(&order), &x));
        for (place, &i) in order.iter().enumerate() {
            assert!((0..300).all(|j| here[(i, j)].to_bits() == there[(place, j)].to_bits()));
            assert!((0..300).all(|j| here[(j, i)].to_bits() == there[(place, j)].to_bits()));
        }
    }
}
