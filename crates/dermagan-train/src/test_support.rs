//! Helpers of several test modules.

use dermagan_data::{Filter, Fit, Options, Source, prepare};
use dermagan_model::{
    ComputeDevice, Generator, Init, ModelConfig, Network, Precision, PrecisionChoice,
};

use crate::error::TrainError;
use crate::event::Event;
use crate::plan::request::TrainRequest;
use crate::plan::run_plan::Plan;
use crate::recipe::augment::AugmentConfig;
use crate::recipe::schedule::Scheduled;

/// A request for a run of a preset in float32, with single settings changed.
pub fn request(preset: &str, settings: &[&str]) -> TrainRequest {
    TrainRequest {
        preset: preset.into(),
        settings: settings.iter().map(|s| (*s).to_owned()).collect(),
        precision: Some(PrecisionChoice::Exactly(Precision::F32)),
        ..TrainRequest::default()
    }
}

/// A plan for the phantom's images of 40 lesions, prepared at 32 pixels, and its warnings.
pub fn plan_and_warnings(request: TrainRequest) -> Result<(Plan, Vec<String>), TrainError> {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("p.dermagan");
    let options = Options { size: 32, fit: Fit::Crop, filter: Filter::Lanczos };
    let source = Source::open("phantom:40").unwrap();
    prepare(&source, options, &target, true, &mut |_, _| ()).unwrap();
    let request = TrainRequest { data: Some(target.display().to_string()), ..request };
    let mut warnings = Vec::new();
    let plan = Plan::new(&request, &ComputeDevice::cpu(), &mut |event| {
        if let Event::Warning(words) = event {
            warnings.push(words);
        }
    })?;
    Ok((plan, warnings))
}

/// The plan of [`plan_and_warnings`].
pub fn plan(request: TrainRequest) -> Result<Plan, TrainError> {
    Ok(plan_and_warnings(request)?.0)
}

/// A freshly initialised generator whose weights `change` modifies by name.
pub fn changed(config: &ModelConfig, init: Init, change: impl Fn(&str, &mut [f32])) -> Generator {
    let device = ComputeDevice::cpu().handle;
    let mut weights = init.generator(config, 1, &device).to_weights();
    weights.iter_mut().for_each(|(name, array)| change(name, &mut array.values));
    Generator::new(config, &device).with_weights(&weights).unwrap()
}

/// A probability of 1.
pub const ALWAYS: Scheduled = Scheduled::Constant(1.0);
/// A probability of 0.
pub const NEVER: Scheduled = Scheduled::Constant(0.0);

/// Every transform with probability 1.
pub const FULL: AugmentConfig = AugmentConfig {
    turns: true,
    translate: 0.3,
    rotate: 1.0,
    zoom: 0.5,
    cutout: 0.4,
    brightness: 0.5,
    saturation: 1.0,
    contrast: 0.5,
    probability: ALWAYS,
    rare_probability: None,
    target: 0.6,
    adapt_kimg: 500.0,
};
