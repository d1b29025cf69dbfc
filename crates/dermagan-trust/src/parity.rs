//! The statistics against those of SciPy, scikit-learn and packages for audits (`scripts/make_audit_fixtures.py`).

use dermagan_base::image::Image;
use serde_json::Value;
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::bias::{directional, largest_difference, surround_colour, wasserstein};
use crate::images::products::Points;
use crate::membership::authenticity::{Nearest, among_themselves};
use crate::membership::lesions::ToLesions;
use crate::membership::{Authenticity, share};
use crate::statistics::{Clusters, Rate, auc, clusters, holm};
use crate::trial::{Predictions, corrected_t};

fn fixture() -> Value {
    serde_json::from_str(include_str!("../tests/data/audit.json")).unwrap()
}

fn numbers(of: &Value) -> Vec<f64> {
    of.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Rows of four values.
fn rows(of: &Value) -> Vec<f64> {
    of.as_array().unwrap().iter().flat_map(numbers).collect()
}

fn points(of: &Value) -> Points {
    Points::new(single(of), 4)
}

fn single(of: &Value) -> Vec<f32> {
    rows(of).into_iter().map(|v| v as f32).collect()
}

#[test]
fn intervals_are_scipys() {
    for row in fixture()["rates"].as_array().unwrap() {
        let [events, trials, low, high] = numbers(row).try_into().unwrap();
        let rate = Rate::new(events as usize, trials as usize);
        assert!((rate.low - low).abs() < 1e-9 && (rate.high - high).abs() < 1e-9, "{rate:?} {row}");
    }
}

#[test]
fn the_area_is_scikit_learns() {
    let fixture = fixture();
    let [positive, negative] = [0, 1].map(|i| numbers(&fixture["auc"][i]));
    let expected = fixture["auc"][2].as_f64().unwrap();
    assert!((auc(&positive, &negative) - expected).abs() < 1e-12);
}

#[test]
fn authentic_images_and_distances_are_those_of_a_search_by_scikit_learn() {
    let fixture = fixture();
    let [train, held, fake] = ["train", "held", "fake"].map(|name| points(&fixture[name]));
    let lesion: Vec<usize> = (0..train.count()).map(|i| i / 2).collect();
    let nearest = Nearest {
        fake: &train.nearest(&fake, |_, _| true),
        held: &train.nearest(&held, |_, _| true),
        train: &among_themselves(&train, &lesion),
    };
    let centres = Clusters::about(4, rows(&fixture["cells"][0]));
    let cells = ["fake", "held"].map(|name| centres.of(&single(&fixture[name])));
    let found = Authenticity::new(&nearest, [&cells[0], &cells[1]]);
    let expected = numbers(&fixture["authentic"]);
    assert!((found.authentic - expected[0]).abs() < 1e-9, "{found:?}");
    assert!((found.authentic_held_out - expected[1]).abs() < 1e-9, "{found:?}");
    let farther = fixture["farther"].as_f64().unwrap();
    assert!((found.farther_than_held_out.unwrap() - farther).abs() < 1e-9, "{found:?}");
}

#[test]
fn clusters_are_as_tight_as_scikit_learns() {
    let fixture = fixture();
    let train = single(&fixture["train"]);
    let best = (0..10).map(|seed| clusters(&train, 4, 3, seed).inertia(&train));
    let best = best.fold(f64::INFINITY, f64::min);
    let expected = fixture["cells"][1].as_f64().unwrap();
    assert!((best / expected - 1.0).abs() < 1e-6, "{best} {expected}");
}

#[test]
fn the_share_of_nearer_images_is_that_of_mostly_ais_formula() {
    let fixture = fixture();
    let fake = points(&fixture["fake"]);
    let train = Points::new(single(&fixture["train"])[..30 * 4].to_vec(), 4);
    let held = points(&fixture["held"]);
    let to = |side: &Points| ToLesions::new(&fake, side, &(0..side.count()).collect::<Vec<_>>());
    let all = |side: &Points| (0..side.count()).collect::<Vec<_>>();
    let found = share::nearer([&to(&train), &to(&held)], [&all(&train), &all(&held)]);
    assert!((found - fixture["share"].as_f64().unwrap()).abs() < 1e-12, "{found}");
}

#[test]
fn holms_correction_is_statsmodels_and_the_corrected_t_is_baycomps() {
    let fixture = fixture();
    let [p, expected] = [0, 1].map(|i| numbers(&fixture["holm"][i]));
    assert!(holm(&p).iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12));
    let [folds, expected] = [0, 1].map(|i| numbers(&fixture["t"][i]));
    let found = corrected_t(&folds, 0.25).unwrap();
    assert!(
        found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9),
        "{found:?} {expected:?}"
    );
}

#[test]
fn scores_of_predictions_are_scikit_learns() {
    let fixture = fixture();
    let logits: Vec<f32> = numbers(&fixture["scores"][0]).iter().map(|v| *v as f32).collect();
    let truth: Vec<usize> = numbers(&fixture["scores"][1]).iter().map(|v| *v as usize).collect();
    let found = Predictions::of_logits(&logits, 3).scores(&truth, Some(1));
    let expected = [2, 3, 4].map(|i| fixture["scores"][i].as_f64().unwrap());
    let found = [found.balanced_accuracy, found.macro_auc, found.melanoma_auc];
    assert!(
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6),
        "{found:?} {expected:?}"
    );
}

#[test]
fn distances_of_distributions_are_scipys() {
    let fixture = fixture();
    let [a, b] = [0, 1].map(|i| numbers(&fixture["distances"][i]));
    let expected = [2, 3].map(|i| fixture["distances"][i].as_f64().unwrap());
    let found = [wasserstein(&a, &b), largest_difference(&a, &b)];
    assert!(
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12),
        "{found:?} {expected:?}"
    );
}

#[test]
fn the_corrected_t_is_hidimstats_and_without_correction_pingouins() {
    let fixture = fixture();
    let folds = numbers(&fixture["t"][0]);
    let [low, high] = corrected_t(&folds, 0.25).unwrap();
    let student = StudentsT::new(0.0, 1.0, folds.len() as f64 - 1.0).unwrap();
    let error = (high - low) / 2.0 / student.inverse_cdf(0.975);
    let p = 2.0 * student.cdf(-(low + high).abs() / 2.0 / error);
    let expected = fixture["t_peers"][0].as_f64().unwrap();
    assert!((p - expected).abs() < 1e-9, "{p} {expected}");
    let (found, expected) = (corrected_t(&folds, 0.0).unwrap(), numbers(&fixture["t_peers"][1]));
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
}

#[test]
fn nearest_distances_are_those_of_domias_and_syntheval() {
    let fixture = fixture();
    let found = points(&fixture["fake"]).nearest(&points(&fixture["held"]), |_, _| true);
    let expected = ["squared", "distance"].map(|name| numbers(&fixture[name]));
    assert_eq!(found.len(), expected[0].len());
    for ((found, squared), distance) in found.iter().zip(&expected[0]).zip(&expected[1]) {
        let value = f64::from(found.squared);
        // Ours are differences of products in single precision.
        let near = |a: f64, b: f64| (a - b).abs() < 1e-4 * (1.0 + b);
        assert!(near(value, *squared), "{value} {squared}");
        assert!(value < 0.01 || near(value.sqrt(), *distance), "{value} {distance}");
    }
}

#[test]
fn directional_amplification_is_that_of_the_package_of_its_name() {
    let fixture = fixture();
    let of = |set: usize| -> Vec<[f64; 2]> {
        let rows = fixture["directional"][set].as_array().unwrap();
        rows.iter().map(|row| numbers(row).try_into().unwrap()).collect()
    };
    let (before, after) = (of(0), of(1));
    let share = |[yes, no]: [f64; 2]| yes / (yes + no);
    let all = before.iter().fold([0.0; 2], |sum, row| [sum[0] + row[0], sum[1] + row[1]]);
    let shifts: Vec<(f64, f64)> =
        before.iter().zip(&after).map(|(a, b)| (share(*a), share(*b) - share(*a))).collect();
    let expected = fixture["directional"][2].as_f64().unwrap();
    let found = directional(&shifts, share(all)).unwrap();
    assert!((found - expected).abs() < 1e-9, "{found} {expected}");
}

#[test]
fn the_angle_of_a_colour_is_that_of_derm_ita() {
    for row in fixture()["angles"].as_array().unwrap() {
        let colour: Vec<u8> = numbers(&row[0]).iter().map(|v| *v as u8).collect();
        let (pixels, expected) = (colour.repeat(64 * 64), row[1].as_f64().unwrap());
        let image = Image { width: 64, height: 64, pixels };
        let found = surround_colour(&image).unwrap();
        // Two tables of the same standard's constants.
        assert!((found - expected).abs() < 0.1, "{found} {expected}");
    }
}
