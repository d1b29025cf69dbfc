//! Measuring while training: figures of every snapshot, and the best one kept.

use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use dermagan_eval::compare::{KidFigure, NEAREST};
use dermagan_eval::encoder::{self, LesionEncoder};
use dermagan_eval::{Comparison, Extractor, agree};
use dermagan_model::{Generator, ModelFile, Selected};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::TrainError;
use crate::evaluate::{EvalRequest, Eyes, evaluate};
use crate::fakes::Fakes;
use crate::plan::Plan;
use crate::stats::Line;
use crate::synthetic;
use crate::trainer::sampler_of;

/// A figure that can be watched while training, by StyleGAN's names where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Kernel distance, the steadiest at few images.
    Kid,
    /// Fréchet distance.
    Fid,
    /// Precision and recall.
    Pr,
    /// Density and coverage.
    Dc,
}

impl Metric {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 4] =
        [("kid", Self::Kid), ("fid", Self::Fid), ("pr", Self::Pr), ("dc", Self::Dc)];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, metric)| *metric == self).map_or("", |(name, _)| name)
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        known.map(|(_, metric)| *metric).ok_or_else(|| {
            format!("no metric '{text}'; there are kid, fid, pr (precision, recall), dc (density, coverage)")
        })
    }
}

/// Images in each set, where the training side has twice as many.
const IMAGES: usize = 2048;
/// What the best snapshot is chosen by, in this order.
const CHOSEN_BY: [Metric; 2] = [Metric::Kid, Metric::Fid];
/// The best generator's file, and what is known of it.
pub const BEST: [&str; 2] = ["generator-best.safetensors", "best.json"];

/// One metric of one snapshot.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its name with the number of images and the features, such as `kid2048_lesion`.
    pub name: String,
    /// The main figure.
    pub value: f64,
    /// Its figures in words.
    pub words: String,
    /// The line of `metric-NAME.jsonl`, in StyleGAN's fields.
    pub line: Line,
}

/// The best snapshot so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The metric that chose it.
    pub metric: String,
    /// Its figure; less is better.
    pub value: f64,
    /// Images seen.
    pub nimg: u64,
}

/// The best snapshot of a run, where its generator is kept.
pub fn best_of(run: &Path) -> Option<Best> {
    let best = serde_json::from_slice(&std::fs::read(run.join(BEST[1])).ok()?).ok()?;
    run.join(BEST[0]).is_file().then_some(best)
}

/// After how many images the best snapshot of a run was, by its generator or by what stands beside it,
/// whichever is later: a process may have been killed between the two.
pub fn best_nimg(run: &Path) -> Option<u64> {
    let card = ModelFile::open(&run.join(BEST[0])).ok().and_then(|model| model.card);
    card.map(|card| card.nimg).max(best_of(run).map(|best| best.nimg))
}

/// The metrics that a run has been measured by, as its files say.
pub fn found_in(run: &Path) -> Vec<Metric> {
    let files = std::fs::read_dir(run).into_iter().flatten().flatten();
    let mut found: Vec<Metric> = files
        .filter_map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            let name = name.strip_prefix("metric-")?.strip_suffix(".jsonl")?;
            name.split(|c: char| c.is_ascii_digit()).next()?.parse().ok()
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// What measures a run's snapshots.
#[derive(Debug)]
pub struct Watch {
    wanted: Vec<Metric>,
    encoder: LesionEncoder,
}

impl Watch {
    /// With the encoder that comes with the program, on the run's device, for a run on `images`
    /// images.
    ///
    /// # Errors
    /// When there are too few images for what is wanted.
    pub fn new(wanted: &[Metric], device: &Selected, images: usize) -> Result<Self, TrainError> {
        let mut wanted = wanted.to_vec();
        wanted.sort();
        wanted.dedup();
        let encoder = LesionEncoder::shipped(&device.device)?;
        if !device.is_cpu {
            let reference = LesionEncoder::shipped(&Selected::cpu().device)?;
            agree::check(&encoder, &reference, &synthetic::images(agree::MOST, encoder::SIDE))?;
        }
        // Real images are needed twice over.
        let needed = |metric: &Metric| match metric {
            Metric::Fid => 2 * encoder.dims(),
            _ => 2 * (NEAREST + 1),
        };
        if let Some(metric) = wanted.iter().find(|metric| images < needed(metric)) {
            return Err(TrainError::Option(format!(
                "--metrics {}: needs {} training images, this run has {images}{}",
                metric.name(),
                needed(metric),
                if *metric == Metric::Fid { "; --metrics kid needs fewer" } else { "" }
            )));
        }
        Ok(Self { wanted, encoder })
    }

    /// Measures a generator against the images that the run trains on. Nothing of the run changes.
    ///
    /// # Errors
    /// When there are too few images.
    pub fn measure(
        &self,
        plan: &Plan,
        generator: Generator,
        device: &Selected,
        snapshot: &str,
        nimg: u64,
    ) -> Result<Vec<Measured>, TrainError> {
        let start = Instant::now();
        let classes = plan.config.source.classes.clone();
        let sampler = sampler_of(generator, &plan.config, nimg, device.clone());
        let fakes = Fakes::of_sampler(sampler, plan.config.model.resolution, classes);
        let request = EvalRequest {
            n: IMAGES,
            images: Some(plan.images.clone()),
            side: None,
            per_class: false,
            seed: 0,
            explain: false,
        };
        let eyes = Eyes { extractor: &self.encoder, encoder: &self.encoder };
        let (report, _) = evaluate(&plan.cache, &fakes, &eyes, &request, &mut |_| ())?;
        let seconds = start.elapsed().as_secs_f64();
        let measured = self.wanted.iter().filter_map(|metric| {
            let (name, results, value, words) = figures(*metric, &report.overall)?;
            let mut line = Line::new();
            line.insert("results".into(), Value::Object(results));
            line.insert("metric".into(), json!(name));
            line.insert("total_time".into(), json!(seconds));
            line.insert("total_time_str".into(), json!(format!("{seconds:.1}s")));
            line.insert("snapshot_pkl".into(), json!(snapshot));
            line.insert("Progress/kimg".into(), json!(nimg as f64 / 1000.0));
            Some(Measured { name, value, words, line })
        });
        Ok(measured.collect())
    }

    /// The measured figure that the best snapshot is chosen by.
    pub fn chooses<'a>(&self, measured: &'a [Measured]) -> Option<&'a Measured> {
        CHOSEN_BY
            .iter()
            .find_map(|metric| measured.iter().find(|m| m.name.starts_with(metric.name())))
    }
}

/// A metric's name, its results, its main figure, and all of it in words.
fn figures(
    metric: Metric,
    found: &Comparison,
) -> Option<(String, Map<String, Value>, f64, String)> {
    let name = format!("{}{}_lesion", metric.name(), found.n);
    let mut results = Map::new();
    let mut put = |name: &str, value: f64| {
        results.insert(name.to_owned(), json!(value));
    };
    let (value, words) = match metric {
        Metric::Kid => {
            let kid = found.kid?;
            put(&name, kid.fake);
            put(&format!("{name}_standard_error"), kid.fake_se);
            put(&format!("{name}_real"), kid.real);
            let KidFigure { fake, fake_se, real, .. } = kid;
            (fake, format!("{fake:.4} ± {fake_se:.4} (real {real:.4})"))
        }
        Metric::Fid => {
            let fid = found.fid?;
            put(&name, fid.fake);
            put(&format!("{name}_real"), fid.real);
            (fid.fake, format!("{:.2} (real {:.2})", fid.fake, fid.real))
        }
        Metric::Pr | Metric::Dc => {
            let (a, b, names) = match metric {
                Metric::Pr => (found.precision?, found.recall?, ["precision", "recall"]),
                _ => (found.density?, found.coverage?, ["density", "coverage"]),
            };
            for (figure, part) in [a, b].into_iter().zip(names) {
                put(&format!("{name}_{part}"), figure.fake);
                put(&format!("{name}_{part}_real"), figure.real);
            }
            let words = [a, b].into_iter().zip(names).map(|(figure, part)| {
                format!("{part} {:.3} (real {:.3})", figure.fake, figure.real)
            });
            (b.fake, words.collect::<Vec<_>>().join(", "))
        }
    };
    Some((name, results, value, words))
}
