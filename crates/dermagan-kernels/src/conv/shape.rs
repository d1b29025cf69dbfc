//! The extents of the two images that a stride-2 layer connects.

/// Extents of a 4 × 4 filter with stride 2 and padding 1 between a large image `[batch, 2·height, 2·width, wide]` and a
/// small one `[batch, height, width, deep]`, both channels-last. The filter is `[deep, wide, 4, 4]`. That is PyTorch's
/// order both for the convolution that makes the small image and for the transposed one that makes the large image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Number of images.
    pub batch: usize,
    /// Number of rows of the small image.
    pub height: usize,
    /// Number of columns of the small image.
    pub width: usize,
    /// Number of channels of the large image.
    pub wide: usize,
    /// Number of channels of the small image.
    pub deep: usize,
}

/// Rows and columns of the filter.
pub const SIDE: usize = 4;
/// Number of values of the filter for one pair of channels.
pub const TAPS: usize = SIDE * SIDE;

/// Index in a filter `[deep, wide, 4, 4]` of the value in row `k` and column `deep` of its matrix, whose rows are (tap,
/// channel).
pub(crate) fn filter_index(wide: usize, k: usize, deep: usize) -> usize {
    (deep * wide + k % wide) * TAPS + k / wide
}

impl Shape {
    /// Number of values of one large image.
    pub fn large(&self) -> usize {
        4 * self.height * self.width * self.wide
    }

    /// Number of values of one small image.
    pub fn small(&self) -> usize {
        self.height * self.width * self.deep
    }

    /// Number of values of the filter.
    pub fn filter(&self) -> usize {
        self.deep * self.wide * TAPS
    }

    /// Panics unless the slices have these extents.
    pub(crate) fn check(&self, large: usize, small: usize, filter: usize) {
        assert_eq!(large, self.batch * self.large(), "the large image's extent");
        assert_eq!(small, self.batch * self.small(), "the small image's extent");
        assert_eq!(filter, self.filter(), "the filter's extent");
    }
}

/// A function that processes one or more large images, channels-last, as soon as they are computed.
pub type Finish<'a, T> = &'a (dyn Fn(&mut [T]) + Sync);
