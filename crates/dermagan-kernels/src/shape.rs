//! The two images that a stride-2 layer connects.

/// Extents of a 4×4 filter with stride 2 and padding 1 between a large image
/// `[batch, 2·height, 2·width, wide]` and a small one `[batch, height, width, deep]`, both
/// channels-last; the filter is `[deep, wide, 4, 4]`, PyTorch's order for both the convolution that
/// makes the small image and the transposed one that makes the large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Images.
    pub batch: usize,
    /// Rows of the small image.
    pub height: usize,
    /// Columns of the small image.
    pub width: usize,
    /// Channels of the large image.
    pub wide: usize,
    /// Channels of the small image.
    pub deep: usize,
}

/// Side of the filter.
pub const SIDE: usize = 4;
/// Values of one filter.
pub const TAPS: usize = SIDE * SIDE;

/// Where value (tap, channel), `deep` is in a filter `[deep, wide, 4, 4]` seen as a matrix whose rows
/// `k` are taps, then channels.
pub(crate) fn filter_index(wide: usize, k: usize, deep: usize) -> usize {
    (deep * wide + k % wide) * TAPS + k / wide
}

impl Shape {
    /// Values of one large image.
    pub fn large(&self) -> usize {
        4 * self.height * self.width * self.wide
    }

    /// Values of one small image.
    pub fn small(&self) -> usize {
        self.height * self.width * self.deep
    }

    /// Values of the filter.
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

/// What is done to large images, one or more, as soon as they are made: channels-last values.
pub type Finish<'a, T> = &'a (dyn Fn(&mut [T]) + Sync);
