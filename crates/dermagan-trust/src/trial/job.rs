//! A trial as one call.

use std::sync::atomic::{AtomicBool, Ordering};

use dermagan_base::SettingError;
use dermagan_base::rng::Keyed;
use dermagan_data::{Cache, Filter, Window, resized, split};
use dermagan_eval::EvalEvent;
use dermagan_eval::encoder::SIDE;
use dermagan_generate::{ImageGenerator, Shot};
use dermagan_model::ComputeDevice;
use dermagan_train::{Classifier, Event};

use super::arms::Arm;
use super::compare::FEWEST_SEEDS;
use super::folds::{Fold, folds, of_split};
use super::pool::{Generated, Pool};
use super::report::TrialReport;
use super::settings::TrialJob;
use super::state::{Logits, State};
use super::summary::Finished;
use crate::audit::Learnt;
use crate::error::TrustError;
use crate::images::classes::index_of;
use crate::images::reals::open_at;
use crate::retrain::{Retraining, check_conditioned, retrained};

/// Images that are made at a time.
const BATCH: usize = 64;
/// Seeds of generated images are below this.
const MOST_SEED: u64 = 1 << 53;

/// Where the generated images come from.
#[derive(Debug)]
pub enum Generators {
    /// One generator, which learnt from the training side of the split; the other sides judge.
    One(Box<ImageGenerator>),
    /// A generator for each fold, which learns from the fold's training images by a preset.
    PerFold {
        /// Number of folds, 2 to 20.
        folds: usize,
        /// The preset.
        preset: String,
        /// The length of each training in thousands of images; `None` for the preset's.
        kimg: Option<f64>,
    },
}

/// The progress of a trial.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrialEvent {
    /// The photographs are being prepared.
    Preparing(EvalEvent),
    /// The generator of a fold is being trained.
    Generator {
        /// The fold, from 0.
        fold: usize,
        /// The event of its run.
        event: Box<Event>,
    },
    /// Generated images are being made.
    Generated {
        /// Number done.
        done: usize,
        /// Number in all.
        total: usize,
    },
    /// Classifiers are finished.
    Classifiers {
        /// Number done.
        done: usize,
        /// Number in all.
        total: usize,
        /// The seconds that the last one took; 0 if it was finished before.
        seconds: f64,
    },
}

type Sink<'a> = &'a mut dyn FnMut(TrialEvent);
/// Receives the seconds that a classifier took, and passes an event on.
type Done<'a> = &'a mut dyn FnMut(f64, &mut dyn FnMut(TrialEvent));

/// Asks whether generated images help a classifier. Each arm is a classifier of its own per fold and seed. What is finished is
/// kept in the state's folder; `stop` ends the trial between steps.
///
/// # Errors
/// [`TrustError::Setting`] if a setting is out of range, the state belongs to another trial, or the model is not conditioned on
/// classes; the errors of reading and of training, among them that it was stopped.
pub fn trial(
    job: &TrialJob,
    generators: &Generators,
    device: &ComputeDevice,
    stop: &AtomicBool,
    sink: Sink<'_>,
) -> Result<TrialReport, TrustError> {
    job.check()?;
    let cache = open_at("data", &job.data, job.reading, SIDE, &mut |done, total| {
        sink(TrialEvent::Preparing(EvalEvent::Preparing { done, total }));
    })?;
    let parts = match generators {
        Generators::One(_) => vec![of_split(cache.header())],
        Generators::PerFold { folds: count, .. } => {
            if !(2..=20).contains(count) {
                return Err(SettingError::value("folds", count, "expected 2 to 20").into());
            }
            folds(&cache, *count, job.seed)
        }
    };
    check_parts(&parts)?;
    let name = name_of(generators)?;
    let unknown = check_classes(generators, &cache, &parts)?;
    let state = State { folder: &job.state, settings: settings(job, generators, &cache, &name) };
    state.begin()?;
    let (arms, mut runs) = (Arm::trained(), Vec::new());
    let total = arms.len() * job.seeds as usize * parts.len();
    let mut done = 0;
    for (number, fold) in parts.iter().enumerate() {
        let trial = FoldTrial { job, cache: &cache, number, fold, state: &state, device, stop };
        runs.push(trial.run(
            &arms,
            generators,
            &mut |seconds, sink| {
                done += 1;
                sink(TrialEvent::Classifiers { done, total, seconds });
            },
            sink,
        )?);
    }
    let trial = Finished::new(job, &cache, &parts, arms, runs);
    Ok(trial.report(&name, notes(job, parts.len(), &unknown)))
}

fn check_parts(parts: &[Fold]) -> Result<(), SettingError> {
    let empty = |fold: &Fold| fold.train.is_empty() || fold.val.is_empty() || fold.test.is_empty();
    match parts.iter().any(empty) {
        true => Err(SettingError::new(
            "data",
            "too few lesions: a trial needs training, validation and test images",
        )),
        false => Ok(()),
    }
}

/// Refuses data of one class, and a generator that knows none of the classes or has seen the images that judge. Returns the codes
/// of the classes that it does not know.
fn check_classes(
    generators: &Generators,
    cache: &Cache,
    parts: &[Fold],
) -> Result<Vec<String>, SettingError> {
    let header = cache.header();
    let count = |class: usize| {
        let train = parts.first().map(|fold| fold.train.as_slice()).unwrap_or_default();
        train.iter().filter(|image| header.records[**image as usize].class == class).count()
    };
    let present: Vec<usize> = (0..header.classes.len()).filter(|class| count(*class) > 0).collect();
    if present.len() < 2 {
        let problem = "a trial needs two classes or more with training images";
        return Err(SettingError::new("data", problem));
    }
    let Generators::One(generator) = generators else { return Ok(Vec::new()) };
    let train = parts.first().map(|fold| fold.train.as_slice()).unwrap_or_default();
    let learnt = Learnt::of(generator.model());
    if let Some(problem) = learnt.and_then(|learnt| learnt.too_many(header, train)) {
        return Err(SettingError::new(
            "model",
            format!("{problem}; train one on the training side"),
        ));
    }
    let is_unknown = |code: &String| index_of(generator, code).is_none();
    let codes = present.iter().map(|class| header.classes[*class].clone());
    let unknown: Vec<String> = codes.filter(is_unknown).collect();
    match unknown.len() == present.len() {
        true => {
            Err(SettingError::new("model", "this generator knows none of the classes of the data"))
        }
        false => Ok(unknown),
    }
}

/// The name of the generators.
fn name_of(generators: &Generators) -> Result<String, SettingError> {
    match generators {
        Generators::One(generator) => {
            check_conditioned(generator)?;
            Ok(generator.model().hash.clone())
        }
        Generators::PerFold { folds, preset, kimg } => {
            let length = kimg.map_or_else(String::new, |kimg| format!(", {kimg} kimg"));
            Ok(format!("{folds} generators by the preset {preset}{length}"))
        }
    }
}

/// Everything that predictions depend on.
fn settings(job: &TrialJob, generators: &Generators, cache: &Cache, name: &str) -> String {
    let version = split::name(cache.header(), split::VERSION);
    let folds = match generators {
        Generators::One(_) => 1,
        Generators::PerFold { folds, .. } => *folds,
    };
    format!(
        "dermagan trial 1\ndata {}\nsplit {version}\ngenerator {name}\nfolds {folds}\nkimg {}\nseed {}\nlevel {}\n",
        cache.header().fingerprint,
        job.kimg,
        job.seed,
        dermagan_model::cpu::level()
    )
}

/// The classifiers of one fold.
struct FoldTrial<'a> {
    job: &'a TrialJob,
    cache: &'a Cache,
    number: usize,
    fold: &'a Fold,
    state: &'a State<'a>,
    device: &'a ComputeDevice,
    stop: &'a AtomicBool,
}

impl FoldTrial<'_> {
    /// The logits of each arm by seed: `[arms][seeds]`.
    fn run(
        &self,
        arms: &[Arm],
        generators: &Generators,
        finished: Done<'_>,
        sink: Sink<'_>,
    ) -> Result<Vec<Vec<Logits>>, TrustError> {
        let classes = self.cache.header().classes.len();
        let mut generated: Option<Generated> = None;
        let mut found: Vec<Vec<Logits>> = vec![Vec::new(); arms.len()];
        // All arms of a seed before the next seed: a trial that is stopped has whole comparisons.
        for seed in 0..self.job.seeds {
            for (arm, kind) in arms.iter().enumerate() {
                let earlier =
                    self.state.read(self.number, seed, arm, self.fold.test.len() * classes);
                let began = std::time::Instant::now();
                let (logits, seconds) = match earlier {
                    Some(logits) => (logits, 0.0),
                    None => {
                        let images = match &generated {
                            Some(images) => images,
                            None => generated.insert(self.images(arms, generators, &mut *sink)?),
                        };
                        (self.classify(*kind, arm, seed, images)?, began.elapsed().as_secs_f64())
                    }
                };
                found[arm].push(logits);
                finished(seconds, &mut *sink);
            }
        }
        Ok(found)
    }

    /// Trains one classifier and keeps its logits.
    fn classify(
        &self,
        kind: Arm,
        arm: usize,
        seed: u64,
        generated: &Generated,
    ) -> Result<Logits, TrustError> {
        let pool = Pool::new(kind, self.cache, &self.fold.train, generated, seed);
        if pool.is_empty() {
            return Err(TrustError::Input(format!(
                "the arm \"{kind}\" has no image to learn from"
            )));
        }
        let config = self.job.classifier(seed);
        let stopped = || self.stop.load(Ordering::Relaxed);
        let order = pool.order(kind, seed);
        let classifier =
            Classifier::train(&pool, &order, kind.augmented(), &config, self.device, &stopped)?;
        let logits = |images: &[u32]| {
            let pixels: Vec<&[u8]> =
                images.iter().map(|image| self.cache.pixels(*image as usize)).collect();
            classifier.logits(&pixels, kind.augmented(), self.device)
        };
        let (val, test) = (logits(&self.fold.val), logits(&self.fold.test));
        self.state.write([self.number, arm], seed, val, test)
    }

    /// The generated images of the fold: as many of each class as the arm that takes most.
    fn images(
        &self,
        arms: &[Arm],
        generators: &Generators,
        sink: Sink<'_>,
    ) -> Result<Generated, TrustError> {
        let trained;
        let generator = match generators {
            Generators::One(generator) => generator.as_ref(),
            Generators::PerFold { preset, kimg, .. } => {
                let (fold, name) = (self.number, format!("fold{}", self.number));
                trained = retrained(
                    &Retraining {
                        cache: self.cache,
                        images: &self.fold.train,
                        preset,
                        kimg: *kimg,
                        seed: 0,
                        folder: &self.job.state,
                        name: &name,
                    },
                    self.device,
                    self.stop,
                    &mut |event| sink(TrialEvent::Generator { fold, event: Box::new(event) }),
                )?;
                &trained
            }
        };
        let header = self.cache.header();
        let count = |class: usize| {
            self.fold
                .train
                .iter()
                .filter(|image| header.records[**image as usize].class == class)
                .count()
        };
        let counts: Vec<usize> = (0..header.classes.len()).map(count).collect();
        let largest = counts.iter().copied().max().unwrap_or(0);
        let most = |real: usize| arms.iter().map(|arm| arm.added(real, largest)).max().unwrap_or(0);
        let total = counts.iter().filter(|real| **real > 0).map(|real| most(*real)).sum();
        let (mut generated, mut done) = (Generated::new(), 0);
        for (class, real) in counts.iter().enumerate().filter(|(_, real)| **real > 0) {
            let Some(index) = index_of(generator, &header.classes[class]) else { continue };
            let shot = |i: usize| Shot {
                seed: Keyed::new(self.job.seed, "trial images", (class as u64) << 40 | i as u64)
                    .below(MOST_SEED),
                class: Some(index),
            };
            let mut images = Vec::with_capacity(most(*real));
            generator.sampler().each((0..most(*real)).map(shot), 1.0, BATCH, |_, image| {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(TrustError::Eval(dermagan_eval::EvalError::Stopped));
                }
                images.push(small(image)?);
                done += 1;
                if done % BATCH == 0 {
                    sink(TrialEvent::Generated { done, total });
                }
                Ok(())
            })?;
            generated.insert(class, images);
        }
        Ok(generated)
    }
}

/// The pixels of an image at the size of the classifier.
fn small(image: dermagan_base::image::Image) -> Result<Vec<u8>, TrustError> {
    if image.width == SIDE {
        return Ok(image.pixels);
    }
    let size = [image.width as u32, image.height as u32];
    let window = Window { left: 0, top: 0, width: size[0], height: size[1] };
    resized(&image.pixels, size, window, [SIDE as u32; 2], Filter::Lanczos)
        .map_err(TrustError::Input)
}

/// What limits the meaning of the figures.
fn notes(job: &TrialJob, folds: usize, unknown: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    if !unknown.is_empty() {
        notes.push(format!(
            "the generator does not know {}; these classes got no generated image",
            unknown.join(", ")
        ));
    }
    if folds == 1 {
        notes.push(
            "one generator and one split: a quick answer, in which a difference of some 5 points can be seen; folds give the \
             real one"
                .to_owned(),
        );
    }
    if job.seeds < FEWEST_SEEDS as u64 {
        notes.push("with fewer than 6 seeds nothing is concluded: the training of the classifiers is a large part of every difference"
                .to_owned());
    }
    notes.push(format!(
        "the classifier is a small network at 64x64 pixels that saw {} thousand images; larger networks and images may answer \
         otherwise",
        job.kimg
    ));
    notes
}
