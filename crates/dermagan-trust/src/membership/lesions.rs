//! The distances of images to the nearest image of every lesion.

use std::collections::BTreeMap;

use crate::images::products::Points;

/// The squared distance of each query to the nearest image of each lesion.
pub(crate) struct ToLesions {
    /// Number of lesions.
    pub lesions: usize,
    /// `[queries, lesions]`.
    values: Vec<f32>,
}

impl ToLesions {
    /// The distances of `queries` to `points`; `lesion` has the number of the lesion of each point.
    pub fn new(queries: &Points, points: &Points, lesion: &[usize]) -> Self {
        let mut number: BTreeMap<usize, usize> = BTreeMap::new();
        for one in lesion {
            let next = number.len();
            number.entry(*one).or_insert(next);
        }
        let place: Vec<usize> = lesion.iter().map(|one| number[one]).collect();
        let lesions = number.len();
        let nearest = |_, squares: &[f32]| {
            let mut row = vec![f32::INFINITY; lesions];
            for (place, squared) in place.iter().zip(squares) {
                row[*place] = row[*place].min(*squared);
            }
            row
        };
        Self { lesions, values: points.distances(queries, nearest).concat() }
    }

    /// The distances of each query, one after another.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.lesions.max(1))
    }

    /// The number of queries.
    pub fn queries(&self) -> usize {
        self.values.len() / self.lesions.max(1)
    }
}

/// The smallest of the values at `places`.
pub(crate) fn smallest(row: &[f32], places: &[usize]) -> f32 {
    places.iter().fold(f32::INFINITY, |best, place| best.min(row[*place]))
}
