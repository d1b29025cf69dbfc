//! Numbers that stand for images.

/// One row of numbers an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Numbers in a row.
    pub dims: usize,
    /// The rows, one after another: `count() * dims` values.
    pub values: Vec<f32>,
}

impl Features {
    /// How many rows.
    pub fn count(&self) -> usize {
        self.values.len().checked_div(self.dims).unwrap_or(0)
    }

    /// One row.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.dims..(i + 1) * self.dims]
    }

    /// The rows that `rows` names, in that order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|i| self.row(*i).iter().copied()).collect();
        Self { dims: self.dims, values }
    }
}
