//! The features of the real and of the generated images, and the figures of subsets of them.

use std::collections::BTreeSet;

use dermagan_data::{Cache, split};

use crate::handmade::Standard;
use crate::metrics::TOO_FEW;
use crate::mmd::{FEWEST, Kernel, distinct, median_distance, mmd_by_lesion};
use crate::report::extraction::{Extractors, FakeSet, FeatureSet};
use crate::report::figures::{Basis, BothHalves, ClassReport};
use crate::report::generated::GeneratedImages;
use crate::report::rows::Rows;
use crate::report::selection::{ImageSelection, same_class};
use crate::{Comparison, EvalError, Features, Inside, Repeats, compare, kid_by_lesion};

/// The features of all selected images.
pub(super) struct Sets {
    pub real: FeatureSet,
    pub fake: FakeSet,
    pub selection: ImageSelection,
    /// As [`EvalReport::width`](crate::EvalReport::width).
    pub width: Option<f64>,
    /// The hash of each selected real image's pixels.
    hashes: Vec<u64>,
    /// The hashes of all real images; `None` if the generated ones have another size.
    all_hashes: Option<BTreeSet<u64>>,
    /// The group of each real image: its lesion, together with identical images.
    lesions: Vec<usize>,
    /// Standardises hand-made features, whose units differ, so that no feature dominates the distance. `None` for the
    /// features of a network.
    standard: Option<Standard>,
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
        per_class: bool,
    ) -> Self {
        let header = cache.header();
        // A few images would give no standard deviation, so all real ones give it then.
        let reference = match selection.n < TOO_FEW {
            true => selection.rows_of(&selection.overall.reference),
            false => selection.overall_rows().reference,
        };
        let handmade = extractors.extractor.name() == "handmade";
        let standard = handmade.then(|| Standard::of(&real.features.select(&reference)));
        let index = |code: &String| header.classes.iter().position(|c| same_class(c, code));
        let data_classes = extractors.encoder.card().classes.iter().map(index).collect();
        let groups = split::groups(&header.records, &header.hashes);
        let lesions = selection.real.iter().map(|image| groups[*image as usize]).collect();
        let hashes = selection.real.iter().map(|image| header.hashes[*image as usize]).collect();
        let same_size = fake.side == cache.size();
        let all_hashes = same_size.then(|| header.hashes.iter().copied().collect());
        let mut sets = Self {
            real,
            fake,
            selection,
            width: None,
            hashes,
            all_hashes,
            lesions,
            standard,
            data_classes,
        };
        if per_class {
            sets.width = median_distance(&sets.features(&sets.real, &reference));
        }
        sets
    }

    /// The features of some rows in the form in which they are compared.
    pub fn features(&self, set: &FeatureSet, rows: &[usize]) -> Features {
        let features = set.features.select(rows);
        self.standard.as_ref().map_or_else(|| features.clone(), |s| s.apply(&features))
    }

    /// All figures of some rows.
    pub fn compare(&self, rows: &Rows) -> Result<Comparison, EvalError> {
        let mut found = compare(
            &self.features(&self.real, &rows.reference),
            &self.features(&self.real, &rows.yardstick),
            &self.features(&self.fake.features, &rows.fake),
            [&self.lesions_of(&rows.reference), &self.lesions_of(&rows.yardstick)],
        )?;
        found.repeats = Some(self.repeats(rows));
        Ok(found)
    }

    /// Which images of some rows are equal.
    fn repeats(&self, rows: &Rows) -> Repeats {
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

    /// How many of a few generated images lie among all selected real ones; `None` for many images.
    pub fn inside(&self, overall: &Rows) -> Result<Option<Inside>, EvalError> {
        if overall.fake.len() >= TOO_FEW {
            return Ok(None);
        }
        let real = |images: &[u32]| self.features(&self.real, &self.selection.rows_of(images));
        let choice = &self.selection.overall;
        let fake = self.features(&self.fake.features, &overall.fake);
        Inside::of(&real(&choice.reference), &real(&choice.yardstick), &fake)
    }

    /// The figures of a class; `None` if there are no real and no generated images of it. `overall` are the rows of all
    /// classes, from which the encoder chooses if there are no labels.
    pub fn of_class(
        &self,
        class: usize,
        code: &str,
        fakes: &GeneratedImages,
        overall: &Rows,
    ) -> Result<Option<ClassReport>, EvalError> {
        let labelled = self.labelled_rows(class, code, fakes);
        let basis = if labelled.is_some() { Basis::Labels } else { Basis::Encoder };
        let rows = labelled.unwrap_or_else(|| self.predicted_rows(class, overall));
        if rows.is_empty() {
            return Ok(None);
        }
        let n = rows.shortest();
        let known = self.data_classes.contains(&Some(class));
        let recognised = (basis == Basis::Labels && n > 0 && known).then(|| {
            let share = |set, rows: &[usize]| self.share_predicted(set, rows, class);
            [share(&self.fake.features, &rows.fake), share(&self.real, &rows.yardstick)]
        });
        let of_all = match basis {
            Basis::Labels => {
                self.of_all(&[&rows.reference[..], &rows.yardstick].concat(), &rows.fake)?
            }
            Basis::Encoder => None,
        };
        let comparison = self.compare(&rows.truncated(n))?;
        let class = code.to_owned();
        let words = comparison.words(of_all.map(|of_all| of_all.kid));
        Ok(Some(ClassReport { class, basis, comparison, words, of_all, recognised }))
    }

    /// The rows of a class by labels; `None` if the generated images are not all labelled.
    fn labelled_rows(&self, class: usize, code: &str, fakes: &GeneratedImages) -> Option<Rows> {
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
    fn predicted_rows(&self, class: usize, overall: &Rows) -> Rows {
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
    fn share_predicted(&self, set: &FeatureSet, rows: &[usize], class: usize) -> f64 {
        let hits = rows.iter().filter(|row| self.is_predicted(set, **row, class)).count();
        hits as f64 / rows.len().max(1) as f64
    }

    fn lesions_of(&self, real_rows: &[usize]) -> Vec<usize> {
        real_rows.iter().map(|row| self.lesions[*row]).collect()
    }

    /// The figures of [`BothHalves`]; `None` if there are fewer than [`FEWEST`] real lesions or generated images.
    fn of_all(&self, real: &[usize], fake: &[usize]) -> Result<Option<BothHalves>, EvalError> {
        let lesions = [self.lesions_of(real), (0..fake.len()).collect()];
        if lesions.iter().any(|lesions| distinct(lesions) < FEWEST) {
            return Ok(None);
        }
        let sets = [self.features(&self.real, real), self.features(&self.fake.features, fake)];
        let (sets, lesions) = (sets.each_ref(), lesions.each_ref().map(Vec::as_slice));
        let kid = kid_by_lesion(sets, lesions)?;
        let mmd = self.width.map(|width| mmd_by_lesion(sets, lesions, Kernel::Gaussian { width }));
        Ok(Some(BothHalves { kid, mmd: mmd.transpose()?, real: real.len(), fake: fake.len() }))
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
