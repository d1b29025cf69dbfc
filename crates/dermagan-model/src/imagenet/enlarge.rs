//! Enlarges images by 2 along each axis, by bilinear interpolation between pixel centres, and the gradient of that.

/// An image `[side, side, 3]` enlarged to `[2 side, 2 side, 3]`, as by PyTorch's
/// `interpolate(scale_factor=2, mode="bilinear", align_corners=False)`.
pub(super) fn enlarged(image: &[f32], side: usize) -> Vec<f32> {
    let mut large = vec![0.0; 4 * image.len()];
    each(side, |small, at, weight| {
        for channel in 0..3 {
            large[at * 3 + channel] += weight * image[small * 3 + channel];
        }
    });
    large
}

/// The gradient of the image `[side, side, 3]`, from that of the enlarged one.
pub(super) fn reduced(gradient: &[f32], side: usize) -> Vec<f32> {
    let mut small = vec![0.0; gradient.len() / 4];
    each(side, |to, at, weight| {
        for channel in 0..3 {
            small[to * 3 + channel] += weight * gradient[at * 3 + channel];
        }
    });
    small
}

/// Calls `visit` with a pixel of the image, a pixel of the enlarged one, and the weight between them.
fn each(side: usize, mut visit: impl FnMut(usize, usize, f32)) {
    // A row or column of the enlarged image lies a quarter from one of the image, and three quarters from its neighbour.
    let near = |at: usize| {
        let nearest = at / 2;
        let other = if at.is_multiple_of(2) { nearest.max(1) - 1 } else { nearest + 1 };
        [(nearest, 0.75), (other.min(side - 1), 0.25)]
    };
    for i in 0..2 * side {
        for j in 0..2 * side {
            for (row, by_row) in near(i) {
                for (column, by_column) in near(j) {
                    visit(row * side + column, i * 2 * side + j, by_row * by_column);
                }
            }
        }
    }
}
