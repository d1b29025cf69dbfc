//! Reports on bias with a known answer.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

mod common;

use std::path::Path;

use common::{cache, on, real_data, waves};
use dermagan_data::{Cache, Reading, Sex};
use dermagan_eval::GeneratedImages;
use dermagan_model::ComputeDevice;
use dermagan_trust::{BiasJob, BiasReport, bias};

fn report(real: &str, fake: &Path) -> BiasReport {
    let device = ComputeDevice::cpu();
    let fakes = GeneratedImages::open(fake, &device, 0, 128).unwrap();
    let job = BiasJob { real: real.to_owned(), reading: Reading::default(), number: 100, seed: 0 };
    bias(&job, &fakes, fake, &device, &mut |_| ()).unwrap()
}

/// Writes images of a cache with their table as a folder.
fn write(at: &Path, cache: &Cache, images: &[usize]) {
    std::fs::create_dir_all(at).unwrap();
    let header = cache.header();
    let mut table = "image_id,dx,sex,age\n".to_owned();
    for image in images {
        let record = &header.records[*image];
        let png = cache.image(*image).to_png(&[]).unwrap();
        std::fs::write(at.join(format!("{}.png", record.image_id)), png).unwrap();
        let age = record.age.map_or(String::new(), |age| age.to_string());
        table +=
            &format!("{},{},{},{age}\n", record.image_id, header.classes[record.class], record.sex);
    }
    std::fs::write(at.join("metadata.csv"), table).unwrap();
}

#[test]
fn a_set_with_all_women_removed_is_flagged_and_a_fair_one_is_not() {
    let Some(source) = real_data("ham10000-200x150.zip") else { return };
    let source = source.to_string_lossy().into_owned();
    let (cache, out) = (cache(&source), tempfile::tempdir().unwrap());
    let held = on(&cache, false);
    let men: Vec<usize> = held
        .iter()
        .copied()
        .filter(|i| cache.header().records[*i].sex == Sex::Male)
        .take(300)
        .collect();
    let fair: Vec<usize> = held.iter().copied().step_by(5).collect();
    write(&out.path().join("men"), &cache, &men);
    write(&out.path().join("fair"), &cache, &fair);
    let found = report(&source, &out.path().join("men"));
    let women = |found: &BiasReport| {
        found.findings.iter().any(|finding| finding.starts_with("sex female: 0 %"))
    };
    assert!(women(&found), "{:?}", found.findings);
    let found = report(&source, &out.path().join("fair"));
    assert!(
        !found.findings.iter().any(|finding| finding.starts_with("sex")),
        "{:?}",
        found.findings
    );
    assert!(found.recall.iter().all(|recall| recall.recall.is_some() == (recall.lesions >= 10)));
    assert!(found.surround.iter().all(|colour| !colour.differs), "{:?}", found.surround);
    // Whatever is measured is measured well enough; without the classifier's errors its shares are those of the table.
    for of in &found.amplification {
        assert_eq!(of.measurable, of.auc >= 0.7, "{of:?}");
        assert!(
            of.classes.iter().all(|shift| (shift.held_out - shift.by_table).abs() < 1e-6),
            "{of:?}"
        );
    }
}

#[test]
fn images_without_a_table_are_reported_by_class_and_colour() {
    let folder = tempfile::tempdir().unwrap();
    let source = waves(&folder.path().join("real"), 300);
    let found = report(&source, Path::new("shipped"));
    assert_eq!(found.images, 100);
    assert_eq!(found.composition[0].attribute, "class");
    assert!(found.amplification.is_empty());
    assert!(found.notes.iter().any(|note| note.contains("no table of sex")), "{:?}", found.notes);
    assert!(found.surround[0].differs, "{:?}", found.surround[0]);
}
