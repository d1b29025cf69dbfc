//! The audit of a recipe: two generators learn from disjoint halves of the lesions.
//!
//! Each lesion is a member of one half and not of the other, so that whatever makes a photograph easy to generate cancels: the
//! score of a lesion is how much nearer the generator that learnt from it comes to it than the other. Without memory the mean
//! is 0, and signs are as likely either way.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use dermagan_base::SettingError;
use dermagan_base::rng::Keyed;
use dermagan_data::{Cache, Reading, split};
use dermagan_eval::{EvalEvent, Extractor, ImagenetEncoder};
use dermagan_generate::ImageGenerator;
use dermagan_model::ComputeDevice;
use dermagan_train::Event;
use rayon::prelude::*;
use serde::Serialize;

use crate::audit::verdict::Verdict;
use crate::claim::Claim;
use crate::error::TrustError;
use crate::images::products::Points;
use crate::images::reals::{Reals, open_at};
use crate::retrain::{Retraining, retrained};
use crate::statistics::{drawn, interval};

/// Draws of signs and of lesions.
const DRAWS: u64 = 2000;
/// The largest p of no memory with which the recipe fails.
const LEVEL: f64 = 0.01;
/// The share that a recipe without memory must stay below to pass.
const LARGEST: f64 = 0.55;
/// Images that are made and looked at at a time.
const BATCH: usize = 64;
/// The fewest lesions of a class in each half.
const FEWEST: usize = 5;

/// The settings of an audit of a recipe.
#[derive(Clone, Debug)]
pub struct TwinsJob {
    /// The photographs: a source as for [`Source::open`](dermagan_data::Source::open).
    pub real: String,
    /// How the source is read.
    pub reading: Reading,
    /// The preset.
    pub preset: String,
    /// The length of each training in thousands of images; `None` for the preset's.
    pub kimg: Option<f64>,
    /// Images of each class that each generator makes, 20 to 10,000.
    pub number: usize,
    /// The folder that keeps both trainings, so that they can be stopped and go on.
    pub state: PathBuf,
    /// Seed of the halves.
    pub seed: u64,
}

/// What twins tell about a recipe.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TwinReport {
    /// The preset and its length.
    pub recipe: String,
    /// Number of lesions, each a member of one half.
    pub lesions: usize,
    /// The share of lesions to which the generator that learnt from them comes nearer; 0.5 without memory.
    pub share: f64,
    /// The 95 % interval of `share`, by drawing lesions with repetition.
    pub interval: [f64; 2],
    /// The mean logarithm of the ratio of both distances; 0 without memory, above it with.
    pub mean: f64,
    /// The share of random signs that give a mean at least as large.
    pub p: f64,
    /// The verdict on the recipe.
    pub verdict: Verdict,
    /// The verdict in words.
    pub words: String,
}

/// The progress of an audit of a recipe.
#[derive(Debug)]
#[non_exhaustive]
pub enum TwinEvent {
    /// Photographs or images are being looked at.
    Images(EvalEvent),
    /// A twin is being trained.
    Training {
        /// `a` or `b`.
        twin: &'static str,
        /// The event of its run.
        event: Box<Event>,
    },
}

/// Trains two generators by one recipe on disjoint halves of the training side's lesions, and asks whether each comes nearer to
/// the lesions that it learnt from. `side` is the resolution of the preset.
///
/// # Errors
/// [`TrustError::Setting`] if a setting is out of range or a class has too few lesions; the errors of training, among them that
/// it was stopped.
pub fn twins(
    job: &TwinsJob,
    side: usize,
    device: &ComputeDevice,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(TwinEvent),
) -> Result<TwinReport, TrustError> {
    if !(20..=10_000).contains(&job.number) {
        return Err(SettingError::value("number", job.number, "expected 20 to 10000").into());
    }
    let cache = open_at("real", &job.real, job.reading, side, &mut |done, total| {
        sink(TwinEvent::Images(EvalEvent::Preparing { done, total }));
    })?;
    let reals = Reals::new(cache)?;
    let kimg = job.kimg.map_or_else(|| "of the preset".to_owned(), |kimg| kimg.to_string());
    Claim {
        folder: &job.state,
        what: "twins",
        settings: format!(
            "dermagan twins 1\ndata {}\nsplit {}\npreset {}\nkimg {kimg}\nside {side}\nseed {}\n",
            reals.cache.header().fingerprint,
            split::name(reals.cache.header(), split::VERSION),
            job.preset,
            job.seed
        ),
    }
    .make()?;
    let halves = halves(&reals, job.seed);
    let mut generators = Vec::with_capacity(2);
    for (twin, images) in ["a", "b"].into_iter().zip(&halves) {
        let name = format!("twin-{twin}");
        let of = Retraining {
            cache: &reals.cache,
            images,
            preset: &job.preset,
            kimg: job.kimg,
            seed: 0,
            folder: &job.state,
            name: &name,
        };
        generators.push(retrained(&of, device, stop, &mut |event| {
            sink(TwinEvent::Training { twin, event: Box::new(event) });
        })?);
    }
    let encoder = ImagenetEncoder::shipped()?;
    let scores = scores(job, &reals, &halves, &generators, &encoder, sink)?;
    Ok(report(job, &scores))
}

/// The training side in two halves: the lesions of each class alternate in a drawn order.
fn halves(reals: &Reals, seed: u64) -> [Vec<u32>; 2] {
    let mut halves = [Vec::new(), Vec::new()];
    for class in 0..reals.classes().len() {
        let images = reals.of_class(&reals.train, Some(class));
        let lesions = reals.lesions(&images);
        let order = Keyed::new(seed, "audit twins", class as u64).permutation(lesions.len());
        for (place, lesion) in order.iter().enumerate() {
            let lesion = lesions[*lesion as usize];
            let of = images.iter().filter(|image| reals.lesion[**image as usize] == lesion);
            halves[place % 2].extend(of);
        }
    }
    halves.iter_mut().for_each(|half| half.sort_unstable());
    halves
}

/// For each lesion, the logarithm of the distance of the other twin divided by that of its own.
fn scores(
    job: &TwinsJob,
    reals: &Reals,
    halves: &[Vec<u32>; 2],
    generators: &[ImageGenerator],
    encoder: &ImagenetEncoder,
    sink: &mut dyn FnMut(TwinEvent),
) -> Result<Vec<f64>, TrustError> {
    let mut scores = Vec::new();
    let total = reals.classes().len();
    for (class, code) in reals.classes().iter().enumerate() {
        let asked =
            halves.each_ref().map(|half| reals.one_per_lesion(&reals.of_class(half, Some(class))));
        if asked.iter().any(|images| images.len() < FEWEST) {
            continue;
        }
        let made: Vec<Points> = generators
            .iter()
            .map(|generator| images_of(generator, code, job, encoder))
            .collect::<Result<_, TrustError>>()?;
        for (own, images) in asked.iter().enumerate() {
            let photographs = photographs(&reals.cache, images, encoder)?;
            let distances =
                [own, 1 - own].map(|twin| made[twin].nearest(&photographs, |_, _| true));
            let log = |squared: f32| 0.5 * f64::from(squared).max(1e-12).ln();
            let both = distances[0].iter().zip(&distances[1]);
            scores.extend(both.map(|(own, other)| log(other.squared) - log(own.squared)));
        }
        sink(TwinEvent::Images(EvalEvent::Fake { done: class + 1, total }));
    }
    match scores.is_empty() {
        true => {
            Err(SettingError::new("real", "no class has enough lesions to divide them in two")
                .into())
        }
        false => Ok(scores),
    }
}

/// The features of the images that a generator makes of a class; none if it does not know the class.
fn images_of(
    generator: &ImageGenerator,
    code: &str,
    job: &TwinsJob,
    encoder: &ImagenetEncoder,
) -> Result<Points, TrustError> {
    let known =
        generator.model().card.as_ref().map(|card| card.classes.clone()).unwrap_or_default();
    let class = known.iter().position(|known| known == code);
    let seeds = dermagan_generate::first_seeds(job.number as u64);
    let shots = seeds.into_iter().flatten().map(|seed| dermagan_generate::Shot { seed, class });
    let images = generator.sampler().images(shots, 1.0, BATCH)?;
    Ok(Points::new(encoder.extract(&images)?, ImagenetEncoder::DIMS))
}

fn photographs(
    cache: &Cache,
    images: &[u32],
    encoder: &ImagenetEncoder,
) -> Result<Points, TrustError> {
    let images: Vec<_> = images.iter().map(|image| cache.image(*image as usize)).collect();
    Ok(Points::new(encoder.extract(&images)?, ImagenetEncoder::DIMS))
}

/// What the scores say.
fn report(job: &TwinsJob, scores: &[f64]) -> TwinReport {
    let n = scores.len();
    let share_of = |some: &mut dyn Iterator<Item = f64>| {
        some.map(|score| {
            if score > 0.0 {
                1.0
            } else if score == 0.0 {
                0.5
            } else {
                0.0
            }
        })
        .sum::<f64>()
            / n as f64
    };
    let mean = scores.iter().sum::<f64>() / n as f64;
    let flipped = |number: u64| {
        let mut random = Keyed::new(job.seed, "audit signs", number);
        let sum: f64 =
            scores.iter().map(|score| if random.below(2) == 0 { *score } else { -score }).sum();
        sum / n as f64 >= mean
    };
    let larger = (0..DRAWS).into_par_iter().filter(|number| flipped(*number)).count();
    let p = (larger + 1) as f64 / (DRAWS + 1) as f64;
    let draws: Vec<f64> = (0..DRAWS)
        .into_par_iter()
        .map(|number| {
            let mut random = Keyed::new(job.seed, "audit twin draw", number);
            share_of(&mut drawn(&mut random, n, n).into_iter().map(|i| scores[i]))
        })
        .collect();
    let interval = interval(&draws);
    let share = share_of(&mut scores.iter().copied());
    let verdict = match () {
        () if p <= LEVEL => Verdict::Fail,
        () if interval[1] < LARGEST && interval[0] <= 0.5 => Verdict::Pass,
        () => Verdict::NoVerdict,
    };
    let figures = format!(
        "the generator that learnt from a lesion comes nearer to it than its twin for {:.1} % of {n} lesions (95 % {:.1} to {:.1}; \
         50 without memory; p {p:.4})",
        100.0 * share,
        100.0 * interval[0],
        100.0 * interval[1]
    );
    let words = match verdict {
        Verdict::Fail => format!("FAIL: this recipe remembers lesions: {figures}"),
        Verdict::Pass => format!("pass: no memory of lesions was found: {figures}"),
        Verdict::NoVerdict => format!("no verdict: too few lesions to tell: {figures}"),
    };
    let length = job.kimg.map_or_else(String::new, |kimg| format!(", {kimg} kimg"));
    TwinReport {
        recipe: format!("preset {}{length}", job.preset),
        lesions: n,
        share,
        interval,
        mean,
        p,
        verdict,
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report_of(mean: f64, n: usize) -> TwinReport {
        let scores = Keyed::new(1, "test", 0).normals(n, mean, 1.0);
        let job = TwinsJob {
            real: String::new(),
            reading: Reading::default(),
            preset: "rare".into(),
            kimg: None,
            number: 100,
            state: PathBuf::new(),
            seed: 0,
        };
        report(&job, &scores.into_iter().map(f64::from).collect::<Vec<_>>())
    }

    #[test]
    fn memory_fails_its_absence_passes_and_few_lesions_say_nothing() {
        assert_eq!(report_of(0.3, 2000).verdict, Verdict::Fail);
        assert_eq!(report_of(0.0, 2000).verdict, Verdict::Pass);
        assert_eq!(report_of(0.0, 50).verdict, Verdict::NoVerdict);
        let found = report_of(0.3, 2000);
        assert!(found.share > 0.55 && found.interval[0] > 0.5 && found.p < 0.01, "{found:?}");
    }
}
