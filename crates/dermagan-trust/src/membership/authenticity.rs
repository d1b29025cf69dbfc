//! Two published figures for memorisation, each beside that of held-out photographs.
//!
//! Both also move if a generator varies too little or is too far from all photographs, so they decide nothing here.

use serde::Serialize;

use crate::images::products::{Near, Points};
use crate::statistics::{auc, clusters};

/// Number of clusters of C_T.
const CELLS: usize = 3;
/// A cell with a smaller share of the generated images does not count for C_T, times the number of images.
const FEWEST_IN_CELL: f64 = 20.0;

/// Two figures of generated images, and the same of held-out photographs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Authenticity {
    /// The percentage of generated images whose nearest training image is nearer to another training lesion than to them
    /// (AuthPct, Alaa et al. 2022, arXiv:2102.08921).
    pub authentic: f64,
    /// The same of held-out photographs.
    pub authentic_held_out: f64,
    /// The share of pairs of a generated and a held-out image in which the generated one is farther from the training
    /// images: C_T (Meehan et al. 2020, arXiv:2004.05675) as a share, so that it does not grow with the number of images.
    /// 0.5 is equal; copies are below. `None` if no cluster has enough images.
    pub farther_than_held_out: Option<f64>,
}

/// The distances of an audit to the nearest training image.
pub(crate) struct Nearest<'a> {
    /// Of each generated image.
    pub fake: &'a [Near],
    /// Of each held-out image.
    pub held: &'a [Near],
    /// Of each training image, to the nearest of another lesion.
    pub train: &'a [Near],
}

impl Authenticity {
    /// The figures; `cells` has the cluster of each generated and each held-out image.
    pub(crate) fn new(nearest: &Nearest<'_>, cells: [&[usize]; 2]) -> Self {
        Self {
            authentic: authentic(nearest.fake, nearest.train),
            authentic_held_out: authentic(nearest.held, nearest.train),
            farther_than_held_out: farther(nearest, cells),
        }
    }
}

/// The percentage of images that are authentic.
fn authentic(images: &[Near], train: &[Near]) -> f64 {
    let is = |near: &&Near| train[near.row].squared < near.squared;
    100.0 * images.iter().filter(is).count() as f64 / images.len().max(1) as f64
}

/// The share of [`Authenticity::farther_than_held_out`]: the mean over the cells by their share of held-out images.
fn farther(nearest: &Nearest<'_>, [fake, held]: [&[usize]; 2]) -> Option<f64> {
    let of = |images: &[Near], cells: &[usize], cell: usize| -> Vec<f64> {
        let here = images.iter().zip(cells).filter(|(_, at)| **at == cell);
        here.map(|(near, _)| f64::from(near.squared)).collect()
    };
    let (mut sum, mut weight) = (0.0, 0.0);
    for cell in 0..CELLS {
        let (fake, held) = (of(nearest.fake, fake, cell), of(nearest.held, held, cell));
        if held.is_empty() || (fake.len() as f64) <= FEWEST_IN_CELL {
            continue;
        }
        sum += held.len() as f64 * auc(&fake, &held);
        weight += held.len() as f64;
    }
    (weight > 0.0).then(|| sum / weight)
}

/// The cluster of each row of two sets. The clusters are those of the rows `train`, `[n, dims]`.
pub(crate) fn cells(train: &[f32], dims: usize, seed: u64, sets: [&[f32]; 2]) -> [Vec<usize>; 2] {
    let found = clusters(train, dims, CELLS, seed);
    sets.map(|rows| found.of(rows))
}

/// For each point, the nearest point of another lesion.
pub(crate) fn among_themselves(points: &Points, lesion: &[usize]) -> Vec<Near> {
    points.nearest(points, |i, row| lesion[i] != lesion[row])
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermagan_base::rng::Keyed;

    fn rows(n: usize, seed: u64, spread: f64) -> Vec<f32> {
        Keyed::new(seed, "test", 0).normals(n * 3, 0.0, spread)
    }

    fn figures(fake: Vec<f32>) -> Authenticity {
        let (train, held) = (rows(300, 1, 1.0), rows(100, 2, 1.0));
        let points = |rows: &[f32]| Points::new(rows.to_vec(), 3);
        let all = points(&train);
        let lesion: Vec<usize> = (0..300).collect();
        let [of_fake, of_held] = cells(&train, 3, 0, [&fake, &held]);
        let nearest = Nearest {
            fake: &all.nearest(&points(&fake), |_, _| true),
            held: &all.nearest(&points(&held), |_, _| true),
            train: &among_themselves(&all, &lesion),
        };
        Authenticity::new(&nearest, [&of_fake, &of_held])
    }

    #[test]
    fn new_images_are_as_held_out_ones_and_copies_are_not() {
        let fresh = figures(rows(300, 3, 1.0));
        assert!((fresh.authentic - fresh.authentic_held_out).abs() < 15.0, "{fresh:?}");
        assert!((fresh.farther_than_held_out.unwrap() - 0.5).abs() < 0.1, "{fresh:?}");
        let copies = figures(rows(300, 1, 1.0).iter().map(|v| v + 0.001).collect());
        assert!(copies.authentic < 1.0 && copies.farther_than_held_out < Some(0.05), "{copies:?}");
    }
}
