//! Rows of the features that are compared.

/// Rows of the features that are compared. `reference` and `yardstick` are rows of the real images, `fake` are rows of the
/// generated ones.
pub(super) struct Rows {
    pub reference: Vec<usize>,
    pub yardstick: Vec<usize>,
    pub fake: Vec<usize>,
}

impl Rows {
    /// The number of rows that all three sets have.
    pub fn shortest(&self) -> usize {
        self.reference.len().min(self.yardstick.len()).min(self.fake.len())
    }

    pub fn is_empty(&self) -> bool {
        self.reference.is_empty() && self.yardstick.is_empty() && self.fake.is_empty()
    }

    /// The first `n` rows of each set.
    pub fn truncated(mut self, n: usize) -> Self {
        [&mut self.reference, &mut self.yardstick, &mut self.fake]
            .into_iter()
            .for_each(|rows| rows.truncate(n));
        self
    }
}
