//! C of the ABCD rule: which of six colours the lesion has, and its contrast with the skin.

use super::feature::Feature;
use super::feature::Group::Colour;
use super::lab;
use super::mask::Lesion;
use super::plane::{AREA, Plane, neighbours};

/// The features that [`row`] computes.
pub(super) const FEATURES: [Feature; 8] = [
    Feature::share("lesion_white", "the white share of the lesion"),
    Feature::share("lesion_red", "the red share of the lesion"),
    Feature::share("lesion_light_brown", "the light brown share of the lesion"),
    Feature::share("lesion_dark_brown", "the dark brown share of the lesion"),
    Feature::share("lesion_blue_grey", "the blue-grey share of the lesion"),
    Feature::share("lesion_black", "the black share of the lesion"),
    Feature::of("lesion_colours", Colour, "the number of colours in the lesion").with_grain(0.5),
    Feature::of("lesion_contrast", Colour, "the contrast of lesion and skin"),
];

/// The rule's six colours in sRGB, in the order of [`FEATURES`]. Stolz et al. name the colours
/// without numbers; these values were chosen here to look like them under a dermatoscope.
const COLOURS: [[u8; 3]; 6] =
    [[235, 225, 220], [200, 60, 75], [185, 120, 100], [110, 60, 50], [110, 120, 135], [35, 30, 30]];

/// A colour that covers less of the lesion does not count as present.
const PRESENT: f32 = 0.05;

/// The width in pixels of the ring around the lesion that shows the surrounding skin.
const RING: usize = 8;

/// Computes the shares of the six colours, the number of colours present, and ΔE between lesion and skin;
/// zeros without a lesion.
pub(super) fn row(lab: &[Plane; 3], lesion: Option<&Lesion>) -> [f32; 8] {
    let mut row = [0.0; 8];
    let Some(lesion) = lesion else { return row };
    let colours = COLOURS.map(lab::of);
    for at in lesion.pixels() {
        row[nearest(&colours, lab::at(lab, at))] += 1.0 / lesion.area as f32;
    }
    row[6] = row[..6].iter().filter(|share| **share >= PRESENT).count() as f32;
    let lesion_colour = lab::mean(lab, lesion.pixels());
    let skin_colour = lab::mean(lab, ring(&lesion.mask).into_iter());
    if let (Some(lesion), Some(skin)) = (lesion_colour, skin_colour) {
        row[7] = lab::difference(lesion, skin);
    }
    row
}

/// The index of the reference colour nearest to `colour`.
fn nearest(colours: &[[f32; 3]; 6], colour: [f32; 3]) -> usize {
    let mut best = (0, f32::INFINITY);
    for (i, reference) in colours.iter().enumerate() {
        let far = lab::difference(*reference, colour);
        if far < best.1 {
            best = (i, far);
        }
    }
    best.0
}

/// The pixels outside the mask within `RING` steps of it.
fn ring(mask: &[bool]) -> Vec<usize> {
    let mut seen = mask.to_vec();
    let mut front: Vec<usize> = (0..AREA).filter(|at| mask[*at]).collect();
    let mut ring = Vec::new();
    for _ in 0..RING {
        let mut next = Vec::new();
        for near in front.into_iter().flat_map(neighbours) {
            if !std::mem::replace(&mut seen[near], true) {
                next.push(near);
            }
        }
        ring.extend_from_slice(&next);
        front = next;
    }
    ring
}
