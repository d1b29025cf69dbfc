//! From what the user asked for to a run that can start: options resolved, data found, prepared
//! and split, everything checked before anything expensive.

use std::path::PathBuf;
use std::sync::Arc;

use dermagan_data::order::Order;
use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, DataError, Options, Report, Source, default_path, prepare};
use dermagan_model::Precision;
use sha2::{Digest, Sha256};

use crate::checkpoint::Checkpoint;
use crate::config::{InputConfig, Part, TrainConfig};
use crate::error::TrainError;
use crate::event::Event;
use crate::length;
use crate::no_effect;
use crate::preset::key_and_value;
use crate::schedule::Scheduled;

/// The split's own seed: runs of every seed hold out the same lesions.
pub const SPLIT_SEED: u64 = 0;

/// What the user asked for; `None` leaves the preset's value.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// A source, or a prepared cache.
    pub data: Option<String>,
    /// Name of the preset, or a file of one's own.
    pub preset: String,
    /// Single settings of it to change, such as `objective.r1=0.1`.
    pub settings: Vec<String>,
    /// Side of the images.
    pub size: Option<usize>,
    /// Images a step.
    pub batch: Option<usize>,
    /// Channels of both networks' narrowest layer.
    pub width: Option<usize>,
    /// Learning rate of both players.
    pub learning_rate: Option<f64>,
    /// Length in thousands of images.
    pub kimg: Option<f64>,
    /// Length in minutes of training instead.
    pub minutes: Option<f64>,
    /// Images and checkpoint every so many thousand images.
    pub snap: Option<f64>,
    /// Statistics every so many thousand images.
    pub tick: Option<f64>,
    /// Seed of every random number.
    pub seed: u64,
    /// Mirror half of the images.
    pub mirror: bool,
    /// Turn images by quarter turns.
    pub quarter_turns: bool,
    /// Draw every class equally often.
    pub balanced: bool,
    /// Train on all images instead of the training side.
    pub all_images: bool,
    /// Classes to train on, by code; empty for all.
    pub classes: Vec<String>,
    /// Number format of the convolutions, one that the device has.
    pub precision: Precision,
}

impl Request {
    /// Whether a single setting is of this key.
    fn sets(&self, key: &str) -> bool {
        self.settings.iter().any(|setting| key_and_value(setting).0 == key)
    }
}

/// A run that can start or go on.
#[derive(Debug)]
pub struct Plan {
    /// Everything that decides the run.
    pub config: TrainConfig,
    /// Its images.
    pub cache: Arc<Cache>,
    /// Which of them it trains on.
    pub images: Vec<u32>,
    /// The time that its length is yet to be fitted into ([`length::fit`]).
    pub(crate) minutes: Option<f64>,
}

impl Plan {
    /// Resolves a request. Preparing the data is reported to `sink`.
    ///
    /// # Errors
    /// Whatever is wrong with the options or the data.
    pub fn new(request: &Request, sink: &mut dyn FnMut(Event)) -> Result<Self, TrainError> {
        let mut config =
            TrainConfig::with_settings(&request.preset, &request.settings, request.seed)?;
        config.source.source = absolute(request.data.as_deref().unwrap_or("phantom"));
        config.source.classes.clone_from(&request.classes);
        config.precision = request.precision;
        config.model.resolution = request.size.unwrap_or(config.model.resolution);
        config.model.g_width = request.width.unwrap_or(config.model.g_width);
        config.model.d_width = request.width.unwrap_or(config.model.d_width);
        config.optimiser.batch = request.batch.unwrap_or(config.optimiser.batch);
        if let Some(rate) = request.learning_rate {
            config.optimiser.learning_rate = Scheduled::Constant(rate);
            if !request.sets("optimiser.d_learning_rate") {
                config.optimiser.d_learning_rate = None;
            }
        }
        config.set_length(request.kimg.unwrap_or(config.schedule.kimg));
        let schedule = &mut config.schedule;
        schedule.snap = request.snap.unwrap_or(schedule.snap);
        schedule.tick = request.tick.unwrap_or(schedule.tick);
        let input = &mut config.input;
        input.mirror |= request.mirror;
        input.quarter_turns |= request.quarter_turns;
        if request.balanced {
            input.balanced = 1.0;
        }
        if request.all_images {
            input.split = Part::All;
        }
        let given = given_cache(&config.source.source)?;
        if let Some(cache) = &given {
            as_prepared(&mut config, cache, request, sink)?;
        }
        config.validate()?;
        config.augment.check_pixels(config.model.resolution)?;
        request.minutes.map_or(Ok(()), length::check)?;
        let cache = Arc::new(open(&mut config, given, sink)?);
        let images = choose(&mut config, &cache)?;
        no_effect::check_rare(&config, request.sets("augment.rare_probability"))?;
        Ok(Self { config, cache, images, minutes: request.minutes })
    }

    /// Continues from a checkpoint; `data` names the images' place if they have moved, and the
    /// schedule may be longer or of another rhythm.
    ///
    /// # Errors
    /// When the data is not what the run began with.
    pub fn resume(
        checkpoint: &Checkpoint,
        request: &Request,
        sink: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        let mut config = checkpoint.meta.config.clone();
        config.schedule.kimg = request.kimg.unwrap_or(config.schedule.kimg);
        config.schedule.snap = request.snap.unwrap_or(config.schedule.snap);
        if let Some(data) = &request.data {
            config.source.source = absolute(data);
        }
        config.validate()?;
        if let Some(kimg) = request.kimg.filter(|_| config.steps() < checkpoint.meta.steps) {
            return Err(TrainError::Option(format!(
                "--kimg {kimg}: this run is at {:.3} kimg already; to go on ask for more",
                checkpoint.meta.nimg as f64 / 1000.0
            )));
        }
        let began = config.source.clone();
        let given = given_cache(&config.source.source)?;
        let cache = Arc::new(open(&mut config, given, sink)?);
        let images = choose(&mut config, &cache)?;
        if config.source.digest != began.digest {
            return Err(TrainError::Option(format!(
                "the images of {} are not those that this run began with ({} then, {} now); name \
                 the original data with --data",
                config.source.source, began.images, config.source.images
            )));
        }
        if config.source.classes != began.classes {
            return Err(TrainError::Option(format!(
                "this run learnt the classes {}, the data has {} now: name them as they were",
                began.classes.join(","),
                config.source.classes.join(",")
            )));
        }
        config.source.name = began.name;
        Ok(Self { config, cache, images, minutes: None })
    }

    /// Which side of the lesion-grouped split every image is on, as a table `image_id,side`.
    pub fn split_table(&self) -> String {
        let header = self.cache.header();
        let sides = split::of_header(header, SPLIT_SEED);
        // Ids come from somebody's table: one with a comma must not become two cells.
        let cell = |id: &str| match id.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", id.replace('"', "\"\"")),
            false => id.to_owned(),
        };
        let rows = header.records.iter().zip(sides);
        let rows: Vec<String> =
            rows.map(|(r, side)| format!("{},{side}\n", cell(&r.image_id))).collect();
        format!("image_id,side\n{}", rows.concat())
    }

    /// The place of an image's class among the classes of [`TrainConfig::source`].
    pub fn class_of(&self, image: u32) -> usize {
        let header = self.cache.header();
        let code = &header.classes[header.records[image as usize].class];
        self.config.source.classes.iter().position(|c| c == code).unwrap_or(0)
    }

    /// The order in which the images come.
    pub fn order(&self) -> Order {
        let InputConfig { balanced, mirror, quarter_turns, .. } = self.config.input;
        let records = &self.cache.header().records;
        let (seed, class_of) = (self.config.seed, |i: u32| records[i as usize].class);
        let order = match balanced > 0.0 {
            true => Order::balanced(seed, &self.images, class_of, balanced),
            false => Order::uniform(seed, self.images.clone()),
        };
        order.augmented(mirror, quarter_turns)
    }
}

/// A path that still holds when the run is continued from another folder.
fn absolute(source: &str) -> String {
    // `phantom` is the built-in one even beside a folder of that name, as in every command.
    if source == "phantom" || source.starts_with("phantom:") {
        return source.to_owned();
    }
    std::fs::canonicalize(source).map_or_else(|_| source.to_owned(), |p| p.display().to_string())
}

fn given_cache(source: &str) -> Result<Option<Cache>, TrainError> {
    let path = PathBuf::from(source);
    if path.is_file() && Cache::is_cache(&path) {
        return Ok(Some(Cache::open(&path)?));
    }
    Ok(None)
}

/// A prepared cache has a size and a fit of its own: a preset gives way, with a word where its images
/// would have been others, and what the user asks for must agree.
fn as_prepared(
    config: &mut TrainConfig,
    cache: &Cache,
    request: &Request,
    sink: &mut dyn FnMut(Event),
) -> Result<(), TrainError> {
    let Options { fit, filter, .. } = cache.header().options;
    let words = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let (size, wanted) = (cache.size(), config.model.resolution);
    let mut other = Vec::new();
    for (key, has, wanted) in [
        // --size wins over --set, as every flag, and [`open`] answers it.
        ("model.resolution", size.to_string(), request.size.map_or(wanted, |_| size).to_string()),
        ("data.fit", words(&fit), words(&config.input.fit)),
        ("data.filter", words(&filter), words(&config.input.filter)),
    ] {
        if has != wanted && request.sets(key) {
            return Err(TrainError::Option(format!(
                "--set {key}={wanted}: {} was prepared with {has}; give the source instead of the cache, \
                 or leave this out",
                cache.path().display()
            )));
        }
        if has != wanted && key != "model.resolution" {
            other.push(format!("{key} {has}, not {wanted}"));
        }
    }
    if !other.is_empty() {
        sink(Event::Warning(format!(
            "{} was prepared otherwise than preset {} says ({}): the run takes its images as they are",
            cache.path().display(),
            config.preset,
            other.join("; ")
        )));
    }
    if request.size.is_none() {
        config.model.resolution = size;
    }
    Ok(())
}

/// The cache that was given, whose images are what the run takes them for, or one made of the source.
fn open(
    config: &mut TrainConfig,
    given: Option<Cache>,
    sink: &mut dyn FnMut(Event),
) -> Result<Cache, TrainError> {
    let cache = match given {
        Some(cache) => {
            let Options { fit, filter, .. } = cache.header().options;
            (config.input.fit, config.input.filter) = (fit, filter);
            cache
        }
        None => prepare_source(&config.source.source, config, sink)?,
    };
    if cache.size() != config.model.resolution {
        return Err(TrainError::Option(format!(
            "{} holds images of {size} pixels, the model makes {}; use --size {size}, or give the \
             source instead of the cache",
            cache.path().display(),
            config.model.resolution,
            size = cache.size()
        )));
    }
    Ok(cache)
}

fn prepare_source(
    spec: &str,
    config: &TrainConfig,
    sink: &mut dyn FnMut(Event),
) -> Result<Cache, TrainError> {
    let source = Source::open(spec)?;
    let InputConfig { fit, filter, .. } = config.input;
    let options = Options { size: config.model.resolution as u32, fit, filter };
    let target = default_path(&source, options);
    let start = std::time::Instant::now();
    let prepared = prepare(&source, options, &target, false, &mut |done, total| {
        sink(Event::Preparing { done, total });
    })?;
    let report: Report = prepared.cache.header().report.clone();
    let (reused, seconds) = (prepared.reused, start.elapsed().as_secs_f64());
    sink(Event::Prepared { path: target, report, reused, seconds });
    Ok(prepared.cache)
}

/// The images to train on, and what the configuration says of them.
fn choose(config: &mut TrainConfig, cache: &Cache) -> Result<Vec<u32>, TrainError> {
    let header = cache.header();
    let sides = split::of_header(header, SPLIT_SEED);
    let mut wanted = Vec::new();
    for code in config.source.classes.iter().map(|code| code.trim()) {
        let class = header.classes.iter().position(|c| c.eq_ignore_ascii_case(code));
        wanted.push(class.ok_or_else(|| {
            let known = header.classes.join(", ");
            DataError::Option(format!("--classes: no class '{code}' in this data; it has {known}"))
        })?);
    }
    let mut hash = Sha256::new();
    let mut images = Vec::new();
    for (i, record) in header.records.iter().enumerate() {
        let chosen = wanted.is_empty() || wanted.contains(&record.class);
        if chosen && (config.input.split == Part::All || sides[i] == Side::Train) {
            images.push(i as u32);
            hash.update(format!(
                "{} {} {:016x}\n",
                record.image_id, record.class, header.hashes[i]
            ));
        }
    }
    if images.is_empty() {
        return Err(TrainError::Option("no image of these classes to train on".into()));
    }
    cache.verified(&images)?;
    config.source.name = header.name.clone();
    config.source.licence = dermagan_data::licence(header.kind);
    config.source.classes = header
        .classes
        .iter()
        .enumerate()
        .filter(|(class, _)| images.iter().any(|&i| header.records[i as usize].class == *class))
        .map(|(_, code)| code.clone())
        .collect();
    let count = |code: &String| {
        let is = |i: &&u32| header.classes[header.records[**i as usize].class] == *code;
        images.iter().filter(is).count() as u64
    };
    config.source.class_images = config.source.classes.iter().map(count).collect();
    config.source.images = images.len();
    if config.condition.classes {
        config.model.classes = config.source.classes.len();
        config.model.validate()?;
    }
    config.source.digest = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok(images)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use dermagan_data::{Filter, Fit};

    /// A plan for the made-up images of 40 lesions, prepared at 32 pixels, and what it was warned of.
    fn warned(request: Request) -> Result<(Plan, Vec<String>), TrainError> {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("p.dermagan");
        let options = Options { size: 32, fit: Fit::Crop, filter: Filter::Lanczos };
        let source = Source::open("phantom:40").unwrap();
        prepare(&source, options, &target, true, &mut |_, _| ()).unwrap();
        let request = Request { data: Some(target.display().to_string()), ..request };
        let mut warnings = Vec::new();
        let plan = Plan::new(&request, &mut |event| {
            if let Event::Warning(words) = event {
                warnings.push(words);
            }
        })?;
        Ok((plan, warnings))
    }

    pub(crate) fn phantom(request: Request) -> Result<Plan, TrainError> {
        Ok(warned(request)?.0)
    }

    fn request(preset: &str, settings: &[&str]) -> Request {
        let settings = settings.iter().map(|s| (*s).to_owned()).collect();
        Request { preset: preset.into(), settings, ..Request::default() }
    }

    #[test]
    fn what_a_prepared_cache_cannot_be_is_refused_or_told() {
        for setting in ["model.resolution=64", "data.fit=pad", "data.filter = bilinear"] {
            let error = phantom(request("tiny", &[setting])).unwrap_err().to_string();
            assert!(error.contains("was prepared with"), "{error}");
        }
        let same =
            request("tiny", &["model.resolution=32", "data.fit=crop", "data.filter=lanczos"]);
        assert_eq!(warned(same).unwrap().1, [""; 0]);
        assert_eq!(
            warned(request("reference", &[])).unwrap().1,
            [""; 0],
            "its side may be another"
        );
        let (plan, warnings) = warned(request("notebook", &[])).unwrap();
        assert_eq!((plan.config.input.fit, plan.config.model.resolution), (Fit::Crop, 32));
        assert!(warnings[0].contains("fit crop, not squash"), "{warnings:?}");
        let flag = Request { size: Some(64), ..request("tiny", &[]) };
        assert!(phantom(flag).unwrap_err().to_string().contains("--size 32"));
    }

    #[test]
    fn one_learning_rate_is_both_players_unless_the_discriminators_own_is_asked_for() {
        let own = "optimiser.d_learning_rate=1e-3";
        let of = |settings: &[&str]| {
            let rate = Request { learning_rate: Some(1e-5), ..request("tiny", settings) };
            phantom(rate).unwrap().config.optimiser.d_rate()
        };
        assert_eq!(of(&[]), Scheduled::Constant(1e-5));
        assert_eq!(of(&[own]), Scheduled::Constant(1e-3));
    }

    #[test]
    fn a_shift_of_less_than_a_pixel_and_a_rarity_that_is_none_are_refused() {
        let shift = ["augment.translate=0.015", "augment.probability=1"];
        let error = phantom(request("tiny", &shift)).unwrap_err().to_string();
        assert!(error.contains("no pixel of 32"), "{error}");
        let rare = ["data.balanced=false", "augment.rare_probability=1"];
        let error = phantom(request("rare", &rare)).unwrap_err().to_string();
        assert!(error.contains("changes nothing"), "{error}");
    }
}
