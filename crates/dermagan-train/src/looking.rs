//! Images to features; those of real images are kept in the cache folder, by what they were made
//! of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dermagan_base::image::Image;
use dermagan_data::{Cache, default_folder};
use dermagan_eval::encoder::LesionEncoder;
use dermagan_eval::handmade::Handmade;
use dermagan_eval::{Extractor, Features, npz};
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::evaluate::{EvalEvent, EvalRequest, Sink};
use crate::fakes::Fakes;

/// What looks at images.
pub struct Eyes<'a> {
    /// Makes the features that are compared.
    pub extractor: &'a dyn Extractor,
    /// Tells classes.
    pub encoder: &'a LesionEncoder,
}

/// Features of one set, raw, with what the images are of.
pub(crate) struct Set {
    pub features: Features,
    pub handmade: Features,
    /// By the encoder, where it was asked: places in its own list of classes.
    pub seen_as: Vec<usize>,
}

fn look(
    images: &[Image],
    eyes: &Eyes<'_>,
    request: &EvalRequest,
    set: &mut Set,
) -> Result<(), TrainError> {
    if eyes.extractor.id() == eyes.encoder.id() {
        let (features, logits) = eyes.encoder.look(images)?;
        set.features.values.extend(features);
        set.seen_as.extend(eyes.encoder.classes(&logits));
    } else {
        set.features.values.extend(eyes.extractor.extract(images)?);
        if request.per_class {
            set.seen_as.extend(eyes.encoder.classify(images)?);
        }
    }
    if request.explain {
        set.handmade.values.extend(Handmade.extract(images)?);
    }
    Ok(())
}

fn empty(eyes: &Eyes<'_>) -> Set {
    Set {
        features: Features { dims: eyes.extractor.dims(), values: Vec::new() },
        handmade: Features { dims: Handmade.dims(), values: Vec::new() },
        seen_as: Vec::new(),
    }
}

/// Looks at generated images.
pub(crate) fn fake_set(
    fakes: &Fakes,
    places: &[usize],
    eyes: &Eyes<'_>,
    request: &EvalRequest,
    sink: Sink<'_>,
) -> Result<Set, TrainError> {
    let mut set = empty(eyes);
    let mut done = 0;
    for chunk in places.chunks(eyes.extractor.batch().max(1)) {
        look(&fakes.images(chunk)?, eyes, request, &mut set)?;
        done += chunk.len();
        sink(EvalEvent::Fake { done, total: places.len() });
    }
    Ok(set)
}

/// Names of the arrays in the file of kept features.
const KEPT: [&str; 3] = ["features", "handmade", "seen_as"];

/// Looks at real images, or reads what was kept of an earlier look.
pub(crate) fn real_set(
    cache: &Cache,
    images: &[u32],
    eyes: &Eyes<'_>,
    request: &EvalRequest,
    sink: Sink<'_>,
) -> Result<Set, TrainError> {
    cache.verified(images)?;
    let file = kept_file(cache, images, eyes, request);
    if let Some(set) = kept(&file, images.len(), eyes, request) {
        return Ok(set);
    }
    let mut set = empty(eyes);
    let mut done = 0;
    for chunk in images.chunks(eyes.extractor.batch().max(1)) {
        let chunk: Vec<_> = chunk.iter().map(|i| cache.image(*i as usize)).collect();
        look(&chunk, eyes, request, &mut set)?;
        done += chunk.len();
        sink(EvalEvent::Real { done, total: images.len() });
    }
    let seen_as =
        Features { dims: 1, values: set.seen_as.iter().map(|class| *class as f32).collect() };
    let arrays = [(KEPT[0], &set.features), (KEPT[1], &set.handmade), (KEPT[2], &seen_as)];
    let arrays: Vec<_> = arrays.into_iter().filter(|(_, f)| f.count() > 0).collect();
    // Kept for speed only: a full disk must not stop a measurement.
    if let Some(folder) = file.parent() {
        let _ = std::fs::create_dir_all(folder).map(|()| npz::write(&file, &arrays));
    }
    Ok(set)
}

/// The features of real images alone, from the kept file where there is one.
///
/// # Errors
/// As [`crate::evaluate::evaluate`].
pub fn features_of(
    cache: &Cache,
    images: &[u32],
    eyes: &Eyes<'_>,
    sink: Sink<'_>,
) -> Result<Features, TrainError> {
    let request = EvalRequest {
        n: images.len(),
        side: None,
        images: None,
        per_class: false,
        seed: 0,
        explain: false,
    };
    Ok(real_set(cache, images, eyes, &request, sink)?.features)
}

/// Where the features of these images by these eyes are kept.
fn kept_file(cache: &Cache, images: &[u32], eyes: &Eyes<'_>, request: &EvalRequest) -> PathBuf {
    let header = cache.header();
    let mut hash = Sha256::new();
    let encoder = if request.per_class { eyes.encoder.id() } else { String::new() };
    let handmade = if request.explain { Handmade.id() } else { String::new() };
    // Levels of the CPU round differently.
    let level = dermagan_model::cpu::level().to_string();
    let what = [&header.fingerprint, &eyes.extractor.id(), &encoder, &handmade, &level];
    what.iter().for_each(|part| hash.update(format!("{part}\n")));
    hash.update(format!("{:?}\n", header.options));
    for image in images {
        hash.update(header.hashes[*image as usize].to_le_bytes());
    }
    let name: String = hash.finalize()[..12].iter().map(|b| format!("{b:02x}")).collect();
    default_folder().join("features").join(format!("{}-{name}.npz", eyes.extractor.name()))
}

/// The features kept in a file, if they are those that are needed.
fn kept(file: &Path, n: usize, eyes: &Eyes<'_>, request: &EvalRequest) -> Option<Set> {
    if !file.is_file() {
        return None;
    }
    let mut arrays: BTreeMap<String, Features> = npz::read(file).ok()?.into_iter().collect();
    let mut take = |name: &str, dims: usize| {
        let found = arrays.remove(name)?;
        let whole = found.dims == dims && found.count() == n;
        (whole && found.values.iter().all(|v| v.is_finite())).then_some(found)
    };
    let mut set = empty(eyes);
    set.features = take(KEPT[0], eyes.extractor.dims())?;
    if request.explain {
        set.handmade = take(KEPT[1], Handmade.dims())?;
    }
    if request.per_class {
        let known = eyes.encoder.card().classes.len();
        let seen = take(KEPT[2], 1)?;
        let class = |value: &f32| (0..known).find(|class| *class as f32 == *value);
        set.seen_as = seen.values.iter().map(class).collect::<Option<_>>()?;
    }
    Some(set)
}
