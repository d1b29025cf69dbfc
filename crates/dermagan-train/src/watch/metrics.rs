//! Metrics of snapshots while a run trains. The best snapshot is chosen by them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use dermagan_base::SettingError;
use dermagan_base::image::Image;
use dermagan_eval::encoder::{self, LesionEncoder};
use dermagan_eval::prdc::NEAREST;
use dermagan_eval::{
    Estimates, EvalError, Extractor, Extractors, FeatureReport, GeneratedImages, ImagenetEncoder,
    Scope, agree, compare_images,
};
use dermagan_model::{ComputeDevice, Generator};
use serde_json::{Map, Value, json};

use crate::error::TrainError;
use crate::plan::run_plan::Plan;
use crate::plan::synthetic;
use crate::store::metric::Metric;
use crate::store::stats::StatsLine;
use crate::watch::trained::sampler_of;

/// Largest number of images in each set. A set has at most half of the images that the run trains on.
const IMAGES: usize = 2048;
/// Number of images per batch of features. A stop waits for one batch at most. The features do not depend on it.
const BATCH: usize = 64;
/// The metrics that the best snapshot is chosen by, with the features. The first that was computed counts. The ImageNet
/// encoder never saw the images that the run trains on, so it comes first.
const CHOSEN_BY: [(Metric, &str); 4] = [
    (Metric::Kid, "imagenet"),
    (Metric::Fid, "imagenet"),
    (Metric::Kid, "lesion"),
    (Metric::Fid, "lesion"),
];

/// The end of the name of the line that is written last for a metric: with it, the metric of a snapshot is complete. A
/// metric may have no other line, because FID by the ImageNet encoder needs more images.
pub const LAST_WRITTEN: &str = "_lesion";

/// The value of one metric of one snapshot.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The metric.
    pub metric: Metric,
    /// The features: the name of an extractor.
    pub features: &'static str,
    /// Name of the metric with the number of images and the features, such as `kid2048_lesion`.
    pub name: String,
    /// The main value.
    pub value: f64,
    /// All values of the metric as text.
    pub words: String,
    /// The line of `metric-NAME.jsonl`, with StyleGAN's fields.
    pub line: StatsLine,
}

/// Computes the metrics of a run's snapshots.
#[derive(Debug)]
pub struct SnapshotMetrics {
    wanted: Vec<Metric>,
    encoder: LesionEncoder,
    imagenet: ImagenetEncoder,
}

impl SnapshotMetrics {
    /// For the `wanted` metrics of a run on `images` images, with the two encoders that come with the program, on the run's
    /// device. The features that a GPU computes are compared with the CPU's.
    ///
    /// # Errors
    /// When there are too few images for a metric, or the device computes wrong features.
    pub fn new(
        wanted: &[Metric],
        device: &ComputeDevice,
        images: usize,
    ) -> Result<Self, TrainError> {
        let mut wanted = wanted.to_vec();
        wanted.sort();
        wanted.dedup();
        let encoder = LesionEncoder::shipped(&device.handle)?;
        let imagenet = ImagenetEncoder::shipped()?;
        if !device.is_cpu {
            let cpu = ComputeDevice::cpu().handle;
            let images = synthetic::images(agree::MOST, encoder::SIDE);
            agree::check(&encoder, &LesionEncoder::shipped(&cpu)?, &images)?;
        }
        // The real images are split into two sets, which are compared with each other as well.
        let needed = |metric: &Metric| match metric {
            Metric::Fid => 2 * encoder.dims(),
            _ => 2 * (NEAREST + 1),
        };
        if let Some(metric) = wanted.iter().find(|metric| images < needed(metric)) {
            let fewer = if *metric == Metric::Fid { "; kid needs fewer" } else { "" };
            let problem = format!(
                "expected at least {} training images, this run has {images}{fewer}",
                needed(metric)
            );
            return Err(SettingError::value("metrics", metric.name(), problem).into());
        }
        Ok(Self { wanted, encoder, imagenet })
    }

    /// Computes the metrics of a generator against the images that the run trains on. The state of the run does not
    /// change. `snapshot` is the name of the checkpoint after `nimg` images. `stop` is checked before every batch of
    /// features.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] when `stop` was set before the features were complete. Others when there are too few
    /// images, or the device fails.
    pub fn measure(
        &self,
        plan: &Plan,
        generator: Generator,
        device: &ComputeDevice,
        snapshot: &str,
        nimg: u64,
        stop: &AtomicBool,
    ) -> Result<Vec<Measured>, TrainError> {
        let start = Instant::now();
        let classes = plan.config.source.classes.clone();
        let sampler = sampler_of(generator, &plan.config, nimg, device.clone());
        let fakes = GeneratedImages::of_sampler(
            sampler,
            plan.config.model.resolution,
            classes,
            0,
            "a run's snapshot",
        );
        let scope = Scope {
            n: IMAGES,
            images: Some(plan.images.clone()),
            side: None,
            per_class: false,
            seed: 0,
            explain: false,
            tell_apart: false,
        };
        let stoppable = |extractor| StoppableExtractor { extractor, stop };
        // The lesion encoder is the last: see `LAST_WRITTEN`.
        let both = [stoppable(&self.imagenet as &dyn Extractor), stoppable(&self.encoder)];
        let compared = both.iter().map(|one| one as &dyn Extractor).collect();
        let extractors = Extractors { compared, encoder: &self.encoder, joined: None };
        let found = compare_images(&plan.cache, &fakes, &extractors, &scope, &mut |_| ());
        let report = match found {
            Err(_) if stop.load(Ordering::Relaxed) => {
                return Err(TrainError::Stopped("in the metrics"));
            }
            found => found?.report,
        };
        let seconds = start.elapsed().as_secs_f64();
        let names = both.map(|extractor| extractor.name());
        let by_both = |metric: &Metric| {
            let metric = *metric;
            let all = report.features.iter().zip(names);
            all.filter_map(move |(by, features)| Some((metric, features, figures(metric, by)?)))
        };
        let measured = self.wanted.iter().flat_map(by_both).map(
            |(metric, features, (name, results, value, words))| {
                let mut line = StatsLine::new();
                line.insert("results".into(), Value::Object(results));
                line.insert("metric".into(), json!(name));
                line.insert("total_time".into(), json!(seconds));
                line.insert("total_time_str".into(), json!(format!("{seconds:.1}s")));
                line.insert("snapshot_pkl".into(), json!(snapshot));
                line.insert("Progress/kimg".into(), json!(nimg as f64 / 1000.0));
                Measured { metric, features, name, value, words, line }
            },
        );
        Ok(measured.collect())
    }

    /// The value that the best snapshot is chosen by. Lower is better.
    pub fn chooses<'a>(&self, measured: &'a [Measured]) -> Option<&'a Measured> {
        CHOSEN_BY.iter().find_map(|(metric, features)| {
            measured.iter().find(|m| m.metric == *metric && m.features == *features)
        })
    }
}

/// An extractor that gives no more features after a flag was set. Without it, a metric of thousands of images could not be
/// broken off.
struct StoppableExtractor<'a> {
    extractor: &'a dyn Extractor,
    stop: &'a AtomicBool,
}

impl Extractor for StoppableExtractor<'_> {
    fn name(&self) -> &'static str {
        self.extractor.name()
    }

    fn id(&self) -> String {
        // It differs from the extractor's own: an evaluation calls the lesion encoder itself, past the flag, where both are
        // equal.
        format!("{}-stoppable", self.extractor.id())
    }

    fn dims(&self) -> usize {
        self.extractor.dims()
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn extract(&self, images: &[Image]) -> Result<Vec<f32>, EvalError> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(EvalError::Input("stopped".into())),
            false => self.extractor.extract(images),
        }
    }
}

/// The name of a metric, its results for `metric-NAME.jsonl`, its main value, and all of its values as text. `None` if
/// it was not computed.
fn figures(
    metric: Metric,
    by: &FeatureReport,
) -> Option<(String, Map<String, Value>, f64, String)> {
    let found = &by.overall;
    let name = format!("{}{}_{}", metric.name(), found.n, by.name);
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
            let Estimates { fake, fake_se, real, .. } = kid;
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
