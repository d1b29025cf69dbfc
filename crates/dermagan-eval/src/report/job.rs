//! An evaluation as one call.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dermagan_base::SettingError;
use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, Header, Options, Reading, open_or_prepare_with};
use dermagan_model::ComputeDevice;
use dermagan_shards::{Job, Joined};

use crate::report::evaluate::compare_images;
use crate::report::extraction::Extractors;
use crate::report::figures::EvalReport;
use crate::report::generated::GeneratedImages;
use crate::report::nearest::{Nearest, nearest};
use crate::report::scope::{EvalEvent, PREPARED, Scope, Sink};
use crate::report::selection::{ImageSelection, of_side};
use crate::report::worst::{Worst, worst};
use crate::{
    EvalError, Extractor, Features, Handmade, ImagenetEncoder, Inception, LesionEncoder,
    RealChoice, agree,
};

/// Largest number of images in each set.
const MAX_IMAGES: usize = 1_000_000;
/// Distance between the first seeds of a generator for consecutive seeds of an evaluation.
const SEED_STRIDE: u64 = 1_000_000;
/// Largest side in pixels to which images of a folder are resized. The lesion encoder and the hand-made features resize
/// images to 64 pixels, so a larger side would only take memory.
const MAX_SIDE: usize = 128;
/// The same for the ImageNet encoder, which resizes images to 160 pixels.
const IMAGENET_SIDE: usize = 160;
/// The same for InceptionV3, which resizes images to 299 pixels.
const INCEPTION_SIDE: usize = 299;

/// The features that images are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureKind {
    /// The lesion encoder, which comes with the program, or another that was trained like it.
    Lesion,
    /// EfficientNet-Lite0 as trained on ImageNet, which comes with the program. It never saw a lesion.
    Imagenet,
    /// InceptionV3 as FID defines it; needs its weights.
    Inception,
    /// Colour, asymmetry, border, size and texture, without a network.
    Handmade,
}

impl FeatureKind {
    /// All kinds with their names.
    pub const ALL: [(&'static str, Self); 4] = [
        ("lesion", Self::Lesion),
        ("imagenet", Self::Imagenet),
        ("inception", Self::Inception),
        ("handmade", Self::Handmade),
    ];
}

/// The settings of an evaluation.
#[derive(Clone, Debug)]
pub struct EvalJob {
    /// The real images: a source as for [`Source::open`](dermagan_data::Source::open), or a prepared cache.
    pub real: String,
    /// How the source of the real images is read, where the default would refuse it or leave images out.
    pub reading: Reading,
    /// The features that images are compared by, each kind once. The first says which real images are the nearest.
    pub features: Vec<FeatureKind>,
    /// File with the weights of a network: pytorch-fid's InceptionV3 if it is among the features, else a lesion encoder
    /// instead of the one that comes with the program.
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
    /// Whether to also draw the generated images that a classifier tells most easily from real ones.
    pub worst: bool,
}

impl EvalJob {
    /// An evaluation of 2,048 images against the training side of `real`, by the features of the lesion encoder and of the
    /// ImageNet encoder.
    pub fn new(real: impl Into<String>) -> Self {
        Self {
            real: real.into(),
            reading: Reading::default(),
            features: vec![FeatureKind::Lesion, FeatureKind::Imagenet],
            weights: None,
            number: 2048,
            split: Some(Side::Train),
            per_class: false,
            seed: 0,
            nearest: false,
            worst: false,
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
        let side = |kind: &FeatureKind| match kind {
            FeatureKind::Inception => INCEPTION_SIDE,
            FeatureKind::Imagenet => IMAGENET_SIDE,
            FeatureKind::Lesion | FeatureKind::Handmade => MAX_SIDE,
        };
        self.features.iter().map(side).max().unwrap_or(MAX_SIDE)
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
        let value = |problem: &str| {
            let name = |kind: &FeatureKind| FeatureKind::ALL.iter().find(|(_, k)| k == kind);
            let names = self.features.iter().filter_map(name).map(|(name, _)| *name);
            SettingError::value("features", names.collect::<Vec<_>>().join(","), problem)
        };
        let repeated = |i: usize| self.features[..i].contains(&self.features[i]);
        if self.features.is_empty() || (0..self.features.len()).any(repeated) {
            return Err(value(
                "expected one or more, each once, of lesion, imagenet, inception and handmade",
            ));
        }
        let has = |kind| self.has(kind);
        match &self.weights {
            None if has(FeatureKind::Inception) => Err(value(
                "needs the `weights` of InceptionV3; fetch them with scripts/fetch-weights inception",
            )),
            Some(_) if !has(FeatureKind::Inception) && !has(FeatureKind::Lesion) => Err(value(
                "takes no `weights`, so they have no effect; leave them out, or add lesion or inception",
            )),
            _ => self.first_seed().map(|_| ()),
        }
    }

    fn has(&self, kind: FeatureKind) -> bool {
        self.features.contains(&kind)
    }
}

/// The features of both sets by one extractor.
#[derive(Clone, Debug)]
pub struct SetFeatures {
    /// The extractor: `lesion`, `imagenet`, `inception` or `handmade`.
    pub name: &'static str,
    /// The features of the real images, `[n, dims]` with the `n` of the report.
    pub real: Features,
    /// The features of the generated images, `[n, dims]`.
    pub fake: Features,
}

/// The result of an evaluation.
#[derive(Debug)]
pub struct Evaluation {
    /// The report.
    pub report: EvalReport,
    /// The features of the images, by each extractor.
    pub features: Vec<SetFeatures>,
    /// Generated images beside the nearest real ones; `None` unless [`EvalJob::nearest`].
    pub nearest: Option<Nearest>,
    /// The generated images that give themselves away; `None` unless [`EvalJob::worst`], or if there are too few images
    /// to tell.
    pub worst: Option<Worst>,
}

/// The real images of an evaluation, and the networks.
pub(crate) struct OpenedJob {
    pub cache: Cache,
    pub scope: Scope,
    loaded: Loaded,
}

impl OpenedJob {
    /// Opens or prepares the real images and checks the settings and the device.
    pub fn new(
        job: &EvalJob,
        fakes: &GeneratedImages,
        device: &ComputeDevice,
        sink: Sink<'_>,
    ) -> Result<Self, EvalError> {
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
            tell_apart: true,
        };
        check_real(job, &cache, &scope)?;
        let loaded = Loaded::new(job, device)?;
        if !device.is_cpu {
            check_device(job, &cache, &loaded)?;
        }
        Ok(Self { cache, scope, loaded })
    }

    pub fn extractors<'a>(&'a self, job: &EvalJob, joined: Option<&'a Joined>) -> Extractors<'a> {
        self.loaded.extractors(job, joined)
    }

    /// The real images, and the generated ones that are read first.
    pub fn images(&self, fakes: &GeneratedImages) -> (Vec<u32>, BTreeSet<usize>) {
        let (selection, drawn) = ImageSelection::new(&self.cache, fakes, &self.scope);
        (selection.real, drawn.overall.into_iter().chain(drawn.of_classes).collect())
    }

    /// What the features of the images depend on.
    pub fn shard_job(&self, job: &EvalJob, fakes: &GeneratedImages, device: &ComputeDevice) -> Job {
        let header = self.cache.header();
        let ids: Vec<String> =
            self.extractors(job, None).compared.iter().map(|extractor| extractor.id()).collect();
        let settings = format!(
            "{} {:?} {ids:?} {} {:?} {} {} {} {}",
            header.fingerprint,
            header.options,
            self.loaded.encoder.id(),
            job.split,
            job.number,
            job.per_class,
            job.seed,
            fakes.signature()
        );
        Job::new("eval", &settings, &device.computed_on())
    }
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
    evaluate_joined(job, fakes, device, None, sink)
}

/// As [`evaluate`]; with `joined` the features are those of shards ([`evaluate_shard`](crate::evaluate_shard)) of the same
/// evaluation. The report is the same, to the last digit.
///
/// # Errors
/// As [`evaluate`], and if the shards are of another evaluation.
pub fn evaluate_joined(
    job: &EvalJob,
    fakes: &GeneratedImages,
    device: &ComputeDevice,
    joined: Option<&Joined>,
    sink: Sink<'_>,
) -> Result<Evaluation, EvalError> {
    let opened = OpenedJob::new(job, fakes, device, sink)?;
    if let Some(joined) = joined {
        joined.check(&opened.shard_job(job, fakes, device))?;
    }
    let OpenedJob { cache, scope, .. } = &opened;
    let extractors = opened.extractors(job, joined);
    let mut found = compare_images(cache, fakes, &extractors, scope, sink)?;
    let report = &mut found.report;
    report.images.same_as_real |= is_same(&job.real, fakes);
    if report.images.same_as_real {
        report.words = format!(
            "`real` and `fake` are the same images, so the figures say nothing about a generator; {}",
            report.words
        );
    }
    report.notes.extend(about_real(cache.header()));
    let nearest = job.nearest.then(|| nearest(cache, fakes, &extractors, scope, sink));
    let by = report.deciding().map_or_else(String::new, |deciding| deciding.name.clone());
    let worst = job.worst.then(|| worst(fakes, &found.least_real, &by)).transpose()?;
    let names = extractors.compared.iter().map(|extractor| extractor.name());
    let features = names.zip(found.features);
    Ok(Evaluation {
        features: features.map(|(name, [real, fake])| SetFeatures { name, real, fake }).collect(),
        nearest: nearest.transpose()?,
        worst: worst.flatten(),
        report: found.report,
    })
}

/// The networks of an evaluation on a device.
struct Loaded {
    /// Always there, because it predicts classes.
    encoder: LesionEncoder,
    imagenet: Option<ImagenetEncoder>,
    inception: Option<Inception>,
}

impl Loaded {
    fn new(job: &EvalJob, device: &ComputeDevice) -> Result<Self, EvalError> {
        let device = &device.handle;
        let imagenet = job.has(FeatureKind::Imagenet).then(ImagenetEncoder::shipped);
        let (inception, encoder) = match &job.weights {
            Some(file) if job.has(FeatureKind::Inception) => {
                (Some(Inception::open(file, device)?), LesionEncoder::shipped(device)?)
            }
            Some(file) => (None, LesionEncoder::open(file, device)?),
            None => (None, LesionEncoder::shipped(device)?),
        };
        Ok(Self { encoder, imagenet: imagenet.transpose()?, inception })
    }

    /// The extractors in the order of the job.
    fn extractors<'a>(&'a self, job: &EvalJob, joined: Option<&'a Joined>) -> Extractors<'a> {
        let one = |kind: &FeatureKind| -> Option<&'a dyn Extractor> {
            match kind {
                FeatureKind::Lesion => Some(&self.encoder),
                FeatureKind::Imagenet => self.imagenet.as_ref().map(|network| network as _),
                FeatureKind::Inception => self.inception.as_ref().map(|network| network as _),
                FeatureKind::Handmade => Some(&Handmade),
            }
        };
        Extractors {
            compared: job.features.iter().filter_map(one).collect(),
            encoder: &self.encoder,
            joined,
        }
    }
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

/// Compares the features of the first real images on the device with the CPU's.
fn check_device(job: &EvalJob, cache: &Cache, on_device: &Loaded) -> Result<(), EvalError> {
    let images: Vec<_> = (0..cache.len().min(agree::MOST)).map(|i| cache.image(i)).collect();
    let on_cpu = Loaded::new(job, &ComputeDevice::cpu())?;
    let pairs = on_device
        .extractors(job, None)
        .compared
        .into_iter()
        .zip(on_cpu.extractors(job, None).compared);
    agree::check(&on_device.encoder, &on_cpu.encoder, &images)?;
    // The ImageNet encoder is on the CPU in any case.
    let other = |name: &str| name == "inception";
    for (found, reference) in pairs.filter(|(found, _)| other(found.name())) {
        agree::check(found, reference, &images)?;
    }
    Ok(())
}
