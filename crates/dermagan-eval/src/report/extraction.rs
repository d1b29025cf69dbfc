//! Extracts the features of images. The features of real images are cached in files whose names depend on everything that
//! the features depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dermagan_base::hex;
use dermagan_base::image::Image;
use dermagan_base::stop_requested;
use dermagan_data::{Cache, LeftOut, default_folder};
use sha2::{Digest, Sha256};

use crate::report::draw::DrawnImages;
use crate::report::generated::GeneratedImages;
use crate::report::scope::{EvalEvent, Scope, Sink};
use crate::{EvalError, Extractor, Features, Handmade, LesionEncoder, npz};

/// The extractors of an evaluation.
pub struct Extractors<'a> {
    /// Computes the features that are compared.
    pub extractor: &'a dyn Extractor,
    /// Predicts classes.
    pub encoder: &'a LesionEncoder,
}

/// The features of one set of images, before standardisation. Row `i` belongs to image `i` of the set.
pub(crate) struct FeatureSet {
    pub features: Features,
    /// Hand-made features; no rows unless [`Scope::explain`].
    pub handmade: Features,
    /// The class that the encoder predicts for each image, as an index of its own classes. It may be empty unless
    /// [`Scope::per_class`].
    pub predicted: Vec<usize>,
}

impl FeatureSet {
    fn empty(extractors: &Extractors<'_>) -> Self {
        Self {
            features: Features { dims: extractors.extractor.dims(), values: Vec::new() },
            handmade: Features { dims: Handmade.dims(), values: Vec::new() },
            predicted: Vec::new(),
        }
    }

    /// Appends the features of some images.
    fn extend(
        &mut self,
        images: &[Image],
        extractors: &Extractors<'_>,
        scope: &Scope,
    ) -> Result<(), EvalError> {
        if stop_requested() {
            return Err(EvalError::Stopped);
        }
        if extractors.extractor.id() == extractors.encoder.id() {
            let (features, logits) = extractors.encoder.look(images)?;
            self.features.values.extend(features);
            self.predicted.extend(extractors.encoder.classes(&logits));
        } else {
            self.features.values.extend(extractors.extractor.extract(images)?);
            if scope.per_class {
                self.predicted.extend(extractors.encoder.classify(images)?);
            }
        }
        if scope.explain {
            self.handmade.values.extend(Handmade.extract(images)?);
        }
        Ok(())
    }
}

/// The features of generated images, and what they are as images.
pub(crate) struct FakeSet {
    pub features: FeatureSet,
    /// The index of the image of each row.
    pub images: Vec<usize>,
    /// A hash of the pixels of each image ([`Cache::hash_of`]).
    pub hashes: Vec<u64>,
    /// Whether each image has no colour.
    pub grey: Vec<bool>,
    /// The images that could not be read.
    pub left_out: Vec<LeftOut>,
    /// Number of rows of the overall figures, which come first.
    pub overall: usize,
    /// Side of the images in pixels.
    pub side: usize,
}

/// The features of the generated images that `wanted` names. An image that cannot be read is left out, and the next one
/// in the order of the draw takes its place in the overall figures.
///
/// # Errors
/// [`EvalError::Input`] if no image can be read; the errors of the extractors and of a generator.
pub(crate) fn fake_features(
    fakes: &GeneratedImages,
    wanted: &DrawnImages,
    extractors: &Extractors<'_>,
    scope: &Scope,
    sink: Sink<'_>,
) -> Result<FakeSet, EvalError> {
    let mut set = FakeSet {
        features: FeatureSet::empty(extractors),
        images: Vec::new(),
        hashes: Vec::new(),
        grey: Vec::new(),
        left_out: Vec::new(),
        overall: 0,
        side: fakes.side(),
    };
    let (n, total) = (wanted.overall.len(), wanted.overall.len() + wanted.of_classes.len());
    let size = fakes.at_a_time(extractors.extractor.batch());
    let mut tried = BTreeSet::new();
    let mut queue = wanted.overall.iter().chain(&wanted.reserve).copied();
    while set.images.len() < n {
        let chunk: Vec<usize> = queue.by_ref().take(size.min(n - set.images.len())).collect();
        if chunk.is_empty() {
            break;
        }
        set.extend(fakes, &chunk, extractors, scope)?;
        tried.extend(chunk);
        sink(EvalEvent::Fake { done: set.images.len(), total });
    }
    set.overall = set.images.len();
    if set.overall == 0 && n > 0 {
        let reasons: Vec<String> = set.left_out.iter().map(LeftOut::words).collect();
        let what = format!("none of the images can be read: {}", reasons.join("; "));
        return Err(EvalError::Input(format!("{}: {what}", fakes.describe())));
    }
    let more: Vec<usize> =
        wanted.of_classes.iter().filter(|i| !tried.contains(*i)).copied().collect();
    for chunk in more.chunks(size) {
        set.extend(fakes, chunk, extractors, scope)?;
        sink(EvalEvent::Fake { done: set.images.len().min(total), total });
    }
    Ok(set)
}

impl FakeSet {
    /// Reads some images and appends their features.
    fn extend(
        &mut self,
        fakes: &GeneratedImages,
        wanted: &[usize],
        extractors: &Extractors<'_>,
        scope: &Scope,
    ) -> Result<(), EvalError> {
        let mut images = Vec::with_capacity(wanted.len());
        for (i, read) in wanted.iter().zip(fakes.images(wanted)?) {
            match read {
                Ok(image) => {
                    self.images.push(*i);
                    self.hashes.push(Cache::hash_of(&image.pixels));
                    self.grey.push(is_grey(&image.pixels));
                    images.push(image);
                }
                Err(problem) => LeftOut::add_problem(&mut self.left_out, &problem),
            }
        }
        for chunk in images.chunks(extractors.extractor.batch().max(1)) {
            self.features.extend(chunk, extractors, scope)?;
        }
        Ok(())
    }
}

/// Whether no pixel of an image has a colour. `pixels` are RGB.
pub(super) fn is_grey(pixels: &[u8]) -> bool {
    pixels.as_chunks::<3>().0.iter().all(|[r, g, b]| r == g && g == b)
}

/// The names of the arrays in a file of cached features: [`FeatureSet`]'s features, hand-made features and predictions.
const ARRAYS: [&str; 3] = ["features", "handmade", "seen_as"];

/// The features of the real images with the indices `images`, extracted or read from a file of cached features.
pub(crate) fn real_features(
    cache: &Cache,
    images: &[u32],
    extractors: &Extractors<'_>,
    scope: &Scope,
    sink: Sink<'_>,
) -> Result<FeatureSet, EvalError> {
    cache.verified(images)?;
    let file = cached_file(cache, images, extractors, scope);
    if let Some(set) = read_cached(&file, images.len(), extractors, scope) {
        return Ok(set);
    }
    let mut set = FeatureSet::empty(extractors);
    let mut done = 0;
    for chunk in images.chunks(extractors.extractor.batch().max(1)) {
        let chunk: Vec<_> = chunk.iter().map(|i| cache.image(*i as usize)).collect();
        set.extend(&chunk, extractors, scope)?;
        done += chunk.len();
        sink(EvalEvent::Real { done, total: images.len() });
    }
    write_cached(&file, &set);
    Ok(set)
}

/// The features of the real images with the indices `images`, `[images.len(), dims]`, without hand-made features and
/// classes. They are read from a file of cached features if there is one.
///
/// # Errors
/// As [`compare_images`](crate::compare_images).
pub fn features_of(
    cache: &Cache,
    images: &[u32],
    extractors: &Extractors<'_>,
    sink: Sink<'_>,
) -> Result<Features, EvalError> {
    let scope = Scope {
        n: images.len(),
        side: None,
        images: None,
        per_class: false,
        seed: 0,
        explain: false,
    };
    Ok(real_features(cache, images, extractors, &scope, sink)?.features)
}

/// The file of cached features of these images by these extractors.
fn cached_file(
    cache: &Cache,
    images: &[u32],
    extractors: &Extractors<'_>,
    scope: &Scope,
) -> PathBuf {
    let header = cache.header();
    let mut hash = Sha256::new();
    let encoder = if scope.per_class { extractors.encoder.id() } else { String::new() };
    let handmade = if scope.explain { Handmade.id() } else { String::new() };
    // The levels of the CPU round differently.
    let level = dermagan_model::cpu::level().to_string();
    let parts = [&header.fingerprint, &extractors.extractor.id(), &encoder, &handmade, &level];
    parts.iter().for_each(|part| hash.update(format!("{part}\n")));
    hash.update(format!("{:?}\n", header.options));
    for image in images {
        hash.update(header.hashes[*image as usize].to_le_bytes());
    }
    let name = hex(&hash.finalize()[..12]);
    default_folder().join("features").join(format!("{}-{name}.npz", extractors.extractor.name()))
}

/// Writes features to a file. Errors are ignored: the file only saves time, and a full disk must not stop a measurement.
fn write_cached(file: &Path, set: &FeatureSet) {
    let predicted =
        Features { dims: 1, values: set.predicted.iter().map(|class| *class as f32).collect() };
    let arrays = [(ARRAYS[0], &set.features), (ARRAYS[1], &set.handmade), (ARRAYS[2], &predicted)];
    let arrays: Vec<_> = arrays.into_iter().filter(|(_, f)| f.count() > 0).collect();
    if let Some(folder) = file.parent() {
        let _ = std::fs::create_dir_all(folder).map(|()| npz::write(file, &arrays));
    }
}

/// Reads cached features of `n` images; `None` if the file is missing, is damaged or lacks an array that `scope` needs.
fn read_cached(
    file: &Path,
    n: usize,
    extractors: &Extractors<'_>,
    scope: &Scope,
) -> Option<FeatureSet> {
    if !file.is_file() {
        return None;
    }
    let mut arrays: BTreeMap<String, Features> = npz::read(file).ok()?.into_iter().collect();
    let mut take = |name: &str, dims: usize| {
        let found = arrays.remove(name)?;
        let fits = found.dims == dims && found.count() == n;
        (fits && found.values.iter().all(|v| v.is_finite())).then_some(found)
    };
    let mut set = FeatureSet::empty(extractors);
    set.features = take(ARRAYS[0], extractors.extractor.dims())?;
    if scope.explain {
        set.handmade = take(ARRAYS[1], Handmade.dims())?;
    }
    if scope.per_class {
        let known = extractors.encoder.card().classes.len();
        let predicted = take(ARRAYS[2], 1)?;
        let class = |value: &f32| (0..known).find(|class| *class as f32 == *value);
        set.predicted = predicted.values.iter().map(class).collect::<Option<_>>()?;
    }
    Some(set)
}
