//! Precision, recall, density and coverage: which share of generated images looks real, and which share of
//! real images has generated counterparts.
//!
//! Each image has a ball that reaches to its k-th nearest neighbour of the same set. The balls of a set
//! together approximate the region where its images lie. Precision and recall are Kynkäänniemi et al., "Improved Precision and
//! Recall Metric", NeurIPS 2019 ([arXiv:1904.06991](https://arxiv.org/abs/1904.06991)); density and
//! coverage are Naeem et al., "Reliable Fidelity and Diversity Metrics", ICML 2020
//! ([arXiv:2002.09797](https://arxiv.org/abs/2002.09797)), whose code this module follows
//! exactly: an image is not a neighbour of itself, and an image on the edge of a ball is outside.

use std::ops::Range;

use serde::Serialize;

use super::pairs::{self, Block, CentredRows};
use crate::error::EvalError;
use crate::features::Features;

/// The usual number of neighbours that a ball reaches to: Naeem et al. 2020 use 5.
pub const NEAREST: usize = 5;

/// A squared distance below this share of the rows' squared lengths is summed from differences, because
/// the value from dot products has lost too many digits.
const NEAR: f64 = 1e-6;

/// The four figures. For two samples of one distribution density and coverage are near one; precision and
/// recall depend on k.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prdc {
    /// Share of generated images that lie in the ball of a real image.
    pub precision: f64,
    /// Share of real images that lie in the ball of a generated image.
    pub recall: f64,
    /// Mean number of real balls that a generated image lies in, divided by k; may exceed one.
    pub density: f64,
    /// The standard error of `density`, from the numbers of balls that the generated images lie in.
    pub density_error: f64,
    /// Share of real images with a generated image in their ball.
    pub coverage: f64,
}

/// Computes the four figures of two sets, with balls that reach to the `nearest_k`-th neighbour (see
/// [`NEAREST`]).
///
/// Density and coverage depend on the number of images: compare them only between sets of the
/// same sizes.
///
/// # Errors
/// When `nearest_k` is 0, a set has no more than `nearest_k` images, the dimensions differ, or a
/// value is not finite.
pub fn prdc(real: &Features, fake: &Features, nearest_k: usize) -> Result<Prdc, EvalError> {
    if nearest_k == 0 {
        return Err(EvalError::Input(
            "precision and recall with balls up to neighbour 0: expected at least neighbour 1"
                .into(),
        ));
    }
    pairs::check_both(real, fake, nearest_k.saturating_add(1))?;
    let centre = pairs::mean(real);
    let (x, y) = (Points::new(real, &centre), Points::new(fake, &centre));
    let (balls_x, balls_y) = (x.radii(nearest_k), y.radii(nearest_k));

    let visit = |tally: &mut StripCounts, block: &Block<'_>| {
        for j in block.columns.clone() {
            let mut inside = 0;
            distances(&x, &y, block, j, |place, i, distance| {
                let real = &mut tally.real[place];
                real.0 = real.0.min(distance);
                real.1 |= distance < balls_y[j];
                inside += usize::from(distance < balls_x[i]);
            });
            tally.inside.push(inside);
        }
    };
    let start = |rows: Range<usize>| StripCounts {
        real: vec![(f64::INFINITY, false); rows.len()],
        inside: Vec::with_capacity(fake.count()),
    };
    let mut real_rows = Vec::with_capacity(real.count());
    let mut inside = vec![0; fake.count()];
    for tally in pairs::strips(&x.rows, &y.rows, start, visit) {
        real_rows.extend(tally.real);
        inside.iter_mut().zip(tally.inside).for_each(|(sum, part)| *sum += part);
    }
    let covered = real_rows.iter().zip(&balls_x).filter(|((nearest, _), ball)| nearest < ball);
    Ok(Prdc {
        precision: share(inside.iter().filter(|n| **n > 0).count(), fake.count()),
        recall: share(real_rows.iter().filter(|(_, recalled)| *recalled).count(), real.count()),
        density: share(inside.iter().sum(), fake.count()) / nearest_k as f64,
        density_error: standard_error(&inside) / nearest_k as f64,
        coverage: share(covered.count(), real.count()),
    })
}

fn share(some: usize, all: usize) -> f64 {
    some as f64 / all as f64
}

/// The standard error of the mean of some counts.
fn standard_error(counts: &[usize]) -> f64 {
    let n = counts.len() as f64;
    let mean = counts.iter().sum::<usize>() as f64 / n;
    let squares: f64 = counts.iter().map(|count| (*count as f64 - mean).powi(2)).sum();
    (squares / n / n).sqrt()
}

/// The number of rows of `queries` that lie in the ball of a row of `among`, which reaches to its `nearest_k`-th
/// neighbour: the numerator of precision, for any number of queries.
///
/// # Errors
/// As [`prdc`], but for a single query too.
pub fn count_inside(
    among: &Features,
    queries: &Features,
    nearest_k: usize,
) -> Result<usize, EvalError> {
    pairs::check_both(among, among, nearest_k.saturating_add(1))?;
    pairs::check_both(among, queries, 1)?;
    let centre = pairs::mean(among);
    let (x, y) = (Points::new(among, &centre), Points::new(queries, &centre));
    let balls = x.radii(nearest_k.max(1));
    let strips = pairs::strips(
        &x.rows,
        &y.rows,
        |_| Vec::new(),
        |inside: &mut Vec<bool>, block| {
            for j in block.columns.clone() {
                let mut lies = false;
                distances(&x, &y, block, j, |_, i, distance| lies |= distance < balls[i]);
                inside.push(lies);
            }
        },
    );
    let mut inside = vec![false; queries.count()];
    for strip in strips {
        inside.iter_mut().zip(strip).for_each(|(lies, part)| *lies |= part);
    }
    Ok(inside.into_iter().filter(|lies| *lies).count())
}

/// For each row of `queries`: the index of the nearest row of `among` (the first of several equally near
/// rows) and its Euclidean distance. Equal rows have distance 0.
///
/// # Errors
/// When a set is empty, the dimensions differ, or a value is not finite.
pub fn nearest(queries: &Features, among: &Features) -> Result<Vec<(usize, f64)>, EvalError> {
    pairs::check_both(among, queries, 1)?;
    let centre = pairs::mean(among);
    let (x, y) = (Points::new(queries, &centre), Points::new(among, &centre));
    let strips = pairs::strips(
        &x.rows,
        &y.rows,
        |rows| vec![(0, f64::INFINITY); rows.len()],
        |best: &mut Vec<(usize, f64)>, block| {
            for j in block.columns.clone() {
                distances(&x, &y, block, j, |place, _, distance| {
                    if distance < best[place].1 {
                        best[place] = (j, distance);
                    }
                });
            }
        },
    );
    Ok(strips.into_iter().flatten().map(|(at, squared)| (at, squared.sqrt())).collect())
}

/// What a strip of real images contributes to the counts.
struct StripCounts {
    /// For each real image of the strip: the squared distance to the nearest generated image, and
    /// whether the real image lies in the ball of a generated image.
    real: Vec<(f64, bool)>,
    /// For each generated image: the number of balls of the strip that it lies in.
    inside: Vec<usize>,
}

/// Rows and their squared lengths, with a centre subtracted that keeps them short.
struct Points<'a> {
    features: &'a Features,
    rows: CentredRows<'a>,
    lengths: Vec<f64>,
}

impl<'a> Points<'a> {
    fn new(features: &'a Features, centre: &[f64]) -> Self {
        let rows = CentredRows::about(features, centre.to_vec());
        let lengths = (0..rows.count()).map(|i| rows.row(i).map(|v| v * v).sum()).collect();
        Self { features, rows, lengths }
    }

    /// For each row, the squared distance to its `k`-th nearest other row.
    fn radii(&self, k: usize) -> Vec<f64> {
        let strips = pairs::strips(
            &self.rows,
            &self.rows,
            |rows| vec![f64::INFINITY; rows.len() * k],
            |nearest: &mut Vec<f64>, block| {
                for j in block.columns.clone() {
                    distances(self, self, block, j, |place, i, distance| {
                        let nearest = &mut nearest[place * k..(place + 1) * k];
                        if i != j && distance < nearest[k - 1] {
                            let rank = nearest.partition_point(|other| *other <= distance);
                            nearest[rank..].rotate_right(1);
                            nearest[rank] = distance;
                        }
                    });
                }
            },
        );
        strips.iter().flat_map(|nearest| nearest.chunks(k).map(|row| row[k - 1])).collect()
    }
}

/// Calls `give` with the squared distance of row `j` of `y` to each of the block's rows of `x`: the row's
/// position in the block, its number, and the distance. A distance depends on its two rows alone, not on
/// their positions or their order, so equal distances compare as equal.
fn distances(
    x: &Points<'_>,
    y: &Points<'_>,
    block: &Block<'_>,
    j: usize,
    mut give: impl FnMut(usize, usize, f64),
) {
    for (place, (i, product)) in block.rows.clone().zip(block.column(j)).enumerate() {
        let lengths = x.lengths[i] + y.lengths[j];
        let mut distance = lengths - 2.0 * product;
        if distance <= NEAR * lengths {
            distance = from_differences(x.features.row(i), y.features.row(j));
        }
        give(place, i, distance);
    }
}

/// The squared distance from differences, in eight parallel sums that the compiler can vectorise.
fn from_differences(a: &[f32], b: &[f32]) -> f64 {
    let square = |a: f32, b: f32| (f64::from(a) - f64::from(b)).powi(2);
    let ((eights, rest), (others, other_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in eights.iter().zip(others) {
        for lane in 0..8 {
            sums[lane] += square(a[lane], b[lane]);
        }
    }
    let rest: f64 = rest.iter().zip(other_rest).map(|(a, b)| square(*a, *b)).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn distance(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
    }

    /// The authors' formulas, one pair at a time.
    fn slow(real: &Features, fake: &Features, k: usize) -> Prdc {
        let radii = |set: &Features| -> Vec<f64> {
            let of = |i| {
                let mut all: Vec<f64> =
                    (0..set.count()).map(|j| distance(set.row(i), set.row(j))).collect();
                all.sort_by(f64::total_cmp);
                all[k]
            };
            (0..set.count()).map(of).collect()
        };
        let (balls, fake_balls) = (radii(real), radii(fake));
        let (n, m) = (real.count(), fake.count());
        let d = |i: usize, j: usize| distance(real.row(i), fake.row(j));
        let count = |n: usize, is: &dyn Fn(usize) -> bool| (0..n).filter(|i| is(*i)).count() as f64;
        let each: Vec<f64> = (0..m).map(|j| count(n, &|i| d(i, j) < balls[i])).collect();
        let inside: f64 = each.iter().sum();
        let squares: f64 = each.iter().map(|count| (count - inside / m as f64).powi(2)).sum();
        Prdc {
            precision: count(m, &|j| (0..n).any(|i| d(i, j) < balls[i])) / m as f64,
            recall: count(n, &|i| (0..m).any(|j| d(i, j) < fake_balls[j])) / n as f64,
            density: inside / m as f64 / k as f64,
            density_error: (squares / m as f64 / m as f64).sqrt() / k as f64,
            coverage: count(n, &|i| (0..m).any(|j| d(i, j) < balls[i])) / n as f64,
        }
    }

    /// Two sets drawn from one pool, so that equal rows are common within and between them.
    fn sets() -> impl Strategy<Value = (Features, Features)> {
        let pool = (1usize..40).prop_flat_map(|dims| {
            prop::collection::vec(prop::collection::vec(-9.0f32..9.0, dims), 12)
                .prop_map(move |rows| Features { dims, values: rows.concat() })
        });
        let draw = || prop::collection::vec(0usize..12, 4..20);
        (pool, draw(), draw()).prop_map(|(pool, a, b)| (pool.select(&a), pool.select(&b)))
    }

    proptest! {
        #[test]
        fn the_four_figures_follow_the_definition((x, y) in sets(), k in 1usize..4) {
            let expected = slow(&x, &y, k);
            prop_assert_eq!(prdc(&x, &y, k).unwrap(), expected);
            let inside = count_inside(&x, &y, k).unwrap();
            prop_assert_eq!(inside as f64 / y.count() as f64, expected.precision);
            let first = y.select(&[0]);
            prop_assert!(count_inside(&x, &first, k).unwrap() <= 1);
        }
    }

    #[test]
    fn nearly_equal_rows_far_from_the_centre_keep_their_distance() {
        let near = |by: f32| vec![3000.0, 4000.0 + by, 1.0];
        let values = [near(0.0), near(0.001), near(0.25), vec![0.0; 3], vec![-9000.0, 1.0, 2.0]];
        let among = Features { dims: 3, values: values.concat() };
        let query = Features { dims: 3, values: [near(0.125), near(0.001), near(0.0)].concat() };
        let found = nearest(&query, &among).unwrap();
        let step = f64::from(4000.001f32) - 4000.0;
        assert!((found[0].1 - (0.125 - step)).abs() < 1e-12 && found[0].0 == 1, "{found:?}");
        assert_eq!(found[1..], [(1, 0.0), (0, 0.0)]);
    }
}
