//! Runs `dermagan eval`, `encoder train` and `train --metrics` as processes.

mod common;

use common::*;
use serde_json::Value;

const CPU: [&str; 2] = ["--device", "cpu"];

/// Runs `eval --json` on the CPU with the flags `args` and returns its report.
fn report(desk: &Desk, args: &[&str]) -> Value {
    let out = desk.ok(&[&["eval", "--json"], args, &CPU[..]].concat());
    serde_json::from_str(&out).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
fn real_images_are_indistinguishable_from_real_ones_and_flat_images_are_not() {
    let desk = Desk::new();
    desk.ok(&["prepare", "phantom:600", "--size", "64", "--out", "real.dermagan"]);
    let real = ["--real", "phantom:600", "--split", "all", "-n", "200"];
    let same = report(&desk, &[&real[..], &["--fake", "real.dermagan"]].concat());
    let words = same["words"].as_str().unwrap();
    assert!(words.contains("cannot tell them from real"), "{words}");
    assert!(words.contains("all 200 images are equal to a real one"), "{words}");
    assert_eq!(same["features"][0]["overall"]["n"], 200);
    assert!(number(&same["features"][0]["overall"]["coverage"]["fake"]) > 0.9, "{same}");
    // Each image of this folder has a single colour.
    std::fs::create_dir(desk.join("flat")).unwrap();
    for i in 0..200u8 {
        let image = image::RgbImage::from_pixel(64, 64, image::Rgb([i, 255 - i, 128]));
        image.save(desk.join(&format!("flat/{i}.png"))).unwrap();
    }
    let flat = report(&desk, &[&real[..], &["--fake", "flat"]].concat());
    let words = flat["words"].as_str().unwrap();
    assert!(words.contains("unlike the real ones: KID"), "{words}");
    // Both networks see it, and a classifier on the features of either. The sentence rests on one of them.
    let mut rests_on = 0;
    for (i, name) in ["lesion", "imagenet"].into_iter().enumerate() {
        let (same, flat) = (&same["features"][i], &flat["features"][i]);
        assert_eq!((&same["name"], &flat["name"]), (&name.into(), &name.into()));
        assert!(number(&flat["overall"]["auc"]["fake"]) > 0.98, "{flat}");
        assert!(number(&same["overall"]["auc"]["fake"]) < 0.6, "{same}");
        let rests = words == format!("{}, by {name} features", flat["words"].as_str().unwrap());
        rests_on += usize::from(rests);
    }
    assert_eq!(rests_on, 1, "{words}");
    assert!(
        number(&flat["features"][0]["overall"]["kid"]["fake"])
            > number(&same["features"][0]["overall"]["kid"]["fake"])
    );
    assert!(number(&flat["features"][0]["overall"]["coverage"]["fake"]) < 0.5, "{flat}");
    let first = flat["off"][0]["effect"].as_f64().unwrap();
    assert!(first.abs() > 1.0 || flat["off"][0]["spread"].as_f64().unwrap().abs() > 1.0);
}

#[test]
fn a_run_and_its_checkpoint_model_and_image_folder_have_the_same_figures() {
    let desk = Desk::new();
    desk.train(&["--outdir", "runs", "--kimg", "0.2"]);
    let run = desk.run_folder("runs");
    let run = run.to_str().unwrap();
    desk.ok(&["sample", run, "-n", "40", "--out", "images", "--device", "cpu"]);
    let real = ["--real", "phantom:200", "--split", "all", "-n", "40"];
    let model = format!("{run}/generator.safetensors");
    let checkpoint = format!("{run}/checkpoint-000000.200.safetensors");
    let mut reports: Vec<Value> = [run, &model, &checkpoint, "images"]
        .into_iter()
        .map(|fake| report(&desk, &[&real[..], &["--fake", fake]].concat()))
        .collect();
    let first = reports.remove(0);
    assert!(number(&first["features"][0]["overall"]["kid"]["fake"]).is_finite());
    for other in reports {
        assert_eq!(first["features"], other["features"]);
    }
    let table = desk.ok(&[&["eval"], &real[..], &["--fake", run], &CPU[..]].concat());
    assert!(table.contains("KID") && table.contains("coverage"), "{table}");
}

#[test]
fn per_class_uses_labels_if_there_are_any_and_the_encoder_otherwise() {
    let desk = Desk::new();
    desk.ok(&["prepare", "phantom:400", "--size", "64", "--out", "real.dermagan"]);
    let real = ["--real", "phantom:400", "--split", "all", "-n", "100", "--per-class"];
    let labelled = report(&desk, &[&real[..], &["--fake", "real.dermagan"]].concat());
    let classes = labelled["features"][0]["classes"].as_array().unwrap();
    assert!(!classes.is_empty());
    assert!(classes.iter().all(|c| c["basis"] == "labels"), "{labelled}");
    assert!(classes.iter().any(|c| c["comparison"]["kid"]["fake"].is_number()));
    // The median distance of vectors of 384 numbers with variance 1 is about 28.
    assert!((14.0..56.0).contains(&number(&labelled["features"][0]["width"])), "{labelled}");
    // Both halves together have twice the real images, so the standard error is smaller.
    let all: Vec<_> = classes
        .iter()
        .filter(|c| c["of_all"].is_object() && c["comparison"]["kid"].is_object())
        .collect();
    assert!(!all.is_empty(), "{labelled}");
    for class in all {
        let (of_all, halves) = (&class["of_all"], &class["comparison"]);
        assert!(of_all["real"].as_u64().unwrap() >= 2 * halves["n"].as_u64().unwrap());
        let error = |of: &str| number(&of_all[of]["standard_error"]);
        assert!(error("kid") < number(&halves["kid"]["fake_se"]), "{class}");
        // The generated images are the real ones, so the MMD is below zero by the similarity of each image to itself.
        let mmd = number(&of_all["mmd"]["value"]);
        assert!((-0.2..0.0).contains(&mmd) && error("mmd") < 0.05, "{class}");
    }
    let table = desk.ok(&[&["eval"], &real[..], &["--fake", "real.dermagan"], &CPU[..]].concat());
    assert!(table.contains("both halves of a class"), "{table}");
    desk.train(&["--outdir", "runs", "--kimg", "0.05"]);
    let run = desk.run_folder("runs");
    let unknown = report(&desk, &[&real[..], &["--fake", run.to_str().unwrap()]].concat());
    assert!(
        unknown["features"][0]["classes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|c| c["basis"] == "encoder")
    );
    assert!(unknown["notes"].to_string().contains("no labels"));
}

#[test]
fn eval_offers_other_features_saved_features_and_nearest_images() {
    let desk = Desk::new();
    desk.train(&["--outdir", "runs", "--kimg", "0.05"]);
    let run = desk.run_folder("runs");
    let fake = ["--fake", run.to_str().unwrap()];
    let real = ["--real", "phantom:200", "-n", "50"];
    let more = ["--features", "handmade", "--save-features", "f.npz", "--nearest", "near.png"];
    let found = report(&desk, &[&real[..], &fake, &more].concat());
    assert_eq!(found["features"][0]["dims"], 57);
    assert_eq!(&std::fs::read(desk.join("f.npz")).unwrap()[..2], b"PK");
    let near = image::open(desk.join("near.png")).unwrap();
    assert_eq!(near.width(), 4 * 2 * 32 + 3 * 4, "four pairs of 32-pixel images per row");
    // The second evaluation reads the features of the real images from the cache.
    let again = report(&desk, &[&real[..], &fake, &more].concat());
    assert_eq!(found, again);
    let kept = || std::fs::read_dir(desk.join("cache/features")).unwrap().count();
    assert_eq!(kept(), 1);
    for file in std::fs::read_dir(desk.join("cache/features")).unwrap() {
        std::fs::write(file.unwrap().path(), b"damaged").unwrap();
    }
    assert_eq!(
        found,
        report(&desk, &[&real[..], &fake, &more].concat()),
        "damaged files are ignored"
    );
    // Each kind of features has a file of its own, so that another choice of kinds uses it too.
    let both =
        ["--features", "lesion,handmade", "--save-features", "f.npz", "--worst", "worst.png"];
    let out = desk.run(&[&["eval", "--json"], &real[..], &fake, &both, &CPU].concat());
    let both: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(both["features"][1], found["features"][0]);
    assert_eq!(kept(), 2);
    let arrays = dermagan_eval::npz::read(&desk.join("f.npz")).unwrap();
    let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["real_lesion", "fake_lesion", "real_handmade", "fake_handmade"]);
    // 50 images are of fewer than 50 lesions.
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("worst.png was not written: there are too few images"), "{said}");
    assert!(!desk.join("worst.png").exists());
    let more =
        ["--real", "phantom:600", "-n", "90", "--features", "lesion", "--worst", "worst.png"];
    report(&desk, &[&more[..], &fake].concat());
    let worst = image::open(desk.join("worst.png")).unwrap();
    assert_eq!((worst.width(), worst.height()), (8 * 32, 8 * 32), "64 images in rows of 8");
    let words =
        String::from_utf8_lossy(&std::fs::read(desk.join("worst.png")).unwrap()).into_owned();
    assert!(words.contains("SYNTHETIC") && words.contains("tells most easily"));
}

/// The name of the metric that chose the best snapshot.
fn best_metric(run: &std::path::Path) -> String {
    let best: Value =
        serde_json::from_slice(&std::fs::read(run.join("best.json")).unwrap()).unwrap();
    best["metric"].as_str().unwrap().to_owned()
}

#[test]
fn metrics_do_not_change_a_run_and_keep_its_best_snapshot() {
    let desk = Desk::new();
    let schedule = ["--kimg", "0.6", "--snap", "0.2"];
    desk.train(&[&["--outdir", "plain"], &schedule[..]].concat());
    let out =
        desk.train(&[&["--outdir", "measured", "--metrics", "kid,pr"], &schedule[..]].concat());
    assert!(out.contains("the best so far"), "{out}");
    let (plain, measured) = (desk.run_folder("plain"), desk.run_folder("measured"));
    assert_same_end(&plain, &measured, "000000.600");
    let lines = |prefix: &str| -> Vec<Value> {
        let file = std::fs::read_dir(&measured).unwrap().flatten().find(|f| {
            let name = f.file_name().to_string_lossy().into_owned();
            name.starts_with(prefix) && name.ends_with(".jsonl")
        });
        let text = std::fs::read_to_string(file.expect(prefix).path()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    // Both networks are asked, and the one that never saw a lesion chooses the best.
    let kid = lines(&format!("metric-{}", best_metric(&measured)));
    assert_eq!(kid.len(), 3);
    let images = best_metric(&measured).replace("kid", "").replace("_imagenet", "");
    for metric in ["kid", "pr"] {
        for features in ["lesion", "imagenet"] {
            let name = format!("metric-{metric}{images}_{features}");
            assert_eq!(lines(&name).len(), 3, "{name}");
        }
    }
    let name = kid[0]["metric"].as_str().unwrap().to_owned();
    let values: Vec<f64> = kid.iter().map(|line| number(&line["results"][&name])).collect();
    let best: Value =
        serde_json::from_slice(&std::fs::read(measured.join("best.json")).unwrap()).unwrap();
    assert_eq!(number(&best["value"]), values.iter().copied().fold(f64::INFINITY, f64::min));
    assert!(measured.join("generator-best.safetensors").is_file());
    // A run that resumes from an earlier checkpoint measures the later snapshots again, once each.
    let from = measured.join("checkpoint-000000.200.safetensors");
    desk.ok(&[
        "train",
        "--resume",
        from.to_str().unwrap(),
        "--metrics",
        "kid,pr",
        "--device",
        "cpu",
    ]);
    let again: Vec<f64> = lines(&format!("metric-{name}"))
        .iter()
        .map(|line| number(&line["results"][&name]))
        .collect();
    assert_eq!(values, again);
}

#[test]
fn encoder_train_is_deterministic_and_eval_accepts_its_encoder() {
    let desk = Desk::new();
    let train = |out: &str| {
        let args = ["encoder", "train", "--data", "phantom:300", "--kimg", "2", "--width", "16"];
        desk.ok(&[&args[..], &["--out", out], &CPU[..]].concat())
    };
    let out = train("a");
    assert!(out.contains("balanced accuracy"), "{out}");
    train("b");
    let read = |out: &str| std::fs::read(desk.join(out).join("encoder.safetensors")).unwrap();
    assert!(read("a") == read("b"));
    let card = std::fs::read_to_string(desk.join("a/README.md")).unwrap();
    assert!(card.contains("balanced accuracy on") && card.contains("encoder train"), "{card}");
    desk.ok(&["prepare", "phantom:300", "--size", "64", "--out", "real.dermagan"]);
    let args = ["--real", "phantom:300", "--fake", "real.dermagan", "-n", "60"];
    let found = report(&desk, &[&args[..], &["--weights", "a/encoder.safetensors"]].concat());
    assert_eq!(found["features"][0]["dims"], 16 * 12);
    // An encoder of larger images has a layer more and looks at their whole size.
    let large = ["encoder", "train", "--data", "phantom:300", "--kimg", "0.2", "--width", "4"];
    desk.ok(&[&large[..], &["--size", "128", "--out", "large"], &CPU[..]].concat());
    let found = report(&desk, &[&args[..], &["--weights", "large/encoder.safetensors"]].concat());
    assert_eq!(found["features"][0]["dims"], 4 * 24);
    let card = std::fs::read_to_string(desk.join("large/README.md")).unwrap();
    assert!(card.contains("128×128 RGB") && card.contains("--size 128"), "{card}");
    let odd = [&large[..], &["--size", "96", "--out", "odd"], &CPU[..]].concat();
    assert!(desk.fails(&odd, 1).contains("--size 96: expected 64 or 128"));
    std::fs::write(desk.join("cut.safetensors"), &read("a")[..20_000]).unwrap();
    let args = [&["eval"], &args[..], &["--weights", "cut.safetensors"], &CPU[..]].concat();
    assert!(desk.fails(&args, 1).contains("train one"));
}

#[test]
fn errors_of_eval_say_what_to_do_next() {
    let desk = Desk::new();
    let eval = |args: &[&str]| {
        desk.fails(&[&["eval", "--real", "phantom:60"], args, &CPU[..]].concat(), 1)
    };
    assert!(eval(&["--fake", "nowhere"]).contains("no such file or folder"));
    std::fs::create_dir(desk.join("empty")).unwrap();
    desk.train(&["--outdir", "several", "--kimg", "0.02"]);
    let runs = eval(&["--fake", "several"]);
    assert!(runs.contains("it holds runs; name one of them, such as several/00000-"), "{runs}");
    assert!(eval(&["--fake", "empty"]).contains("no images in it"));
    std::fs::create_dir(desk.join("bad")).unwrap();
    std::fs::write(desk.join("bad/a.png"), b"\x89PNG\r\n\x1a\n and no more").unwrap();
    assert!(eval(&["--fake", "bad"]).contains("a.png"));
    let inception = eval(&["--fake", "phantom", "--features", "inception"]);
    assert!(inception.contains("scripts/fetch-weights"), "{inception}");
    assert!(eval(&["--fake", "phantom", "-n", "1"]).contains("--number 1"));
    let twice = eval(&["--fake", "phantom", "--features", "lesion,lesion"]);
    assert!(twice.contains("--features lesion,lesion: expected one or more, each once"), "{twice}");
    let none = eval(&["--fake", "phantom", "--features", "imagenet", "--weights", "a.safetensors"]);
    assert!(none.contains("takes no --weights"), "{none}");
    let metrics = desk.fails(&["train", "--metrics", "beauty"], 2);
    assert!(metrics.contains("kid") && metrics.contains("fid"), "{metrics}");
}
