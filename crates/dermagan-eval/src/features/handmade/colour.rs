//! Colours of the whole image: mean, standard deviation and histogram of L*, a* and b*.

use super::feature::Feature;
use super::feature::Group::Colour;
use super::plane::{AREA, Plane, mean_and_deviation};

/// The features that [`row`] computes.
pub(super) const FEATURES: [Feature; 24] = [
    Feature::of("lightness_mean", Colour, "mean lightness L*"),
    Feature::of("lightness_deviation", Colour, "the deviation of lightness L* in an image"),
    Feature::of("red_mean", Colour, "mean redness a*"),
    Feature::of("red_deviation", Colour, "the deviation of redness a* in an image"),
    Feature::of("yellow_mean", Colour, "mean yellowness b*"),
    Feature::of("yellow_deviation", Colour, "the deviation of yellowness b* in an image"),
    Feature::share("lightness_below_30", "the share of pixels with L* below 30"),
    Feature::share("lightness_30_45", "the share of pixels with L* from 30 to 45"),
    Feature::share("lightness_45_55", "the share of pixels with L* from 45 to 55"),
    Feature::share("lightness_55_65", "the share of pixels with L* from 55 to 65"),
    Feature::share("lightness_65_75", "the share of pixels with L* from 65 to 75"),
    Feature::share("lightness_above_75", "the share of pixels with L* above 75"),
    Feature::share("red_below_8", "the share of pixels with a* below 8"),
    Feature::share("red_8_14", "the share of pixels with a* from 8 to 14"),
    Feature::share("red_14_20", "the share of pixels with a* from 14 to 20"),
    Feature::share("red_20_28", "the share of pixels with a* from 20 to 28"),
    Feature::share("red_28_36", "the share of pixels with a* from 28 to 36"),
    Feature::share("red_above_36", "the share of pixels with a* above 36"),
    Feature::share("yellow_below_minus_5", "the share of pixels with b* below -5"),
    Feature::share("yellow_minus_5_0", "the share of pixels with b* from -5 to 0"),
    Feature::share("yellow_0_5", "the share of pixels with b* from 0 to 5"),
    Feature::share("yellow_5_10", "the share of pixels with b* from 5 to 10"),
    Feature::share("yellow_10_18", "the share of pixels with b* from 10 to 18"),
    Feature::share("yellow_above_18", "the share of pixels with b* above 18"),
];

/// The edges between the histogram bins of L*, a* and b*: bins are narrow where dermoscopic images have
/// most pixels.
const EDGES: [[f32; 5]; 3] =
    [[30.0, 45.0, 55.0, 65.0, 75.0], [8.0, 14.0, 20.0, 28.0, 36.0], [-5.0, 0.0, 5.0, 10.0, 18.0]];

/// Computes mean and standard deviation of each plane, then the shares of its bins, which sum to 1.
pub(super) fn row(lab: &[Plane; 3]) -> impl Iterator<Item = f32> {
    let moments = lab.iter().flat_map(|plane| mean_and_deviation(plane.iter().copied()));
    moments.chain(lab.iter().zip(EDGES).flat_map(|(plane, edges)| shares(plane, edges)))
}

/// The share of the pixels in each bin.
fn shares(plane: &[f32], edges: [f32; 5]) -> [f32; 6] {
    let mut counts = [0_u32; 6];
    for value in plane {
        counts[edges.iter().map(|edge| usize::from(value >= edge)).sum::<usize>()] += 1;
    }
    counts.map(|count| count as f32 / AREA as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrase_of_a_share_names_the_edges_of_its_bin() {
        let said: Vec<Vec<f32>> = FEATURES
            .iter()
            .filter(|f| f.what.starts_with("the share"))
            .map(|f| f.what.split(' ').filter_map(|word| word.parse().ok()).collect())
            .collect();
        for (plane, edges) in EDGES.iter().enumerate() {
            let said = &said[6 * plane..6 * (plane + 1)];
            assert_eq!(said[0], edges[..1]);
            assert_eq!(said[5], edges[4..]);
            for (bin, between) in edges.windows(2).enumerate() {
                assert_eq!(said[bin + 1], between);
            }
        }
    }
}
