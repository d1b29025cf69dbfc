//! Extracts the features of images. The features of real images are cached in files whose names depend on everything that
//! the features depend on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dermagan_base::hex;
use dermagan_base::image::Image;
use dermagan_base::stop_requested;
use dermagan_data::{Cache, LeftOut, default_folder};
use dermagan_shards::Joined;
use sha2::{Digest, Sha256};

use crate::item::{FAKES, Head, Item};
use crate::report::draw::DrawnImages;
use crate::report::generated::GeneratedImages;
use crate::report::scope::{EvalEvent, Scope, Sink};
use crate::{EvalError, Extractor, Features, Handmade, LesionEncoder, npz};

/// The extractors of an evaluation.
pub struct Extractors<'a> {
    /// Compute the features that are compared, one or more. Their names differ.
    pub compared: Vec<&'a dyn Extractor>,
    /// Predicts classes.
    pub encoder: &'a LesionEncoder,
    /// Features that shards have. Those that they lack are computed.
    pub joined: Option<&'a Joined>,
}

impl Extractors<'_> {
    /// The number of images to extract at a time.
    pub(crate) fn batch(&self) -> usize {
        self.compared.iter().map(|extractor| extractor.batch()).max().unwrap_or(1).max(1)
    }
}

/// The features of one set of images, before standardisation. Row `i` belongs to image `i` of the set.
pub(crate) struct FeatureSet {
    /// The features of each extractor.
    pub features: Vec<Features>,
    /// Hand-made features; no rows unless [`Scope::explain`].
    pub handmade: Features,
    /// The class that the encoder predicts for each image, as an index of its own classes; no rows unless
    /// [`Scope::per_class`].
    pub predicted: Vec<usize>,
}

impl FeatureSet {
    /// Appends the features of an item.
    fn push(&mut self, item: &Item, wanted: &Wanted, known: usize) -> Option<()> {
        let mut values = item.values.as_slice();
        for features in
            self.features.iter_mut().chain(wanted.handmade.then_some(&mut self.handmade))
        {
            let (own, rest) = values.split_at_checked(features.dims)?;
            features.values.extend(own);
            values = rest;
        }
        if wanted.predicted {
            self.predicted.push(item.head.predicted.filter(|class| *class < known)?);
        }
        (values.is_empty() && item.values.iter().all(|value| value.is_finite())).then_some(())
    }

    /// The number of features of an item.
    fn values(&self, wanted: &Wanted) -> usize {
        let handmade = if wanted.handmade { self.handmade.dims } else { 0 };
        self.features.iter().map(|features| features.dims).sum::<usize>() + handmade
    }

    /// Each image as an item.
    fn items(&self, images: usize) -> impl Iterator<Item = Item> {
        (0..images).map(|row| Item {
            head: Head { predicted: self.predicted.get(row).copied(), ..Head::default() },
            values: self
                .features
                .iter()
                .chain((self.handmade.count() > 0).then_some(&self.handmade))
                .flat_map(|features| features.row(row).iter().copied())
                .collect(),
        })
    }
}

/// The features of some real images as items.
pub(crate) fn real_items(
    cache: &Cache,
    images: &[u32],
    extractors: &Extractors<'_>,
    scope: &Scope,
) -> Result<Vec<Item>, EvalError> {
    cache.verified(images)?;
    let mut set = FeatureSet::empty(extractors);
    let pixels: Vec<Image> = images.iter().map(|i| cache.image(*i as usize)).collect();
    set.extend(&pixels, extractors, &Wanted::all(extractors, scope))?;
    Ok(set.items(images.len()).collect())
}

/// The features of some generated images as items. One that cannot be read is an item with the problem.
pub(crate) fn fake_items(
    fakes: &GeneratedImages,
    images: &[usize],
    extractors: &Extractors<'_>,
    scope: &Scope,
) -> Result<Vec<Item>, EvalError> {
    let (mut read, mut heads) = (Vec::new(), Vec::new());
    for image in fakes.images(images)? {
        heads.push(match image {
            Ok(image) => {
                let pixels = Some((Cache::hash_of(&image.pixels), is_grey(&image.pixels)));
                read.push(image);
                Head { pixels, ..Head::default() }
            }
            Err(problem) => Head { problem: Some(problem), ..Head::default() },
        });
    }
    let mut set = FeatureSet::empty(extractors);
    let wanted = Wanted::all(extractors, scope);
    for chunk in read.chunks(extractors.batch()) {
        set.extend(chunk, extractors, &wanted)?;
    }
    let mut rows = set.items(read.len());
    let item = |head: Head| match head.problem {
        Some(_) => Item { head, values: Vec::new() },
        None => {
            let row = rows.next();
            let predicted = row.as_ref().and_then(|row| row.head.predicted);
            let values = row.map(|row| row.values).unwrap_or_default();
            Item { head: Head { predicted, ..head }, values }
        }
    };
    Ok(heads.into_iter().map(item).collect())
}

/// What is extracted of images.
#[derive(Clone, Debug)]
struct Wanted {
    /// For each extractor, whether its features are.
    features: Vec<bool>,
    handmade: bool,
    predicted: bool,
}

impl Wanted {
    /// Everything that `scope` needs.
    fn all(extractors: &Extractors<'_>, scope: &Scope) -> Self {
        Self {
            features: vec![true; extractors.compared.len()],
            handmade: scope.explain,
            predicted: scope.per_class,
        }
    }

    fn is_empty(&self) -> bool {
        !self.handmade && !self.predicted && !self.features.contains(&true)
    }
}

impl FeatureSet {
    fn empty(extractors: &Extractors<'_>) -> Self {
        let empty = |dims| Features { dims, values: Vec::new() };
        Self {
            features: extractors.compared.iter().map(|one| empty(one.dims())).collect(),
            handmade: empty(Handmade.dims()),
            predicted: Vec::new(),
        }
    }

    /// Appends the features of some images.
    fn extend(
        &mut self,
        images: &[Image],
        extractors: &Extractors<'_>,
        wanted: &Wanted,
    ) -> Result<(), EvalError> {
        let mut predicted = wanted.predicted;
        let all = extractors.compared.iter().zip(&mut self.features).zip(&wanted.features);
        for ((extractor, features), _) in all.filter(|(_, wanted)| **wanted) {
            if stop_requested() {
                return Err(EvalError::Stopped);
            }
            if predicted && extractor.id() == extractors.encoder.id() {
                // One pass of the encoder gives both.
                let (values, logits) = extractors.encoder.look(images)?;
                features.values.extend(values);
                self.predicted.extend(extractors.encoder.classes(&logits));
                predicted = false;
            } else {
                features.values.extend(extractor.extract(images)?);
            }
        }
        if predicted {
            self.predicted.extend(extractors.encoder.classify(images)?);
        }
        if wanted.handmade {
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
    let size = fakes.at_a_time(extractors.batch());
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
        if let Some(joined) = extractors.joined {
            return wanted.iter().try_for_each(|image| {
                let item = joined_fake(joined, fakes, *image, extractors, scope)?;
                self.push(*image, item, extractors, scope)
                    .ok_or_else(|| joined.damaged(FAKES + *image as u64).into())
            });
        }
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
        let wanted = Wanted::all(extractors, scope);
        for chunk in images.chunks(extractors.batch()) {
            self.features.extend(chunk, extractors, &wanted)?;
        }
        Ok(())
    }
}

impl FakeSet {
    /// Appends an image of shards; `None` if the item is not one.
    fn push(
        &mut self,
        image: usize,
        item: Item,
        extractors: &Extractors<'_>,
        scope: &Scope,
    ) -> Option<()> {
        if let Some(problem) = &item.head.problem {
            LeftOut::add_problem(&mut self.left_out, problem);
            return Some(());
        }
        let (hash, grey) = item.head.pixels?;
        self.images.push(image);
        self.hashes.push(hash);
        self.grey.push(grey);
        let known = extractors.encoder.card().classes.len();
        self.features.push(&item, &Wanted::all(extractors, scope), known)
    }
}

/// The features of a generated image by shards. An image in the place of one that could not be read is in no shard, and is
/// computed.
fn joined_fake(
    joined: &Joined,
    fakes: &GeneratedImages,
    image: usize,
    extractors: &Extractors<'_>,
    scope: &Scope,
) -> Result<Item, EvalError> {
    let values = FeatureSet::empty(extractors).values(&Wanted::all(extractors, scope));
    let number = FAKES + image as u64;
    match Item::of(joined, number, values)? {
        Some(item) => Ok(item),
        None => fake_items(fakes, &[image], extractors, scope)?
            .pop()
            .ok_or_else(|| joined.damaged(number).into()),
    }
}

/// The features of the real images by shards.
fn joined_real(
    joined: &Joined,
    images: usize,
    extractors: &Extractors<'_>,
    scope: &Scope,
) -> Result<FeatureSet, EvalError> {
    let mut set = FeatureSet::empty(extractors);
    let wanted = Wanted::all(extractors, scope);
    let (values, known) = (set.values(&wanted), extractors.encoder.card().classes.len());
    for number in 0..images as u64 {
        let item = Item::of(joined, number, values)?;
        let pushed = item.and_then(|item| set.push(&item, &wanted, known));
        pushed.ok_or_else(|| joined.damaged(number))?;
    }
    Ok(set)
}

/// Whether no pixel of an image has a colour. `pixels` are RGB.
pub(super) fn is_grey(pixels: &[u8]) -> bool {
    pixels.as_chunks::<3>().0.iter().all(|[r, g, b]| r == g && g == b)
}

/// The features of the real images with the indices `images`, extracted or read from files of cached features.
pub(crate) fn real_features(
    cache: &Cache,
    images: &[u32],
    extractors: &Extractors<'_>,
    scope: &Scope,
    sink: Sink<'_>,
) -> Result<FeatureSet, EvalError> {
    cache.verified(images)?;
    if let Some(joined) = extractors.joined {
        return joined_real(joined, images.len(), extractors, scope);
    }
    let files = CachedFeatures::new(cache, images, extractors);
    let mut set = FeatureSet::empty(extractors);
    let missing = files.read(&mut set, Wanted::all(extractors, scope), extractors);
    if missing.is_empty() {
        return Ok(set);
    }
    let mut done = 0;
    for chunk in images.chunks(extractors.batch()) {
        let chunk: Vec<_> = chunk.iter().map(|i| cache.image(*i as usize)).collect();
        set.extend(&chunk, extractors, &missing)?;
        done += chunk.len();
        sink(EvalEvent::Real { done, total: images.len() });
    }
    files.write(&set, &missing);
    Ok(set)
}

/// The features of the real images with the indices `images` by each extractor, `[images.len(), dims]`. They are read from
/// files of cached features if there are any.
///
/// # Errors
/// As [`compare_images`](crate::compare_images).
pub fn features_of(
    cache: &Cache,
    images: &[u32],
    extractors: &Extractors<'_>,
    sink: Sink<'_>,
) -> Result<Vec<Features>, EvalError> {
    let scope = Scope { n: images.len(), ..Scope::default() };
    Ok(real_features(cache, images, extractors, &scope, sink)?.features)
}

/// The files of cached features of some real images: one file per extractor, with one array.
struct CachedFeatures {
    /// Number of images.
    n: usize,
    /// The files of the extractors' features.
    features: Vec<PathBuf>,
    handmade: PathBuf,
    predicted: PathBuf,
    /// Number of classes of the encoder.
    known: usize,
}

/// The name of the array in a file of cached features.
const ARRAY: &str = "features";

impl CachedFeatures {
    fn new(cache: &Cache, images: &[u32], extractors: &Extractors<'_>) -> Self {
        let header = cache.header();
        let mut hash = Sha256::new();
        // The levels of the CPU round differently.
        let level = dermagan_model::cpu::level().to_string();
        [&header.fingerprint, &level].iter().for_each(|part| hash.update(format!("{part}\n")));
        hash.update(format!("{:?}\n", header.options));
        for image in images {
            hash.update(header.hashes[*image as usize].to_le_bytes());
        }
        let file = |name: &str, id: String| {
            let hash = hash.clone().chain_update(id);
            let name = format!("{name}-{}.npz", hex(&hash.finalize()[..12]));
            default_folder().join("features").join(name)
        };
        Self {
            n: images.len(),
            features: extractors.compared.iter().map(|one| file(one.name(), one.id())).collect(),
            handmade: file(Handmade.name(), Handmade.id()),
            predicted: file("classes", extractors.encoder.id()),
            known: extractors.encoder.card().classes.len(),
        }
    }

    /// Reads the features that are `wanted` into `set`. Returns those that no file has.
    fn read(&self, set: &mut FeatureSet, wanted: Wanted, extractors: &Extractors<'_>) -> Wanted {
        let mut missing = wanted;
        for (i, extractor) in extractors.compared.iter().enumerate() {
            if let Some(found) = self.array(&self.features[i], extractor.dims()) {
                set.features[i] = found;
                missing.features[i] = false;
            }
        }
        if missing.handmade
            && let Some(found) = self.array(&self.handmade, Handmade.dims())
        {
            set.handmade = found;
            missing.handmade = false;
        }
        let class = |value: &f32| (0..self.known).find(|class| *class as f32 == *value);
        if missing.predicted
            && let Some(found) = self.array(&self.predicted, 1)
            && let Some(found) = found.values.iter().map(class).collect::<Option<_>>()
        {
            set.predicted = found;
            missing.predicted = false;
        }
        missing
    }

    /// The array of a file; `None` if the file is missing, is damaged or has another array.
    fn array(&self, file: &Path, dims: usize) -> Option<Features> {
        if !file.is_file() {
            return None;
        }
        let (_, found) = npz::read(file).ok()?.into_iter().find(|(name, _)| name == ARRAY)?;
        let fits = found.dims == dims && found.count() == self.n;
        (fits && found.values.iter().all(|v| v.is_finite())).then_some(found)
    }

    /// Writes the features of `set` that had no file.
    fn write(&self, set: &FeatureSet, missing: &Wanted) {
        let features = self.features.iter().zip(&set.features).zip(&missing.features);
        for ((file, features), _) in features.filter(|(_, missing)| **missing) {
            write_array(file, features);
        }
        if missing.handmade {
            write_array(&self.handmade, &set.handmade);
        }
        if missing.predicted {
            let values = set.predicted.iter().map(|class| *class as f32).collect();
            write_array(&self.predicted, &Features { dims: 1, values });
        }
    }
}

/// Writes features to a file. Errors are ignored: the file only saves time, and a full disk must not stop a measurement.
fn write_array(file: &Path, features: &Features) {
    if let Some(folder) = file.parent() {
        let _ = std::fs::create_dir_all(folder).map(|()| npz::write(file, &[(ARRAY, features)]));
    }
}
