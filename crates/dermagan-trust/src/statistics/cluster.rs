//! k-means (Lloyd 1982) with the starts of k-means++ (Arthur and Vassilvitskii 2007).

use dermagan_base::rng::Keyed;
use rayon::prelude::*;

/// Times that the centres may move. They stand still long before on a few thousand points.
const ROUNDS: usize = 100;

/// The centres of clusters.
#[derive(Clone, Debug)]
pub struct Clusters {
    dims: usize,
    /// `[clusters, dims]`.
    centres: Vec<f64>,
}

impl Clusters {
    /// Clusters about `centres`, `[clusters, dims]`.
    #[cfg(test)]
    pub fn about(dims: usize, centres: Vec<f64>) -> Self {
        Self { dims, centres }
    }

    /// The sum of the squared distances of the rows to their nearest centres.
    #[cfg(test)]
    pub fn inertia(&self, rows: &[f32]) -> f64 {
        rows.chunks_exact(self.dims).map(|row| self.nearest(row).1).sum()
    }

    /// The nearest centre of each of the rows `[n, dims]`.
    pub fn of(&self, rows: &[f32]) -> Vec<usize> {
        rows.par_chunks_exact(self.dims).map(|row| self.nearest(row).0).collect()
    }

    /// The nearest centre of a row, and its squared distance.
    fn nearest(&self, row: &[f32]) -> (usize, f64) {
        let centres = self.centres.chunks_exact(self.dims).enumerate();
        let distance = |centre: &[f64]| {
            row.iter().zip(centre).map(|(v, c)| (f64::from(*v) - c).powi(2)).sum::<f64>()
        };
        centres
            .map(|(i, centre)| (i, distance(centre)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap_or_default()
    }
}

/// Divides the rows `[n, dims]` into `count` clusters. `n` is at least `count`, and `dims` at least 1. `seed` draws the
/// first centres.
pub fn clusters(rows: &[f32], dims: usize, count: usize, seed: u64) -> Clusters {
    let n = rows.len() / dims;
    let row = |i: usize| rows[i * dims..(i + 1) * dims].iter().map(|v| f64::from(*v));
    let mut random = Keyed::new(seed, "audit clusters", 0);
    let mut found = Clusters { dims, centres: row(random.below(n as u64) as usize).collect() };
    while found.centres.len() < count * dims {
        let distances: Vec<f64> =
            rows.par_chunks_exact(dims).map(|row| found.nearest(row).1).collect();
        let mut left = random.unit() * distances.iter().sum::<f64>();
        let next = distances.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        found.centres.extend(row(next.unwrap_or(n - 1)));
    }
    let mut assigned = Vec::new();
    for _ in 0..ROUNDS {
        let now = found.of(rows);
        if now == assigned {
            break;
        }
        assigned = now;
        let mut sums = vec![0.0; count * dims];
        let mut counts = vec![0usize; count];
        for (i, cluster) in assigned.iter().enumerate() {
            counts[*cluster] += 1;
            let sums = &mut sums[cluster * dims..(cluster + 1) * dims];
            sums.iter_mut().zip(row(i)).for_each(|(sum, v)| *sum += v);
        }
        for (cluster, members) in counts.iter().enumerate().filter(|(_, members)| **members > 0) {
            let place = cluster * dims..(cluster + 1) * dims;
            let centre = &mut found.centres[place.clone()];
            let sums = &sums[place];
            centre.iter_mut().zip(sums).for_each(|(c, sum)| *c = sum / *members as f64);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separate_groups_of_points_are_separate_clusters() {
        let mut random = Keyed::new(1, "test", 0);
        let rows: Vec<f32> = (0..90)
            .flat_map(|i| {
                let at = f64::from(i % 3) * 10.0;
                [(at + random.normal()) as f32, (-at + random.normal()) as f32]
            })
            .collect();
        for seed in 0..5 {
            let of = clusters(&rows, 2, 3, seed).of(&rows);
            assert!((0..90).all(|i| of[i] == of[i % 3]));
            assert!(of[0] != of[1] && of[1] != of[2] && of[0] != of[2]);
        }
    }
}
