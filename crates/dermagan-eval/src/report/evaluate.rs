//! Compares generated images with real ones, overall and by class. Each figure has a yardstick beside it: the same figure
//! of other real images.

use dermagan_base::{producer, stop_requested};
use dermagan_data::Cache;

use crate::handmade::{Off, what_is_off};
use crate::report::counts::ImageCounts;
use crate::report::extraction::{Extractors, fake_features, real_features};
use crate::report::figures::EvalReport;
use crate::report::generated::GeneratedImages;
use crate::report::notes::notes;
use crate::report::rows::Rows;
use crate::report::scope::{EvalEvent, Scope, Sink};
use crate::report::selection::{ImageSelection, is_unlabelled};
use crate::report::sets::Sets;
use crate::report::view::View;
use crate::{EvalError, Extractor, Features};

/// A difference in hand-made features below this is not reported: standard deviations for an effect, powers of 2 for a
/// spread.
const SMALL: f64 = 0.2;

/// What [`compare_images`] finds.
#[derive(Debug)]
pub struct Compared {
    /// The report.
    pub report: EvalReport,
    /// For each extractor, the features of the reference and of the generated images, `[report.n, dims]`. Hand-made ones
    /// are standardised.
    pub features: Vec<[Features; 2]>,
    /// The numbers of the generated images of the overall figures, those first that a classifier tells most easily from
    /// real ones by the features of [`EvalReport::deciding`]. Empty without [`Scope::tell_apart`] or with too few images.
    pub least_real: Vec<usize>,
}

/// Compares generated images with the real images of `cache`. The features of real images are cached in the folder of
/// caches.
///
/// # Errors
/// [`EvalError::Input`] if no generated image can be read; [`EvalError::Data`] if a real image has changed; the errors of the extractors and of a generator.
pub fn compare_images(
    cache: &Cache,
    fakes: &GeneratedImages,
    extractors: &Extractors<'_>,
    scope: &Scope,
    sink: Sink<'_>,
) -> Result<Compared, EvalError> {
    let header = cache.header();
    let (mut selection, drawn) = ImageSelection::new(cache, fakes, scope);
    let real = real_features(cache, &selection.real, extractors, scope, sink)?;
    let fake = fake_features(fakes, &drawn, extractors, scope, sink)?;
    sink(EvalEvent::Comparing);
    selection.n = fake.overall;
    let rows = selection.overall_rows();
    let images = ImageCounts::new(cache, fakes, &fake, selection.n);
    let per_class = scope.per_class && !is_unlabelled(&header.classes);
    let sets = Sets::new(cache, real, fake, selection, extractors);
    let mut notes = notes(cache, fakes, extractors, scope, &sets, &images);
    notes.extend(per_class.then(|| sets.note_on_unknown_classes()).flatten());
    let codes = header.classes.iter().map(String::as_str).enumerate();
    let classes: Vec<(usize, &str)> = codes.filter(|_| per_class).collect();
    let mut seen = Vec::with_capacity(extractors.compared.len());
    for (index, extractor) in extractors.compared.iter().enumerate() {
        if stop_requested() {
            return Err(EvalError::Stopped);
        }
        let view = View::new(&sets, index, *extractor, scope, per_class);
        seen.push(view.report(&classes, fakes)?);
    }
    let mut report = EvalReport {
        producer: producer(),
        fake: fakes.describe(),
        real: header.name.clone(),
        fingerprint: header.fingerprint.clone(),
        split: scope.side.map_or("all".to_owned(), |side| side.to_string()),
        encoder: extractors.encoder.id(),
        seed: scope.seed,
        n: sets.selection.n,
        images,
        features: seen.iter().map(|seen| seen.report.clone()).collect(),
        off: differences(&sets.real.handmade, &sets.fake.features.handmade, &rows),
        notes,
        words: String::new(),
    };
    report.words = words(&report);
    let name = report.deciding().map(|by| by.name.as_str());
    let deciding = seen.iter().find(|seen| Some(seen.report.name.as_str()) == name);
    let least_real = deciding.map(|by| least_real(&by.scores, &sets.fake.images));
    Ok(Compared {
        report,
        features: seen.into_iter().map(|seen| seen.features).collect(),
        least_real: least_real.unwrap_or_default(),
    })
}

/// The verdict by the features that find the larger difference. With several kinds of features it names them.
fn words(report: &EvalReport) -> String {
    match (report.deciding(), report.features.len()) {
        (None, _) => String::new(),
        (Some(only), 1) => only.words.clone(),
        (Some(deciding), _) => format!("{}, by {} features", deciding.words, deciding.name),
    }
}

/// The numbers `images` of generated images, those with the highest scores first.
fn least_real(scores: &[f64], images: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order.into_iter().map(|row| images[row]).collect()
}

/// The hand-made features in which generated images differ from the reference by more than the yardstick does in any
/// feature, the largest difference first. Empty if there are no hand-made features.
fn differences(real: &Features, fake: &Features, rows: &Rows) -> Vec<Off> {
    if real.count() == 0 || rows.reference.is_empty() {
        return Vec::new();
    }
    let size = |off: &Off| off.effect.abs().max(off.spread.abs());
    let reference = real.select(&rows.reference);
    let among_real = what_is_off(&reference, &real.select(&rows.yardstick));
    let least = among_real.iter().map(size).fold(SMALL, f64::max);
    let found = what_is_off(&reference, &fake.select(&rows.fake));
    found.into_iter().filter(|off| size(off) > least).collect()
}
