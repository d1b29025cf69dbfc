//! The order in which generated images are drawn.

use std::collections::BTreeMap;

use dermagan_base::rng::Keyed;

use crate::report::generated::GeneratedImages;

/// The generated images of an evaluation, by index.
pub(crate) struct DrawnImages {
    /// Those of the overall figures.
    pub overall: Vec<usize>,
    /// Others, in the order in which they take the place of images that cannot be read.
    pub reserve: Vec<usize>,
    /// Further images of classes that have too few among those of the overall figures.
    pub of_classes: Vec<usize>,
}

/// All images in the order in which they are drawn: at random by `seed`, and such that every beginning of the order has
/// each class in its share of all images, up to one image. Images without a label are a class of their own. `None` for a
/// generator, whose seeds are independent in any order.
pub(super) fn order(fakes: &GeneratedImages, seed: u64) -> Option<Vec<usize>> {
    let total = fakes.count()?;
    let mut classes: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for i in 0..total {
        classes.entry(fakes.class(i)).or_default().push(i);
    }
    let mut places: Vec<(f64, usize)> = Vec::with_capacity(total);
    for (number, images) in (0..).zip(classes.into_values()) {
        // The images of a class are spread evenly over the order, from a random offset.
        let mut random = Keyed::new(seed, "eval fakes", number);
        let (offset, count) = (random.unit(), images.len());
        let shuffled = random.permutation(count).into_iter().map(|i| images[i as usize]);
        places.extend(
            (0..).zip(shuffled).map(|(i, image)| ((f64::from(i) + offset) / count as f64, image)),
        );
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    Some(places.into_iter().map(|(_, image)| image).collect())
}

#[cfg(test)]
mod tests {
    use dermagan_base::image::Image;
    use dermagan_data::ImageFolder;

    use super::*;

    /// `count` images, of which every third is a mel and the others are nv.
    fn images(folder: &std::path::Path, count: usize) -> GeneratedImages {
        let mut table = "image_id,dx\n".to_owned();
        let png = Image::filled(16, 16, [200, 150, 120]).to_png(&[]).unwrap();
        for i in 0..count {
            std::fs::write(folder.join(format!("{i:03}.png")), &png).unwrap();
            table += &format!("{i:03},{}\n", if i % 3 == 0 { "mel" } else { "nv" });
        }
        std::fs::write(folder.join("metadata.csv"), table).unwrap();
        GeneratedImages::Folder { folder: ImageFolder::open(folder).unwrap(), side: 16 }
    }

    #[test]
    fn every_beginning_of_the_order_has_the_shares_of_all_images() {
        let folder = tempfile::tempdir().unwrap();
        let fakes = images(folder.path(), 60);
        for seed in 0..20 {
            let drawn = order(&fakes, seed).unwrap();
            for n in [3, 12, 30, 59] {
                let mels = drawn[..n].iter().filter(|i| **i % 3 == 0).count();
                assert!(mels.abs_diff(n / 3) <= 1, "{mels} of {n} with seed {seed}");
            }
            let mut sorted = drawn;
            sorted.sort_unstable();
            assert_eq!(sorted, (0..60).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_seed_decides_and_no_image_is_preferred() {
        let folder = tempfile::tempdir().unwrap();
        let fakes = images(folder.path(), 30);
        assert_eq!(order(&fakes, 3), order(&fakes, 3));
        assert_ne!(order(&fakes, 3), order(&fakes, 4));
        let mut drawn = [0; 30];
        for seed in 0..600 {
            order(&fakes, seed).unwrap()[..10].iter().for_each(|i| drawn[*i] += 1);
        }
        // Each image is drawn with probability 1/3: 200 times, with a standard deviation of 12.
        assert!(drawn.iter().all(|times| (140..260).contains(times)), "{drawn:?}");
    }
}
