//! `eval` as a library call: generated pictures against real ones, overall and by class, each figure
//! beside that of real pictures against other real ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, default_folder};
use dermagan_eval::encoder::LesionEncoder;
use dermagan_eval::handmade::{Handmade, Off, Standard, what_is_off};
use dermagan_eval::{Comparison, Extractor, Features, RealChoice, compare, npz};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::fakes::{Fakes, picture};
use crate::plan::SPLIT_SEED;

/// What to measure.
#[derive(Clone, Debug)]
pub struct EvalRequest {
    /// Pictures in each set, where there are so many.
    pub n: usize,
    /// Which side of the split by lesion the real pictures are from; `None` for all of them.
    pub side: Option<Side>,
    /// These images instead of a side's.
    pub images: Option<Vec<u32>>,
    /// Also by class.
    pub per_class: bool,
    /// Seed of the choice of real pictures.
    pub seed: u64,
    /// Also say what is off in hand-made features.
    pub explain: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum EvalEvent {
    /// Features of real pictures.
    Real {
        /// So many are done.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// Features of generated pictures.
    Fake {
        /// So many are done.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// The sets are being compared.
    Comparing,
}

/// Who hears how far it is.
pub type Sink<'a> = &'a mut dyn FnMut(EvalEvent);

/// How a picture's class is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The generated pictures say what they are of.
    Labels,
    /// They do not: real and generated pictures alike are of the class that the lesion encoder takes
    /// them for.
    Encoder,
}

/// One class's figures.
#[derive(Clone, Debug, Serialize)]
pub struct ClassReport {
    /// Its code.
    pub class: String,
    /// How its pictures are known.
    pub basis: Basis,
    /// The figures.
    pub comparison: Comparison,
    /// Share of its generated pictures that the lesion encoder takes for it, and the same of real
    /// ones; where pictures have labels.
    pub recognised: Option<[f64; 2]>,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct EvalReport {
    /// Name of the real data.
    pub real: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Side of the split, or `all`.
    pub split: String,
    /// What the features are: extractor, version and weights.
    pub features: String,
    /// Features a picture.
    pub dims: usize,
    /// Seed of the choice of real pictures.
    pub seed: u64,
    /// All classes together.
    pub overall: Comparison,
    /// By class.
    pub classes: Vec<ClassReport>,
    /// Hand-made features in which generated pictures differ more than real ones do among
    /// themselves, the worst first.
    pub off: Vec<Off>,
    /// What to be careful about.
    pub notes: Vec<String>,
    /// What the figures mean, in a sentence.
    pub words: String,
}

/// Features of one set, raw, with what the pictures are of.
struct Set {
    features: Features,
    handmade: Features,
    /// By the encoder, where it was asked.
    seen_as: Vec<usize>,
}

/// What looks at pictures.
pub struct Eyes<'a> {
    /// Makes the features that are compared.
    pub extractor: &'a dyn Extractor,
    /// Tells classes.
    pub encoder: &'a LesionEncoder,
}

/// The images of a side of the split.
pub fn of_side(cache: &Cache, side: Option<Side>) -> Vec<u32> {
    let sides = split::of_header(cache.header(), SPLIT_SEED);
    let wanted = |i: &usize| side.is_none_or(|side| sides[*i] == side);
    (0..cache.len()).filter(wanted).map(|i| i as u32).collect()
}

/// Measures. The features of real pictures are kept in the cache folder, by what they were made of.
/// Returns the report, and the features of the reference and of the generated pictures.
///
/// # Errors
/// When there are too few pictures to compare anything, or one cannot be read.
pub fn evaluate(
    cache: &Cache,
    fakes: &Fakes,
    eyes: &Eyes<'_>,
    request: &EvalRequest,
    sink: Sink<'_>,
) -> Result<(EvalReport, [Features; 2]), TrainError> {
    let header = cache.header();
    let drawn = Drawn::new(cache, fakes, request);
    let real = real_set(cache, &drawn.images, eyes, request, sink)?;
    let fake = fake_set(fakes, &drawn.fakes, eyes, request, sink)?;
    sink(EvalEvent::Comparing);
    let sets = Sets { real, fake, drawn, by_unit: eyes.extractor.name() == "handmade" };
    let n = sets.drawn.n;
    let choice = &sets.drawn.overall;
    let rows = [
        sets.drawn.places(&choice.reference[..n]),
        sets.drawn.places(&choice.yardstick[..n]),
        (0..n).collect(),
    ];
    let overall = sets.compare(&rows, &rows[0])?;
    let mut notes = notes(cache, fakes, request, n);
    let mut classes = Vec::new();
    if request.per_class {
        if sets.drawn.classes.is_none() {
            notes.push(
                "the generated pictures have no labels: real and generated ones alike are counted \
                 to the class that the lesion encoder takes them for"
                    .into(),
            );
        }
        for (class, code) in header.classes.iter().enumerate() {
            classes.extend(sets.of_class(class, code, fakes, &rows)?);
        }
    }
    let report = EvalReport {
        real: header.name.clone(),
        fingerprint: header.fingerprint.clone(),
        split: request.side.map_or("all".to_owned(), |side| side.to_string()),
        features: eyes.extractor.id(),
        dims: eyes.extractor.dims(),
        seed: request.seed,
        words: overall.words(),
        overall,
        classes,
        off: off(&sets.real.handmade, &sets.fake.handmade, &rows),
        notes,
    };
    let [reference, _, fake] = &rows;
    let features = [sets.real.features.select(reference), sets.fake.features.select(fake)];
    Ok((report, features))
}

/// Which pictures are looked at.
struct Drawn {
    /// Pictures in each set of the overall figures.
    n: usize,
    overall: RealChoice,
    /// With labels every class is drawn by itself, so that the rare ones are not a handful.
    classes: Option<BTreeMap<usize, RealChoice>>,
    /// Every real image that is needed, in order.
    images: Vec<u32>,
    /// Every generated picture that is needed; the first `n` are those of the overall figures.
    fakes: Vec<usize>,
}

impl Drawn {
    fn new(cache: &Cache, fakes: &Fakes, request: &EvalRequest) -> Self {
        let header = cache.header();
        let images = request.images.clone().unwrap_or_else(|| of_side(cache, request.side));
        let draw = |images: &[u32]| RealChoice::draw(header, images, request.n, request.seed);
        let overall = draw(&images);
        let n = overall.reference.len().min(fakes.count().unwrap_or(usize::MAX));
        let classes = (request.per_class && labelled(fakes)).then(|| {
            let of_class = |class: usize| -> Vec<u32> {
                let is = |i: &&u32| header.records[**i as usize].class == class;
                images.iter().filter(is).copied().collect()
            };
            (0..header.classes.len()).map(|class| (class, draw(&of_class(class)))).collect()
        });
        let all = std::iter::once(&overall).chain(classes.iter().flat_map(BTreeMap::values));
        let mut wanted: Vec<u32> =
            all.flat_map(|c| c.reference.iter().chain(&c.yardstick).copied()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let fakes = fake_places(fakes, classes.as_ref(), n, &header.classes);
        Self { n, overall, classes, images: wanted, fakes }
    }

    /// Where images are among those that were looked at.
    fn places(&self, images: &[u32]) -> Vec<usize> {
        images.iter().filter_map(|i| self.images.binary_search(i).ok()).collect()
    }
}

/// Both sides, looked at.
struct Sets {
    real: Set,
    fake: Set,
    drawn: Drawn,
    /// Whether features are numbers of unlike units, none of which may rule the distance.
    by_unit: bool,
}

/// Rows of the reference, of the yardstick and of the generated pictures.
type Rows = [Vec<usize>; 3];

impl Sets {
    /// Compares rows; units are those of the real rows `scale`.
    fn compare(&self, [r, y, f]: &Rows, scale: &[usize]) -> Result<Comparison, TrainError> {
        let standard = self.by_unit.then(|| Standard::of(&self.real.features.select(scale)));
        let take = |set: &Set, rows: &[usize]| {
            let features = set.features.select(rows);
            standard.as_ref().map_or_else(|| features.clone(), |s| s.apply(&features))
        };
        Ok(compare(&take(&self.real, r), &take(&self.real, y), &take(&self.fake, f))?)
    }

    /// A class's figures; `None` where neither real nor generated pictures are of it.
    fn of_class(
        &self,
        class: usize,
        code: &str,
        fakes: &Fakes,
        [reference, yardstick, all_fakes]: &Rows,
    ) -> Result<Option<ClassReport>, TrainError> {
        let (basis, [r, y, f]) = match self.drawn.classes.as_ref().and_then(|c| c.get(&class)) {
            Some(choice) => {
                let is = |at: &usize| fakes.class(self.drawn.fakes[*at]) == Some(code);
                let rows = (0..self.drawn.fakes.len()).filter(is).collect();
                let [r, y] = [&choice.reference, &choice.yardstick].map(|i| self.drawn.places(i));
                (Basis::Labels, [r, y, rows])
            }
            None => {
                let seen = |set: &Set, rows: &[usize]| -> Vec<usize> {
                    rows.iter().filter(|i| set.seen_as[**i] == class).copied().collect()
                };
                let [r, y] = [reference, yardstick].map(|rows| seen(&self.real, rows));
                (Basis::Encoder, [r, y, seen(&self.fake, all_fakes)])
            }
        };
        if r.is_empty() && y.is_empty() && f.is_empty() {
            return Ok(None);
        }
        let share = |set: &Set, rows: &[usize]| {
            let hits = rows.iter().filter(|i| set.seen_as.get(**i) == Some(&class)).count();
            hits as f64 / rows.len().max(1) as f64
        };
        let n = r.len().min(y.len()).min(f.len());
        let recognised = (basis == Basis::Labels && n > 0)
            .then(|| [share(&self.fake, &f), share(&self.real, &y)]);
        let rows = [r, y, f].map(|rows| rows[..n].to_vec());
        let comparison = self.compare(&rows, reference)?;
        Ok(Some(ClassReport { class: code.to_owned(), basis, comparison, recognised }))
    }
}

fn notes(cache: &Cache, fakes: &Fakes, request: &EvalRequest, n: usize) -> Vec<String> {
    let mut notes = Vec::new();
    if n < request.n {
        notes.push(format!(
            "{n} pictures in each set instead of {}: real pictures are needed twice over, and the \
             two halves share no lesion",
            request.n
        ));
    }
    if let Some(side) = fakes.side().filter(|side| *side != cache.size()) {
        notes.push(format!(
            "the real pictures have {} pixels a side, the generated ones {side}: part of what is \
             measured is the resolution",
            cache.size()
        ));
    }
    if let Fakes::Folder(folder) = fakes
        && folder.jpegs() > 0
    {
        notes.push(format!(
            "{} of the generated pictures are JPEGs, whose compression counts as a difference",
            folder.jpegs()
        ));
    }
    notes
}

/// Whether every picture's class is known.
fn labelled(fakes: &Fakes) -> bool {
    (0..fakes.count().unwrap_or(1)).all(|i| fakes.class(i).is_some())
}

/// Which generated pictures are looked at: the first `n` spread over all, then what is lacking of
/// each class.
fn fake_places(
    fakes: &Fakes,
    choices: Option<&BTreeMap<usize, RealChoice>>,
    n: usize,
    codes: &[String],
) -> Vec<usize> {
    let total = fakes.count().unwrap_or(n).max(n);
    // Evenly over the whole: files are often sorted by class.
    let mut places: Vec<usize> = (0..n).map(|i| i * total / n.max(1)).collect();
    let mut taken: std::collections::BTreeSet<usize> = places.iter().copied().collect();
    for (class, choice) in choices.into_iter().flatten() {
        let code = codes.get(*class).map(String::as_str);
        let mut lacking = choice.reference.len();
        lacking -= places.iter().filter(|i| fakes.class(**i) == code).count().min(lacking);
        for i in 0..total {
            if lacking > 0 && fakes.class(i) == code && taken.insert(i) {
                places.push(i);
                lacking -= 1;
            }
        }
    }
    places
}

fn look(
    pictures: &[dermagan_base::picture::Picture],
    eyes: &Eyes<'_>,
    request: &EvalRequest,
    set: &mut Set,
) -> Result<(), TrainError> {
    set.features.values.extend(eyes.extractor.extract(pictures)?);
    if request.explain {
        set.handmade.values.extend(Handmade.extract(pictures)?);
    }
    if request.per_class {
        set.seen_as.extend(eyes.encoder.classify(pictures)?);
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

fn fake_set(
    fakes: &Fakes,
    places: &[usize],
    eyes: &Eyes<'_>,
    request: &EvalRequest,
    sink: Sink<'_>,
) -> Result<Set, TrainError> {
    let mut set = empty(eyes);
    let mut done = 0;
    for chunk in places.chunks(eyes.extractor.batch().max(1)) {
        look(&fakes.pictures(chunk)?, eyes, request, &mut set)?;
        done += chunk.len();
        sink(EvalEvent::Fake { done, total: places.len() });
    }
    Ok(set)
}

/// Names of the arrays in the file of kept features.
const KEPT: [&str; 3] = ["features", "handmade", "seen_as"];

fn real_set(
    cache: &Cache,
    images: &[u32],
    eyes: &Eyes<'_>,
    request: &EvalRequest,
    sink: Sink<'_>,
) -> Result<Set, TrainError> {
    let file = kept_file(cache, images, eyes, request);
    if let Some(set) = kept(&file, images.len(), eyes, request) {
        return Ok(set);
    }
    let mut set = empty(eyes);
    let mut done = 0;
    for chunk in images.chunks(eyes.extractor.batch().max(1)) {
        let pictures: Vec<_> = chunk.iter().map(|i| picture(cache, *i)).collect();
        look(&pictures, eyes, request, &mut set)?;
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

/// The features of real pictures alone, from the kept file where there is one.
///
/// # Errors
/// As [`evaluate`].
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
    let what = [&header.fingerprint, &eyes.extractor.id(), &encoder, &handmade];
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
        set.seen_as = take(KEPT[2], 1)?.values.iter().map(|class| *class as usize).collect();
    }
    Some(set)
}

/// A difference smaller than this many standard deviations is nothing to speak of.
const SMALL: f64 = 0.2;

/// Where generated pictures differ from the reference by more than other real ones do in any
/// feature.
fn off(real: &Features, fake: &Features, [r, y, f]: &Rows) -> Vec<Off> {
    if real.count() == 0 || r.is_empty() {
        return Vec::new();
    }
    let size = |off: &Off| off.effect.abs().max(off.spread.abs());
    let reference = real.select(r);
    let among = what_is_off(&reference, &real.select(y));
    let least = among.iter().map(size).fold(SMALL, f64::max);
    what_is_off(&reference, &fake.select(f)).into_iter().filter(|off| size(off) > least).collect()
}
