//! The commands that ask about copies, usefulness and bias: their exit codes, files and refusals.

mod common;

use common::*;
use dermagan_data::ImageFolder;
use serde_json::Value;

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn an_audit_fails_on_training_images_and_drops_them() {
    let desk = Desk::new();
    desk.ok(&["data", "export", "phantom:100", "--format", "folder", "--out", "p", "--size", "64"]);
    let args = ["audit", "--real", "phantom:100", "--fake", "p", "--device", "cpu", "--json"];
    let out = desk.run(&[&args[..], &["--drop", "kept", "--sheet", "pairs.png"]].concat());
    assert_eq!(out.status.code(), Some(6), "{}", text(&out.stderr));
    let report = json(&out.stdout);
    assert_eq!(report["verdict"], "fail");
    let train = report["all"]["identical"].as_u64().unwrap();
    assert!(train > 0, "{report}");
    let passport = json(&std::fs::read(desk.join("kept/passport.json")).unwrap());
    assert!(passport["dropped"].as_u64().unwrap() >= train, "{passport}");
    let table = std::fs::read_to_string(desk.join("kept/metadata.csv")).unwrap();
    let [all, images] = ["p", "kept"].map(|at| ImageFolder::open(&desk.join(at)).unwrap().len());
    let dropped = passport["dropped"].as_u64().unwrap() as usize;
    assert_eq!((table.lines().count() - 1, images), (images, all - dropped));
    let sheet = std::fs::read(desk.join("pairs.png")).unwrap();
    assert!(sheet.windows(10).any(|part| part == b"REAL image"));
    // The folder is one of generated images, so what is left passes for one.
    let error = desk.fails(&[&args[..], &["--drop", "kept"]].concat(), 1);
    assert!(error.contains("--drop kept: this exists"), "{error}");
}

#[test]
fn an_audit_of_few_images_gives_no_verdict_and_says_how_many_it_takes() {
    let desk = Desk::new();
    let args = ["audit", "--real", "phantom:150", "--fake", "shipped", "-n", "100"];
    let out = desk.run(&[&args[..], &["--device", "cpu"]].concat());
    assert_eq!(out.status.code(), Some(7), "{}", text(&out.stderr));
    let words = text(&out.stdout);
    assert!(words.contains("no verdict"), "{words}");
    assert!(!words.to_lowercase().contains("anonymous") && !words.contains("compliant"), "{words}");
}

#[test]
fn a_page_without_real_images_has_the_grid_the_origin_and_an_entry_for_medigan() {
    let desk = Desk::new();
    let args = ["report", "shipped", "--out", "r.html", "--medigan", "m.json", "--device", "cpu"];
    desk.ok(&args);
    let page = std::fs::read_to_string(desk.join("r.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("data:image/jpeg;base64,"));
    assert!(!page.contains("<script") && !page.contains("src=\"http") && page.len() < 2 << 20);
    assert!(page.contains("Uses to avoid") && page.contains("Give the training data with --real"));
    let entry = json(&std::fs::read(desk.join("m.json")).unwrap());
    let (id, entry) = entry.as_object().unwrap().iter().next().unwrap();
    assert!(id.starts_with("DERMAGAN_"), "{id}");
    assert_eq!(entry["execution"]["package_name"], "dermagan.medigan");
    assert_eq!(entry["selection"]["license"], "CC BY-NC 4.0");
    // Both files are replaced, and files of others are not.
    desk.ok(&args);
    for (option, file) in [("--out", "x.html"), ("--medigan", "x.json")] {
        std::fs::write(desk.join(file), "years of work").unwrap();
        let args = match option {
            "--out" => vec!["report", "shipped", "--out", file],
            _ => vec!["report", "shipped", "--out", "y.html", "--medigan", file],
        };
        let error = desk.fails(&args, 1);
        assert!(error.contains("which dermagan did not write"), "{error}");
        assert_eq!(std::fs::read(desk.join(file)).unwrap(), b"years of work");
    }
    for (option, problem) in
        [("--trial", "no report of `dermagan trial"), ("--twins", "--twins --json")]
    {
        std::fs::write(desk.join("other.json"), "{\"words\": 1}").unwrap();
        let error = desk.fails(&["report", "shipped", "--out", "z.html", option, "other.json"], 1);
        assert!(error.contains(option) && error.contains(problem), "{error}");
    }
    desk.ok(&["data", "export", "phantom:20", "--format", "folder", "--out", "p"]);
    let error = desk.fails(&["report", "p", "--out", "z.html", "--medigan", "n.json"], 1);
    assert!(error.contains("--medigan") && error.contains("name a model"), "{error}");
}

#[test]
fn a_trial_goes_on_where_it_was_and_prints_the_same() {
    let desk = Desk::new();
    let args = ["trial", "--data", "phantom:120", "--model", "shipped", "--seeds", "1"];
    let args = [&args[..], &["--classifier-kimg", "0.2", "--device", "cpu", "--json"]].concat();
    let first = desk.ok(&args);
    let report = json(first.as_bytes());
    assert_eq!(report["arms"].as_array().unwrap().len(), 10);
    // One seed decides nothing.
    assert!(report["words"].as_str().unwrap().starts_with("inconclusive"), "{}", report["words"]);
    assert_eq!(desk.ok(&args), first);
    let error = desk.fails(&["trial", "--data", "phantom:120", "--seeds", "1", "--seed", "3"], 1);
    assert!(error.contains("--state trial") && error.contains("other settings"), "{error}");
}

#[test]
fn bias_is_reported_by_class_and_balance_refuses_an_unconditioned_model() {
    let desk = Desk::new();
    let args = ["bias", "--real", "phantom:150", "--fake", "shipped", "-n", "100"];
    let report = json(desk.ok(&[&args[..], &["--device", "cpu", "--json"]].concat()).as_bytes());
    assert!(report["composition"].is_array() || report["composition"].is_object(), "{report}");
    desk.train(&["--kimg", "0.1"]);
    let error =
        desk.fails(&["balance", "--data", "phantom:60", "--model", "latest", "--out", "b"], 1);
    assert!(error.contains("--model") && error.contains("class"), "{error}");
}
