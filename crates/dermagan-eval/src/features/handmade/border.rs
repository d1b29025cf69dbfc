//! B of the ABCD rule: how irregular and how sharp the lesion's border is.

use super::feature::Feature;
use super::feature::Group::Border;
use super::mask::Lesion;
use super::plane::{SIDE, mean_and_deviation, slope};
use super::shape::Shape;

/// The features that [`row`] computes.
pub(super) const FEATURES: [Feature; 4] = [
    Feature::of("border_irregularity", Border, "irregularity of the border"),
    Feature::of("border_radius", Border, "the variation of the radius along the border"),
    Feature::of("border_sharpness", Border, "sharpness of the border"),
    Feature::of("border_unevenness", Border, "the variation of sharpness along the border"),
];

/// Computes the squared perimeter over 4π times the area (1 for a circle, more for any other shape), the
/// radius's standard deviation over its mean, and the mean (in ΔE per pixel) and relative deviation of
/// the colour gradient along the border. Without a lesion: the values of a circle whose gradient is 0.
pub(super) fn row(lesion: Option<(&Lesion, &Shape)>) -> [f32; 4] {
    let Some((lesion, shape)) = lesion else { return [1.0, 0.0, 0.0, 0.0] };
    let border: Vec<usize> = lesion.border().collect();
    let [x, y] = shape.centre;
    let radius = |at: &usize| ((at % SIDE) as f32 - x).hypot((at / SIDE) as f32 - y);
    let slopes = border.iter().map(|at| slope(&lesion.distance, *at));
    let [radius, radius_deviation] = mean_and_deviation(border.iter().map(radius));
    let [sharpness, sharpness_deviation] = mean_and_deviation(slopes);
    let perimeter = perimeter(&lesion.mask);
    let irregularity = perimeter * perimeter / (4.0 * std::f32::consts::PI * lesion.area as f32);
    let relative = |deviation: f32, mean: f32| if mean > 1e-3 { deviation / mean } else { 0.0 };
    [
        irregularity,
        relative(radius_deviation, radius),
        sharpness,
        relative(sharpness_deviation, sharpness),
    ]
}

/// The outline's length in pixels by Crofton's formula, which counts how often lines in four directions
/// cross it. A count of pixel edges would make a circle as long as the square around it.
fn perimeter(mask: &[bool]) -> f32 {
    let side = SIDE as isize;
    let inside = |x: isize, y: isize| {
        (0..side).contains(&x) && (0..side).contains(&y) && mask[(y * side + x) as usize]
    };
    let (mut straight, mut diagonal) = (0.0, 0.0);
    for y in -1..=side {
        for x in -1..=side {
            let here = inside(x, y);
            let crossed = |dx, dy| f32::from(u8::from(here != inside(x + dx, y + dy)));
            straight += crossed(1, 0) + crossed(0, 1);
            diagonal += crossed(1, 1) + crossed(1, -1);
        }
    }
    // Diagonal lines lie closer together, so each crossing counts for less.
    std::f32::consts::FRAC_PI_8 * (straight + diagonal * std::f32::consts::FRAC_1_SQRT_2)
}
