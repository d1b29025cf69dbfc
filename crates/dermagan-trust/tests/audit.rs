//! Audits with a known answer.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

mod common;

use std::path::Path;

use common::{cache, on, real_data, waves};
use dermagan_base::image::Image;
use dermagan_base::orientation::Orientation;
use dermagan_data::Cache;
use dermagan_eval::GeneratedImages;
use dermagan_generate::{ImageGenerator, Selection};
use dermagan_model::ComputeDevice;
use dermagan_trust::{AuditJob, AuditReport, TrustError, Verdict, audit, write_without};
use serde_json::json;

/// Writes images with their classes as a folder and opens it.
fn folder(
    at: &Path,
    cache: &Cache,
    images: impl Iterator<Item = (usize, Image)>,
) -> GeneratedImages {
    let mut table = "image_id,dx\n".to_owned();
    for (n, (of, image)) in images.enumerate() {
        std::fs::write(at.join(format!("{n:05}.png")), image.to_png(&[]).unwrap()).unwrap();
        let header = cache.header();
        table += &format!("{n:05},{}\n", header.classes[header.records[of].class]);
    }
    std::fs::write(at.join("metadata.csv"), table).unwrap();
    GeneratedImages::open(at, &ComputeDevice::cpu(), 0, 128).unwrap()
}

fn report(source: &str, fakes: &GeneratedImages) -> AuditReport {
    let job = AuditJob::new(source);
    audit(&job, fakes, None, &ComputeDevice::cpu(), &mut |_| ()).unwrap().report
}

/// A copy that no comparison of bytes finds: turned, moved by two pixels, and darker.
fn disguised(cache: &Cache, image: usize, n: usize) -> Image {
    let plain = cache.image(image).oriented(Orientation::all()[n % 8]);
    let pixels = (0..64 * 64).flat_map(|i| {
        let (x, y) = ((i % 64 + 2).min(63), (i / 64 + 1).min(63));
        let at = (y * 64 + x) * 3;
        plain.pixels[at..at + 3].iter().map(|v| (f32::from(*v) * 0.9) as u8).collect::<Vec<_>>()
    });
    Image { width: 64, height: 64, pixels: pixels.collect() }
}

#[test]
fn a_generator_that_memorised_fifty_images_fails_and_held_out_photographs_do_not() {
    let out = tempfile::tempdir().unwrap();
    let source = &waves(&out.path().join("real"), 600);
    let cache = cache(source);
    let (train, held) = (on(&cache, true), on(&cache, false));
    let (a, b) = (out.path().join("a"), out.path().join("b"));
    [&a, &b].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let fakes = folder(&a, &cache, held.iter().map(|i| (*i, cache.image(*i))));
    let found = report(source, &fakes);
    assert_ne!(found.verdict, Verdict::Fail, "{found:#?}");
    assert!(found.controls.hold(), "{:#?}", found.controls);
    assert_eq!(found.all.images, held.len());

    let memorised = (0..500).map(|n| (train[n % 50], disguised(&cache, train[n % 50], n)));
    let fakes = folder(&b, &cache, memorised);
    let job = AuditJob::new(source);
    let result = audit(&job, &fakes, None, &ComputeDevice::cpu(), &mut |_| ()).unwrap();
    let found = &result.report;
    assert_eq!((found.verdict, found.all.copies_verdict), (Verdict::Fail, Verdict::Fail));
    assert!(found.all.copies.events > 400, "{:?}", found.all.copies);
    assert_eq!(found.all.identical, 0);
    assert!(found.words.starts_with("FAIL"), "{}", found.words);
    assert!(found.authenticity.authentic < found.authenticity.authentic_held_out);
    assert_eq!(result.copies.len(), found.all.copies.events);
    // Without the copies, few images are left, with their bytes and classes.
    let kept = out.path().join("kept");
    let left = write_without(&fakes, &result, &kept).unwrap();
    assert_eq!(left, 500 - result.copies.len());
    let first = (0..500).find(|i| !result.copies.contains(i));
    if let Some(first) = first {
        let name = format!("{first:05}.png");
        assert_eq!(std::fs::read(kept.join(&name)).unwrap(), std::fs::read(b.join(&name)).unwrap());
    }
    let passport: serde_json::Value =
        serde_json::from_slice(&std::fs::read(kept.join("passport.json")).unwrap()).unwrap();
    assert_eq!(
        (&passport["dropped"], &passport["synthetic"]),
        (&json!(result.copies.len()), &json!(true))
    );
    let counts = passport["classes"].as_object().unwrap().values();
    assert_eq!(counts.filter_map(serde_json::Value::as_u64).sum::<u64>(), left as u64);
    let refused: TrustError = write_without(&fakes, &result, &kept).unwrap_err();
    assert!(matches!(refused, TrustError::Setting(_)), "{refused}");
}

#[test]
fn a_training_image_in_any_orientation_fails_at_once() {
    let out = tempfile::tempdir().unwrap();
    let source = &waves(&out.path().join("real"), 400);
    let cache = cache(source);
    let fakes = out.path().join("fakes");
    std::fs::create_dir(&fakes).unwrap();
    let turned = cache.image(on(&cache, true)[3]).oriented(Orientation::all()[5]);
    let held = on(&cache, false);
    let images = held.iter().map(|i| (*i, cache.image(*i))).chain([(held[0], turned)]);
    let found = report(source, &folder(&fakes, &cache, images));
    assert_eq!((found.all.identical, found.all.copies_verdict), (1, Verdict::Fail));
}

#[test]
fn a_set_with_one_percent_of_copies_fails_on_the_real_archive() {
    let Some(source) = real_data("ham10000-200x150.zip") else { return };
    let source = source.to_string_lossy().into_owned();
    let (cache, out) = (cache(&source), tempfile::tempdir().unwrap());
    let (train, held) = (on(&cache, true), on(&cache, false));
    let copies = (0..20).map(|n| (train[n * 399], disguised(&cache, train[n * 399], n)));
    let images = held.iter().map(|i| (*i, cache.image(*i))).chain(copies);
    let found = report(&source, &folder(out.path(), &cache, images));
    assert!(found.controls.hold(), "{:#?}", found.controls);
    assert_eq!(found.all.copies_verdict, Verdict::Fail, "{:?}", found.all);
    assert!(found.all.copies.events >= 20, "{:?}", found.all.copies);
    // Classes of 15 held-out lesions say nothing, and the report says what it would take.
    let of = |code: &str| found.classes.iter().find(|class| class.class == code).unwrap();
    assert!(of("df").verdict != Verdict::Pass && of("df").held_out_lesions < 20);
}

#[test]
fn one_percent_of_copies_fails_in_rare_classes_with_two_thousand_images() {
    let Some(source) = real_data("ham10000-200x150.zip") else { return };
    let source = source.to_string_lossy().into_owned();
    let (cache, out) = (cache(&source), tempfile::tempdir().unwrap());
    let header = cache.header();
    let generator = ImageGenerator::shipped(ComputeDevice::cpu()).unwrap();
    let mut images = Vec::new();
    for code in ["df", "bkl"] {
        let class = header.classes.iter().position(|c| c == code).unwrap();
        let train: Vec<usize> =
            on(&cache, true).into_iter().filter(|i| header.records[*i].class == class).collect();
        let made = Selection { classes: vec![code.into()], ..Selection::first(1980) };
        images.extend(generator.images(&made).unwrap().into_iter().map(|image| (train[0], image)));
        images.extend((0..20).map(|n| (train[n * 4], disguised(&cache, train[n * 4], n))));
    }
    let found = report(&source, &folder(out.path(), &cache, images.into_iter()));
    assert!(found.controls.hold(), "{:#?}", found.controls);
    for code in ["df", "bkl"] {
        let class = found.classes.iter().find(|class| class.class == code).unwrap();
        assert_eq!((class.images, class.copies_verdict), (2000, Verdict::Fail), "{class:?}");
    }
}

#[test]
fn an_audit_is_the_same_each_time_and_names_no_single_image() {
    let source = "phantom:700";
    let fakes = GeneratedImages::open(Path::new("shipped"), &ComputeDevice::cpu(), 0, 128).unwrap();
    let job = AuditJob { number: 100, ..AuditJob::new(source) };
    let run = || audit(&job, &fakes, None, &ComputeDevice::cpu(), &mut |_| ()).unwrap();
    let (first, second) = (run(), run());
    let json = serde_json::to_string(&first.report).unwrap();
    assert_eq!(json, serde_json::to_string(&second.report).unwrap());
    assert!(!json.contains("PHANTOM_0"), "{json}");
    assert_eq!(first.pairs.len(), 20);
    assert!(first.pairs == second.pairs);
}

#[test]
fn too_few_real_images_and_wrong_settings_are_refused() {
    let fakes = GeneratedImages::open(Path::new("shipped"), &ComputeDevice::cpu(), 0, 128).unwrap();
    let run = |job: &AuditJob| {
        let found = audit(job, &fakes, None, &ComputeDevice::cpu(), &mut |_| ());
        found.map(|found| found.report.words).unwrap_err().to_string()
    };
    let few = run(&AuditJob::new("phantom:42"));
    assert!(few.contains("held out"), "{few}");
    let number = run(&AuditJob { number: 99, ..AuditJob::new("phantom:700") });
    assert!(number.contains("`number` = 99: expected 100 to"), "{number}");
}
