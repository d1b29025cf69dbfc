//! The generated images of an audit, read in batches: what is kept of each is small.

use std::collections::BTreeMap;

use dermagan_data::LeftOut;
use dermagan_eval::{Extractor, GeneratedImages, ImagenetEncoder, Sink};
use dermagan_shards::Joined;

use crate::audit::item::{ReadFakes, fakes_of};
use crate::copies::search::{Closest, CopySearch};
use crate::error::TrustError;
use crate::images::classes::place_of;
use crate::images::generated::in_batches;
use crate::images::reals::Reals;

/// The generated images of a class that a model makes at least.
const OF_CLASS: usize = 512;
/// Seeds that are searched for images of a rare class.
const MOST_SEEDS: usize = 1_000_000;

/// Generated images that are judged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Those of a class, by its index in the real data. They are compared with photographs of the class.
    Class(usize),
    /// Those without a class. They are compared with all photographs.
    Unlabelled,
}

impl Group {
    /// The class of the photographs that the group is compared with; `None` for all.
    pub fn class(self) -> Option<usize> {
        match self {
            Self::Class(class) => Some(class),
            Self::Unlabelled => None,
        }
    }
}

/// The generated images.
pub(crate) struct Fakes {
    /// The index of each image in its set.
    pub images: Vec<usize>,
    /// The class of each image, as an index of the real classes; `None` if it has none of these.
    pub class: Vec<Option<usize>>,
    /// What each is closest to.
    pub closest: Vec<Closest>,
    /// The features, `[images, ImagenetEncoder::DIMS]`.
    pub features: Vec<f32>,
    /// The images that could not be read.
    pub left_out: Vec<LeftOut>,
}

/// The images to audit: all of a set; of a model `number`, and further ones until each class has [`OF_CLASS`], or `number`
/// if that is less.
pub(crate) fn chosen(fakes: &GeneratedImages, classes: &[String], number: usize) -> Vec<usize> {
    if let Some(count) = fakes.count() {
        return (0..count).collect();
    }
    let mut chosen: Vec<usize> = (0..number).collect();
    let known = |i: usize| fakes.class(i).filter(|code| place_of(classes, code).is_some());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for i in 0..number {
        let Some(code) = known(i) else { return chosen };
        *counts.entry(code).or_default() += 1;
    }
    let enough = OF_CLASS.min(number);
    let missing = |counts: &BTreeMap<&str, usize>| counts.values().any(|count| *count < enough);
    let mut i = number;
    while missing(&counts) && i < MOST_SEEDS {
        if let Some(code) = known(i) {
            let count = counts.entry(code).or_default();
            if *count < enough {
                *count += 1;
                chosen.push(i);
            }
        }
        i += 1;
    }
    chosen
}

impl Fakes {
    /// Reads the images of `wanted`.
    ///
    /// # Errors
    /// [`TrustError::Input`] if none can be read; the errors of a generator and of the encoder.
    pub fn read(
        fakes: &GeneratedImages,
        wanted: &[usize],
        classes: &[String],
        search: &CopySearch,
        encoder: &ImagenetEncoder,
        sink: Sink<'_>,
    ) -> Result<Self, TrustError> {
        let mut found = Self {
            images: Vec::new(),
            class: Vec::new(),
            closest: Vec::new(),
            features: Vec::new(),
            left_out: Vec::new(),
        };
        found.left_out = in_batches(fakes, wanted, sink, |indices, images| {
            found.images.extend(indices);
            found.closest.extend(search.closest(images));
            found.features.extend(encoder.extract(images)?);
            Ok(())
        })?;
        found.labelled_as(fakes, classes)
    }

    /// The images of `wanted`, as shards have them.
    ///
    /// # Errors
    /// [`TrustError::Input`] if none could be read; [`TrustError::Shard`] if a shard lacks one.
    pub fn of_shards(
        fakes: &GeneratedImages,
        wanted: &[usize],
        reals: &Reals,
        joined: &Joined,
    ) -> Result<Self, TrustError> {
        let ReadFakes { images, closest, features, left_out } =
            fakes_of(joined, wanted, reals.cache.len())?;
        let found = Self { images, class: Vec::new(), closest, features, left_out };
        found.labelled_as(fakes, reals.classes())
    }

    /// Gives each image its class.
    fn labelled_as(
        mut self,
        fakes: &GeneratedImages,
        classes: &[String],
    ) -> Result<Self, TrustError> {
        if self.images.is_empty() {
            let what = "none of the generated images can be read";
            return Err(TrustError::Input(format!("{}: {what}", fakes.describe())));
        }
        let class = |i: &usize| place_of(classes, fakes.class(*i)?);
        self.class = self.images.iter().map(class).collect();
        Ok(self)
    }

    /// Whether an image has a class.
    pub fn labelled(&self) -> bool {
        self.class.iter().any(Option::is_some)
    }

    /// The places of the images of a group.
    pub fn of(&self, group: Group) -> Vec<usize> {
        let is = |i: &usize| match group {
            Group::Class(class) => self.class[*i] == Some(class),
            Group::Unlabelled => self.class[*i].is_none(),
        };
        (0..self.images.len()).filter(is).collect()
    }
}
