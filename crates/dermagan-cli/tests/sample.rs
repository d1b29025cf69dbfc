//! Runs `sample`: images, grids, walks, and their file names.

mod common;
#[path = "../../dermagan-model/tests/torch_file/mod.rs"]
mod torch_file;

use std::collections::BTreeMap;
use std::path::Path;

use common::*;
use dermagan_data::{Reading, Source};
use dermagan_model::{ComputeDevice, Init, ModelConfig, Network};
use torch_file::{Py, adam, dict, state, torch_file, zeros};

#[test]
fn samples_are_named_by_seed_and_do_not_depend_on_the_batch_size() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    desk.ok(&["sample", "--seeds", "0-9,42", "--out", "a", "--batch", "1", "--device", "cpu"]);
    desk.ok(&[
        "sample",
        "runs/00000-phantom-tiny",
        "--seeds",
        "0-9,42",
        "--out",
        "b",
        "--batch",
        "7",
        "--device",
        "cpu",
    ]);
    for seed in (0..10).chain([42]) {
        let name = format!("seed{seed:04}.png");
        let read = |folder: &str| std::fs::read(desk.join(folder).join(&name)).unwrap();
        assert_eq!(read("a"), read("b"), "{name}");
    }
    let table = std::fs::read_to_string(desk.join("a/metadata.csv")).unwrap();
    assert_eq!(table.lines().next(), Some("lesion_id,image_id,dx,dx_type,age,sex,localization"));
    assert_eq!(table.lines().count(), 12);
    let passport = std::fs::read(desk.join("a/passport.json")).unwrap();
    let passport: serde_json::Value = serde_json::from_slice(&passport).unwrap();
    assert_eq!(
        (&passport["synthetic"], &passport["not_for_diagnosis"]),
        (&true.into(), &true.into())
    );
    assert_eq!(passport["seeds"], serde_json::json!(["0-9", "42-42"]));
    assert_eq!(passport["classes"], serde_json::json!({"unknown": 11}));
    assert_eq!(passport["generator"]["data"], "phantom");
    let reader = png::Decoder::new(std::io::BufReader::new(
        std::fs::File::open(desk.join("a/seed0042.png")).unwrap(),
    ))
    .read_info()
    .unwrap();
    let chunks: Vec<(String, String)> = reader
        .info()
        .uncompressed_latin1_text
        .iter()
        .map(|t| (t.keyword.clone(), t.text.clone()))
        .collect();
    let value = |key: &str| chunks.iter().find(|c| c.0 == key).map(|c| c.1.as_str()).unwrap();
    assert_eq!((value("dermagan:seed"), value("dermagan:model").len()), ("42", 64));
    assert!(value("Description").starts_with("SYNTHETIC"));
}

#[test]
fn a_grid_is_one_image_and_truncation_zero_makes_its_images_equal() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    desk.ok(&["sample", "--grid", "4x2", "--out", "g.png", "--device", "cpu"]);
    assert_eq!(image::image_dimensions(desk.join("g.png")).unwrap(), (4 * 32, 2 * 32));
    desk.ok(&["sample", "--grid", "2x1", "--trunc", "0", "--out", "t.png", "--device", "cpu"]);
    let image = image::open(desk.join("t.png")).unwrap().into_rgb8();
    assert!((0..32).all(|x| image.get_pixel(x, 5) == image.get_pixel(x + 32, 5)));
    assert!(desk.fails(&["sample", "--grid", "2x2", "-n", "3"], 1).contains("holds 4"));
    assert!(desk.fails(&["sample", "-n", "4", "--out", "x.png"], 1).contains("--grid"));
}

#[test]
fn a_walk_is_an_animation_that_can_be_decoded() {
    use image::AnimationDecoder;
    let desk = Desk::new();
    desk.train(&["--kimg", "0.02"]);
    let walk = ["sample", "--device", "cpu", "--interpolate", "0,3", "--frames", "3"];
    let open = |name: &str| std::io::Cursor::new(std::fs::read(desk.join(name)).unwrap());
    let words = desk.ok(&walk);
    assert!(words.contains("a walk of 6 synthetic images"), "{words}");
    let comment = open("walk.gif").into_inner()[13..300].to_vec();
    assert!(text(&comment).contains("SYNTHETIC"), "the comment comes before the first frame");
    let gif = image::codecs::gif::GifDecoder::new(open("walk.gif")).unwrap();
    let frames = gif.into_frames().collect_frames().unwrap();
    assert_eq!((frames.len(), frames[0].buffer().dimensions()), (6, (128, 128)));
    desk.ok(&[&walk[..], &["--out", "w.png", "--scale", "1"]].concat());
    desk.ok(&["sample", "--seeds", "0", "--out", "s", "--device", "cpu"]);
    let png = image::codecs::png::PngDecoder::new(open("w.png")).unwrap();
    let frames = png.apng().unwrap().into_frames().collect_frames().unwrap();
    assert_eq!(frames.len(), 6);
    let own = image::open(desk.join("s/seed0000.png")).unwrap().into_rgba8();
    assert_eq!(*frames[0].buffer(), own);
    let fails = |more: &[&str], code| desk.fails(&[&walk[..], more].concat(), code);
    assert!(fails(&["--out", "walk.mp4"], 1).contains("such as walk.gif"));
    assert!(fails(&["--grid", "2x2"], 2).contains("--grid"));
    assert!(fails(&["-n", "4"], 2).contains("--number"));
    assert!(fails(&["--seeds", "4"], 2).contains("--seeds"));
    assert!(desk.fails(&["sample", "--interpolate", "3"], 1).contains("such as 0,5,9"));
    assert!(desk.fails(&["sample", "--frames", "3"], 2).contains("--interpolate"));
}

#[test]
fn samples_of_a_model_of_one_class_are_labelled_and_can_be_a_source() {
    let desk = Desk::new();
    desk.train(&[
        "--kimg",
        "0.05",
        "--classes",
        "mel",
        "--balanced",
        "--mirror",
        "--quarter-turns",
    ]);
    desk.ok(&["sample", "-n", "5", "--out", "s", "--device", "cpu"]);
    let place = desk.join("s").to_string_lossy().into_owned();
    let error = Source::open(&place).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("a generator made its 5 images"), "{error}");
    let keep = Reading { keep_synthetic: true, ..Reading::default() };
    let source = Source::open_with(&place, keep).unwrap();
    assert_eq!(source.records.len(), 5);
    assert!(source.records.iter().all(|r| source.classes[r.class] == "mel"));
    assert!(source.problems.is_empty(), "{:?}", source.problems);
    assert!(
        desk.fails(&["train", "--data", "phantom:60", "--preset", "tiny", "--classes", "xyz"], 1)
            .contains("akiec, bcc")
    );
}

#[test]
fn sample_rejects_requests_that_it_cannot_fulfil() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.05"]);
    let refused = |more: &[&str], code: i32, words: &str| {
        let error = desk.fails(&[&["sample"], more].concat(), code);
        assert!(error.contains(words), "{more:?}: {error}");
    };
    refused(&["--class", "all", "--grid", "8x7"], 1, "makes no class on demand");
    refused(&["--class", "all", "-n", "2"], 1, "makes no class on demand");
    refused(&["--interpolate", "0-1", "--class", "all"], 1, "makes no class on demand");
    refused(&["shipped", "--class", "all,mel", "-n", "1"], 1, "`all` alone stands for");
    refused(&["--frames", "3", "--grid", "2x2"], 2, "--frames");
    refused(&["-n", "1", "--out", "x.jpg"], 1, "PNG");
    assert!(!desk.join("x.jpg").exists());
    desk.ok(&["sample", "shipped", "--class", "mel, df", "-n", "1", "--out", "two"]);
    assert!(desk.join("two/df-seed0000.png").is_file());
}

#[test]
fn new_samples_are_not_mixed_with_other_samples() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.02"]);
    desk.ok(&["sample", "-n", "4", "--out", "s", "--device", "cpu"]);
    desk.ok(&["sample", "-n", "6", "--out", "s", "--device", "cpu"]);
    let error = desk.fails(&["sample", "-n", "2", "--out", "s", "--device", "cpu"], 1);
    assert!(error.contains("not part of this set"), "{error}");
    // The last "-seed" separates class and seed: a class name may contain "-seed" too.
    std::fs::create_dir(desk.join("t")).unwrap();
    std::fs::write(desk.join("t").join("a-seed1-seed0001.png"), "").unwrap();
    let error = desk.fails(&["sample", "-n", "1", "--out", "t", "--device", "cpu"], 1);
    assert!(error.contains("a-seed1-seed0001.png, which dermagan did not write"), "{error}");
    // Nor with those of another model or another truncation.
    let error = desk.fails(&["sample", "shipped", "-n", "6", "--out", "s", "--device", "cpu"], 1);
    assert!(error.contains("of another model"), "{error}");
    let half = ["sample", "-n", "6", "--trunc", "0.5", "--out", "s", "--device", "cpu"];
    let error = desk.fails(&half, 1);
    assert!(error.contains("an image of another psi (1)"), "{error}");
}

/// The files of a folder and their bytes.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.map(|path| (name(&path), std::fs::read(&path).unwrap_or_default())).collect()
}

#[test]
fn a_folder_with_files_of_others_is_refused_and_stays_as_it_is() {
    let desk = Desk::new();
    let table = "lesion_id,image_id,dx,dx_type,age,sex,localization\n";
    let real = "HAM_0,ISIC_0,mel,histo,80.0,male,back\n";
    // Rows of others may be synthetic too: the mark is the id of the model and of the image.
    let others = "SYN_00000,syn_00000,mel,synthetic,,unknown,unknown\n";
    for (file, bytes) in [
        ("metadata.csv", [table, real].concat()),
        ("metadata.csv", [table, others].concat()),
        ("metadata.csv", "file_name,text\na.png,b\n".to_owned()),
        ("metadata.csv.partial", "years of work".to_owned()),
        ("passport.json", "{\"name\": \"of a person\"}".to_owned()),
        ("ISIC_0.jpg", "a photograph".to_owned()),
        ("seed0000.png", "not even a PNG".to_owned()),
        ("notes.txt", String::new()),
        ("sub/a.txt", String::new()),
    ] {
        let folder = tempfile::tempdir_in(desk.path()).unwrap();
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let before = contents(folder.path());
        let out = folder.path().to_str().unwrap();
        let error =
            desk.fails(&["sample", "shipped", "-n", "2", "--out", out, "--device", "cpu"], 1);
        let first = file.split('/').next().unwrap();
        assert!(
            error.contains(&format!("it holds {first}, which dermagan did not write")),
            "{error}"
        );
        assert_eq!(contents(folder.path()), before, "{file}");
    }
    // A photograph under the name of an image.
    let photo = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, 9]));
    std::fs::create_dir(desk.join("p")).unwrap();
    photo.save(desk.join("p/seed0001.png")).unwrap();
    let error = desk.fails(&["sample", "shipped", "-n", "2", "--out", "p", "--device", "cpu"], 1);
    assert!(error.contains("it holds seed0001.png, which dermagan did not write"), "{error}");
    // An empty folder, and what systems leave in one, are fine.
    std::fs::create_dir(desk.join("empty")).unwrap();
    std::fs::write(desk.join("empty/.DS_Store"), "x").unwrap();
    desk.ok(&["sample", "shipped", "-n", "1", "--out", "empty", "--device", "cpu"]);
}

#[test]
fn a_set_that_was_interrupted_goes_on_and_ends_in_the_same_bytes() {
    let desk = Desk::new();
    let sample = |out: &str, n: &str| {
        desk.ok(&[
            "sample", "shipped", "--class", "mel,df", "-n", n, "--out", out, "--device", "cpu",
        ])
    };
    let words = sample("whole", "6");
    assert!(!words.contains("already"), "{words}");
    sample("part", "3");
    // What a kill leaves: no table, a part of an image, and an image that a power cut emptied.
    std::fs::remove_file(desk.join("part/metadata.csv")).unwrap();
    std::fs::write(desk.join("part/metadata.csv.partial"), "lesion_id,image_id,dx,dx_t").unwrap();
    std::fs::write(desk.join("part/mel-seed0004.png.partial"), "half").unwrap();
    std::fs::write(desk.join("part/mel-seed0000.png"), vec![0; 900]).unwrap();
    let kept = desk.join("part/df-seed0002.png");
    let written = std::fs::metadata(&kept).unwrap().modified().unwrap();
    let words = sample("part", "6");
    assert!(
        words.contains("12 synthetic images") && words.contains("; 5 of them were there already"),
        "{words}"
    );
    assert_eq!(contents(&desk.join("part")), contents(&desk.join("whole")));
    assert_eq!(
        std::fs::metadata(&kept).unwrap().modified().unwrap(),
        written,
        "it was not made again"
    );
    assert!(sample("part", "6").contains("; 12 of them were there already"));
    // A damaged image of the set is made again.
    let path = desk.join("part/mel-seed0001.png");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 200]).unwrap();
    assert!(sample("part", "6").contains("; 11 of them were there already"));
    assert_eq!(contents(&desk.join("part")), contents(&desk.join("whole")));
}

#[test]
fn a_folder_that_is_named_like_a_file_is_refused_with_what_to_type() {
    let desk = Desk::new();
    for (out, words) in [
        ("x.npz", "type --out x; dermagan writes no arrays"),
        ("x.tgz", "type --out x, and pack the folder afterwards"),
        ("a/images.tar.gz", "type --out a/images, and pack"),
        ("x.PNG", "give --grid"),
        ("x.mp4", "give --interpolate"),
        ("x.csv", "type --out x; dermagan writes no .csv files"),
        ("x.safetensors", "type --out x;"),
    ] {
        let error =
            desk.fails(&["sample", "shipped", "-n", "1", "--out", out, "--device", "cpu"], 1);
        assert!(error.contains(words), "{out}: {error}");
        assert!(!desk.join(out).exists());
    }
    std::fs::write(desk.join("file"), "mine").unwrap();
    let error = desk.fails(&["sample", "shipped", "-n", "1", "--out", "file"], 1);
    assert!(error.contains("this is a file"), "{error}");
    // A number is no ending of a file.
    desk.ok(&[
        "sample", "shipped", "-n", "1", "--trunc", "0.5", "--out", "psi0.5", "--device", "cpu",
    ]);
}

#[test]
fn a_grid_or_a_walk_replaces_only_generated_images() {
    let desk = Desk::new();
    let photo = image::RgbImage::from_pixel(8, 8, image::Rgb([200, 150, 120]));
    for (kind, out) in
        [("--grid=2x1", "p.png"), ("--interpolate=0,1", "q.png"), ("--interpolate=0,1", "q.gif")]
    {
        photo.save(desk.join(out)).unwrap();
        let before = std::fs::read(desk.join(out)).unwrap();
        let sample = ["sample", "shipped", kind, "--out", out, "--device", "cpu"];
        let error = desk.fails(&sample, 1);
        assert!(error.contains("a file of this name, which dermagan did not write"), "{error}");
        assert_eq!(std::fs::read(desk.join(out)).unwrap(), before);
        std::fs::remove_file(desk.join(out)).unwrap();
        desk.ok(&sample);
        desk.ok(&sample);
        assert_ne!(std::fs::read(desk.join(out)).unwrap(), before);
    }
}

#[test]
fn a_folder_of_runs_that_is_named_is_searched_and_nothing_takes_its_place() {
    let desk = Desk::new();
    std::fs::create_dir(desk.join("empty")).unwrap();
    for outdir in ["out", "empty"] {
        for command in [&["sample", "--seeds", "1-5"][..], &["export", "--out", "g.safetensors"]] {
            let error = desk.fails(&[command, &["--outdir", outdir]].concat(), 1);
            assert!(
                error.contains(&format!("--outdir {outdir}: no run with a generator")),
                "{error}"
            );
            assert!(error.contains("--out") && error.contains("shipped"), "{error}");
        }
    }
    assert!(!desk.join("samples").exists() && !desk.join("g.safetensors").exists());
    // Beside a model that is named it would have no effect.
    for command in
        [&["sample", "shipped", "--seeds", "1"][..], &["export", "shipped"], &["info", "shipped"]]
    {
        let error = desk.fails(&[command, &["--outdir", "out"]].concat(), 1);
        assert!(error.contains("--outdir out: ") && error.contains("shipped is named"), "{error}");
    }
    desk.train(&["--kimg", "0.02", "--outdir", "r"]);
    let out = desk.ok(&["sample", "--outdir", "r", "-n", "1", "--out", "s", "--device", "cpu"]);
    assert!(out.contains("of r/00000-phantom-tiny/generator.safetensors"), "{out}");
    let error = desk.fails(&["sample", "r", "-n", "1", "--out", "t"], 1);
    assert!(
        error.contains("r holds runs; name one of them, such as r/00000-phantom-tiny"),
        "{error}"
    );
}

#[test]
fn a_checkpoint_is_sampled_exported_and_described_as_the_generator_of_its_run() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.05"]);
    let run = desk.run_folder("runs");
    let checkpoint =
        contents(&run).into_keys().find(|name| name.starts_with("checkpoint-000000.0")).unwrap();
    let checkpoint = run.join(checkpoint);
    let (run, checkpoint) = (run.to_str().unwrap(), checkpoint.to_str().unwrap());
    for (model, out) in [(run, "a"), (checkpoint, "b")] {
        desk.ok(&["sample", model, "-n", "4", "--out", out, "--device", "cpu"]);
        let file = format!("{out}.safetensors");
        desk.ok(&["export", model, "--out", &file]);
    }
    assert_eq!(contents(&desk.join("a")), contents(&desk.join("b")));
    let read = |name: &str| std::fs::read(desk.join(name)).unwrap();
    assert_eq!(read("a.safetensors"), read("b.safetensors"));
    assert!(desk.ok(&["info", checkpoint]).contains("checkpoint"));
    // A run that has lost its generator names the checkpoint instead.
    std::fs::remove_file(Path::new(run).join("generator.safetensors")).unwrap();
    let error = desk.fails(&["sample", run, "-n", "1", "--out", "c"], 1);
    assert!(error.contains(checkpoint), "{error}");
    let bytes = std::fs::read(checkpoint).unwrap();
    std::fs::write(checkpoint, &bytes[..bytes.len() - 9]).unwrap();
    let error = desk.fails(&["sample", checkpoint, "-n", "1", "--out", "c"], 1);
    assert!(error.contains("cut short"), "{error}");
}

#[test]
fn a_generator_of_another_program_is_sampled_and_exported_with_a_card_that_knows_no_classes() {
    let desk = Desk::new();
    let config =
        ModelConfig { resolution: 32, z_dim: 16, g_width: 4, d_width: 4, ..ModelConfig::default() };
    let weights = Init::Pytorch.generator(&config, 5, &ComputeDevice::cpu().handle).to_weights();
    let own = || state(&weights, str::to_owned);
    let root = dict([
        ("epoch", Py::Int(3)),
        ("netG", own()),
        ("netD", zeros(&[2, 3, 4, 4])),
        ("optimG", adam()),
    ]);
    std::fs::write(desk.join("ckpt.pth"), torch_file(&root)).unwrap();
    let sample = |model: &str, out: &str| {
        desk.run(&["sample", model, "-n", "3", "--out", out, "--device", "cpu"])
    };
    let out = sample("ckpt.pth", "a");
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(
        text(&out.stderr).contains("note: of the networks in this file, 'netG' was used"),
        "{}",
        text(&out.stderr)
    );
    let eval = ["eval", "--real", "phantom:60", "--fake", "ckpt.pth", "-n", "20"];
    let out = desk.run(&[&eval[..], &["--features", "handmade", "--device", "cpu"]].concat());
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(
        text(&out.stderr).contains("note: of the networks in this file, 'netG' was used"),
        "{}",
        text(&out.stderr)
    );
    let out = desk.run(&["export", "ckpt.pth", "--full", "--out", "p.safetensors"]);
    assert!(
        out.status.success() && text(&out.stdout).contains("licence of its data unknown"),
        "{}",
        text(&out.stderr)
    );
    assert!(text(&out.stderr).contains("has no card"), "{}", text(&out.stderr));
    assert!(sample("p.safetensors", "b").status.success());
    let pixels = |file: &str| image::open(desk.join(file)).unwrap().into_rgb8();
    for seed in 0..3 {
        assert_eq!(
            pixels(&format!("a/seed000{seed}.png")),
            pixels(&format!("b/seed000{seed}.png"))
        );
    }
    let info: serde_json::Value =
        serde_json::from_str(&desk.ok(&["info", "--json", "p.safetensors"])).unwrap();
    assert_eq!(info["card"]["licence"].as_str(), Some("unknown"));
    assert_eq!(info["card"]["classes"].as_array().map(Vec::len), Some(0));
    assert_eq!(info["card_digest"].as_str(), Some("fits the weights"));
    let two = dict([("netG_A", own()), ("netG_B", own())]);
    std::fs::write(desk.join("two.pth"), torch_file(&two)).unwrap();
    let error = text(&sample("two.pth", "c").stderr);
    assert!(error.contains("torch.save(s[\"netG_A\"], \"netG_A.pth\")"), "{error}");
    assert!(!desk.join("c").exists());
}

/// A limit on the file size simulates a full disk: the images fit, the table of a large set does not.
#[test]
#[cfg(unix)]
fn a_full_disk_names_the_file_and_what_is_missing_and_the_set_can_be_finished() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.02"]);
    let args = ["sample", "-n", "300", "--out", "s", "--device", "cpu"];
    let limited = |kilobytes: u64| {
        let script = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$0\" \"$@\"");
        let program = env!("CARGO_BIN_EXE_dermagan");
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &script, program]).args(args).current_dir(desk.path());
        text(&command.output().unwrap().stderr)
    };
    // Not even one image fits.
    let error = limited(0);
    assert!(
        error.contains("s/seed0000.png: ") && error.contains("0 of 300 images are in the folder"),
        "{error}"
    );
    let error = limited(8);
    assert!(error.contains("s/metadata.csv: ") && error.contains("300 of 300 images"), "{error}");
    assert!(
        error.contains("the table metadata.csv is not")
            && error.contains("give the same command again"),
        "{error}"
    );
    let mut files = contents(&desk.join("s"));
    assert!(files.remove("passport.json").is_some());
    assert_eq!(files.len(), 300, "no table and no part of a file");
    assert!(files.keys().all(|name| name.ends_with(".png")));
    assert!(desk.ok(&args).contains("; 300 of them were there already"));
    assert_eq!(contents(&desk.join("s")).len(), 302);
}
