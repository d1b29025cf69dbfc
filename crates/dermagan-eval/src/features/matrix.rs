//! The feature matrix: the numbers that stand for a set of images.

/// A feature matrix with one row per image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Features per row.
    pub dims: usize,
    /// The rows, one after another: `count() * dims` values.
    pub values: Vec<f32>,
}

impl Features {
    /// The number of rows; 0 where `dims` is 0.
    pub fn count(&self) -> usize {
        self.values.len().checked_div(self.dims).unwrap_or(0)
    }

    /// Row `i`: `dims` values.
    ///
    /// # Panics
    /// When `i` is not below [`Features::count`].
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.dims..(i + 1) * self.dims]
    }

    /// A new matrix of the rows with the numbers in `rows`, in that order. A number may repeat.
    ///
    /// # Panics
    /// When a number is not below [`Features::count`].
    pub fn select(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|i| self.row(*i).iter().copied()).collect();
        Self { dims: self.dims, values }
    }
}
