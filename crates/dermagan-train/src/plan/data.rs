//! The data of a run: opened, then prepared into a cache.

use std::path::Path;

use dermagan_base::SettingError;
use dermagan_data::{Cache, Kind, Options, Reading, Report, Source, default_path, prepare};
use dermagan_model::RESOLUTIONS;

use crate::error::TrainError;
use crate::event::Event;
use crate::plan::choice::class_indices;
use crate::plan::request::TrainRequest;
use crate::recipe::config::InputConfig;
use crate::recipe::preset::Preset;

/// The absolute path of a source, so that the run can be resumed from another working folder.
pub fn absolute(source: &str) -> String {
    // `phantom` is the built-in source even if there is a folder of that name, as everywhere in the program.
    if source == "phantom" || source.starts_with("phantom:") {
        return source.to_owned();
    }
    std::fs::canonicalize(source).map_or_else(|_| source.to_owned(), |p| p.display().to_string())
}

/// The data of a run before it is prepared.
pub enum Data {
    Cache(Cache),
    Source(Source),
}

impl Data {
    pub fn open(source: &str, reading: Reading) -> Result<Self, TrainError> {
        let path = Path::new(source);
        Ok(match path.is_file() && Cache::is_cache(path) {
            true => {
                let cache = Cache::open(path)?;
                cache.check_reading(reading)?;
                Self::Cache(cache)
            }
            false => Self::Source(Source::open_with(source, reading)?),
        })
    }

    /// Whether the images are those of the built-in phantom.
    pub fn is_phantom(&self) -> bool {
        match self {
            Self::Cache(cache) => cache.header().kind == Kind::Phantom,
            Self::Source(source) => source.kind == Kind::Phantom,
        }
    }

    /// The mean share of an image's pixels that a crop to its central square discards, 0 to 1, from the headers of the
    /// images. `None` if the sizes are not known, as in a cache.
    pub fn lost(&self) -> Option<f64> {
        let Self::Source(source) = self else { return None };
        let sizes: Vec<(u32, u32)> = source.sizes().into_iter().flatten().collect();
        let lost = |(width, height): &(u32, u32)| {
            1.0 - f64::from(*width.min(height)) / f64::from(*width.max(height)).max(1.0)
        };
        let sum: f64 = sizes.iter().map(lost).sum();
        (!sizes.is_empty()).then(|| sum / sizes.len() as f64)
    }

    /// The number of classes that have images, among those that were asked for if any were.
    ///
    /// # Errors
    /// When the data has no class that was asked for.
    pub fn classes(&self, asked: &[String]) -> Result<usize, SettingError> {
        let (classes, records) = match self {
            Self::Cache(cache) => (&cache.header().classes, &cache.header().records),
            Self::Source(source) => (&source.classes, &source.records),
        };
        let wanted = class_indices(classes, asked)?;
        let counts = |class: &usize| {
            (asked.is_empty() || wanted.contains(class))
                && records.iter().any(|record| record.class == *class)
        };
        Ok((0..classes.len()).filter(counts).count())
    }

    /// The prepared cache. If the data is a cache, the configuration takes its options over. If it is a source, a cache
    /// is made.
    pub fn prepare(
        self,
        input: &mut InputConfig,
        resolution: usize,
        sink: &mut dyn FnMut(Event),
    ) -> Result<Cache, TrainError> {
        let cache = match self {
            Self::Cache(cache) => {
                let Options { fit, filter, .. } = cache.header().options;
                (input.fit, input.filter) = (fit, filter);
                cache
            }
            Self::Source(source) => prepare_source(&source, *input, resolution, sink)?,
        };
        let size = cache.size();
        if size != resolution {
            let problem = format!(
                "it holds images of {size} pixels, and this run needs {resolution}; pass the source instead of the \
                 cache, or `size` = {size} for a new run"
            );
            return Err(SettingError::value("data", cache.path().display(), problem).into());
        }
        Ok(cache)
    }
}

/// Takes the size, the fit and the filter of a prepared cache over. They replace a preset's values; returns a
/// warning if fit or filter differ. A setting that the user asked for must agree with the cache.
pub fn adopt_cache(
    preset: &mut Preset,
    name: &str,
    cache: &Cache,
    request: &TrainRequest,
) -> Result<Option<String>, TrainError> {
    let Options { fit, filter, .. } = cache.header().options;
    let words = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let (size, wanted) = (cache.size(), preset.model.resolution);
    let mut other = Vec::new();
    for (key, has, wanted) in [
        // `size` overrides the single setting `model.resolution`, and `Data::prepare` checks it.
        ("model.resolution", size.to_string(), request.size.map_or(wanted, |_| size).to_string()),
        ("data.fit", words(&fit), words(&preset.data.fit)),
        ("data.filter", words(&filter), words(&preset.data.filter)),
    ] {
        if has != wanted && request.sets(key) {
            let problem = format!(
                "{} was prepared with {has}; pass the source instead of the cache, or leave this setting out",
                cache.path().display()
            );
            return Err(SettingError::value("set", format!("{key}={wanted}"), problem).into());
        }
        if has != wanted && key != "model.resolution" {
            other.push(format!("{key} {has}, not {wanted}"));
        }
    }
    let warning = (!other.is_empty()).then(|| {
        format!(
            "{} was prepared with different settings than preset {} ({}); the run uses its images as they are",
            cache.path().display(),
            name,
            other.join("; ")
        )
    });
    if request.size.is_none() {
        if !RESOLUTIONS.contains(&size) {
            let problem = format!("it holds images of {size} pixels; expected 32, 64, 128 or 256");
            return Err(SettingError::value("data", cache.path().display(), problem).into());
        }
        preset.model.resolution = size;
    }
    Ok(warning)
}

/// Prepares a source in its default cache, or opens that if it exists.
fn prepare_source(
    source: &Source,
    input: InputConfig,
    resolution: usize,
    sink: &mut dyn FnMut(Event),
) -> Result<Cache, TrainError> {
    let InputConfig { fit, filter, .. } = input;
    let options = Options { size: resolution as u32, fit, filter };
    let target = default_path(source, options);
    let start = std::time::Instant::now();
    let prepared = prepare(source, options, &target, false, &mut |done, total| {
        sink(Event::Preparing { done, total });
    })?;
    let report: Report = prepared.cache.header().report.clone();
    let (reused, seconds) = (prepared.reused, start.elapsed().as_secs_f64());
    sink(Event::Prepared { path: target, report, reused, seconds });
    Ok(prepared.cache)
}
