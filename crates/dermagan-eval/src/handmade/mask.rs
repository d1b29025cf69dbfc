//! Where the lesion is: the pixels whose colour is far from the skin's, by Otsu's threshold.
//!
//! N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems,
//! Man, and Cybernetics 9 (1979).

use dermagan_base::image::Image;

use super::lab;
use super::plane::{AREA, Plane, SIDE, blurred, neighbours};
use crate::error::EvalError;

/// Less than this between lesion and skin, in ΔE, is noise or uneven light.
const LEAST_CONTRAST: f32 = 6.0;

/// A smaller share of the image is a hair or a bubble.
const LEAST_AREA: usize = AREA / 256;

/// Farther from skin than lesions are, in ΔE: black corners and backgrounds count as this far, or
/// the threshold would lie between them and everything else.
const MOST_CONTRAST: f32 = 50.0;

/// Smoothing before the threshold, in pixels: hairs and pores vanish, borders stay.
const SMOOTHING: f32 = 1.0;

/// How wide a frame is taken for skin, in pixels.
const FRAME: usize = 4;

/// The lesion's pixels, and how far every pixel is from the skin.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesion {
    /// Whether each of 64×64 pixels belongs to it, row by row.
    pub mask: Vec<bool>,
    /// How many do.
    pub area: usize,
    /// The smoothed distance of each pixel from the skin's colour, in ΔE; lighter counts as skin.
    pub(super) distance: Plane,
}

impl Lesion {
    /// Its pixels' indices.
    pub(super) fn pixels(&self) -> impl Iterator<Item = usize> {
        (0..AREA).filter(|at| self.mask[*at])
    }

    /// Its pixels that have a neighbour outside it; the image's edge is no neighbour.
    pub(super) fn border(&self) -> impl Iterator<Item = usize> {
        self.pixels().filter(|at| neighbours(*at).any(|next| !self.mask[next]))
    }
}

/// The lesion of an image, looked for at 64×64; `None` when nothing stands out from the skin.
///
/// # Errors
/// When the image has no pixels.
pub fn lesion(image: &Image) -> Result<Option<Lesion>, EvalError> {
    Ok(find(&smooth(&lab::of_image(image)?)))
}

/// What [`find`] looks at.
pub(super) fn smooth(lab: &[Plane; 3]) -> [Plane; 3] {
    [0, 1, 2].map(|channel| blurred(&lab[channel], SMOOTHING))
}

/// The lesion among smoothed colours.
pub(super) fn find(smooth: &[Plane; 3]) -> Option<Lesion> {
    let distance = distance_from_skin(smooth);
    let threshold = otsu(&distance)?;
    let far: Vec<bool> = distance.iter().map(|d| *d > threshold).collect();
    let mask = without_holes(&largest_central(&far)?);
    let area = mask.iter().filter(|inside| **inside).count();
    Some(Lesion { mask, area, distance })
}

/// ΔE from the skin's colour: the median of the lighter half of the image's frame, since lesions
/// and dark corners reach into it. Pixels lighter than skin count by their hue alone: reflections and
/// lamp spots are no lesions.
fn distance_from_skin(smooth: &[Plane; 3]) -> Plane {
    let edge = |at: &usize| {
        let near = |v: usize| !(FRAME..SIDE - FRAME).contains(&v);
        near(at % SIDE) || near(at / SIDE)
    };
    let mut frame: Vec<usize> = (0..AREA).filter(edge).collect();
    frame.sort_unstable_by(|a, b| smooth[0][*b].total_cmp(&smooth[0][*a]));
    frame.truncate(frame.len() / 2);
    let skin = [0, 1, 2].map(|channel| {
        let mut values: Vec<f32> = frame.iter().map(|at| smooth[channel][*at]).collect();
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f32::total_cmp).1
    });
    let distance = |at: usize| {
        let [l, a, b] = lab::at(smooth, at);
        lab::difference([l.min(skin[0]), a, b], skin).min(MOST_CONTRAST)
    };
    (0..AREA).map(distance).collect()
}

/// The threshold that separates two groups best; `None` when their means are not far apart.
fn otsu(values: &[f32]) -> Option<f32> {
    const BINS: usize = 128;
    let most = values.iter().copied().fold(0.0, f32::max);
    if most < LEAST_CONTRAST {
        return None;
    }
    let width = most / BINS as f32;
    let mut counts = [0.0_f32; BINS];
    let mut sums = [0.0_f32; BINS];
    for value in values {
        let bin = ((value / width) as usize).min(BINS - 1);
        counts[bin] += 1.0;
        sums[bin] += value;
    }
    let (count, sum): (f32, f32) = (counts.iter().sum(), sums.iter().sum());
    let (mut below, mut sum_below) = (0.0, 0.0);
    let (mut best, mut threshold, mut contrast) = (0.0, 0.0, 0.0);
    for bin in 0..BINS - 1 {
        below += counts[bin];
        sum_below += sums[bin];
        let above = count - below;
        if below == 0.0 || above == 0.0 {
            continue;
        }
        let apart = (sum - sum_below) / above - sum_below / below;
        let between = below * above * apart * apart;
        if between > best {
            (best, threshold, contrast) = (between, (bin + 1) as f32 * width, apart);
        }
    }
    (contrast >= LEAST_CONTRAST).then_some(threshold)
}

/// The largest connected part that reaches the middle half of the image.
fn largest_central(far: &[bool]) -> Option<Vec<bool>> {
    let middle = |at: usize| {
        let near = |v: usize| (SIDE / 4..SIDE - SIDE / 4).contains(&v);
        near(at % SIDE) && near(at / SIDE)
    };
    let mut seen = vec![false; AREA];
    let mut largest = Vec::new();
    for start in (0..AREA).filter(|at| far[*at] && middle(*at)) {
        let part = connected(far, start, &mut seen);
        if part.len() > largest.len() {
            largest = part;
        }
    }
    if largest.len() < LEAST_AREA {
        return None;
    }
    let mut mask = vec![false; AREA];
    for at in largest {
        mask[at] = true;
    }
    Some(mask)
}

/// The pixels of `of` that can be reached from `start` and were not `seen` before; they are then.
fn connected(of: &[bool], start: usize, seen: &mut [bool]) -> Vec<usize> {
    let mut part = Vec::new();
    let mut visit = |at: usize, part: &mut Vec<usize>| {
        if of[at] && !std::mem::replace(&mut seen[at], true) {
            part.push(at);
        }
    };
    visit(start, &mut part);
    let mut next = 0;
    while let Some(at) = part.get(next).copied() {
        neighbours(at).for_each(|near| visit(near, &mut part));
        next += 1;
    }
    part
}

/// Fills what the image's edge cannot reach.
fn without_holes(mask: &[bool]) -> Vec<bool> {
    let outside: Vec<bool> = mask.iter().map(|inside| !inside).collect();
    let mut reached = vec![false; AREA];
    for i in 0..SIDE {
        for start in [i, AREA - SIDE + i, i * SIDE, i * SIDE + SIDE - 1] {
            connected(&outside, start, &mut reached);
        }
    }
    reached.iter().map(|reached| !reached).collect()
}
