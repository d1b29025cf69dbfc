//! Segments the lesion: the pixels whose colour is far from the skin's, by Otsu's threshold.
//!
//! N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems,
//! Man, and Cybernetics 9 (1979).

use dermagan_base::image::Image;

use super::lab;
use super::plane::{AREA, Plane, SIDE, blurred, neighbours};
use crate::error::EvalError;

/// The smallest contrast between lesion and skin, in ΔE: less is noise or uneven light.
const LEAST_CONTRAST: f32 = 6.0;

/// The smallest area in pixels: a smaller region is a hair or a bubble.
const LEAST_AREA: usize = AREA / 256;

/// The largest distance from skin, in ΔE, above that of lesions. Distances of black corners and
/// backgrounds are clamped to it, or the threshold would separate these from the rest of the image.
const MOST_CONTRAST: f32 = 50.0;

/// Sigma of the smoothing before the threshold, in pixels: hairs and pores vanish, borders stay.
const SMOOTHING: f32 = 1.0;

/// The width in pixels of the frame from which the skin's colour is taken.
const FRAME: usize = 4;

/// The lesion's pixels, and the distance of every pixel from the skin's colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesion {
    /// Whether each of the 64×64 pixels belongs to the lesion, row by row.
    pub mask: Vec<bool>,
    /// The number of pixels of the lesion.
    pub area: usize,
    /// The smoothed distance of each pixel from the skin's colour, in ΔE; a lighter pixel counts by its
    /// hue alone.
    pub(super) distance: Plane,
}

impl Lesion {
    /// The indices of its pixels.
    pub(super) fn pixels(&self) -> impl Iterator<Item = usize> {
        (0..AREA).filter(|at| self.mask[*at])
    }

    /// Its pixels that have a neighbour outside it. The image's edge does not count as a neighbour.
    pub(super) fn border(&self) -> impl Iterator<Item = usize> {
        self.pixels().filter(|at| neighbours(*at).any(|next| !self.mask[next]))
    }
}

/// Finds the lesion of an image, resized to 64×64; `None` when nothing stands out from the skin.
///
/// # Errors
/// When the image has no pixels.
pub fn lesion(image: &Image) -> Result<Option<Lesion>, EvalError> {
    Ok(find(&smooth(&lab::of_image(image)?)))
}

/// Smooths the planes L*, a* and b* for [`find`].
pub(super) fn smooth(lab: &[Plane; 3]) -> [Plane; 3] {
    [0, 1, 2].map(|channel| blurred(&lab[channel], SMOOTHING))
}

/// Finds the lesion in smoothed planes L*, a* and b*.
pub(super) fn find(smooth: &[Plane; 3]) -> Option<Lesion> {
    let distance = distance_from_skin(smooth);
    let threshold = otsu(&distance)?;
    let far: Vec<bool> = distance.iter().map(|d| *d > threshold).collect();
    let mask = without_holes(&largest_central(&far)?);
    let area = mask.iter().filter(|inside| **inside).count();
    Some(Lesion { mask, area, distance })
}

/// ΔE of every pixel from the skin's colour. The skin's colour is the median of the lighter half of the
/// image's frame, since lesions and dark corners reach into the frame. Pixels lighter than skin count by
/// their hue alone, because reflections and lamp spots are not lesions.
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

/// Otsu's threshold, which separates two groups best; `None` when the means of the groups are less than
/// `LEAST_CONTRAST` apart.
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

/// The mask of the largest connected region that reaches the middle half of the image.
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

/// The pixels of `of` that are connected to `start` and not yet `seen`; marks them as seen.
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

/// Fills the holes of a mask: regions that are not connected to the image's edge.
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
