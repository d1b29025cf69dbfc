//! CIELAB, the colour space in which equal distances are about equally visible.

use std::sync::LazyLock;

use dermagan_base::image::Image;
use dermagan_data::Filter;

use super::plane::{AREA, Plane, SIDE};
use crate::error::EvalError;
use crate::features::resize::to_side;

/// Converts an sRGB colour under D65 to `[L*, a*, b*]` (CIE 1976, IEC 61966-2-1). L* runs from 0 (black)
/// to 100 (white), a* from green to red, and b* from blue to yellow. Greys have a* and b* near 0.
pub fn of([red, green, blue]: [u8; 3]) -> [f32; 3] {
    let [r, g, b] = [red, green, blue].map(|v| LINEAR[usize::from(v)]);
    // Each row is divided by the white point, so that white is (1, 1, 1).
    let x = (0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47;
    let y = 0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b;
    let z = (0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b) / 1.088_83;
    let [x, y, z] = [x, y, z].map(compressed);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The distance between two colours `[L*, a*, b*]`: ΔE of 1976, where about 2.3 is just noticeable.
pub fn difference(one: [f32; 3], other: [f32; 3]) -> f32 {
    let squares = one.iter().zip(&other).map(|(a, b)| (a - b) * (a - b));
    squares.sum::<f32>().sqrt()
}

/// The linear light of each byte value, 0 to 1.
static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|i| {
        let v = i as f64 / 255.0;
        let linear = if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
        linear as f32
    })
});

/// The cube root, with a linear segment near black.
fn compressed(t: f32) -> f32 {
    if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 }
}

/// The planes L*, a* and b* of an image, resized to `SIDE`×`SIDE`.
pub(super) fn of_image(image: &Image) -> Result<[Plane; 3], EvalError> {
    let scaled = to_side(image, SIDE, Filter::Lanczos)?;
    let mut planes = [(); 3].map(|()| Vec::with_capacity(AREA));
    for pixel in scaled.pixels.as_chunks::<3>().0 {
        for (plane, value) in planes.iter_mut().zip(of(*pixel)) {
            plane.push(value);
        }
    }
    Ok(planes)
}

/// The colour of one pixel.
pub(super) fn at(planes: &[Plane; 3], i: usize) -> [f32; 3] {
    [planes[0][i], planes[1][i], planes[2][i]]
}

/// The mean colour of some pixels; `None` where there are no pixels.
pub(super) fn mean(planes: &[Plane; 3], pixels: impl Iterator<Item = usize>) -> Option<[f32; 3]> {
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for i in pixels {
        for (sum, plane) in sum.iter_mut().zip(planes) {
            *sum += plane[i];
        }
        count += 1.0;
    }
    (count > 0.0).then(|| sum.map(|s| s / count))
}
