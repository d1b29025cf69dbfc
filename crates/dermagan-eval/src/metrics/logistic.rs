//! Logistic regression with an L2 penalty, by Newton's method with conjugate gradients (Dembo and Steihaug 1983), as in
//! scikit-learn's solver `newton-cg`. The loss is convex, so the starting point does not matter.

use crate::features::Features;

/// The largest number of steps of Newton's method; a fit on features of networks takes some ten.
const STEPS: usize = 60;
/// The largest number of conjugate gradient steps per step of Newton's method.
const INNER: usize = 250;
/// A fit ends when no component of the gradient of the mean loss is larger; scikit-learn has the same default.
const TOLERANCE: f64 = 1e-4;

/// A linear classifier of rows of features.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    /// One weight per feature.
    pub weights: Vec<f64>,
    /// The score of a row of zeros.
    pub intercept: f64,
}

/// Rows with a label.
pub struct Labelled<'a> {
    /// The features.
    pub features: &'a Features,
    /// The rows that are used.
    pub rows: &'a [usize],
    /// A label for each row of `features`.
    pub labels: &'a [bool],
}

impl Logistic {
    /// Minimises the mean log-loss of `data` plus `penalty / 2` times the squared length of the weights. In
    /// scikit-learn, `C = 1 / (penalty * data.rows.len())`. The intercept has no penalty.
    ///
    /// # Panics
    /// When a row is not among the features or has no label.
    pub fn fit(data: &Labelled<'_>, penalty: f64) -> Self {
        let fit = Fit { data, penalty };
        // The intercept is the last parameter.
        let mut at = vec![0.0; data.features.dims + 1];
        let mut state = fit.state(&at);
        for _ in 0..STEPS {
            let gradient = fit.gradient(&at, &state);
            let largest = gradient.iter().fold(0.0f64, |most, g| most.max(g.abs()));
            // False for NaN too, with which no step helps.
            let unfinished = largest > TOLERANCE;
            if !unfinished {
                break;
            }
            let step = fit.newton_step(&gradient, &state);
            let slope = dot(&gradient, &step);
            // Halve the step until the loss falls as much as its slope promises (Armijo 1966).
            let mut length = 1.0;
            (at, state) = loop {
                let next: Vec<f64> = at.iter().zip(&step).map(|(a, s)| a + length * s).collect();
                let better = fit.state(&next);
                if better.loss <= state.loss + 1e-4 * length * slope || length < 1e-10 {
                    break (next, better);
                }
                length /= 2.0;
            };
        }
        let intercept = at.pop().unwrap_or_default();
        Self { weights: at, intercept }
    }

    /// The score of a row: above 0 where the label `true` is more likely.
    pub fn score(&self, row: &[f32]) -> f64 {
        self.intercept + dot_row(row, &self.weights)
    }
}

/// The loss of a fit.
struct Fit<'a> {
    data: &'a Labelled<'a>,
    penalty: f64,
}

/// What the derivatives at a point are made of.
struct State {
    /// The mean loss with the penalty.
    loss: f64,
    /// The probability of the label `true`, for each row.
    probabilities: Vec<f64>,
}

impl Fit<'_> {
    /// The rows that are used, with their labels.
    fn rows(&self) -> impl Iterator<Item = (&[f32], bool)> {
        self.data.rows.iter().map(|i| (self.data.features.row(*i), self.data.labels[*i]))
    }

    fn state(&self, at: &[f64]) -> State {
        let (weights, intercept) = at.split_at(self.data.features.dims);
        let mut sum = 0.0;
        let mut probabilities = Vec::with_capacity(self.data.rows.len());
        for (row, label) in self.rows() {
            let score = intercept[0] + dot_row(row, weights);
            // ln(1 + exp(-score)) for the label `true`, without overflow.
            let signed = if label { -score } else { score };
            sum += signed.max(0.0) + (-signed.abs()).exp().ln_1p();
            probabilities.push(1.0 / (1.0 + (-score).exp()));
        }
        let loss = sum / probabilities.len() as f64 + self.penalty / 2.0 * dot(weights, weights);
        State { loss, probabilities }
    }

    fn gradient(&self, at: &[f64], state: &State) -> Vec<f64> {
        let rows = self.rows().zip(&state.probabilities);
        let errors = rows.map(|((row, label), p)| (row, p - f64::from(u8::from(label))));
        self.sum_of_rows(errors, at)
    }

    /// The Hessian of the loss times `direction`.
    fn curvature(&self, direction: &[f64], state: &State) -> Vec<f64> {
        let (weights, intercept) = direction.split_at(self.data.features.dims);
        let rows = self.rows().zip(&state.probabilities);
        let factors =
            rows.map(|((row, _), p)| (row, p * (1.0 - p) * (intercept[0] + dot_row(row, weights))));
        self.sum_of_rows(factors, direction)
    }

    /// The mean of the rows times their factors, plus the penalty's part for the parameters `at`.
    fn sum_of_rows<'r>(
        &self,
        rows: impl Iterator<Item = (&'r [f32], f64)>,
        at: &[f64],
    ) -> Vec<f64> {
        let mut sums = vec![0.0; at.len()];
        let (weights, intercept) = sums.split_at_mut(self.data.features.dims);
        for (row, factor) in rows {
            weights.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * f64::from(*value));
            intercept[0] += factor;
        }
        let n = self.data.rows.len() as f64;
        weights.iter_mut().zip(at).for_each(|(sum, at)| *sum = *sum / n + self.penalty * at);
        intercept[0] /= n;
        sums
    }

    /// Solves Hessian · step = -gradient as accurately as is of use this far from the minimum.
    fn newton_step(&self, gradient: &[f64], state: &State) -> Vec<f64> {
        let size = dot(gradient, gradient).sqrt();
        let enough = size * size.sqrt().min(0.5);
        let mut step = vec![0.0; gradient.len()];
        let mut residual: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut direction = residual.clone();
        let mut square = dot(&residual, &residual);
        for _ in 0..INNER {
            if square.sqrt() <= enough {
                break;
            }
            let curved = self.curvature(&direction, state);
            let along = dot(&direction, &curved);
            if along <= 0.0 {
                // Rounding only: the Hessian is positive.
                break;
            }
            let length = square / along;
            step.iter_mut().zip(&direction).for_each(|(s, d)| *s += length * d);
            residual.iter_mut().zip(&curved).for_each(|(r, c)| *r -= length * c);
            let next = dot(&residual, &residual);
            direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + next / square * *d);
            square = next;
        }
        step
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The dot product of a row with weights, in eight sums that the compiler computes at once.
fn dot_row(row: &[f32], weights: &[f64]) -> f64 {
    let (rows, rest) = row.as_chunks::<8>();
    let (others, tail) = weights.as_chunks::<8>();
    let mut sums = [0.0f64; 8];
    for (row, weights) in rows.iter().zip(others) {
        for lane in 0..8 {
            sums[lane] += f64::from(row[lane]) * weights[lane];
        }
    }
    let rest: f64 = rest.iter().zip(tail).map(|(value, weight)| f64::from(*value) * weight).sum();
    sums.iter().sum::<f64>() + rest
}
