//! A generator as an entry of medigan's list of models (Osuala et al. 2023, doi:10.1117/1.JMI.10.6.061403;
//! `templates/template.json` of its repository).
//!
//! What this crate does not know stays empty, as in the template: where the package lies, and who publishes it when.

use dermagan_base::producer;
use dermagan_model::{Card, ModelFile};
use serde_json::{Map, Value, json};

use super::page::Measured;

/// The entry of a model, under a name made of its hash. `trial` is the JSON of a trial of the same model.
pub(super) fn entry(
    model: &ModelFile,
    measured: Option<&Measured>,
    trial: Option<&Value>,
) -> Value {
    let card = model.card.as_ref();
    let text = |of: fn(&Card) -> &String| card.map_or("", |card| of(card).as_str());
    let (side, conditioned) = (model.config.resolution, model.config.classes > 0);
    let classes = card.map(|card| card.classes.clone()).unwrap_or_default();
    let id = format!("DERMAGAN_{}", model.hash.chars().take(8).collect::<String>().to_uppercase());
    json!({ id: {
        "execution": {
            "package_name": "dermagan.medigan",
            "package_link": "",
            "model_name": "generator",
            "extension": ".safetensors",
            "image_size": [side, side],
            "dependencies": ["dermagan"],
            "generate_method": {
                "name": "generate",
                "args": {
                    "base": ["model_file", "num_samples", "output_path", "save_images"],
                    "custom": { "seed": 0, "classes": conditioned.then_some(&classes) }
                }
            }
        },
        "selection": {
            "performance": performance(measured, trial),
            "use_cases": ["classification"],
            "organ": ["skin"],
            "modality": ["dermoscopy"],
            "vendors": [],
            "centres": [],
            "function": [if conditioned { "class-conditional image generation" } else { "image generation" }],
            "condition": classes,
            "dataset": [text(|card| &card.data)],
            "augmentations": [],
            "generates": ["skin lesions"],
            "height": side,
            "width": side,
            "depth": null,
            "type": "GAN",
            "license": text(|card| &card.licence),
            "dataset_type": "public or private, see dataset",
            "privacy_preservation": measured.map(|measured| measured.audit.words.as_str()).unwrap_or_default(),
            "tags": ["dermatoscopy", "skin lesion", "synthetic"],
            "year": null
        },
        "description": {
            "title": format!("Synthetic skin lesions, learnt from {}", text(|card| &card.data)),
            "provided_date": "",
            "trained_date": "",
            "provided_after_epoch": null,
            "version": "1.0.0",
            "publication": "",
            "doi": [],
            "comment": format!(
                "Preset {}, {:.0} thousand training images, SHA-256 {}. Not for diagnosis. Written by {}.",
                text(|card| &card.preset),
                card.map_or(0.0, |card| card.nimg as f64 / 1000.0),
                model.hash,
                producer()
            )
        }
    } })
}

/// The figures. The FID of this list is by InceptionV3, which this crate does not measure; KID by other networks stands
/// beside it under names of its own.
fn performance(measured: Option<&Measured>, trial: Option<&Value>) -> Value {
    let mut found = Map::new();
    for key in ["SSIM", "MSE", "NSME", "PSNR", "IS", "FID"] {
        found.insert(key.to_owned(), Value::Null);
    }
    for by in measured.map(|measured| measured.eval.features.as_slice()).unwrap_or_default() {
        if let Some(kid) = &by.overall.kid {
            found.insert(format!("KID_{}", by.name), json!(kid.fake));
        }
    }
    found.insert("turing_test".to_owned(), json!(""));
    found.insert(
        "downstream_task".to_owned(),
        json!({ "CLF": trial.map_or_else(|| json!({}), classification) }),
    );
    Value::Object(found)
}

/// The classifiers of a trial. `CLF` has the mean over its seeds: balanced accuracy, macro recall, which is the same, and the
/// macro area under the ROC curves.
fn classification(trial: &Value) -> Value {
    let arms = trial["arms"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ratio = trial["chosen"][0].as_f64().unwrap_or(1.0);
    let scores = |name: &str| {
        let scores = arms.iter().find(|arm| arm["arm"] == name).map(|arm| &arm["scores"]);
        scores.map_or_else(
            || json!({}),
            |of| {
                json!({
                    "accuracy": null, "precision": null, "recall": of["balanced_accuracy"], "f1": null, "specificity": null,
                    "AUROC": of["macro_auc"], "AUPRC": null, "balanced_accuracy": of["balanced_accuracy"]
                })
            },
        )
    };
    json!({
        "trained_on_fake": scores("generated images only"),
        "trained_on_real_and_fake": scores(&format!("with generated images, {ratio} x gap")),
        "trained_on_real": scores(trial["base"].as_str().unwrap_or("real, augmented, rebalanced"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermagan_generate::shipped_model;

    #[test]
    fn an_entry_has_the_fields_of_the_template_and_the_scores_of_the_trial() {
        let scores = |value: f64| json!({ "balanced_accuracy": value, "macro_auc": value + 0.1 });
        let arm = |name: &str, value: f64| json!({ "arm": name, "scores": scores(value) });
        let trial = json!({
            "base": "real, augmented, rebalanced", "chosen": [0.5],
            "arms": [
                arm("real, augmented, rebalanced", 0.5),
                arm("with generated images, 0.5 x gap", 0.6),
                arm("generated images only", 0.4)
            ]
        });
        let model = shipped_model().unwrap();
        let entry = entry(&model, None, Some(&trial));
        let [(_, entry)] = entry.as_object().unwrap().iter().collect::<Vec<_>>()[..] else {
            panic!()
        };
        for key in ["execution", "selection", "description"] {
            assert!(entry[key].is_object(), "{key}");
        }
        let task = &entry["selection"]["performance"]["downstream_task"]["CLF"];
        assert_eq!(task["trained_on_fake"]["AUROC"], 0.5);
        assert_eq!(task["trained_on_real"]["balanced_accuracy"], 0.5);
        assert_eq!(task["trained_on_real_and_fake"]["recall"], 0.6);
        assert_eq!(entry["execution"]["image_size"], json!([64, 64]));
        assert_eq!(entry["selection"]["condition"].as_array().unwrap().len(), 7);
        assert_eq!(entry["selection"]["performance"]["FID"], Value::Null);
    }
}
