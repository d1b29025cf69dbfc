//! Fréchet Inception Distance: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule",
//! NeurIPS 2017 ([arXiv:1706.08500](https://arxiv.org/abs/1706.08500)).
//!
//! A normal distribution is fitted to each set. Their squared distance is
//! `|m₁ - m₂|² + tr(S₁ + S₂ - 2 (S₁ S₂)^½)` (Dowson and Landau, Journal of Multivariate Analysis 12, 1982).
//! The trace of the root is computed without the root: with `S₁ = L Lᵀ`, `S₁ S₂` has the eigenvalues of
//! the symmetric `Lᵀ S₂ L`, and the trace is the sum of their square roots.

use std::ops::Range;

use nalgebra::{DMatrix, DMatrixViewMut, DVector, DVectorView};
use rayon::prelude::*;

use super::pairs::{self, CentredRows};
use crate::error::EvalError;
use crate::features::Features;

/// Features per block of the covariance matrix that one task computes.
const BAND: usize = 128;
/// Rows that are read for such a block at a time.
const READ: usize = 1024;

/// A normal distribution fitted to a set: mean and covariance.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    /// The mean row: `dims` values.
    pub mean: DVector<f64>,
    /// The covariance of the features, `[dims, dims]`, divided by `count - 1`.
    pub covariance: DMatrix<f64>,
    /// The number of rows that it was fitted to.
    pub count: usize,
}

impl Gaussian {
    /// Fits a normal distribution to a set.
    ///
    /// # Errors
    /// When the set has fewer than two rows, or a value is not finite.
    pub fn of(features: &Features) -> Result<Self, EvalError> {
        pairs::check("given", features, 2)?;
        Ok(Self::fit(features))
    }

    /// [`Gaussian::of`] for a set that has been checked.
    fn fit(features: &Features) -> Self {
        let mean = pairs::mean(features);
        let rows = CentredRows::about(features, mean.clone());
        let covariance = covariance(&rows, features.dims);
        Self { mean: DVector::from_vec(mean), covariance, count: features.count() }
    }
}

/// The FID of two sets.
///
/// FID is biased: it falls as the sets grow, even where both come from one distribution. Compare only
/// values for the same numbers of images, and prefer [`kid()`](crate::kid()) for small sets.
///
/// # Errors
/// When a set has fewer images than features (its covariance would be singular and the FID would mean
/// little), the dimensions differ, or a value is not finite.
pub fn fid(real: &Features, fake: &Features) -> Result<f64, EvalError> {
    pairs::check_both(real, fake, 2)?;
    let dims = real.dims;
    if real.count().min(fake.count()) < dims {
        return Err(EvalError::Input(format!(
            "FID of {dims} features needs at least {dims} images in each set, and there are {} \
             real and {} generated ones: add images, take an extractor with fewer features, or \
             use KID, which works with any number of images",
            real.count(),
            fake.count()
        )));
    }
    frechet(&Gaussian::fit(real), &Gaussian::fit(fake))
}

/// The squared Fréchet distance of two normal distributions. A value that rounding makes negative is 0.
///
/// # Errors
/// When the dimensions differ or a value is not finite.
pub fn frechet(a: &Gaussian, b: &Gaussian) -> Result<f64, EvalError> {
    let dims = a.mean.len();
    let square = |g: &Gaussian| g.mean.len() == dims && g.covariance.shape() == (dims, dims);
    if !square(a) || !square(b) {
        return Err(EvalError::Input(format!(
            "cannot compare normal distributions of {dims} and {} dimensions",
            b.mean.len()
        )));
    }
    let root = root_trace(&a.covariance, &b.covariance);
    let distance = (&a.mean - &b.mean).norm_squared() + a.covariance.trace() + b.covariance.trace()
        - 2.0 * root.unwrap_or(f64::NAN);
    if distance.is_finite() {
        Ok(distance.max(0.0))
    } else {
        Err(EvalError::Input("cannot compute FID: the features are too large or not finite".into()))
    }
}

/// The covariance of centred rows.
fn covariance(rows: &CentredRows<'_>, dims: usize) -> DMatrix<f64> {
    let bands = pairs::blocks(dims, BAND);
    let lower: Vec<_> = bands
        .clone()
        .flat_map(|a| {
            bands.clone().take_while(move |b| b.start <= a.start).map(move |b| (a.clone(), b))
        })
        .collect();
    let part = |of: &Range<usize>, band: &Range<usize>| {
        let values = of.clone().flat_map(|i| rows.row(i).skip(band.start).take(band.len()));
        DMatrix::from_iterator(band.len(), of.len(), values)
    };
    let sum = |(a, b): &(Range<usize>, Range<usize>)| {
        let mut sum = DMatrix::zeros(a.len(), b.len());
        for read in pairs::blocks(rows.count(), READ) {
            sum.gemm(1.0, &part(&read, a), &part(&read, b).transpose(), 1.0);
        }
        sum
    };
    let sums: Vec<DMatrix<f64>> = lower.par_iter().map(sum).collect();
    let mut covariance = DMatrix::zeros(dims, dims);
    for ((a, b), sum) in lower.iter().zip(sums) {
        covariance.view_mut((a.start, b.start), sum.shape()).copy_from(&sum);
    }
    covariance.fill_upper_triangle_with_lower_triangle();
    covariance / (rows.count() as f64 - 1.0)
}

/// `tr((a b)^½)` of two covariances; `None` where a value is not finite.
fn root_trace(a: &DMatrix<f64>, b: &DMatrix<f64>) -> Option<f64> {
    let factor = factor(a);
    if factor.ncols() == 0 {
        return Some(0.0);
    }
    let between = product(&factor.transpose(), &product(b, &factor));
    if between.iter().any(|v| !v.is_finite()) {
        return None;
    }
    // Only rounding makes an eigenvalue negative.
    Some(between.symmetric_eigenvalues().iter().map(|v| v.max(0.0).sqrt()).sum())
}

/// `a` times `b`, computed in blocks of columns in parallel.
fn product(a: &DMatrix<f64>, b: &DMatrix<f64>) -> DMatrix<f64> {
    let rows = a.nrows();
    let mut out = DMatrix::zeros(rows, b.ncols());
    out.as_mut_slice().par_chunks_mut(rows * BAND).enumerate().for_each(|(i, panel)| {
        let columns = panel.len() / rows;
        let right = b.columns(i * BAND, columns);
        DMatrixViewMut::from_slice(panel, rows, columns).gemm(1.0, a, &right, 0.0);
    });
    out
}

/// A matrix `L` with `L Lᵀ = s` for a covariance `s`. The number of its columns is the rank of `s`.
///
/// This is the Cholesky factorisation with pivoting: it takes the largest remaining variance first and
/// ends when only rounding remains (Higham, "Analysis of the Cholesky decomposition of a semi-definite
/// matrix", 1990). Features that are constant or linear combinations of others therefore do not disturb
/// it. Rows keep their positions, so no permutation has to be undone.
fn factor(s: &DMatrix<f64>) -> DMatrix<f64> {
    let dims = s.nrows();
    let mut remaining: Vec<f64> = s.diagonal().iter().copied().collect();
    let least = dims as f64 * f64::EPSILON * s.diagonal().amax();
    let mut rows = vec![Vec::with_capacity(dims); dims];
    let largest = |of: &[f64]| (0..dims).max_by(|a, b| of[*a].total_cmp(&of[*b]));
    while let Some(pivot) = largest(&remaining).filter(|i| remaining[*i] > least) {
        let root = remaining[pivot].sqrt();
        let of_pivot: Vec<f64> = rows[pivot].clone();
        let known = DVectorView::from_slice(&of_pivot, of_pivot.len());
        let step = |(i, (row, remaining)): (usize, (&mut Vec<f64>, &mut f64))| {
            let value = if i == pivot {
                root
            } else if *remaining == f64::NEG_INFINITY {
                0.0
            } else {
                (s[(i, pivot)] - DVectorView::from_slice(row, row.len()).dot(&known)) / root
            };
            row.push(value);
            *remaining = if i == pivot { f64::NEG_INFINITY } else { *remaining - value * value };
        };
        rows.par_iter_mut().zip(&mut remaining).enumerate().with_min_len(64).for_each(step);
    }
    DMatrix::from_fn(dims, rows.first().map_or(0, Vec::len), |i, k| rows[i][k])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaussian(mean: &[f64], variances: &[f64]) -> Gaussian {
        Gaussian {
            mean: DVector::from_column_slice(mean),
            covariance: DMatrix::from_diagonal(&DVector::from_column_slice(variances)),
            count: 100,
        }
    }

    #[test]
    fn independent_features_have_the_closed_form() {
        let (m, v) = ([1.0, -2.0, 0.5, 3.0], [4.0, 0.0, 1e-6, 9.0]);
        let (n, w) = ([0.0, 2.0, 0.5, 3.5], [1.0, 2.0, 1e4, 0.0]);
        let expected: f64 = (0..4)
            .map(|i| f64::powi(m[i] - n[i], 2) + f64::powi(f64::sqrt(v[i]) - f64::sqrt(w[i]), 2))
            .sum();
        let found = frechet(&gaussian(&m, &v), &gaussian(&n, &w)).unwrap();
        assert!((found - expected).abs() < 1e-9 * expected, "{found} {expected}");
    }

    #[test]
    fn a_factor_of_a_matrix_of_low_rank_has_few_columns() {
        let thin = DMatrix::from_fn(90, 7, |i, k| ((i * 31 + k * 17) % 23) as f64 - 11.0);
        let mut low = &thin * thin.transpose();
        for dead in [3, 50] {
            low.row_mut(dead).fill(0.0);
            low.column_mut(dead).fill(0.0);
        }
        let factor = factor(&low);
        assert_eq!(factor.ncols(), 7);
        assert!((&factor * factor.transpose() - &low).amax() < 1e-12 * low.amax());
    }

    #[test]
    fn a_covariance_is_that_of_the_definition() {
        let dims = 150;
        let value = |i: usize| ((i * 2_654_435_761) % 1009) as f32 / 100.0;
        let set = Features { dims, values: (0..1300 * dims).map(value).collect() };
        let found = Gaussian::of(&set).unwrap();
        for (a, b) in [(0, 0), (149, 3), (3, 149), (130, 140), (64, 64)] {
            let column = |k: usize| (0..1300).map(move |i| f64::from(value(i * dims + k)));
            let mean = |k| column(k).sum::<f64>() / 1300.0;
            let sum: f64 =
                column(a).zip(column(b)).map(|(u, v)| (u - mean(a)) * (v - mean(b))).sum();
            let found = found.covariance[(a, b)];
            assert!((found - sum / 1299.0).abs() < 1e-9, "{a} {b}: {found}");
        }
    }

    #[test]
    fn constant_features_in_one_set_or_both_do_not_disturb_the_distance() {
        let none = gaussian(&[0.0; 3], &[0.0; 3]);
        let some = gaussian(&[0.0; 3], &[1.0, 0.0, 2.0]);
        assert_eq!(frechet(&none, &none).unwrap(), 0.0);
        assert!((frechet(&none, &some).unwrap() - 3.0).abs() < 1e-12);
        assert!((frechet(&some, &none).unwrap() - 3.0).abs() < 1e-12);
    }
}
