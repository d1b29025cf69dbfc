//! A of the ABCD rule (asymmetry), and the lesion's size and position.

use super::feature::Feature;
use super::feature::Group::{Asymmetry, Size};
use super::lab;
use super::mask::Lesion;
use super::plane::{AREA, Plane, SIDE};

/// The features that [`asymmetry`] computes.
pub(super) const ASYMMETRY: [Feature; 4] = [
    Feature::of("shape_asymmetry_long", Asymmetry, "asymmetry of shape about the long axis"),
    Feature::of("shape_asymmetry_short", Asymmetry, "asymmetry of shape about the short axis"),
    Feature::of("colour_asymmetry_long", Asymmetry, "asymmetry of colour about the long axis"),
    Feature::of("colour_asymmetry_short", Asymmetry, "asymmetry of colour about the short axis"),
];

/// The features that [`size`] computes.
pub(super) const SIZE: [Feature; 4] = [
    // 1 or 0 per image: its deviation follows from its mean, so the grain removes the spread.
    Feature::of("lesion_found", Size, "the share of images in which a lesion is found")
        .with_grain(1e9),
    Feature::of("lesion_area", Size, "the share of the image that is lesion"),
    Feature::of("lesion_offset", Size, "the distance of the lesion from the centre"),
    Feature::of("lesion_eccentricity", Size, "eccentricity of the lesion"),
];

/// A lesion's position and principal axes.
pub(super) struct Shape {
    /// The centre of mass, in pixels.
    pub(super) centre: [f32; 2],
    /// The direction of the long axis: cosine and sine.
    long: [f32; 2],
    /// 0 for a circle, near 1 for a line.
    eccentricity: f32,
    /// The lesion's share of the image.
    area: f32,
}

impl Shape {
    /// Computes the shape from the first and second moments of the mask, which is not empty.
    pub(super) fn of(lesion: &Lesion) -> Self {
        let count = lesion.area as f32;
        let (mut x, mut y) = (0.0, 0.0);
        for at in lesion.pixels() {
            x += (at % SIDE) as f32 / count;
            y += (at / SIDE) as f32 / count;
        }
        // A pixel is a square, not a point: its second moment is 1/12 along either axis.
        let (mut xx, mut yy, mut xy) = (1.0 / 12.0, 1.0 / 12.0, 0.0);
        for at in lesion.pixels() {
            let (dx, dy) = ((at % SIDE) as f32 - x, (at / SIDE) as f32 - y);
            xx += dx * dx / count;
            yy += dy * dy / count;
            xy += dx * dy / count;
        }
        let angle = 0.5 * (2.0 * xy).atan2(xx - yy);
        let (middle, half) = (0.5 * (xx + yy), (0.5 * (xx - yy)).hypot(xy));
        let eccentricity = (1.0 - (middle - half) / (middle + half)).clamp(0.0, 1.0).sqrt();
        let long = [angle.cos(), angle.sin()];
        Self { centre: [x, y], long, eccentricity, area: count / AREA as f32 }
    }

    /// The pixel at the mirror image of `at` about an axis through the centre; `None` outside the
    /// image.
    fn mirrored(&self, at: usize, axis: [f32; 2]) -> Option<usize> {
        let (dx, dy) = ((at % SIDE) as f32 - self.centre[0], (at / SIDE) as f32 - self.centre[1]);
        let along = 2.0 * (dx * axis[0] + dy * axis[1]);
        let x = (self.centre[0] + along * axis[0] - dx).round();
        let y = (self.centre[1] + along * axis[1] - dy).round();
        let inside = |v: f32| v >= 0.0 && v < SIDE as f32;
        (inside(x) && inside(y)).then(|| y as usize * SIDE + x as usize)
    }

    /// The asymmetry about one axis: the share of the mask outside its mirror image, and the mean ΔE
    /// between pixels and their mirror images where both belong to the lesion.
    fn asymmetry(&self, smooth: &[Plane; 3], lesion: &Lesion, axis: [f32; 2]) -> [f32; 2] {
        let (mut both, mut difference) = (0.0, 0.0);
        for at in lesion.pixels() {
            let Some(image) = self.mirrored(at, axis) else { continue };
            if lesion.mask[image] {
                both += 1.0;
                difference += lab::difference(lab::at(smooth, at), lab::at(smooth, image));
            }
        }
        [1.0 - both / lesion.area as f32, if both > 0.0 { difference / both } else { 0.0 }]
    }
}

/// Computes the asymmetry of shape about the long and the short axis, 0 to 1, then that of colour, in ΔE;
/// zeros without a lesion.
pub(super) fn asymmetry(smooth: &[Plane; 3], lesion: Option<(&Lesion, &Shape)>) -> [f32; 4] {
    let Some((lesion, shape)) = lesion else { return [0.0; 4] };
    let [cos, sin] = shape.long;
    let [shape_long, colour_long] = shape.asymmetry(smooth, lesion, [cos, sin]);
    let [shape_short, colour_short] = shape.asymmetry(smooth, lesion, [-sin, cos]);
    [shape_long, shape_short, colour_long, colour_short]
}

/// Computes 1 (a lesion was found), the lesion's share of the image, its distance from the centre as a
/// share of the image's side, and its eccentricity (0 for a circle, near 1 for a line); zeros without a
/// lesion.
pub(super) fn size(shape: Option<&Shape>) -> [f32; 4] {
    let Some(shape) = shape else { return [0.0; 4] };
    let middle = (SIDE - 1) as f32 / 2.0;
    let offset = (shape.centre[0] - middle).hypot(shape.centre[1] - middle) / SIDE as f32;
    [1.0, shape.area, offset, shape.eccentricity]
}
