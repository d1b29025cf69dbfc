//! The real images of an audit: those that the generator learnt from, and those that it never saw.

use std::collections::BTreeSet;

use dermagan_base::SettingError;
use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, Filter, Fit, Options, Reading, open_or_prepare_with};

use crate::error::TrustError;

/// The fewest lesions on a side: the closest lesion is compared with the mean of others.
const FEWEST: usize = 20;

/// The real images of a cache with what an audit needs to know of each.
pub(crate) struct Reals {
    pub cache: Cache,
    /// The number of each image's lesion, or of the group that shows one lesion.
    pub lesion: Vec<usize>,
    /// The images that the generator learnt from.
    pub train: Vec<u32>,
    /// The images of the validation and the test side, without those that show a lesion of the training side.
    pub held: Vec<u32>,
    /// Number of images that are left out of `held`, because their lesion, or an identical image, is on the training side.
    pub shared: usize,
}

/// Opens photographs as squares of `size` pixels.
///
/// # Errors
/// [`SettingError`] about `setting` if they are a cache of another size; the errors of reading.
pub(crate) fn open_at(
    setting: &'static str,
    real: &str,
    reading: Reading,
    size: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Cache, TrustError> {
    let options = Options { size: size as u32, fit: Fit::Crop, filter: Filter::Lanczos };
    let cache = open_or_prepare_with(real, reading, options, progress)?;
    match cache.size() == size {
        true => Ok(cache),
        false => {
            let problem = format!(
                "this cache has images of {} pixels, and {size} are needed; give the source that it was prepared from",
                cache.size()
            );
            Err(SettingError::value(setting, real, problem).into())
        }
    }
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
        let (train, mut held) = (on(true), on(false));
        let seen: BTreeSet<usize> = train.iter().map(|image| lesion[*image as usize]).collect();
        let before = held.len();
        held.retain(|image| !seen.contains(&lesion[*image as usize]));
        let shared = before - held.len();
        let reals = Self { cache, lesion, train, held, shared };
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

    /// What limits the meaning of a comparison with the held-out images.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.shared > 0 {
            notes.push(format!(
                "{} held-out images are left out, because the training side shows the same lesion or the same image",
                self.shared
            ));
        }
        if self.cache.header().records.iter().all(|record| record.lesion_id.is_none()) {
            notes.push(
                "the data has no lesion ids, so each image counts as a lesion; views of one lesion may be on both sides"
                    .to_owned(),
            );
        }
        notes
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
        let mut seen = BTreeSet::new();
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
