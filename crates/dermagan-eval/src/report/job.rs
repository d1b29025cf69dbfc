//! An evaluation as one call.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dermagan_base::SettingError;
use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, Header, Options, Reading, open_or_prepare_with};
use dermagan_model::ComputeDevice;

use crate::report::evaluate::compare_images;
use crate::report::extraction::Extractors;
use crate::report::figures::EvalReport;
use crate::report::generated::GeneratedImages;
use crate::report::nearest::{Nearest, nearest};
use crate::report::prepared::PREPARED;
use crate::report::scope::{EvalEvent, Scope, Sink};
use crate::report::selection::of_side;
use crate::{
    EvalError, Extractor, Features, Handmade, Inception, LesionEncoder, RealChoice, agree,
};

/// Largest number of images in each set.
const MAX_IMAGES: usize = 1_000_000;
/// Distance between the first seeds of a generator for consecutive seeds of an evaluation.
const SEED_STRIDE: u64 = 1_000_000;
/// Largest side in pixels to which images of a folder are resized. The lesion encoder and the hand-made features resize
/// images to 64 pixels, so a larger side would only take memory.
const MAX_SIDE: usize = 128;
/// The same for InceptionV3, which resizes images to 299 pixels.
const INCEPTION_SIDE: usize = 299;

/// The features that images are compared by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeatureKind {
    /// The lesion encoder, which comes with the program, or another that was trained like it.
    #[default]
    Lesion,
    /// InceptionV3 as FID defines it; needs its weights.
    Inception,
    /// Colour, asymmetry, border, size and texture, without a network.
    Handmade,
}

/// The settings of an evaluation.
#[derive(Clone, Debug)]
pub struct EvalJob {
    /// The real images: a source as for [`Source::open`](dermagan_data::Source::open), or a prepared cache.
    pub real: String,
    /// How the source of the real images is read, where the default would refuse it or leave images out.
    pub reading: Reading,
    /// The features that images are compared by.
    pub features: FeatureKind,
    /// File with the weights of the features' network: a lesion encoder, or pytorch-fid's InceptionV3. The lesion encoder
    /// needs none.
    pub weights: Option<PathBuf>,
    /// Number of images in each set, 2 to 1,000,000. Two sets of real images are needed.
    pub number: usize,
    /// The side of the split that real images come from; `None` for all of them.
    pub split: Option<Side>,
    /// Whether each class is also evaluated.
    pub per_class: bool,
    /// Seed of the choice of real images, and of the choice of a generator's seeds.
    pub seed: u64,
    /// Whether to also draw generated images beside the nearest real training images.
    pub nearest: bool,
}

impl EvalJob {
    /// An evaluation of 2,048 images against the training side of `real`, by the features of the lesion encoder.
    pub fn new(real: impl Into<String>) -> Self {
        Self {
            real: real.into(),
            reading: Reading::default(),
            features: FeatureKind::default(),
            weights: None,
            number: 2048,
            split: Some(Side::Train),
            per_class: false,
            seed: 0,
            nearest: false,
        }
    }

    /// The seed of a generator's first image, for [`GeneratedImages::open`].
    ///
    /// # Errors
    /// If the seed is above 18,446,744,073,708, so that the seeds of the images would overflow.
    pub fn first_seed(&self) -> Result<u64, SettingError> {
        let first = self.seed.checked_mul(SEED_STRIDE);
        first.filter(|first| first.checked_add(SEED_STRIDE).is_some()).ok_or_else(|| {
            let most = u64::MAX / SEED_STRIDE - 1;
            SettingError::value("seed", self.seed, format!("expected at most {most}"))
        })
    }

    /// The largest side in pixels to which images of a folder are resized, for [`GeneratedImages::open`].
    pub fn largest_side(&self) -> usize {
        match self.features {
            FeatureKind::Inception => INCEPTION_SIDE,
            _ => MAX_SIDE,
        }
    }

    /// Checks the settings. [`evaluate`] does so first.
    ///
    /// # Errors
    /// Names the first setting that is out of range or does not fit the others.
    pub fn check(&self) -> Result<(), SettingError> {
        if !(2..=MAX_IMAGES).contains(&self.number) {
            let problem = format!("expected 2 to {MAX_IMAGES}");
            return Err(SettingError::value("number", self.number, problem));
        }
        match (self.features, &self.weights) {
            (FeatureKind::Inception, None) => {
                let problem = "needs the `weights` of InceptionV3; fetch them with scripts/fetch-weights inception";
                Err(SettingError::value("features", "inception", problem))
            }
            (FeatureKind::Handmade, Some(_)) => Err(SettingError::value(
                "features",
                "handmade",
                "uses no network, so `weights` have no effect; leave them out",
            )),
            _ => self.first_seed().map(|_| ()),
        }
    }
}

/// The result of an evaluation.
#[derive(Debug)]
pub struct Evaluation {
    /// The report.
    pub report: EvalReport,
    /// The features of the real images, `[n, dims]` with `n` and `dims` of the report.
    pub real: Features,
    /// The features of the generated images, `[n, dims]`.
    pub fake: Features,
    /// Generated images beside the nearest real ones; `None` unless [`EvalJob::nearest`].
    pub nearest: Option<Nearest>,
}

/// Evaluates generated images: the front door of this crate. The prepared real images and their features are cached in
/// the folder of caches. `sink` receives the progress.
///
/// # Errors
/// [`EvalError::Setting`] if a setting cannot be used, or the real images give no two sets; [`EvalError::Data`] if the real
/// images cannot be read; [`EvalError::Input`] if no generated image can be read; [`EvalError::Weights`] for an unusable file of weights;
/// [`EvalError::SickDevice`] if the device computes other features than the CPU.
pub fn evaluate(
    job: &EvalJob,
    fakes: &GeneratedImages,
    device: &ComputeDevice,
    sink: Sink<'_>,
) -> Result<Evaluation, EvalError> {
    job.check()?;
    let size = fakes.side() as u32;
    let cache = open_or_prepare_with(
        &job.real,
        job.reading,
        Options { size, ..PREPARED },
        &mut |done, total| {
            sink(EvalEvent::Preparing { done, total });
        },
    )?;
    let scope = Scope {
        n: job.number,
        side: job.split,
        images: None,
        per_class: job.per_class,
        seed: job.seed,
        explain: true,
    };
    check_real(job, &cache, &scope)?;
    let encoder = encoder(job, device)?;
    let inception = match (job.features, &job.weights) {
        (FeatureKind::Inception, Some(file)) => Some(Inception::open(file, &device.handle)?),
        _ => None,
    };
    let extractor: &dyn Extractor = match (&inception, job.features) {
        (Some(inception), _) => inception,
        (None, FeatureKind::Handmade) => &Handmade,
        (None, _) => &encoder,
    };
    if !device.is_cpu {
        check_device(job, &cache, &encoder, inception.as_ref())?;
    }
    let extractors = Extractors { extractor, encoder: &encoder };
    let (mut report, [real, fake]) = compare_images(&cache, fakes, &extractors, &scope, sink)?;
    report.images.same_as_real |= is_same(&job.real, fakes);
    if report.images.same_as_real {
        report.words = format!(
            "`real` and `fake` are the same images, so the figures say nothing about a generator; {}",
            report.words
        );
    }
    report.notes.extend(about_real(cache.header()));
    let nearest = job.nearest.then(|| nearest(&cache, fakes, &extractors, &scope, sink));
    Ok(Evaluation { report, real, fake, nearest: nearest.transpose()? })
}

/// What a reader must know about the source of the real images: what was left out, and a split that is the author's.
fn about_real(header: &Header) -> Vec<String> {
    let mut notes = Vec::new();
    let left_out = header.report.images_left_out();
    if left_out > 0 {
        notes.push(format!(
            "{left_out} images of the real source were left out, and {} kept; the account of the source names them",
            header.report.kept
        ));
    }
    let facts = split::facts(header);
    if facts.official {
        notes.push(format!("the real images are {facts}"));
    }
    notes
}

/// Checks that two sets of real images can be drawn.
fn check_real(job: &EvalJob, cache: &Cache, scope: &Scope) -> Result<(), EvalError> {
    let header = cache.header();
    let images = of_side(cache, job.split);
    let choice = RealChoice::draw(header, &images, scope.n, scope.seed);
    if !choice.reference.is_empty() {
        return Ok(());
    }
    let hashes = images.iter().map(|i| header.hashes[*i as usize]);
    let problem = match (images.len(), hashes.collect::<BTreeSet<_>>().len()) {
        (0, _) => "no real image is on this side of the split; choose another `split`".to_owned(),
        (1, _) => "found one real image, expected at least 12".to_owned(),
        (n, 1) => format!("all {n} real images are the same, expected at least 12 different ones"),
        (n, _) => format!("all {n} real images are of one lesion, expected images of at least 12"),
    };
    Err(SettingError::value("real", &job.real, problem).into())
}

/// Whether the real images are read from the same folder or file as the generated ones.
fn is_same(real: &str, fakes: &GeneratedImages) -> bool {
    let full = |path: &Path| std::fs::canonicalize(path).ok();
    let fake = fakes.path().and_then(full);
    fake.is_some() && fake == full(Path::new(real))
}

/// The lesion encoder: the job's, if its features are of a lesion encoder with weights, else the shipped one.
fn encoder(job: &EvalJob, device: &ComputeDevice) -> Result<LesionEncoder, EvalError> {
    match (&job.weights, job.features) {
        (Some(file), FeatureKind::Lesion) => LesionEncoder::open(file, &device.handle),
        _ => LesionEncoder::shipped(&device.handle),
    }
}

/// Compares the features of the first real images on the device with the CPU's.
fn check_device(
    job: &EvalJob,
    cache: &Cache,
    on_device: &LesionEncoder,
    inception: Option<&Inception>,
) -> Result<(), EvalError> {
    let images: Vec<_> = (0..cache.len().min(agree::MOST)).map(|i| cache.image(i)).collect();
    let cpu = ComputeDevice::cpu();
    agree::check(on_device, &encoder(job, &cpu)?, &images)?;
    if let (Some(inception), Some(file)) = (inception, &job.weights) {
        agree::check(inception, &Inception::open(file, &cpu.handle)?, &images)?;
    }
    Ok(())
}
