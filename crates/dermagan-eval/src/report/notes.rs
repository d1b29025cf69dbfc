//! Notes on what limits the meaning of a report.

use dermagan_data::Cache;
use dermagan_data::split::Side;

use crate::report::counts::ImageCounts;
use crate::report::extraction::{Extractors, is_grey};
use crate::report::generated::GeneratedImages;
use crate::report::scope::Scope;
use crate::report::selection::{ImageSelection, Labels, is_unlabelled, labels, same_class};
use crate::report::sets::Sets;

/// Half the sum of the differences in class shares above which a note mentions them, on top of chance. The half sum is 0
/// for equal shares and 1 for sets without a common class.
const OTHER_SHARES: f64 = 0.2;

/// The notes on a whole evaluation.
pub(super) fn notes(
    cache: &Cache,
    fakes: &GeneratedImages,
    extractors: &Extractors<'_>,
    scope: &Scope,
    sets: &Sets,
    images: &ImageCounts,
) -> Vec<String> {
    let selection = &sets.selection;
    let mut notes = fakes.notes();
    notes.extend(on_number(fakes, scope, selection));
    notes.extend(on_draw(fakes, scope, selection.n));
    notes.extend(on_equal_images(images));
    notes.extend(on_colour(cache, fakes, selection, images));
    let side = fakes.side();
    if side != cache.size() {
        notes.push(format!(
            "the real images have {real}×{real} pixels, the generated ones {side}×{side}: a part of each figure is the \
             difference in resolution",
            real = cache.size()
        ));
    }
    if is_unlabelled(&cache.header().classes) {
        let without = "the real images have no labels, so there are no figures by class".to_owned();
        notes.extend(scope.per_class.then_some(without));
        return notes;
    }
    let labels = labels(fakes, &cache.header().classes, selection.n);
    if labels == Labels::All
        && let Some(differing) = most_differing_class(cache, fakes, sets)
    {
        notes.push(format!(
            "the generated images are of other classes than the real ones ({}: {:.0} % of the generated, {:.0} % of the \
             real images), which the overall figures include{}",
            differing.code,
            100.0 * differing.fake,
            100.0 * differing.real,
            if scope.per_class { "" } else { "; `per_class` compares each class separately" }
        ));
    }
    notes.extend(on_labels(labels, extractors, scope));
    notes
}

/// The word for `n` images.
fn images(n: usize) -> &'static str {
    if n == 1 { "image" } else { "images" }
}

/// The note that fewer images are compared than requested.
fn on_number(fakes: &GeneratedImages, scope: &Scope, selection: &ImageSelection) -> Option<String> {
    let (n, requested) = (selection.n, scope.n);
    let real = selection.overall.reference.len();
    if n >= requested {
        return None;
    }
    Some(match fakes.count() {
        Some(count) if count == n => {
            format!("{n} generated {} instead of {requested}: there are no more", images(n))
        }
        Some(_) if real > n => {
            format!("{n} generated {} instead of {requested}: no others can be read", images(n))
        }
        _ => format!(
            "{n} images in each set instead of {requested}: the real images give two sets of {real} that share no lesion and \
             no equal image"
        ),
    })
}

/// The note on how some images were drawn from more.
fn on_draw(fakes: &GeneratedImages, scope: &Scope, n: usize) -> Option<String> {
    let count = fakes.count().filter(|count| *count > n)?;
    let labelled = (0..count).any(|i| fakes.class(i).is_some());
    Some(format!(
        "{n} of {count} generated images were drawn at random by `seed` {}{}",
        scope.seed,
        if labelled { ", with each class in its share of all of them" } else { "" }
    ))
}

/// The note that some generated images are equal.
fn on_equal_images(images: &ImageCounts) -> Option<String> {
    let ImageCounts { measured, distinct, .. } = *images;
    (1 < distinct && distinct < measured).then(|| {
        format!(
            "{distinct} of the {measured} generated images are distinct: the others repeat them"
        )
    })
}

/// The note that generated images have no colour, beside how many real ones have none.
fn on_colour(
    cache: &Cache,
    fakes: &GeneratedImages,
    selection: &ImageSelection,
    images: &ImageCounts,
) -> Option<String> {
    // Files without colour channels are known of all images, others of those that were read.
    let (grey, n) = match fakes.stored_grey() {
        0 => (images.grey, images.measured),
        stored => (stored, fakes.count().unwrap_or(stored)),
    };
    if grey == 0 {
        return None;
    }
    let reference = &selection.overall.reference;
    let real = reference.iter().filter(|i| is_grey(cache.pixels(**i as usize))).count();
    let which = if grey == n { format!("all {n}") } else { format!("{grey} of {n}") };
    Some(format!(
        "{which} generated images are grey: no pixel has a colour; {real} of {} real images are grey",
        reference.len()
    ))
}

/// The note on how the class of an image is known.
fn on_labels(labels: Labels, extractors: &Extractors<'_>, scope: &Scope) -> Option<String> {
    if !scope.per_class {
        return None;
    }
    let by_encoder = || {
        format!(
            "the class of real and generated images alike is the one that the lesion encoder predicts (it knows {})",
            extractors.encoder.card().classes.join(", ")
        )
    };
    match labels {
        Labels::All if scope.side == Some(Side::Train) => Some(
            "the lesion encoder was trained on the training side, so the share of real images that it assigns to their \
             class is too high; use `split` = test, whose lesions it never saw"
                .into(),
        ),
        Labels::All => None,
        Labels::Missing(missing) => Some(format!(
            "{missing} generated images have no label of this data's classes, so no labels are used: {}",
            by_encoder()
        )),
        Labels::None => Some(format!("the generated images have no labels: {}", by_encoder())),
    }
}

/// A class and its shares of the generated images and of the reference, 0 to 1.
struct ClassShares<'a> {
    code: &'a str,
    fake: f64,
    real: f64,
}

impl ClassShares<'_> {
    fn difference(&self) -> f64 {
        (self.fake - self.real).abs()
    }

    /// The standard deviation of the difference that chance gives two sets of `n` images.
    fn chance(&self, n: usize) -> f64 {
        let share = (self.fake + self.real) / 2.0;
        (2.0 * share * (1.0 - share) / n.max(1) as f64).sqrt()
    }
}

/// The class whose shares differ most; `None` if the classes come in similar shares among the generated images and the
/// reference.
fn most_differing_class<'a>(
    cache: &'a Cache,
    fakes: &GeneratedImages,
    sets: &Sets,
) -> Option<ClassShares<'a>> {
    let selection = &sets.selection;
    let (n, header) = (selection.n, cache.header());
    let share = |count: usize| count as f64 / n.max(1) as f64;
    let of_class = |(class, code): (usize, &'a String)| {
        let is_fake = |i: &&usize| fakes.class(**i).is_some_and(|found| same_class(found, code));
        let is_real = |i: &&u32| header.records[**i as usize].class == class;
        let fake = share(sets.fake.images[..n].iter().filter(is_fake).count());
        let real = share(selection.overall.reference[..n].iter().filter(is_real).count());
        ClassShares { code, fake, real }
    };
    let shares: Vec<ClassShares<'a>> = header.classes.iter().enumerate().map(of_class).collect();
    let difference = shares.iter().map(ClassShares::difference).sum::<f64>() / 2.0;
    let chance = shares.iter().map(|share| share.chance(n)).sum::<f64>() / 2.0;
    let most = shares.into_iter().max_by(|a, b| a.difference().total_cmp(&b.difference()));
    most.filter(|_| difference > OTHER_SHARES + chance)
}
