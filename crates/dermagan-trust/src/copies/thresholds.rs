//! How close to a training image counts as a copy.

use crate::copies::search::Closest;
use crate::images::reals::Reals;
use crate::statistics::quantile;

/// The share of held-out images below a threshold. Small, so that few innocent images are called copies, and so that 1 % of
/// copies stand out among them.
const INNOCENT: f64 = 0.001;

/// The ratios below which an image is a copy, by thumbnail and after alignment.
pub(crate) struct Thresholds {
    /// For each class, and last for images of any class.
    of: Vec<[f64; 2]>,
}

impl Thresholds {
    /// The thresholds from what held-out images are closest to; `class` is that of each. A class's threshold is the smaller
    /// one of its own and that of all held-out images: the smallest of a few values is no quantile.
    pub fn new(held: &[Closest], class: &[usize], classes: usize) -> Self {
        let of = |wanted: Option<usize>| {
            let here =
                held.iter().zip(class).filter(|(_, of)| wanted.is_none_or(|class| **of == class));
            let (thumbnail, aligned): (Vec<f64>, Vec<f64>) =
                here.map(|(closest, _)| (closest.thumbnail, closest.aligned)).unzip();
            [quantile(&thumbnail, INNOCENT), quantile(&aligned, INNOCENT)]
        };
        let all = of(None);
        let smaller = |own: [f64; 2]| [own[0].min(all[0]), own[1].min(all[1])];
        let mut of: Vec<[f64; 2]> = (0..classes).map(|class| smaller(of(Some(class)))).collect();
        of.push(all);
        Self { of }
    }

    /// The thresholds from what each held-out image is closest to.
    pub fn of_held_out(reals: &Reals, closest: &[Closest]) -> Self {
        let class: Vec<usize> = reals.held.iter().map(|image| reals.class(*image)).collect();
        Self::new(closest, &class, reals.classes().len())
    }

    /// Whether an image of a class, or of any, is a copy.
    pub fn is_copy(&self, closest: &Closest, class: Option<usize>) -> bool {
        let [thumbnail, aligned] = self.of[class.unwrap_or(self.of.len() - 1)];
        closest.identical || closest.thumbnail < thumbnail || closest.aligned < aligned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closest(thumbnail: f64, aligned: f64) -> Closest {
        let orientation = dermagan_base::orientation::Orientation::default();
        Closest { image: 0, orientation, identical: false, thumbnail, aligned }
    }

    #[test]
    fn a_class_has_the_smaller_threshold() {
        let held: Vec<Closest> = (0..1000)
            .map(|i| closest(f64::from(i) / 1000.0, 0.5 + f64::from(i) / 2000.0))
            .collect();
        // Class 1 has the images that are closest.
        let class: Vec<usize> = (0..1000).map(|i| usize::from(i < 100)).collect();
        let found = Thresholds::new(&held, &class, 3);
        let copies = |class| held.iter().filter(|one| found.is_copy(one, class)).count();
        assert_eq!((copies(None), copies(Some(0)), copies(Some(1)), copies(Some(2))), (1, 1, 1, 1));
        let same = Closest { identical: true, ..closest(1.0, 1.0) };
        assert!(found.is_copy(&same, Some(0)));
    }
}
