//! An audit as one call.

use dermagan_base::SettingError;
use dermagan_base::image::Image;
use dermagan_data::{Cache, Header, Reading};
use dermagan_eval::{
    EvalEvent, Extractors, GeneratedImages, ImagenetEncoder, LesionEncoder, Sink, features_of,
};
use dermagan_model::{ComputeDevice, ModelFile};
use dermagan_shards::{Job, Joined};

use crate::audit::classes::{Material, results};
use crate::audit::control::controls;
use crate::audit::fakes::{Fakes, chosen};
use crate::audit::item::reals_of;
use crate::audit::pairs::{Pair, pairs};
use crate::audit::report::AuditReport;
use crate::audit::verdict::Verdict;
use crate::audit::words::words;
use crate::copies::search::{Closest, CopySearch};
use crate::copies::thresholds::Thresholds;
use crate::error::TrustError;
use crate::images::products::Points;
use crate::images::reals::{Reals, open_at};
use crate::membership::authenticity::{Authenticity, Nearest, among_themselves, cells};
use crate::membership::space::Space;

/// Largest number of images that a model makes for an audit.
const MOST: usize = 100_000;
/// Held-out images that are searched at a time.
const AT_ONCE: usize = 256;

/// The settings of an audit.
#[derive(Clone, Debug)]
pub struct AuditJob {
    /// The real images: a source as for [`Source::open`](dermagan_data::Source::open), or a prepared cache.
    pub real: String,
    /// How the source is read, where the default would refuse it or leave images out.
    pub reading: Reading,
    /// Number of images that a model makes, 100 to 100,000; rare classes get more. Of a folder all images are audited.
    pub number: usize,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// What the generator learnt from, if that is known: one that learnt from more images than the training side has, has seen
    /// held-out photographs.
    pub learnt: Option<Learnt>,
}

/// Gives the scores of a discriminator for the images of a cache.
pub type ScoresOf<'a> = &'a dyn Fn(&Cache) -> Result<Vec<f64>, TrustError>;

/// What a generator learnt from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// Name of the data.
    pub data: String,
    /// Number of images of each class.
    pub images: Vec<(String, u64)>,
}

impl Learnt {
    /// By the card of a model; `None` without one.
    pub fn of(model: &ModelFile) -> Option<Self> {
        let card = model.card.as_ref()?;
        let images = card.classes.iter().cloned().zip(card.class_images.iter().copied()).collect();
        Some(Self { data: card.data.clone(), images })
    }

    /// Why the generator has seen held-out photographs of `reals`, if it learnt from more images of a class of this data than
    /// are on the training side.
    pub(crate) fn too_many(&self, header: &Header, train: &[u32]) -> Option<String> {
        let same = self.data == header.name;
        self.images.iter().filter(|_| same).find_map(|(code, images)| {
            let is = |image: &&u32| {
                header.classes[header.records[**image as usize].class].eq_ignore_ascii_case(code)
            };
            let here = train.iter().filter(is).count() as u64;
            (here > 0 && *images > here).then(|| {
                format!(
                    "the generator learnt from {images} images of {code}, and the training side has {here}, so it has seen \
                     held-out photographs"
                )
            })
        })
    }
}

impl AuditJob {
    /// An audit of 4,096 images of a model, or of all images of a folder.
    pub fn new(real: impl Into<String>) -> Self {
        Self { real: real.into(), reading: Reading::default(), number: 4096, seed: 0, learnt: None }
    }

    /// Checks the settings. [`audit`] does so first.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn check(&self) -> Result<(), SettingError> {
        match (100..=MOST).contains(&self.number) {
            true => Ok(()),
            false => {
                Err(SettingError::value("number", self.number, format!("expected 100 to {MOST}")))
            }
        }
    }
}

/// The result of an audit.
#[derive(Debug)]
pub struct Audit {
    /// The report. It has no figure of a single image.
    pub report: AuditReport,
    /// The generated images that are closest to a training image, the closest first, each beside it. They show real images.
    pub pairs: Vec<Pair>,
    /// The indices of the generated images that count as copies.
    pub copies: Vec<usize>,
}

/// Asks whether generated images are copies of photographs that their generator learnt from, or tell which these were: the
/// training side of `real`, against its validation and test side together. `scores` are those that a discriminator gives
/// the images of the prepared cache, if it is to attack too: it is called with the cache. `sink` receives the progress.
///
/// # Errors
/// [`TrustError::Setting`] if a setting is out of range or there are too few real images; [`TrustError::Data`] if the real
/// images cannot be read; [`TrustError::Input`] if no generated image can be.
pub fn audit(
    job: &AuditJob,
    fakes: &GeneratedImages,
    scores: Option<ScoresOf<'_>>,
    device: &ComputeDevice,
    sink: Sink<'_>,
) -> Result<Audit, TrustError> {
    audit_joined(job, fakes, scores, device, None, sink)
}

/// The real images of an audit.
pub(super) fn opened(
    job: &AuditJob,
    fakes: &GeneratedImages,
    sink: Sink<'_>,
) -> Result<Reals, TrustError> {
    job.check()?;
    let cache = open_at("real", &job.real, job.reading, fakes.side(), &mut |done, total| {
        sink(EvalEvent::Preparing { done, total });
    })?;
    Ok(Reals::new(cache)?)
}

/// What the features and the closest images depend on.
pub(super) fn shard_job(
    job: &AuditJob,
    reals: &Reals,
    fakes: &GeneratedImages,
    device: &ComputeDevice,
) -> Job {
    let header = reals.cache.header();
    let settings = format!(
        "{} {:?} {} {} {}",
        header.fingerprint,
        header.options,
        job.number,
        job.seed,
        fakes.signature()
    );
    Job::new("audit", &settings, &device.computed_on())
}

/// As [`audit`]; with `joined` the features and the closest images are those of shards ([`audit_shard`](crate::audit_shard)) of
/// the same audit. The report is the same, to the last digit.
///
/// # Errors
/// As [`audit`], and if the shards are of another audit.
pub fn audit_joined(
    job: &AuditJob,
    fakes: &GeneratedImages,
    scores: Option<ScoresOf<'_>>,
    device: &ComputeDevice,
    joined: Option<&Joined>,
    sink: Sink<'_>,
) -> Result<Audit, TrustError> {
    let side = fakes.side();
    let reals = opened(job, fakes, sink)?;
    if let Some(joined) = joined {
        joined.check(&shard_job(job, &reals, fakes, device))?;
    }
    let scores = scores.map(|scores| scores(&reals.cache)).transpose()?;
    let search = CopySearch::new(&reals.cache, &reals.train, &reals.lesion);
    let wanted = chosen(fakes, reals.classes(), job.number);
    let (features, held, found) = match joined {
        Some(joined) => {
            let (features, held) = reals_of(joined, &reals)?;
            (features.values, held, Fakes::of_shards(fakes, &wanted, &reals, joined)?)
        }
        None => {
            let encoder = ImagenetEncoder::shipped()?;
            let lesion = LesionEncoder::shipped(&device.handle)?;
            let features = real_features(&reals, &encoder, &lesion, sink)?;
            let held = closest_of(&reals, &search);
            let found = Fakes::read(fakes, &wanted, reals.classes(), &search, &encoder, sink)?;
            (features, held, found)
        }
    };
    let space = Space::new(&reals, features);
    let thresholds = Thresholds::of_held_out(&reals, &held);
    sink(EvalEvent::Comparing);
    let labelled = found.labelled();
    let (mut classes, mut all) = results(&Material {
        space: &space,
        fakes: &found,
        held: &held,
        thresholds: &thresholds,
        discriminator: scores.as_deref(),
        seed: job.seed,
    });
    let controls = controls(&space, &search, (&held, &thresholds), labelled, job.seed)?;
    let header = reals.cache.header();
    let learnt = job.learnt.as_ref().and_then(|learnt| learnt.too_many(header, &reals.train));
    if !controls.hold() || learnt.is_some() {
        // A void audit decides nothing, except that an image equals a training image.
        for class in classes.iter_mut().chain([&mut all]) {
            class.void();
        }
    }
    let verdict = Verdict::worst(classes.iter().map(|class| class.verdict).chain([all.verdict]));
    let class_of = |i: usize| found.class[i];
    let copies = (0..found.images.len())
        .filter(|i| thresholds.is_copy(&found.closest[*i], class_of(*i)))
        .map(|i| found.images[i]);
    let report = AuditReport {
        real: format!("{} {}", reals.cache.header().name, reals.cache.header().fingerprint),
        fake: fakes.describe(),
        side,
        train: reals.train.len(),
        held_out: reals.held.len(),
        words: words(verdict, &classes, &all, &controls, learnt.as_deref()),
        classes,
        all,
        authenticity: authenticity(&space, &found, job.seed),
        controls,
        left_out: fakes.left_out().iter().chain(&found.left_out).cloned().collect(),
        notes: notes(job, fakes, &found, &reals),
        verdict,
    };
    let copies = copies.collect();
    Ok(Audit { pairs: pairs(&reals, fakes, &found)?, report, copies })
}

/// The features of the training images and then of the held-out ones.
pub(crate) fn real_features(
    reals: &Reals,
    encoder: &ImagenetEncoder,
    lesion: &LesionEncoder,
    sink: Sink<'_>,
) -> Result<Vec<f32>, TrustError> {
    let mut features = Vec::new();
    for images in [&reals.train, &reals.held] {
        features.extend(features_of_real(reals, images, encoder, lesion, sink)?);
    }
    Ok(features)
}

/// The features of some real images.
pub(super) fn features_of_real(
    reals: &Reals,
    images: &[u32],
    encoder: &ImagenetEncoder,
    lesion: &LesionEncoder,
    sink: Sink<'_>,
) -> Result<Vec<f32>, TrustError> {
    let extractors = Extractors { compared: vec![encoder], encoder: lesion, joined: None };
    let found = features_of(&reals.cache, images, &extractors, sink)?;
    Ok(found.into_iter().flat_map(|found| found.values).collect())
}

/// What each held-out image is closest to.
pub(crate) fn closest_of(reals: &Reals, search: &CopySearch) -> Vec<Closest> {
    let some = |images: &[u32]| -> Vec<Closest> {
        let images: Vec<Image> = images.iter().map(|i| reals.cache.image(*i as usize)).collect();
        search.closest(&images)
    };
    reals.held.chunks(AT_ONCE).flat_map(some).collect()
}

/// The published figures.
fn authenticity(space: &Space<'_>, fakes: &Fakes, seed: u64) -> Authenticity {
    let (reals, dims) = (space.reals, ImagenetEncoder::DIMS);
    let train = space.side(&reals.train);
    let [held, fake] = [space.rows(&reals.held), fakes.features.clone()];
    let [of_fake, of_held] = cells(&space.rows(&reals.train), dims, seed, [&fake, &held]);
    let [held, fake] = [held, fake].map(|rows| Points::new(rows, dims));
    let nearest = Nearest {
        fake: &train.points.nearest(&fake, |_, _| true),
        held: &train.points.nearest(&held, |_, _| true),
        train: &among_themselves(&train.points, &train.lesion),
    };
    Authenticity::new(&nearest, [&of_fake, &of_held])
}

/// What limits the meaning of the figures.
fn notes(job: &AuditJob, fakes: &GeneratedImages, found: &Fakes, reals: &Reals) -> Vec<String> {
    let mut notes = fakes.notes();
    let name = &reals.cache.header().name;
    if let Some(learnt) = job.learnt.as_ref().filter(|learnt| learnt.data != *name) {
        notes.push(format!(
            "the generator learnt from {}, and the photographs are {name}: if they are others, the audit says nothing",
            learnt.data
        ));
    }
    let unlabelled = found.class.iter().filter(|class| class.is_none()).count();
    match unlabelled {
        0 => {}
        _ if !found.labelled() => notes.push(
            "no generated image has a class of the data, so classes are not told apart".to_owned(),
        ),
        n => notes.push(format!(
            "{n} generated images have no class of the data; they are compared with all photographs"
        )),
    }
    notes.extend(reals.notes());
    notes.push(
        "held out are the validation and the test side of this program's split; if the generator learnt from them, the audit says \
         nothing"
            .to_owned(),
    );
    notes
}
