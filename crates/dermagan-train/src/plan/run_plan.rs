//! From a request to a run that can start: its configuration and its images.

use std::path::Path;
use std::sync::Arc;

use dermagan_base::SettingError;
use dermagan_data::order::Order;
use dermagan_data::split;
use dermagan_data::{Cache, DataError};
use dermagan_model::{
    ComputeDevice, Discriminator, Generator, Network, Precision, PrecisionChoice,
};

use crate::error::TrainError;
use crate::event::Event;
use crate::plan::advice::{Advice, advice};
use crate::plan::auto::{self, Reason};
use crate::plan::changed;
use crate::plan::choice::choose;
use crate::plan::data::{Data, absolute, adopt_cache};
use crate::plan::estimate::Estimate;
use crate::plan::initial::{Initial, Transfer};
use crate::plan::request::{ResumeRequest, TrainRequest};
use crate::recipe::config::{InputConfig, SourceConfig, TrainConfig};
use crate::recipe::preset::{AUTO, Preset};
use crate::recipe::unused_settings;
use crate::store::checkpoint::Checkpoint;

/// A run that can start or continue. Its configuration is complete.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The complete configuration of the run.
    pub config: TrainConfig,
    /// The prepared images of the data.
    pub cache: Arc<Cache>,
    /// Indices of the images in the cache that the run trains on.
    pub images: Vec<u32>,
    /// Mean share of an image's pixels that a crop to its central square discards, 0 to 1. A square around the whole image
    /// has the same share of other pixels. `None` if the sizes of the original images are not known.
    pub(crate) lost: Option<f64>,
    /// The trained networks that the run starts from, and what it takes of them. `None` for new networks, and for a run that
    /// is resumed.
    pub(crate) initial: Option<(Arc<Initial>, Transfer)>,
    /// The time budget in minutes, if the length of the run still has to be fitted to one.
    pub(crate) minutes: Option<f64>,
}

impl Plan {
    /// Resolves a request: finds the preset, opens, prepares and splits the data, and checks everything. `sink`
    /// receives the events of choosing the preset and preparing the data.
    ///
    /// # Errors
    /// When a setting is wrong, or the data is missing, damaged or does not fit the settings.
    pub fn new(
        request: &TrainRequest,
        device: &ComputeDevice,
        sink: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        request.check_minutes()?;
        let named = |name: &str| Preset::named(name, &request.settings);
        // The preset is checked before the data is opened.
        let is_auto = request.preset.eq_ignore_ascii_case(AUTO);
        let asked = (!is_auto).then(|| named(&request.preset)).transpose()?;
        let source = absolute(request.data.as_deref().unwrap_or("phantom"));
        let data = Data::open(&source, request.reading)?;
        let initial = request.init.as_deref().map(|name| Initial::open(name, &request.outdir));
        let initial = initial.transpose()?;
        let conditioned = initial.as_ref().is_some_and(Initial::is_conditioned);
        let classes = data.classes(&request.classes)?;
        let reason = Reason::of(data.is_phantom(), classes, conditioned);
        let chosen = reason.preset(request.size);
        let mut preset = asked.map_or_else(|| named(chosen), Ok)?;
        let name = if is_auto { chosen } else { &request.preset };

        if let Some(initial) = &initial {
            initial.adopt(&mut preset, request)?;
        }
        preset.override_with(request);
        let warning = match &data {
            Data::Cache(cache) => adopt_cache(&mut preset, name, cache, request)?,
            Data::Source(_) => None,
        };
        let (seed, choice) = (request.seed, request.precision.unwrap_or(preset.precision));
        let precision = suited(choice.resolve(device)?, choice, preset.model.projected);
        // Everything but the data is checked before it is prepared, which takes time.
        let empty = SourceConfig::default();
        let without_data = preset.clone().configure(name, seed, precision, empty)?;
        without_data.augment.check_pixels(preset.model.resolution)?;
        Estimate::check(&without_data, device)?;
        if is_auto {
            let kimg = preset.schedule.kimg;
            let seconds = match request.minutes {
                Some(minutes) => 60.0 * minutes,
                None => kimg * auto::seconds_per_kimg(without_data, device)?,
            };
            let kimg = request.minutes.is_none().then_some(kimg);
            sink(Event::PresetChosen { preset: name.to_owned(), reason, kimg, seconds });
        }
        warning.into_iter().for_each(|warning| sink(Event::Warning(warning)));
        let lost = data.lost();
        let cache = data.prepare(&mut preset.data, preset.model.resolution, sink)?;
        sink(Event::Split(split::facts(cache.header())));
        let (source, images) =
            choose(source, &request.classes, preset.data.split, split::VERSION, &cache)?;
        let mut config = preset.configure(name, seed, precision, source)?;
        config.initial = initial.as_ref().map(|initial| initial.origin.clone());
        if let Some(initial) = &initial
            && config.optimiser.frozen_kimg == 0.0
            && !request.sets("optimiser.frozen_kimg")
        {
            config.optimiser.frozen_kimg =
                initial.frozen_kimg(config.model.resolution, config.source.images);
        }
        let initial = initial.map(|initial| transfer(initial, &config)).transpose()?;
        if let Some((_, transfer)) = &initial {
            sink(Event::Initialised(transfer.clone()));
        }
        if is_auto
            && matches!(reason, Reason::Classes(_) | Reason::Initialised(_))
            && config.model.classes < 2
        {
            let only = config.source.classes.join(", ");
            sink(Event::Warning(format!(
                "only images of {only} are left to train on; preset fast suits one class better"
            )));
        }
        unused_settings::check_rare(&config, request.sets("augment.rare_probability"))?;
        let (cache, minutes) = (Arc::new(cache), request.minutes);
        Ok(Self { config, cache, images, lost, initial, minutes })
    }

    /// The plan of a run that continues from a checkpoint, in the folder `run` if it is known. The data may have moved, and
    /// the request may change the length of the run and the interval of snapshots.
    ///
    /// # Errors
    /// When the data is not the data that the run began with, or the length is less than what was done.
    pub fn resume(
        checkpoint: &Checkpoint,
        run: Option<&Path>,
        request: &ResumeRequest,
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
            let done = checkpoint.meta.nimg as f64 / 1000.0;
            let problem = format!("this run is at {done:.3} kimg already; expected more");
            return Err(SettingError::value("kimg", kimg, problem).into());
        }
        let data = Data::open(&config.source.source, config.source.reading).map_err(|error| match error {
            TrainError::Data(DataError::NotFound(place)) if request.data.is_none() => {
                TrainError::Invalid(format!(
                    "the data that this run began with is no longer at {}; if it has moved, pass its new place as `data`",
                    place.display()
                ))
            }
            other => other,
        })?;
        let cache = data.prepare(&mut config.input, config.model.resolution, sink)?;
        let began = config.source.clone();
        let place = began.source.clone();
        let known = &cache.header().classes;
        if let Some(lost) = began.classes.iter().find(|code| !known.contains(code)) {
            return Err(TrainError::Invalid(format!(
                "{place} has no class {lost}, which this run began with; pass the original data as `data`"
            )));
        }
        let (source, images) =
            choose(place, &began.classes, config.input.split, began.split, &cache)?;
        config.source = source;
        if config.source.digest != began.digest {
            let changes = run
                .and_then(|run| changed::changes(run, &cache))
                .unwrap_or_else(|| format!("{} then, {} now", began.images, config.source.images));
            return Err(TrainError::Invalid(format!(
                "the images of {} are not those that this run began with: {changes}; pass the original data as `data`",
                config.source.source
            )));
        }
        if config.source.classes != began.classes {
            return Err(TrainError::Invalid(format!(
                "this run began with the classes {}, and the data now has {}; give the classes their original names",
                began.classes.join(","),
                config.source.classes.join(",")
            )));
        }
        config.source.name = began.name;
        let cache = Arc::new(cache);
        Ok(Self { config, cache, images, lost: None, initial: None, minutes: None })
    }

    /// What the user should know about the data and the length of a new run before its first step.
    pub fn advice(&self) -> Vec<Advice> {
        advice(&self.config, &self.cache, &self.images, self.lost)
    }

    /// The split as a CSV table `image_id,side,split`. The last column is the same in all rows: `official`, or the version of
    /// the split by lesion, such as `lesion-2`.
    pub fn split_table(&self) -> String {
        let header = self.cache.header();
        let version = self.config.source.split;
        let (sides, name) = (split::of_version(header, version), split::name(header, version));
        // Ids come from the user's table. One with a comma must not become two cells.
        let cell = |id: &str| match id.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", id.replace('"', "\"\"")),
            false => id.to_owned(),
        };
        let rows = header.records.iter().zip(sides);
        let rows: Vec<String> =
            rows.map(|(r, side)| format!("{},{side},{name}\n", cell(&r.image_id))).collect();
        format!("image_id,side,split\n{}", rows.concat())
    }

    /// The index of an image's class among the classes that the run trains on. `image` is an index in the cache.
    pub fn class_of(&self, image: u32) -> usize {
        let header = self.cache.header();
        let code = &header.classes[header.records[image as usize].class];
        self.config.source.classes.iter().position(|c| c == code).unwrap_or(0)
    }

    /// The order in which images are drawn, and their orientations.
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

/// The number format: float32 where `auto` would take float16 for a discriminator that judges features too, whose gradient is
/// too small for it.
fn suited(found: Precision, choice: PrecisionChoice, projected: bool) -> Precision {
    match projected && found == Precision::F16 && choice == PrecisionChoice::Auto {
        true => Precision::F32,
        false => found,
    }
}

/// Trained networks with what a run of this configuration takes of them.
fn transfer(
    initial: Initial,
    config: &TrainConfig,
) -> Result<(Arc<Initial>, Transfer), TrainError> {
    // Only names and shapes count here.
    let (model, device) = (&config.model, ComputeDevice::cpu().handle);
    let fresh = [
        Generator::new(model, &device).to_weights(),
        Discriminator::new(model, &device).to_weights(),
    ];
    let (classes, frozen) = (&config.source.classes, config.optimiser.frozen_kimg);
    let transfer = initial.transfer(fresh.each_ref(), classes, frozen)?;
    Ok((Arc::new(initial), transfer))
}

#[cfg(test)]
mod tests {
    use dermagan_data::Fit;

    use super::*;
    use crate::recipe::schedule::Scheduled;
    use crate::test_support::{plan as phantom, plan_and_warnings as warned, request};

    #[test]
    fn auto_takes_no_float16_for_judges_of_features() {
        let (auto, f16) = (PrecisionChoice::Auto, Precision::F16);
        assert_eq!(suited(f16, auto, true), Precision::F32);
        assert_eq!(suited(f16, auto, false), f16);
        // What the user asks for is refused with the reason.
        assert_eq!(suited(f16, PrecisionChoice::Exactly(f16), true), f16);
        assert_eq!(suited(Precision::Bf16, auto, true), Precision::Bf16);
    }

    #[test]
    fn settings_that_a_prepared_cache_does_not_have_are_rejected_or_cause_a_warning() {
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
            "the preset's size may differ"
        );
        let (plan, warnings) = warned(request("notebook", &[])).unwrap();
        assert_eq!((plan.config.input.fit, plan.config.model.resolution), (Fit::Crop, 32));
        assert!(warnings[0].contains("fit crop, not squash"), "{warnings:?}");
        let flag = TrainRequest { size: Some(64), ..request("tiny", &[]) };
        assert!(phantom(flag).unwrap_err().to_string().contains("`size` = 32"));
    }

    #[test]
    fn one_learning_rate_applies_to_both_players_unless_the_discriminators_own_is_set() {
        let own = "optimiser.d_learning_rate=1e-3";
        let of = |settings: &[&str]| {
            let rate = TrainRequest { learning_rate: Some(1e-5), ..request("tiny", settings) };
            phantom(rate).unwrap().config.optimiser.d_rate()
        };
        assert_eq!(of(&[]), Scheduled::Constant(1e-5));
        assert_eq!(of(&[own]), Scheduled::Constant(1e-3));
    }

    #[test]
    fn a_shift_of_less_than_a_pixel_and_an_unused_rare_probability_are_rejected() {
        let shift = ["augment.translate=0.015", "augment.probability=1"];
        let error = phantom(request("tiny", &shift)).unwrap_err().to_string();
        assert!(error.contains("rounds to 0 of 32 pixels"), "{error}");
        let rare = ["data.balanced=false", "augment.rare_probability=1"];
        let error = phantom(request("rare", &rare)).unwrap_err().to_string();
        assert!(error.contains("has no effect"), "{error}");
    }
}
