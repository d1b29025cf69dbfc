//! What a filter or a pool reads: an image, and a window that moves over it.

/// A borrowed image, channels-last.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// Values, `[height, width, channels]`.
    pub values: &'a [f32],
    /// Number of rows and columns.
    pub extent: [usize; 2],
}

/// The window of a filter or a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Number of rows and columns.
    pub kernel: [usize; 2],
    /// Step from one pixel of the result to the next, in both directions.
    pub stride: usize,
    /// Number of zeros before the first and after the last row, then before the first and after the last column.
    pub padding: [[usize; 2]; 2],
}

impl Window {
    /// A window with as many rows of zeros above the image as below it, and as many columns at the left as at the right.
    pub fn symmetric(kernel: [usize; 2], stride: usize, padding: [usize; 2]) -> Self {
        Self { kernel, stride, padding: padding.map(|zeros| [zeros; 2]) }
    }

    /// Number of rows and columns of the result for an image of this extent. `None` if the window is larger than the
    /// padded image.
    pub fn extent(&self, image: [usize; 2]) -> Option<[usize; 2]> {
        let side = |i: usize| {
            let padded = image[i] + self.padding[i][0] + self.padding[i][1];
            Some(padded.checked_sub(self.kernel[i])? / self.stride + 1)
        };
        Some([side(0)?, side(1)?])
    }

    /// Checks a result of `len` values with `row` channels per pixel, of which those below `end` are written, and returns
    /// its extent.
    ///
    /// # Panics
    /// If the image and the result do not match.
    pub(super) fn checked(
        &self,
        image: Image<'_>,
        channels: usize,
        (len, row): (usize, usize),
        end: usize,
    ) -> [usize; 2] {
        let extent = self.extent(image.extent).expect("the window must fit into the padded image");
        let values = image.extent.iter().product::<usize>() * channels;
        assert_eq!(image.values.len(), values, "the image's extent");
        assert_eq!(len, extent[0] * extent[1] * row, "the result's extent");
        assert!(end <= row, "the result's channels");
        extent
    }

    /// Whether the window of a pixel is that pixel alone, so that no copy is needed.
    pub(super) fn is_one_pixel(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1 && self.padding == [[0; 2]; 2]
    }
}
