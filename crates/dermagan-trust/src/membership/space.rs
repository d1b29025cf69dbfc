//! The features of the real images, and the questions that are asked of them class by class.

use dermagan_base::rng::Keyed;
use dermagan_eval::ImagenetEncoder;

use crate::images::products::Points;
use crate::images::reals::Reals;
use crate::membership::lesions::ToLesions;
use crate::membership::share::ShareDraws;

/// The fewest lesions on a side, and the fewest generated images, of which a target share or an attack is computed.
pub(crate) const FEWEST: usize = 5;
const FEWEST_IMAGES: usize = 20;
/// The most generated images of a class whose nearest lesions are drawn again and again.
const MOST_QUERIES: usize = 2000;

/// Real images in the features of the ImageNet encoder, which learnt from none of them.
pub(crate) struct Space<'a> {
    pub reals: &'a Reals,
    /// The features of the training images, then of the held-out ones: `[n, DIMS]`.
    features: Vec<f32>,
    /// The place of each image of the cache in `features`.
    place: Vec<usize>,
}

/// Some images of a side.
pub(crate) struct Side {
    pub points: Points,
    /// The lesion of each.
    pub lesion: Vec<usize>,
}

/// The scores of an attack on members and on held-out lesions.
#[derive(Clone, Default)]
pub(crate) struct Scores {
    pub members: Vec<f64>,
    pub held_out: Vec<f64>,
}

impl<'a> Space<'a> {
    /// `features` are those of the training images and then of the held-out ones.
    pub fn new(reals: &'a Reals, features: Vec<f32>) -> Self {
        let mut place = vec![0; reals.cache.len()];
        for (i, image) in reals.train.iter().chain(&reals.held).enumerate() {
            place[*image as usize] = i;
        }
        Self { reals, features, place }
    }

    /// The features of an image.
    pub fn row(&self, image: u32) -> &[f32] {
        &self.features[self.place[image as usize] * ImagenetEncoder::DIMS..]
            [..ImagenetEncoder::DIMS]
    }

    /// The features of some images, `[n, DIMS]`.
    pub fn rows(&self, images: &[u32]) -> Vec<f32> {
        images.iter().flat_map(|image| self.row(*image).iter().copied()).collect()
    }

    /// Some images.
    pub fn side(&self, images: &[u32]) -> Side {
        let lesion = images.iter().map(|image| self.reals.lesion[*image as usize]).collect();
        Side { points: Points::new(self.rows(images), ImagenetEncoder::DIMS), lesion }
    }

    /// The target share of images with the features `fakes`, `[n, DIMS]`, between training and held-out images; `None` if
    /// there are too few of anything.
    pub fn share(
        &self,
        fakes: &[f32],
        sides: [&[u32]; 2],
        seed: u64,
        index: u64,
    ) -> Option<ShareDraws> {
        let too_few = sides.iter().any(|images| self.reals.lesions(images).len() < FEWEST);
        if too_few || fakes.len() / ImagenetEncoder::DIMS < FEWEST_IMAGES {
            return None;
        }
        // Drawn, because the images of a set may be in an order that means something.
        let dims = ImagenetEncoder::DIMS;
        let mut order = Keyed::new(seed, "audit queries", index).permutation(fakes.len() / dims);
        order.truncate(MOST_QUERIES);
        let rows = order.iter().flat_map(|i| &fakes[*i as usize * dims..(*i as usize + 1) * dims]);
        let queries = Points::new(rows.copied().collect(), dims);
        let [train, held] = sides.map(|images| {
            let side = self.side(images);
            ToLesions::new(&queries, &side.points, &side.lesion)
        });
        Some(ShareDraws::new(&train, &held, seed, index))
    }

    /// The scores of the attack that has the generated images and other photographs: how much nearer a photograph is to a
    /// generated image than to a training photograph of another lesion (calibrated as in GAN-Leaks, Chen et al. 2020,
    /// arXiv:1909.03935). One photograph per lesion.
    pub fn scores(&self, fakes: &[f32], train: &[u32], held: &[u32]) -> Option<Scores> {
        let [members, others] = [train, held].map(|images| self.reals.one_per_lesion(images));
        if members.len() < FEWEST
            || others.len() < FEWEST
            || fakes.len() / ImagenetEncoder::DIMS < FEWEST_IMAGES
        {
            return None;
        }
        let (fakes, known) = (Points::new(fakes.to_vec(), ImagenetEncoder::DIMS), self.side(train));
        let score = |images: &[u32]| -> Vec<f64> {
            let asked = self.side(images);
            let to_fake = fakes.nearest(&asked.points, |_, _| true);
            let to_real =
                known.points.nearest(&asked.points, |i, row| asked.lesion[i] != known.lesion[row]);
            let log = |squared: f32| f64::from(squared).max(1e-12).ln();
            to_real
                .iter()
                .zip(&to_fake)
                .map(|(real, fake)| log(real.squared) - log(fake.squared))
                .collect()
        };
        Some(Scores { members: score(&members), held_out: score(&others) })
    }
}

impl Scores {
    /// The scores of several classes together.
    pub fn joined<'b>(all: impl Iterator<Item = &'b Self>) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum.members.extend(&one.members);
            sum.held_out.extend(&one.held_out);
            sum
        })
    }
}
