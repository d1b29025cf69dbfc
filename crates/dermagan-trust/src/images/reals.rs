//! The real images of an audit: those that the generator learnt from, and those that it never saw.

use dermagan_base::SettingError;
use dermagan_data::Cache;
use dermagan_data::split::{self, Side};

/// The fewest lesions on a side: the closest lesion is compared with the mean of others.
const FEWEST: usize = 20;

/// The real images of a cache with what an audit needs to know of each.
pub(crate) struct Reals {
    pub cache: Cache,
    /// The number of each image's lesion, or of the group that shows one lesion.
    pub lesion: Vec<usize>,
    /// The images that the generator learnt from.
    pub train: Vec<u32>,
    /// The images of the validation and the test side.
    pub held: Vec<u32>,
}

impl Reals {
    /// # Errors
    /// If there are too few lesions on a side.
    pub fn new(cache: Cache) -> Result<Self, SettingError> {
        let header = cache.header();
        let lesion = split::groups(&header.records, &header.hashes);
        let sides = split::of_header(header);
        let on = |train: bool| -> Vec<u32> {
            (0..)
                .zip(&sides)
                .filter(|(_, side)| (**side == Side::Train) == train)
                .map(|(i, _)| i)
                .collect()
        };
        let (train, held) = (on(true), on(false));
        let reals = Self { cache, lesion, train, held };
        for (images, what) in [(&reals.train, "to learn from"), (&reals.held, "held out")] {
            let found = reals.lesions(images).len();
            if found < FEWEST {
                return Err(SettingError::new(
                    "real",
                    format!(
                        "{found} lesions {what} by the split; an audit needs at least {FEWEST} on each side"
                    ),
                ));
            }
        }
        Ok(reals)
    }

    /// The codes of the classes.
    pub fn classes(&self) -> &[String] {
        &self.cache.header().classes
    }

    /// The class of an image.
    pub fn class(&self, image: u32) -> usize {
        self.cache.header().records[image as usize].class
    }

    /// The first image of each lesion, in the order of `images`.
    pub fn one_per_lesion(&self, images: &[u32]) -> Vec<u32> {
        let mut seen = std::collections::BTreeSet::new();
        images.iter().copied().filter(|image| seen.insert(self.lesion[*image as usize])).collect()
    }

    /// The numbers of the lesions of some images, in order.
    pub fn lesions(&self, images: &[u32]) -> Vec<usize> {
        let mut lesions: Vec<usize> =
            images.iter().map(|image| self.lesion[*image as usize]).collect();
        lesions.sort_unstable();
        lesions.dedup();
        lesions
    }

    /// The images of `images` that are in a class; all of them for `None`.
    pub fn of_class(&self, images: &[u32], class: Option<usize>) -> Vec<u32> {
        let is = |image: &u32| class.is_none_or(|class| self.class(*image) == class);
        images.iter().copied().filter(is).collect()
    }
}
