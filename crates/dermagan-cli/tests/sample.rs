//! Runs `sample`: images, grids, walks, and their file names.

mod common;

use common::*;
use dermagan_data::Source;

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
    let source = Source::open(&desk.join("s").to_string_lossy()).unwrap();
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
    assert!(error.contains("a-seed1-seed0001.png, which is not part of this set"), "{error}");
}
