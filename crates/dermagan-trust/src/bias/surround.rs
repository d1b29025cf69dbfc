//! The colour around the lesion.
//!
//! The figure is the individual typology angle (ITA; Chardon et al. 1991) of the image's border. It is **not** skin tone: on
//! HAM10000 two published ways to compute it agree on the same of eight bins in 2.9 % of the images, and light, camera and
//! immersion fluid move it. Only the same figure of two sets may be compared.

use dermagan_base::image::Image;
use dermagan_eval::handmade::lab;
use serde::Serialize;

use crate::statistics::quantile;

/// The ring of pixels that is looked at: from the border inwards, as shares of the side (2 and 10 of 64 pixels).
const RING: [f64; 2] = [2.0 / 64.0, 10.0 / 64.0];
/// The critical value of the two-sample test of Kolmogorov and Smirnov at 1 %.
const CRITICAL: f64 = 1.628;

/// The colour around the lesion, by class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SurroundColour {
    /// The class; `all` for all images.
    pub class: String,
    /// The 5th, 25th, 50th, 75th and 95th percentile of the angle in degrees, of training images.
    pub train: [f64; 5],
    /// The same of held-out images.
    pub held_out: [f64; 5],
    /// The same of generated images.
    pub fake: [f64; 5],
    /// The mean shift in degrees that turns the angles of generated images into those of training images (the first
    /// Wasserstein distance).
    pub distance: f64,
    /// The same of held-out images.
    pub distance_held_out: f64,
    /// Whether generated images differ from training images by more than chance, and by more than twice as much as held-out
    /// images do.
    pub differs: bool,
}

impl SurroundColour {
    /// Compares the angles of training, held-out and generated images. No set is empty.
    pub(crate) fn new(class: &str, train: &[f64], held: &[f64], fake: &[f64]) -> Self {
        let five = |angles: &[f64]| [0.05, 0.25, 0.5, 0.75, 0.95].map(|p| quantile(angles, p));
        let (distance, distance_held_out) = (wasserstein(fake, train), wasserstein(held, train));
        let (n, m) = (fake.len() as f64, train.len() as f64);
        let differs = largest_difference(fake, train) > CRITICAL * ((n + m) / (n * m)).sqrt()
            && distance > 2.0 * distance_held_out;
        let [train, held_out, fake] = [train, held, fake].map(five);
        Self {
            class: class.to_owned(),
            train,
            held_out,
            fake,
            distance,
            distance_held_out,
            differs,
        }
    }
}

/// The angle in degrees of the brighter half of an image's border: atan2(L* - 50, b*). Of the ways that were compared on
/// HAM10000 it repeats best between photographs of one lesion (a standard deviation of 11°). `None` for an image without
/// pixels.
pub fn surround_colour(image: &Image) -> Option<f64> {
    let (width, height) = (image.width, image.height);
    let side = width.min(height) as f64;
    let inside = |i: usize| {
        let (x, y) = (i % width, i / width);
        let depth = x.min(y).min(width - 1 - x).min(height - 1 - y) as f64;
        (RING[0] * side..RING[1] * side).contains(&depth)
    };
    let colour = |i: usize| {
        let pixel = &image.pixels[3 * i..3 * i + 3];
        let [lightness, _, yellow] = lab::of([pixel[0], pixel[1], pixel[2]]);
        (lightness, yellow)
    };
    let mut ring: Vec<(f32, f32)> =
        (0..width * height).filter(|i| inside(*i)).map(colour).collect();
    ring.sort_by(|a, b| b.0.total_cmp(&a.0));
    ring.truncate(ring.len().div_ceil(2));
    let mean = |of: &dyn Fn(&(f32, f32)) -> f32| {
        ring.iter().map(|pixel| f64::from(of(pixel))).sum::<f64>() / ring.len() as f64
    };
    let angle = (mean(&|pixel| pixel.0) - 50.0).atan2(mean(&|pixel| pixel.1)).to_degrees();
    (!ring.is_empty()).then_some(angle)
}

/// The first Wasserstein distance of two sets of numbers: the area between their distribution functions.
pub(crate) fn wasserstein(a: &[f64], b: &[f64]) -> f64 {
    steps(a, b).windows(2).map(|pair| (pair[1].0 - pair[0].0) * pair[0].1.abs()).sum()
}

/// The largest difference of the distribution functions.
pub(crate) fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    steps(a, b).iter().map(|(_, difference)| difference.abs()).fold(0.0, f64::max)
}

/// The difference of the distribution functions from each value on, in order.
fn steps(a: &[f64], b: &[f64]) -> Vec<(f64, f64)> {
    let of = |values: &[f64], step: f64| -> Vec<(f64, f64)> {
        values.iter().map(|v| (*v, step / values.len() as f64)).collect()
    };
    let mut all = of(a, 1.0);
    all.extend(of(b, -1.0));
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let mut sum = 0.0;
    let mut steps: Vec<(f64, f64)> = Vec::with_capacity(all.len());
    for (value, step) in all {
        sum += step;
        match steps.last_mut() {
            Some(last) if last.0 == value => last.1 = sum,
            _ => steps.push((value, sum)),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_distributions_are_those_of_shifted_ones() {
        let a: Vec<f64> = (0..100).map(f64::from).collect();
        let b: Vec<f64> = a.iter().map(|v| v + 7.0).collect();
        assert!((wasserstein(&a, &b) - 7.0).abs() < 1e-9);
        assert!((largest_difference(&a, &b) - 0.07).abs() < 1e-9);
        assert_eq!((wasserstein(&a, &a), largest_difference(&a, &a)), (0.0, 0.0));
    }

    #[test]
    fn the_angle_is_that_of_the_border_and_not_of_the_lesion() {
        let skin = Image::filled(64, 64, [230, 190, 170]);
        let mut lesion = skin.clone();
        lesion.paste(&Image::filled(30, 30, [60, 40, 30]), 17, 17);
        let (plain, with) = (surround_colour(&skin).unwrap(), surround_colour(&lesion).unwrap());
        assert!((plain - with).abs() < 1e-9 && (40.0..80.0).contains(&plain), "{plain} {with}");
        let dark = surround_colour(&Image::filled(64, 64, [90, 60, 45])).unwrap();
        assert!(dark < 0.0, "{dark}");
        // Bluish light: b* is below 0 and the angle above 90°.
        assert!(surround_colour(&Image::filled(64, 64, [220, 220, 250])).unwrap() > 90.0);
    }

    #[test]
    fn a_shifted_set_differs_and_another_sample_does_not() {
        let angles = |n: usize, by: f64| -> Vec<f64> {
            (0..n).map(|i| 70.0 + by + 10.0 * ((i * 7919 % 1000) as f64 / 500.0 - 1.0)).collect()
        };
        let found =
            SurroundColour::new("nv", &angles(900, 0.0), &angles(300, 0.2), &angles(600, 5.0));
        assert!(found.differs && (found.distance - 5.0).abs() < 0.2, "{found:?}");
        let found =
            SurroundColour::new("nv", &angles(900, 0.0), &angles(300, 0.2), &angles(600, 0.1));
        assert!(!found.differs, "{found:?}");
    }
}
