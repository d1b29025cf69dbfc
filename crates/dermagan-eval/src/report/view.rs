//! The images of an evaluation as one extractor sees them, and the figures of subsets of them.

use crate::handmade::Standard;
use crate::metrics::TOO_FEW;
use crate::mmd::{FEWEST, Kernel, distinct, median_distance, mmd_by_lesion};
use crate::report::figures::{Basis, BothHalves, ClassReport, FeatureReport};
use crate::report::generated::GeneratedImages;
use crate::report::rows::Rows;
use crate::report::scope::Scope;
use crate::report::sets::Sets;
use crate::{
    Comparison, Estimates, EvalError, Extractor, Features, Inside, TwoSample, compare,
    kid_by_lesion, two_sample,
};

/// The sets by the features of one extractor.
pub(super) struct View<'a> {
    sets: &'a Sets,
    extractor: &'a dyn Extractor,
    /// The features of all real images.
    real: &'a Features,
    /// The features of all generated images.
    fake: &'a Features,
    /// Standardises hand-made features, whose units differ, so that no feature dominates the distance. `None` for the
    /// features of a network.
    standard: Option<Standard>,
    /// As [`FeatureReport::width`].
    width: Option<f64>,
    scope: &'a Scope,
}

/// The figures by one extractor, and what is drawn from them.
pub(super) struct Seen {
    pub report: FeatureReport,
    /// The features of the reference and of the generated images, in the form in which they are compared.
    pub features: [Features; 2],
    /// As [`TwoSample::scores`], for each generated image of the overall figures; empty unless [`Scope::tell_apart`].
    pub scores: Vec<f64>,
}

impl<'a> View<'a> {
    /// The view of the extractor with the number `index`.
    pub fn new(
        sets: &'a Sets,
        index: usize,
        extractor: &'a dyn Extractor,
        scope: &'a Scope,
        per_class: bool,
    ) -> Self {
        let selection = &sets.selection;
        // A few images would give no standard deviation, so all real ones give it then.
        let reference = match selection.n < TOO_FEW {
            true => selection.rows_of(&selection.overall.reference),
            false => selection.overall_rows().reference,
        };
        let (real, fake) = (&sets.real.features[index], &sets.fake.features.features[index]);
        let handmade = extractor.name() == "handmade";
        let standard = handmade.then(|| Standard::of(&real.select(&reference)));
        let mut view = Self { sets, extractor, real, fake, standard, width: None, scope };
        if per_class {
            view.width = median_distance(&view.real(&reference));
        }
        view
    }

    /// All figures. `classes` are the numbers and codes of the classes that are compared too.
    pub fn report(
        &self,
        classes: &[(usize, &str)],
        fakes: &GeneratedImages,
    ) -> Result<Seen, EvalError> {
        let rows = self.sets.selection.overall_rows();
        let (mut overall, scores) = self.compare(&rows)?;
        overall.inside = self.inside(&rows)?;
        let mut of_classes = Vec::new();
        for (class, code) in classes {
            of_classes.extend(self.of_class(*class, code, fakes, &rows)?);
        }
        let report = FeatureReport {
            name: self.extractor.name().to_owned(),
            id: self.extractor.id(),
            dims: self.extractor.dims(),
            width: self.width,
            words: overall.words(None),
            overall,
            classes: of_classes,
        };
        let features = [self.real(&rows.reference), self.fake(&rows.fake)];
        Ok(Seen { report, features, scores })
    }

    /// The features of some real images in the form in which they are compared.
    fn real(&self, rows: &[usize]) -> Features {
        self.in_form(self.real.select(rows))
    }

    /// The same of generated images.
    fn fake(&self, rows: &[usize]) -> Features {
        self.in_form(self.fake.select(rows))
    }

    fn in_form(&self, features: Features) -> Features {
        match &self.standard {
            Some(standard) => standard.apply(&features),
            None => features,
        }
    }

    /// All figures of some rows, and the score of each generated image.
    fn compare(&self, rows: &Rows) -> Result<(Comparison, Vec<f64>), EvalError> {
        let [reference, yardstick] =
            [&rows.reference, &rows.yardstick].map(|rows| self.sets.lesions_of(rows));
        let sets = [self.real(&rows.reference), self.real(&rows.yardstick), self.fake(&rows.fake)];
        let mut found = compare(&sets[0], &sets[1], &sets[2], [&reference, &yardstick])?;
        found.repeats = Some(self.sets.repeats(rows));
        if !self.scope.tell_apart {
            return Ok((found, Vec::new()));
        }
        let own: Vec<usize> = (0..rows.fake.len()).collect();
        let tell = |other, lesions: &[usize]| {
            two_sample([&sets[0], other], [&reference, lesions], self.scope.seed)
        };
        let tests = [tell(&sets[2], &own)?, tell(&sets[1], &yardstick)?];
        let [Some(fake), Some(real)] = tests else { return Ok((found, Vec::new())) };
        found.auc = Some(beside(&fake, &real));
        Ok((found, fake.scores))
    }

    /// How many of a few generated images lie among all selected real ones; `None` for many images.
    fn inside(&self, overall: &Rows) -> Result<Option<Inside>, EvalError> {
        if overall.fake.len() >= TOO_FEW {
            return Ok(None);
        }
        let real = |images: &[u32]| self.real(&self.sets.selection.rows_of(images));
        let choice = &self.sets.selection.overall;
        Inside::of(&real(&choice.reference), &real(&choice.yardstick), &self.fake(&overall.fake))
    }

    /// The figures of a class; `None` if there are no real and no generated images of it. `overall` are the rows of all
    /// classes, from which the encoder chooses if there are no labels.
    fn of_class(
        &self,
        class: usize,
        code: &str,
        fakes: &GeneratedImages,
        overall: &Rows,
    ) -> Result<Option<ClassReport>, EvalError> {
        let sets = self.sets;
        let labelled = sets.labelled_rows(class, code, fakes);
        let basis = if labelled.is_some() { Basis::Labels } else { Basis::Encoder };
        let rows = labelled.unwrap_or_else(|| sets.predicted_rows(class, overall));
        if rows.is_empty() {
            return Ok(None);
        }
        let n = rows.shortest();
        let recognised = (basis == Basis::Labels && n > 0 && sets.is_known(class)).then(|| {
            let share = |set, rows: &[usize]| sets.share_predicted(set, rows, class);
            [share(&sets.fake.features, &rows.fake), share(&sets.real, &rows.yardstick)]
        });
        let of_all = match basis {
            Basis::Labels => {
                self.of_all(&[&rows.reference[..], &rows.yardstick].concat(), &rows.fake)?
            }
            Basis::Encoder => None,
        };
        let (comparison, _) = self.compare(&rows.truncated(n))?;
        let class = code.to_owned();
        let words = comparison.words(of_all.map(|of_all| of_all.kid));
        Ok(Some(ClassReport { class, basis, comparison, words, of_all, recognised }))
    }

    /// The figures of [`BothHalves`]; `None` if there are fewer than [`FEWEST`] real lesions or generated images.
    fn of_all(&self, real: &[usize], fake: &[usize]) -> Result<Option<BothHalves>, EvalError> {
        let lesions = [self.sets.lesions_of(real), (0..fake.len()).collect()];
        if lesions.iter().any(|lesions| distinct(lesions) < FEWEST) {
            return Ok(None);
        }
        let sets = [self.real(real), self.fake(fake)];
        let (sets, lesions) = (sets.each_ref(), lesions.each_ref().map(Vec::as_slice));
        let kid = kid_by_lesion(sets, lesions)?;
        let mmd = self.width.map(|width| mmd_by_lesion(sets, lesions, Kernel::Gaussian { width }));
        Ok(Some(BothHalves { kid, mmd: mmd.transpose()?, real: real.len(), fake: fake.len() }))
    }
}

/// The test of the generated images beside that of real ones.
fn beside(fake: &TwoSample, real: &TwoSample) -> Estimates {
    Estimates {
        fake: fake.auc,
        fake_se: fake.standard_error,
        real: real.auc,
        real_se: real.standard_error,
    }
}
