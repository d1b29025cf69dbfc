//! Generators conditioned on classes, single settings, and user presets.

mod common;

use common::*;

/// Trains the preset `rare` on the phantom for a few steps, with the flags `more`.
fn train_with(desk: &Desk, more: &[&str]) -> String {
    let small = [
        "train",
        "--preset",
        "rare",
        "--data",
        "phantom:60",
        "--size",
        "32",
        "--width",
        "4",
        "--batch",
        "8",
        "--device",
        "cpu",
        "--outdir",
        "r",
    ];
    desk.ok(&[&small[..], more].concat())
}

/// As [`train_with`], with a generator that is fully conditioned on classes.
fn trained(desk: &Desk) -> String {
    let conditioned = ["--set", "condition.from_kimg=0", "--set", "condition.to_kimg=0.08"];
    train_with(desk, &[&conditioned[..], &["--kimg", "0.16"]].concat())
}

/// The image ids and classes of a `metadata.csv`.
fn rows(table: &str) -> Vec<(String, String)> {
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    table.lines().skip(1).map(cells).map(|c| (c[1].clone(), c[2].clone())).collect()
}

#[test]
fn a_conditional_generator_makes_and_labels_the_requested_classes() {
    let desk = Desk::new();
    trained(&desk);
    desk.ok(&["sample", "--outdir", "r", "--class", "mel,df", "-n", "3", "--out", "s"]);
    let table = std::fs::read_to_string(desk.join("s/metadata.csv")).unwrap();
    let rows = rows(&table);
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0], ("mel-seed0000".to_owned(), "mel".to_owned()));
    assert_eq!(rows[5], ("df-seed0002".to_owned(), "df".to_owned()));
    let read = |name: &str| std::fs::read(desk.join(name)).unwrap();
    assert_ne!(read("s/mel-seed0000.png"), read("s/df-seed0000.png"), "classes differ");
    desk.ok(&[
        "sample", "--outdir", "r", "--class", "df", "--seeds", "0-2", "--out", "d", "--batch", "1",
    ]);
    for seed in 0..3 {
        let name = format!("df-seed000{seed}.png");
        assert_eq!(read(&format!("s/{name}")), read(&format!("d/{name}")), "for any batch size");
    }
}

#[test]
fn without_a_class_the_seeds_draw_classes_as_often_as_in_training_and_the_table_names_them() {
    let desk = Desk::new();
    trained(&desk);
    desk.ok(&["sample", "--outdir", "r", "-n", "200", "--out", "s"]);
    let table = std::fs::read_to_string(desk.join("s/metadata.csv")).unwrap();
    let rows = rows(&table);
    let nv = rows.iter().filter(|(_, dx)| dx == "nv").count();
    // nv is 67 % of HAM10000, and of the phantom.
    assert!((90..180).contains(&nv), "{nv} of 200");
    assert!(rows.iter().all(|(name, dx)| name.starts_with("seed") && dx != "unknown"));
}

#[test]
fn a_grid_has_one_row_per_class_and_one_latent_per_column() {
    let desk = Desk::new();
    trained(&desk);
    desk.ok(&["sample", "--outdir", "r", "--class", "nv,mel", "--grid", "3x2", "--out", "g.png"]);
    let grid = image::open(desk.join("g.png")).unwrap().into_rgb8();
    assert_eq!(grid.dimensions(), (96, 64));
    desk.ok(&["sample", "--outdir", "r", "--class", "mel", "--seeds", "2", "--out", "s"]);
    let one = image::open(desk.join("s/mel-seed0002.png")).unwrap().into_rgb8();
    let cell = image::imageops::crop_imm(&grid, 64, 32, 32, 32).to_image();
    assert_eq!(cell, one, "second row, third column");
    let error = desk.fails(
        &["sample", "--outdir", "r", "--class", "nv,mel", "--grid", "3x3", "--out", "h.png"],
        1,
    );
    assert!(error.contains("3x2"), "{error}");
}

#[test]
fn a_run_that_rotated_its_images_rotates_every_sample() {
    let desk = Desk::new();
    trained(&desk);
    let run = desk.run_folder("r");
    let (run, generator) = (run.to_str().unwrap(), run.join("generator.safetensors"));
    let card = |file: &str| {
        let found: serde_json::Value =
            serde_json::from_str(&desk.ok(&["info", file, "--json"])).unwrap();
        found["card"].clone()
    };
    assert_eq!(card(generator.to_str().unwrap())["turns"], true);
    let pixels = |file: &str| image::open(desk.join(file)).unwrap().into_rgb8();
    desk.ok(&["sample", run, "--grid", "8x8", "--out", "g.png"]);
    let newest = std::fs::read_dir(run).unwrap().flatten().map(|f| f.path());
    let newest = newest
        .filter(|path| path.to_string_lossy().contains("fakes0"))
        .max()
        .expect("a grid of the run");
    assert_eq!(pixels("g.png"), image::open(newest).unwrap().into_rgb8());
    // Without `turns` in the card, the same weights make the same images without rotation.
    desk.ok(&["sample", run, "-n", "8", "--out", "rotated"]);
    let bytes = std::fs::read(&generator).unwrap();
    let (word, other) = (br#"\"turns\":true"#, br#"\"turnz\":true"#);
    let at = bytes.windows(word.len()).position(|here| here == word).expect("`turns` in the card");
    let mut plain = bytes.clone();
    plain[at..at + other.len()].copy_from_slice(other);
    std::fs::write(desk.join("plain.safetensors"), &plain).unwrap();
    desk.ok(&["sample", "plain.safetensors", "-n", "8", "--out", "straight"]);
    let names = (0..8).map(|seed| format!("seed000{seed}.png"));
    let (mut as_made, mut same_pixels) = (0, 0);
    for name in names {
        let (a, b) = (pixels(&format!("rotated/{name}")), pixels(&format!("straight/{name}")));
        as_made += usize::from(a == b);
        let sorted = |image: &image::RgbImage| {
            let mut all: Vec<[u8; 3]> = image.pixels().map(|p| p.0).collect();
            all.sort_unstable();
            all
        };
        same_pixels += usize::from(sorted(&a) == sorted(&b));
    }
    assert_eq!(same_pixels, 8, "the same pixels in another order");
    assert!(as_made < 6, "{as_made} of 8 were not rotated");
}

#[test]
fn an_unknown_class_is_an_error_that_names_the_known_classes() {
    let desk = Desk::new();
    trained(&desk);
    let error = desk.fails(&["sample", "--outdir", "r", "--class", "wart", "--out", "s"], 1);
    assert!(error.contains("'wart'") && error.contains("akiec, bcc"), "{error}");
    let error = desk.fails(&["sample", "--outdir", "r", "--class", "mel,mel", "--out", "s"], 1);
    assert!(error.contains("twice"), "{error}");
    desk.train(&["--outdir", "plain", "--kimg", "0.04"]);
    let error = desk.fails(&["sample", "--outdir", "plain", "--class", "mel", "--out", "s"], 1);
    assert!(error.contains("--preset rare"), "{error}");
}

#[test]
fn eval_per_class_compares_the_labels_of_a_conditional_generator() {
    let desk = Desk::new();
    trained(&desk);
    let run = desk.run_folder("r");
    let out = desk.ok(&[
        "eval",
        "--real",
        "phantom:400",
        "--fake",
        &run.display().to_string(),
        "-n",
        "64",
        "--split",
        "all",
        "--per-class",
        "--features",
        "handmade",
        "--device",
        "cpu",
        "--json",
    ]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let classes = report["features"][0]["classes"].as_array().unwrap();
    assert!(classes.len() >= 6, "{out}");
    assert!(classes.iter().all(|class| class["basis"] == "labels"), "{out}");
}

#[test]
fn a_note_says_when_generated_images_have_other_class_shares_than_real_ones() {
    let desk = Desk::new();
    trained(&desk);
    let run = desk.run_folder("r").display().to_string();
    desk.ok(&["sample", &run, "--class", "mel", "-n", "40", "--out", "mel"]);
    desk.ok(&["sample", &run, "-n", "60", "--out", "all"]);
    desk.ok(&["sample", &run, "--class", "all", "-n", "9", "--out", "each"]);
    let noted = |fake: &str| {
        let out = desk.ok(&[
            "eval",
            "--real",
            "phantom:200",
            "--fake",
            fake,
            "-n",
            "60",
            "--split",
            "all",
            "--features",
            "handmade",
            "--device",
            "cpu",
            "--json",
        ]);
        out.contains("of other classes than the real ones")
    };
    assert!(noted("mel"));
    assert!(noted("each"), "equal shares are not those of the data");
    assert!(!noted("all"));
    assert!(!noted(&run));
}

#[test]
fn a_generator_that_is_not_yet_conditioned_on_classes_labels_nothing() {
    let desk = Desk::new();
    let out = train_with(&desk, &["--kimg", "0.04"]);
    assert!(out.contains("conditioned on classes from 10 to 40 kimg, so not at all"), "{out}");
    let run = desk.run_folder("r").display().to_string();
    assert!(out.contains("lower condition.from_kimg and condition.to_kimg with --set"), "{out}");
    let error = desk.fails(&["sample", &run, "--class", "df", "-n", "2", "--out", "a"], 1);
    assert!(error.contains("before its training used classes"), "{error}");
    desk.ok(&["sample", &run, "-n", "4", "--out", "b"]);
    let table = std::fs::read_to_string(desk.join("b").join("metadata.csv")).unwrap();
    assert!(rows(&table).iter().all(|(_, dx)| dx == "unknown"), "{table}");
}

#[test]
fn a_generator_of_one_class_makes_it_before_it_is_conditioned() {
    let desk = Desk::new();
    train_with(&desk, &["--kimg", "0.04", "--classes", "mel"]);
    desk.ok(&["sample", "--outdir", "r", "--class", "MEL", "-n", "2", "--out", "s"]);
    let table = std::fs::read_to_string(desk.join("s").join("metadata.csv")).unwrap();
    assert!(rows(&table).iter().all(|(_, dx)| dx == "mel"), "{table}");
}

#[test]
fn augmentation_strengths_without_effect_are_rejected() {
    let desk = Desk::new();
    let train =
        ["train", "--data", "phantom:40", "--preset", "tiny", "-n", "--device", "cpu", "--set"];
    let error = desk.fails(&[&train[..], &["augment.cutout=0.5"]].concat(), 1);
    assert!(error.contains("augment.probability"), "{error}");
    desk.ok(&[&train[..], &["augment.cutout=0.5", "--set", "augment.probability=1"]].concat());
}

#[test]
fn a_class_name_with_a_comma_is_one_cell_of_the_table() {
    let desk = Desk::new();
    for (class, shade) in [("stain, blue", 60), ("other", 200)] {
        std::fs::create_dir_all(desk.join("data").join(class)).unwrap();
        for i in 0..8u8 {
            let image = image::RgbImage::from_fn(32, 32, |x, y| {
                image::Rgb([shade, x as u8 * i, y as u8 * 3 + i])
            });
            image.save(desk.join("data").join(class).join(format!("{i}.png"))).unwrap();
        }
    }
    let conditioned = ["--set", "condition.from_kimg=0", "--set", "condition.to_kimg=0"];
    let train = ["train", "--data", "data", "--preset", "rare", "--size", "32", "--width", "4"];
    let rest = ["--batch", "4", "--kimg", "0.04", "--device", "cpu", "--outdir", "r"];
    desk.ok(&[&train[..], &conditioned, &rest].concat());
    desk.ok(&["sample", "--outdir", "r", "--class", "all", "-n", "1", "--out", "s"]);
    assert!(desk.join("s").join("stain, blue-seed0000.png").is_file());
    let table = std::fs::read_to_string(desk.join("s").join("metadata.csv")).unwrap();
    assert!(table.contains(",\"stain, blue-seed0000\",\"stain, blue\",synthetic,"), "{table}");
}

#[test]
fn a_single_setting_or_a_user_preset_changes_the_run() {
    let desk = Desk::new();
    let train = |more: &[&str]| {
        let fixed = ["train", "--data", "phantom:60", "--kimg", "0.04", "--device", "cpu", "-n"];
        desk.command(&[&fixed[..], more].concat()).output().unwrap()
    };
    let preset = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/tiny.toml"),
    );
    std::fs::write(desk.join("own.toml"), preset.unwrap().replace("batch = 32", "batch = 4"))
        .unwrap();
    let out = train(&["--preset", "own.toml"]);
    assert!(out.status.success() && text(&out.stdout).contains("batch 4"), "{}", text(&out.stderr));
    // A preset that is given by a path names its run by its file name.
    std::fs::create_dir(desk.join("my presets")).unwrap();
    std::fs::rename(desk.join("own.toml"), desk.join("my presets/own one.toml")).unwrap();
    let preset = desk.join("my presets/own one.toml").display().to_string();
    let small = ["--width", "2", "--kimg", "0.004", "--device", "cpu", "--outdir", "p"];
    let train_it = ["train", "--data", "phantom:60", "--preset", &preset];
    desk.ok(&[&train_it[..], &small].concat());
    assert!(desk.join("p/00000-phantom-own-one").is_dir());
    for (setting, why) in [
        ("objective.r1", "no '='"),
        ("objective.r9=1", "r9"),
        ("objective.r1=much", "objective"),
        ("objective.r1=-1", "0 to"),
        ("objective.r1=nan", "0 to"),
        ("model.backbone=other", "other"),
        ("model.backbone=dcgan", "residual"),
        ("optimiser.batch.x=1", "no section"),
        ("augment.translate=3", "translate"),
        ("condition.to_kimg=-1", "condition"),
        ("model.classes=9", "condition.classes"),
        ("optimiser.learning_rate=-1", "0 or more"),
        ("optimiser.epsilon=0", "1.18e-38 or more"),
    ] {
        let out = train(&["--preset", "rare", "--set", setting]);
        let error = text(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{setting}: {error}");
        assert!(error.contains(why) && !error.contains("panicked"), "{setting}: {error}");
    }
}

#[test]
fn without_a_run_the_shipped_generator_makes_the_images() {
    let desk = Desk::new();
    let out = desk.ok(&["sample", "--grid", "2x2", "--device", "cpu"]);
    assert!(out.contains("dermagan's own generator"), "{out}");
    let grid = image::open(desk.join("grid.png")).unwrap().into_rgb8();
    assert_eq!(grid.dimensions(), (128, 128));
    let error = desk.fails(&["sample", "nowhere", "--grid", "2x2"], 1);
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn latest_and_shipped_name_a_generator_in_every_command() {
    let desk = Desk::new();
    for command in [&["info"][..], &["sample"], &["eval", "--real", "phantom:80", "--fake"]] {
        let error = desk.fails(&[command, &["latest"]].concat(), 1);
        assert!(error.contains("no run with a generator in runs"), "{error}");
    }
    desk.train(&["--kimg", "0.1", "--outdir", "r"]);
    let info = desk.ok(&["info", "latest", "--outdir", "r"]);
    assert!(info.contains("kimg_planned"), "{info}");
    let own = desk.ok(&["info", "shipped"]);
    assert!(own.contains("HAM10000") || own.contains("ham10000"), "{own}");
    let eval = |fake: &str| {
        let few = ["--real", "phantom:80", "-n", "16", "--split", "all", "--device", "cpu"];
        desk.ok(&[&["eval", "--outdir", "r", "--json", "--fake", fake], &few[..]].concat())
    };
    assert!(eval("latest").contains("generator.safetensors"));
    assert!(eval("shipped").contains("dermagan's own generator"));
    // A file of that name takes precedence.
    std::fs::write(desk.join("shipped"), b"no model").unwrap();
    let error = desk.fails(&["sample", "shipped", "--grid", "2x2"], 1);
    assert!(error.contains("shipped: "), "{error}");
}

#[test]
fn an_exported_generator_has_half_the_size_and_makes_nearly_the_same_images() {
    let desk = Desk::new();
    trained(&desk);
    let out = desk.ok(&["export", "--outdir", "r", "--out", "half.safetensors"]);
    assert!(out.contains("half.safetensors"), "{out}");
    let size = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().len();
    let whole = size(desk.run_folder("r").join("generator.safetensors"));
    assert!(size(desk.join("half.safetensors")) < whole * 6 / 10);
    let image = |model: &str, out: &str| {
        desk.ok(&["sample", model, "--class", "mel", "--seeds", "1", "--out", out]);
        image::open(desk.join(out).join("mel-seed0001.png")).unwrap().into_rgb8().into_raw()
    };
    let run = desk.run_folder("r").display().to_string();
    let (a, b) = (image(&run, "a"), image("half.safetensors", "b"));
    assert!(a.iter().zip(&b).all(|(a, b)| a.abs_diff(*b) <= 2), "half precision suffices");
}
