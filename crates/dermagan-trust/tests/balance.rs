//! Balanced sets.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{cache, on, real_data, waves};
use dermagan_data::{Reading, Source};
use dermagan_generate::ImageGenerator;
use dermagan_model::ComputeDevice;
use dermagan_shards::{Joined, Shard, ShardDone, ShardRequest};
use dermagan_trust::{
    AuditVerdicts, BalanceJob, Balanced, Target, TrustError, balance, balance_shard,
};

/// The verdicts of an audit of a generator.
fn verdicts(generator: &ImageGenerator, data: &str, failed: &str, void: bool) -> AuditVerdicts {
    let class = |code: &str| {
        let verdict = if code == failed { "fail" } else { "no_verdict" };
        serde_json::json!({"class": code, "verdict": verdict})
    };
    let classes = ["akiec", "bcc", "bkl", "DF", "mel", "nv", "vasc"].map(class);
    let text = serde_json::json!({
        "real": format!("x {}", cache(data).header().fingerprint),
        "fake": format!("x {}", generator.model().hash),
        "words": "no verdict",
        "classes": classes,
        "all": {"verdict": "no_verdict"},
        "controls": {"held_out_passes": !void, "planted_fails": true}
    });
    AuditVerdicts::of_json(&text.to_string()).unwrap()
}

fn job(data: &str, out: &Path) -> BalanceJob {
    BalanceJob {
        data: data.to_owned(),
        reading: Reading::default(),
        to: Target::Times(1.1),
        only: vec!["df".into(), "vasc".into()],
        force: false,
        unaudited: false,
        out: out.to_owned(),
        seed: 3,
    }
}

fn made(job: &BalanceJob, generator: &ImageGenerator) -> Result<Balanced, TrustError> {
    balance(
        job,
        generator,
        &verdicts(generator, &job.data, "vasc", false),
        &ComputeDevice::cpu(),
        None,
        &mut |_| (),
    )
}

/// The bytes of every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.is_dir() {
            true => found.extend(
                files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)),
            ),
            false => drop(found.insert(name, std::fs::read(&path).unwrap())),
        }
    }
    found
}

#[test]
fn a_rare_class_is_filled_and_shards_give_the_same_set() {
    let Some(source) = real_data("ham10000-200x150.zip") else { return };
    let source = source.to_string_lossy().into_owned();
    let generator = ImageGenerator::shipped(ComputeDevice::cpu()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let (whole, shards) = (out.path().join("whole"), out.path().join("shards"));
    let found = made(&job(&source, &whole), &generator).unwrap();
    let of = |code: &str| found.classes.iter().find(|class| class.class == code).unwrap();
    let (df, vasc) = (of("df"), of("vasc"));
    assert_eq!((df.wanted, df.candidates.kept + df.candidates.empty), (9, 9));
    assert!(df.candidates.kept > 0 && df.candidates.made >= df.candidates.kept, "{df:?}");
    assert_eq!((vasc.wanted, vasc.candidates.made), (0, 0));
    assert!(vasc.note.as_deref().unwrap().contains("audit failed"));

    let (device, parts) = (ComputeDevice::cpu(), out.path().join("parts"));
    let (job_of_shards, verdicts) =
        (job(&source, &shards), verdicts(&generator, &source, "vasc", false));
    for (index, was_there) in [(1, false), (0, false), (1, true)] {
        let shard = Shard { index, of: 2 };
        let request = ShardRequest { shard, folder: parts.clone(), line: Vec::new() };
        let done =
            balance_shard(&job_of_shards, &generator, &verdicts, &device, &request, &mut |_| ());
        let items = if index == 0 { 5 } else { 4 };
        assert_eq!(done.unwrap(), ShardDone { items, was_there });
    }
    assert!(!shards.exists(), "a shard writes into the folder of shards only");
    let joined = Joined::open(&parts).unwrap();
    let other = BalanceJob { seed: 4, ..job_of_shards.clone() };
    let refused = balance(&other, &generator, &verdicts, &device, Some(&joined), &mut |_| ());
    assert!(refused.unwrap_err().to_string().contains("other settings"));
    let again = balance(&job_of_shards, &generator, &verdicts, &device, Some(&joined), &mut |_| ());
    assert_eq!(again.unwrap().classes, found.classes);
    let (one, two) = (files(&whole), files(&shards));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    assert!(one == two, "a shard made other bytes");
    // Again: nothing is left to make, and another set is refused.
    assert_eq!(made(&job(&source, &whole), &generator).unwrap().classes, found.classes);
    let other = BalanceJob { seed: 4, ..job(&source, &whole) };
    assert!(made(&other, &generator).unwrap_err().to_string().contains("other settings"));
    check_set(&source, &whole, df.candidates.kept);
}

/// Checks the set: a loader takes it, it holds the training side only, and the table marks what was generated.
fn check_set(source: &str, set: &Path, generated: usize) {
    let real = cache(source);
    let train = on(&real, true).len();
    let reading = Reading { keep_synthetic: true, ..Reading::default() };
    let all = Source::open_with(&set.to_string_lossy(), reading).unwrap();
    assert_eq!(all.records.len(), train + generated);
    let photographs = Source::open(&set.to_string_lossy()).unwrap();
    assert_eq!(photographs.records.len(), train);
    let lesions = |source: &Source| -> std::collections::BTreeSet<String> {
        source.records.iter().filter_map(|record| record.lesion_id.clone()).collect()
    };
    let added: Vec<String> = lesions(&all).difference(&lesions(&photographs)).cloned().collect();
    assert_eq!(added.len(), generated);
    assert!(added.iter().all(|id| id.starts_with("SYN_")), "{added:?}");
    let held: std::collections::BTreeSet<&str> =
        on(&real, false).into_iter().map(|i| real.header().records[i].image_id.as_str()).collect();
    assert!(all.records.iter().all(|record| !held.contains(record.image_id.as_str())));
    let passport: serde_json::Value =
        serde_json::from_slice(&std::fs::read(set.join("passport.json")).unwrap()).unwrap();
    assert_eq!(passport["not_for_diagnosis"], true);
    assert_eq!(passport["classes"]["df"]["generated"], generated);
    assert_eq!(passport["training_data"]["images"], train);
}

#[test]
fn wrong_requests_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let source = waves(&folder.path().join("real"), 300);
    let out = folder.path().join("out");
    let generator = ImageGenerator::shipped(ComputeDevice::cpu()).unwrap();
    let unknown = made(&job(&source, &out), &generator).unwrap_err().to_string();
    assert!(unknown.contains("`only` = df: no class of the training side"), "{unknown}");
    let base = BalanceJob { only: Vec::new(), ..job(&source, &out) };
    let with = |audit: &AuditVerdicts, job: &BalanceJob| {
        balance(job, &generator, audit, &ComputeDevice::cpu(), None, &mut |_| ())
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let good = verdicts(&generator, &source, "", false);
    let other = AuditVerdicts { fake: "another model".into(), ..good.clone() };
    assert!(with(&other, &base).contains("`audit`"));
    let other = AuditVerdicts { real: "other photographs".into(), ..good.clone() };
    assert!(with(&other, &base).contains("other photographs"));
    let void = verdicts(&generator, &source, "", true);
    assert!(with(&void, &base).contains("`unaudited`"));
    assert!(!out.exists());
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("thesis.txt"), "mine").unwrap();
    let refused = made(&base, &generator).unwrap_err().to_string();
    assert!(refused.contains("thesis.txt"), "{refused}");
    assert!(AuditVerdicts::of_json("{}").is_err() && AuditVerdicts::of_json("x").is_err());
}
