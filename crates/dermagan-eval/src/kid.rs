//! Kernel Inception Distance: Bińkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs",
//! ICLR 2018 ([arXiv:1801.01401](https://arxiv.org/abs/1801.01401)).
//!
//! The squared maximum mean discrepancy under the kernel `(x·y / dims + 1)³`, by its unbiased
//! estimator: it is right on average however few pictures there are, and may fall below zero where
//! two sets are alike. The paper's authors average over random subsets of 1,000 to save work; here
//! all pictures are used at once, which varies less and needs no seed.

use serde::Serialize;

use crate::error::EvalError;
use crate::features::Features;
use crate::pairs::{self, Rows};

/// A kernel distance and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Kid {
    /// The unbiased squared discrepancy; papers often quote a thousand times this.
    pub value: f64,
    /// Standard error of [`Kid::value`] over the choice of both sets' pictures.
    pub standard_error: f64,
}

/// Compares two sets, of whatever sizes.
///
/// The standard error is the delete-one jackknife of both samples: each picture is left out once
/// (Arvesen, Annals of Mathematical Statistics 40, 1969).
///
/// # Errors
/// When a set has fewer than three pictures (one must remain to be compared with another after one
/// is left out), the dimensions differ, or a value is not finite.
pub fn kid(real: &Features, fake: &Features) -> Result<Kid, EvalError> {
    pairs::check_both(real, fake, 3)?;
    let (x, y) = (Rows::new(real), Rows::new(fake));
    let (within_x, _) = sums(&x, &x, real.dims, true);
    let (within_y, _) = sums(&y, &y, real.dims, true);
    let (from_x, from_y) = sums(&x, &y, real.dims, false);
    let all = Sums {
        x: (within_x.iter().sum(), x.count() as f64),
        y: (within_y.iter().sum(), y.count() as f64),
        across: from_x.iter().sum(),
    };
    let without_x = within_x.iter().zip(&from_x).map(|(within, across)| Sums {
        x: (all.x.0 - 2.0 * within, all.x.1 - 1.0),
        across: all.across - across,
        ..all
    });
    let without_y = within_y.iter().zip(&from_y).map(|(within, across)| Sums {
        y: (all.y.0 - 2.0 * within, all.y.1 - 1.0),
        across: all.across - across,
        ..all
    });
    let variance = jackknife(without_x) + jackknife(without_y);
    Ok(Kid { value: all.discrepancy(), standard_error: variance.sqrt() })
}

/// Sums of the kernel over all pairs of different pictures.
#[derive(Clone, Copy)]
struct Sums {
    /// Within the first set, and its count.
    x: (f64, f64),
    /// Within the second set, and its count.
    y: (f64, f64),
    /// Between the sets.
    across: f64,
}

impl Sums {
    fn discrepancy(&self) -> f64 {
        let within = |(sum, count): (f64, f64)| sum / (count * (count - 1.0));
        within(self.x) + within(self.y) - 2.0 * self.across / (self.x.1 * self.y.1)
    }
}

/// One sample's part of the variance, from the estimates with each of its pictures left out.
fn jackknife(left_out: impl Iterator<Item = Sums>) -> f64 {
    let values: Vec<f64> = left_out.map(|sums| sums.discrepancy()).collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (count - 1.0) / count * values.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
}

/// The kernel summed over each row of `x` and over each row of `y`. `same`: the sets are one, and
/// a picture is not paired with itself.
fn sums(x: &Rows<'_>, y: &Rows<'_>, dims: usize, same: bool) -> (Vec<f64>, Vec<f64>) {
    let kernel = |product: &f64| (product / dims as f64 + 1.0).powi(3);
    let strips = pairs::strips(
        x,
        y,
        |rows| (vec![0.0; rows.len()], Vec::with_capacity(y.count())),
        |(of_x, of_y): &mut (Vec<f64>, Vec<f64>), block| {
            for j in block.columns.clone() {
                let mut total = 0.0;
                let values = block.column(j);
                for ((i, sum), product) in block.rows.clone().zip(of_x.iter_mut()).zip(values) {
                    let value = if same && i == j { 0.0 } else { kernel(product) };
                    *sum += value;
                    total += value;
                }
                of_y.push(total);
            }
        },
    );
    let mut of_x = Vec::with_capacity(x.count());
    let mut of_y = vec![0.0; y.count()];
    for (rows, columns) in strips {
        of_x.extend(rows);
        of_y.iter_mut().zip(columns).for_each(|(sum, part)| *sum += part);
    }
    (of_x, of_y)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, a pair at a time.
    fn slow(x: &Features, y: &Features) -> f64 {
        let kernel = |a: &[f32], b: &[f32]| {
            let dot: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            (dot / x.dims as f64 + 1.0).powi(3)
        };
        let within = |s: &Features| {
            let n = s.count();
            let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|(i, j)| i != j);
            pairs.map(|(i, j)| kernel(s.row(i), s.row(j))).sum::<f64>() / (n * (n - 1)) as f64
        };
        let pairs = (0..x.count()).flat_map(|i| (0..y.count()).map(move |j| (i, j)));
        let across: f64 = pairs.map(|(i, j)| kernel(x.row(i), y.row(j))).sum();
        within(x) + within(y) - 2.0 * across / (x.count() * y.count()) as f64
    }

    fn without(set: &Features, row: usize) -> Features {
        let rows: Vec<usize> = (0..set.count()).filter(|i| *i != row).collect();
        set.select(&rows)
    }

    fn slow_variance(count: usize, estimate: impl Fn(usize) -> f64) -> f64 {
        let values: Vec<f64> = (0..count).map(estimate).collect();
        let mean = values.iter().sum::<f64>() / count as f64;
        let n = count as f64;
        (n - 1.0) / n * values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>()
    }

    fn set(dims: usize) -> impl Strategy<Value = Features> {
        prop::collection::vec(prop::collection::vec(-2.0f32..2.0, dims), 3..12)
            .prop_map(move |rows| Features { dims, values: rows.concat() })
    }

    proptest! {
        #[test]
        fn value_and_error_are_those_of_the_definition(
            (x, y) in (1usize..9).prop_flat_map(|dims| (set(dims), set(dims)))
        ) {
            let found = kid(&x, &y).unwrap();
            let close = |a: f64, b: f64| (a - b).abs() < 1e-9 * (1.0 + a.abs());
            prop_assert!(close(found.value, slow(&x, &y)));
            let variance = slow_variance(x.count(), |i| slow(&without(&x, i), &y))
                + slow_variance(y.count(), |j| slow(&x, &without(&y, j)));
            prop_assert!(close(found.standard_error, variance.sqrt()));
        }

        #[test]
        fn the_order_of_the_sets_does_not_matter(
            (x, y) in (1usize..9).prop_flat_map(|dims| (set(dims), set(dims)))
        ) {
            let (one, other) = (kid(&x, &y).unwrap(), kid(&y, &x).unwrap());
            prop_assert!((one.value - other.value).abs() < 1e-9 * (1.0 + one.value.abs()));
            prop_assert!((one.standard_error - other.standard_error).abs() < 1e-9
                * (1.0 + one.standard_error));
        }
    }
}
