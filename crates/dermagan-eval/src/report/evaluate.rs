//! Compares generated images with real ones, overall and by class. Each figure has a yardstick beside it: the same figure
//! of other real images.

use dermagan_base::producer;
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
use crate::{EvalError, Extractor, Features};

/// A difference in hand-made features below this is not reported: standard deviations for an effect, powers of 2 for a
/// spread.
const SMALL: f64 = 0.2;

/// Compares generated images with the real images of `cache`. The features of real images are cached in the folder of
/// caches. Returns the report, and the features of the reference and of the generated images, `[scope.n, dims]` or
/// fewer rows.
///
/// # Errors
/// [`EvalError::Input`] if no generated image can be read; [`EvalError::Data`] if a real image has changed; the errors of the extractors and of a generator.
pub fn compare_images(
    cache: &Cache,
    fakes: &GeneratedImages,
    extractors: &Extractors<'_>,
    scope: &Scope,
    sink: Sink<'_>,
) -> Result<(EvalReport, [Features; 2]), EvalError> {
    let header = cache.header();
    let (mut selection, drawn) = ImageSelection::new(cache, fakes, scope);
    let real = real_features(cache, &selection.real, extractors, scope, sink)?;
    let fake = fake_features(fakes, &drawn, extractors, scope, sink)?;
    sink(EvalEvent::Comparing);
    selection.n = fake.overall;
    let rows = selection.overall_rows();
    let images = ImageCounts::new(cache, fakes, &fake, selection.n);
    let per_class = scope.per_class && !is_unlabelled(&header.classes);
    let sets = Sets::new(cache, real, fake, selection, extractors, per_class);
    let mut overall = sets.compare(&rows)?;
    overall.inside = sets.inside(&rows)?;
    let mut notes = notes(cache, fakes, extractors, scope, &sets, &images);
    let mut classes = Vec::new();
    if per_class {
        for (class, code) in header.classes.iter().enumerate() {
            classes.extend(sets.of_class(class, code, fakes, &rows)?);
        }
        notes.extend(sets.note_on_unknown_classes());
    }
    let features = [
        sets.features(&sets.real, &rows.reference),
        sets.features(&sets.fake.features, &rows.fake),
    ];
    let report = EvalReport {
        producer: producer(),
        fake: fakes.describe(),
        real: header.name.clone(),
        fingerprint: header.fingerprint.clone(),
        split: scope.side.map_or("all".to_owned(), |side| side.to_string()),
        features: extractors.extractor.id(),
        encoder: extractors.encoder.id(),
        dims: extractors.extractor.dims(),
        seed: scope.seed,
        width: sets.width,
        images,
        words: overall.words(None),
        overall,
        classes,
        off: differences(&sets.real.handmade, &sets.fake.features.handmade, &rows),
        notes,
    };
    Ok((report, features))
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
