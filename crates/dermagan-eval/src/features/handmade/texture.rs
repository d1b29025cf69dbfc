//! Fine structure of lightness: co-occurrence of grey levels, and detail at three scales.

use super::feature::Feature;
use super::feature::Group::Texture;
use super::plane::{AREA, SIDE, blurred, laplacian};

/// The features that [`row`] computes.
pub(super) const FEATURES: [Feature; 11] = [
    Feature::of("contrast_1", Texture, "contrast between neighbouring pixels"),
    Feature::of("correlation_1", Texture, "correlation of neighbouring pixels"),
    Feature::of("energy_1", Texture, "uniformity of neighbouring pixels"),
    Feature::of("homogeneity_1", Texture, "homogeneity of neighbouring pixels"),
    Feature::of("contrast_3", Texture, "contrast between pixels 3 apart"),
    Feature::of("correlation_3", Texture, "correlation of pixels 3 apart"),
    Feature::of("energy_3", Texture, "uniformity of pixels 3 apart"),
    Feature::of("homogeneity_3", Texture, "homogeneity of pixels 3 apart"),
    Feature::of("detail_1", Texture, "fine detail (Laplacian of Gaussian, 1 pixel)"),
    Feature::of("detail_2", Texture, "medium detail (Laplacian of Gaussian, 2 pixels)"),
    Feature::of("detail_4", Texture, "coarse detail (Laplacian of Gaussian, 4 pixels)"),
];

/// Number of grey levels of the co-occurrence matrix, for L* from 0 to 100.
const LEVELS: usize = 16;

/// Computes four measures of R. M. Haralick et al., "Textural features for image classification" (1973),
/// at distances 1 and 3; then the root mean square of σ²·Laplacian of Gaussian, in L*, at σ = 1, 2, 4.
pub(super) fn row(lightness: &[f32]) -> impl Iterator<Item = f32> {
    let levels: Vec<u8> = lightness
        .iter()
        .map(|l| ((l * (LEVELS as f32 / 100.0)) as usize).min(LEVELS - 1) as u8)
        .collect();
    let pairs = [1, 3].map(|distance| haralick(&pairs(&levels, distance)));
    let detail = [1.0, 2.0, 4.0].map(|sigma: f32| {
        let response = laplacian(&blurred(lightness, sigma));
        let square: f32 = response.iter().map(|v| v * v).sum::<f32>() / AREA as f32;
        sigma * sigma * square.sqrt()
    });
    pairs.into_iter().flatten().chain(detail)
}

/// Counts how often each pair of levels is `distance` apart along rows, columns and both diagonals.
fn pairs(levels: &[u8], distance: usize) -> Vec<u32> {
    let mut counts = vec![0; LEVELS * LEVELS];
    let mut count = |a: &[u8], b: &[u8]| {
        for (a, b) in a.iter().zip(b) {
            counts[usize::from(*a) * LEVELS + usize::from(*b)] += 1;
        }
    };
    for y in 0..SIDE {
        let row = &levels[y * SIDE..][..SIDE];
        count(row, &row[distance..]);
        let Some(below) = levels.get((y + distance) * SIDE..).filter(|b| !b.is_empty()) else {
            continue;
        };
        let below = &below[..SIDE];
        count(row, below);
        count(row, &below[distance..]);
        count(&row[distance..], below);
    }
    counts
}

/// Contrast (squared levels), correlation (-1 to 1; 1 for a flat image), energy (0 to 1) and homogeneity
/// (0 to 1) of the co-occurrence matrix, which is made symmetric first.
fn haralick(counts: &[u32]) -> [f32; 4] {
    let total = counts.iter().sum::<u32>().max(1) as f32;
    let share =
        |i: usize, j: usize| 0.5 * (counts[i * LEVELS + j] + counts[j * LEVELS + i]) as f32 / total;
    let (mut contrast, mut energy, mut homogeneity) = (0.0, 0.0, 0.0);
    let (mut mean, mut square) = (0.0, 0.0);
    for i in 0..LEVELS {
        for j in 0..LEVELS {
            let (share, apart) = (share(i, j), i.abs_diff(j) as f32);
            contrast += share * apart * apart;
            homogeneity += share / (1.0 + apart * apart);
            energy += share * share;
            mean += share * i as f32;
            square += share * (i * i) as f32;
        }
    }
    // Rows and columns of a symmetric matrix have the same variance v, and E[(i - j)²] = 2v - 2 cov(i, j).
    let variance = square - mean * mean;
    let correlation = if variance > 1e-4 { 1.0 - contrast / (2.0 * variance) } else { 1.0 };
    [contrast, correlation.clamp(-1.0, 1.0), energy.sqrt(), homogeneity]
}
