//! The real and the generated images of an evaluation: their rows, classes and lesions.

use std::collections::BTreeSet;

use dermagan_data::{Cache, split};

use crate::Repeats;
use crate::report::extraction::{Extractors, FakeSet, FeatureSet};
use crate::report::generated::GeneratedImages;
use crate::report::rows::Rows;
use crate::report::selection::{ImageSelection, same_class};

/// All selected images, with their features.
pub(super) struct Sets {
    pub real: FeatureSet,
    pub fake: FakeSet,
    pub selection: ImageSelection,
    /// The hash of each selected real image's pixels.
    hashes: Vec<u64>,
    /// The hashes of all real images; `None` if the generated ones have another size.
    all_hashes: Option<BTreeSet<u64>>,
    /// The group of each real image: its lesion, together with identical images.
    lesions: Vec<usize>,
    /// For each class of the encoder, the index of the same class in the data; `None` if the data lacks it.
    data_classes: Vec<Option<usize>>,
}

impl Sets {
    pub fn new(
        cache: &Cache,
        real: FeatureSet,
        fake: FakeSet,
        selection: ImageSelection,
        extractors: &Extractors<'_>,
    ) -> Self {
        let header = cache.header();
        let index = |code: &String| header.classes.iter().position(|c| same_class(c, code));
        let data_classes = extractors.encoder.card().classes.iter().map(index).collect();
        let groups = split::groups(&header.records, &header.hashes);
        let lesions = selection.real.iter().map(|image| groups[*image as usize]).collect();
        let hashes = selection.real.iter().map(|image| header.hashes[*image as usize]).collect();
        let same_size = fake.side == cache.size();
        let all_hashes = same_size.then(|| header.hashes.iter().copied().collect());
        Self { real, fake, selection, hashes, all_hashes, lesions, data_classes }
    }

    /// Which images of some rows are equal.
    pub fn repeats(&self, rows: &Rows) -> Repeats {
        let distinct =
            |hashes: &mut dyn Iterator<Item = u64>| hashes.collect::<BTreeSet<_>>().len();
        let fake = || rows.fake.iter().map(|row| self.fake.hashes[*row]);
        Repeats {
            distinct: distinct(&mut fake()),
            distinct_real: distinct(&mut rows.yardstick.iter().map(|row| self.hashes[*row])),
            equal_to_real: self
                .all_hashes
                .as_ref()
                .map(|all| fake().filter(|hash| all.contains(hash)).count()),
        }
    }

    /// The rows of a class by labels; `None` if the generated images are not all labelled.
    pub fn labelled_rows(&self, class: usize, code: &str, fakes: &GeneratedImages) -> Option<Rows> {
        let choice = self.selection.classes.as_ref()?.get(&class)?;
        let label = |row: &usize| fakes.class(self.fake.images[*row]);
        let is = |row: &usize| label(row).is_some_and(|label| same_class(code, label));
        Some(Rows {
            reference: self.selection.rows_of(&choice.reference),
            yardstick: self.selection.rows_of(&choice.yardstick),
            fake: (0..self.fake.images.len()).filter(is).collect(),
        })
    }

    /// The rows that the encoder assigns to a class.
    pub fn predicted_rows(&self, class: usize, overall: &Rows) -> Rows {
        let predicted = |set, rows: &[usize]| -> Vec<usize> {
            rows.iter().filter(|row| self.is_predicted(set, **row, class)).copied().collect()
        };
        Rows {
            reference: predicted(&self.real, &overall.reference),
            yardstick: predicted(&self.real, &overall.yardstick),
            fake: predicted(&self.fake.features, &overall.fake),
        }
    }

    /// Whether the encoder assigns a row to a class of the data.
    fn is_predicted(&self, set: &FeatureSet, row: usize, class: usize) -> bool {
        let predicted = set.predicted.get(row);
        predicted.and_then(|predicted| self.data_classes[*predicted]) == Some(class)
    }

    /// The share of rows that the encoder assigns to a class, 0 to 1; 0 for no rows.
    pub fn share_predicted(&self, set: &FeatureSet, rows: &[usize], class: usize) -> f64 {
        let hits = rows.iter().filter(|row| self.is_predicted(set, **row, class)).count();
        hits as f64 / rows.len().max(1) as f64
    }

    /// The lesions of some rows of the real images.
    pub fn lesions_of(&self, real_rows: &[usize]) -> Vec<usize> {
        real_rows.iter().map(|row| self.lesions[*row]).collect()
    }

    /// Whether the encoder knows a class of the data.
    pub fn is_known(&self, class: usize) -> bool {
        self.data_classes.contains(&Some(class))
    }

    /// The note that there are no figures by class: the images have no labels, and the encoder does not know the classes.
    pub fn note_on_unknown_classes(&self) -> Option<String> {
        let known = self.data_classes.iter().any(Option::is_some);
        (self.selection.classes.is_none() && !known).then(|| {
            "no figures by class: the lesion encoder knows none of the classes of this data; train an encoder on this \
             data and give its file as `weights`"
                .into()
        })
    }
}
