//! A small trial from beginning to end.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::waves;
use dermagan_generate::ImageGenerator;
use dermagan_model::ComputeDevice;
use dermagan_trust::{Generators, TrialEvent, TrialJob, TrialReport, TrustError, trial};

fn run(
    job: &TrialJob,
    generators: &Generators,
    stop_after: usize,
    seconds: &mut Vec<f64>,
) -> Result<TrialReport, TrustError> {
    let stop = AtomicBool::new(false);
    trial(job, generators, &ComputeDevice::cpu(), &stop, &mut |event| {
        if let TrialEvent::Classifiers { done, seconds: took, .. } = event {
            seconds.push(took);
            stop.store(done >= stop_after, Ordering::Relaxed);
        }
    })
}

#[test]
fn a_trial_that_was_stopped_goes_on_and_ends_in_the_same_figures() {
    let folder = tempfile::tempdir().unwrap();
    let source = waves(&folder.path().join("real"), 400);
    let generators =
        Generators::One(Box::new(ImageGenerator::shipped(ComputeDevice::cpu()).unwrap()));
    let job = |state: &str| TrialJob {
        seeds: 2,
        kimg: 0.5,
        ..TrialJob::new(&source, folder.path().join(state))
    };
    let whole = run(&job("whole"), &generators, usize::MAX, &mut Vec::new()).unwrap();
    let mut seconds = Vec::new();
    let stopped = run(&job("parts"), &generators, 5, &mut seconds).map(|report| report.words);
    assert!(stopped.unwrap_err().to_string().contains("stopped"));
    assert_eq!(seconds.len(), 5);
    seconds.clear();
    let resumed = run(&job("parts"), &generators, usize::MAX, &mut seconds).unwrap();
    assert_eq!(seconds.iter().filter(|took| **took == 0.0).count(), 5);
    let json = |report: &TrialReport| serde_json::to_string(report).unwrap();
    assert_eq!(json(&whole), json(&resumed));
    assert_eq!((whole.arms.len(), whole.folds, whole.classes.len()), (10, 1, 7));
    let recall = &whole.arms[0].scores.recall;
    assert_eq!(recall.iter().filter(|recall| !recall.is_nan()).count(), 2, "{recall:?}");
    let base: Vec<&str> = whole
        .arms
        .iter()
        .filter(|arm| arm.difference.is_none())
        .map(|arm| arm.arm.as_str())
        .collect();
    assert_eq!(base, [whole.base.as_str()]);
    assert!(whole.base == whole.arms[2].arm || whole.base == whole.arms[9].arm, "{}", whole.base);
    let better = whole.arms[2].validation.max(whole.arms[9].validation);
    assert!(whole.arms.iter().any(|arm| arm.arm == whole.base && arm.validation == better));
    assert!(!whole.words.is_empty());

    let other = TrialJob { kimg: 0.6, ..job("whole") };
    let refused = run(&other, &generators, usize::MAX, &mut Vec::new()).map(|report| report.words);
    assert!(refused.unwrap_err().to_string().contains("other settings"));
    let none = TrialJob { seeds: 0, ..job("none") };
    let refused = run(&none, &generators, usize::MAX, &mut Vec::new()).map(|report| report.words);
    assert!(refused.unwrap_err().to_string().contains("`seeds` = 0: expected 1 to 100"));
}

#[test]
fn each_fold_trains_a_generator_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let source = waves(&folder.path().join("real"), 200);
    let generators = Generators::PerFold { folds: 2, preset: "rare".into(), kimg: Some(0.064) };
    let job =
        TrialJob { seeds: 1, kimg: 0.2, ..TrialJob::new(&source, folder.path().join("state")) };
    let found = run(&job, &generators, usize::MAX, &mut Vec::new()).unwrap();
    assert_eq!((found.folds, found.test_images), (2, 200));
    assert!(found.arms[3].difference.as_ref().unwrap().interval_t.is_some());
    for fold in ["fold0", "fold1"] {
        assert!(job.state.join(fold).is_dir(), "{fold}");
    }
}
