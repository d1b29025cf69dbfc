//! What a new run says about its data and its length before the first step, and what errors say to type next.

mod common;

use std::path::Path;

use common::*;
use dermagan_base::image::Image;
use dermagan_base::rng::Keyed;

/// The flags of a run of two steps of 8 images.
const SHORT: [&str; 12] = [
    "--preset", "tiny", "--width", "4", "--batch", "8", "--kimg", "0.016", "--snap", "0.016",
    "--device", "cpu",
];

/// Writes `count` images of random colours into a folder of a class.
fn images(folder: &Path, count: u64, (width, height): (usize, usize), grey: bool) {
    std::fs::create_dir_all(folder).unwrap();
    for number in 0..count {
        let class = folder.to_string_lossy().len() as u64;
        let mut random = Keyed::new(class, "test image", number);
        let level = |random: &mut Keyed| random.below(256) as u8;
        let pixels = (0..width * height).flat_map(|_| match grey {
            true => [level(&mut random); 3],
            false => [level(&mut random), level(&mut random), level(&mut random)],
        });
        let image = Image { width, height, pixels: pixels.collect() };
        std::fs::write(folder.join(format!("i{number}.png")), image.to_png(&[]).unwrap()).unwrap();
    }
}

fn trained(desk: &Desk, more: &[&str]) -> String {
    desk.ok(&[&["train"], &SHORT[..], &["--data", "d"], more].concat())
}

#[test]
fn what_the_crop_and_the_bars_do_is_said_in_numbers() {
    let desk = Desk::new();
    images(&desk.join("d/nv"), 4, (160, 40), false);
    images(&desk.join("d/mel"), 4, (40, 160), false);
    let out = trained(&desk, &[]);
    assert!(
        out.contains("note: the crop to a square discards 75 % of the average image; --fit pad"),
        "{out}"
    );
    for fit in [&["--fit", "pad"][..], &["--set", "data.fit=pad"]] {
        let out = trained(&desk, fit);
        assert!(
            out.contains("makes 75 % of the average image black bars") && !out.contains("crop"),
            "{out}"
        );
    }
    let out = trained(&desk, &["--fit", "squash"]);
    assert!(!out.contains("average image"), "{out}");
    let log = std::fs::read_to_string(desk.run_folder("runs").join("log.txt")).unwrap();
    assert!(log.contains("note: the run trains on"), "{log}");
    // Photographs of 4:3 are usual.
    std::fs::remove_dir_all(desk.join("d")).unwrap();
    images(&desk.join("d/nv"), 4, (80, 60), false);
    assert!(!trained(&desk, &[]).contains("average image"));
    let error = desk.fails(&["train", "--resume", "latest", "--fit", "pad"], 1);
    assert!(error.contains("--fit cannot change a resumed run"), "{error}");
}

#[test]
fn few_identical_and_grey_images_are_counted() {
    let desk = Desk::new();
    images(&desk.join("d/nv"), 3, (48, 48), true);
    for copy in ["a", "b", "c"] {
        std::fs::copy(desk.join("d/nv/i0.png"), desk.join(&format!("d/nv/{copy}.png"))).unwrap();
    }
    // All images train, so that the counts are those of the folder.
    let out = trained(&desk, &["--all-images"]);
    assert!(out.contains("note: 4 of 6 images are identical to another one"), "{out}");
    assert!(
        out.contains("trains on 6 images (3 distinct); fewer than about 100 are memorised"),
        "{out}"
    );
    assert!(out.contains("note: 6 of 6 images are grey"), "{out}");
    assert!(out.contains("note: --batch 8 with 6 images"), "{out}");
    assert!(!out.contains("for the test"), "{out}");
}

#[test]
fn an_empty_side_and_a_batch_longer_than_the_run_are_said() {
    let desk = Desk::new();
    for class in ["mel", "nv"] {
        images(&desk.join("d").join(class), 2, (48, 48), false);
    }
    let large: Vec<&str> =
        SHORT.iter().map(|word| if *word == "8" { "64" } else { word }).collect();
    let out = desk.ok(&[&["train", "--data", "d"], &large[..]].concat());
    assert!(out.contains("0 for the test; there is nothing to evaluate on an empty side"), "{out}");
    assert!(out.contains("is 1 step of 0.064 kimg"), "{out}");
    assert!(out.contains("and not the 0.016 kimg that --kimg asks for"), "{out}");
    let dry = desk.run(&[&["train"], &SHORT[..], &["--data", "d", "--dry-run"]].concat());
    assert!(text(&dry.stderr).contains("note: the run trains on"), "{}", text(&dry.stderr));
    let out = desk.train(&["--kimg", "0.1"]);
    assert!(!out.contains("note: --batch"), "{out}");
}

#[test]
fn a_run_of_many_images_has_no_notes() {
    let desk = Desk::new();
    let args =
        ["--preset", "tiny", "--width", "4", "--batch", "8", "--kimg", "0.016", "--device", "cpu"];
    let out = desk.ok(&[&["train", "--data", "phantom:300"], &args[..]].concat());
    assert!(!out.contains("note:"), "{out}");
}

#[test]
fn a_renamed_run_is_the_latest_and_moved_or_changed_data_are_named() {
    let desk = Desk::new();
    images(&desk.join("d/nv"), 8, (48, 48), false);
    trained(&desk, &[]);
    std::fs::rename(desk.run_folder("runs"), desk.join("runs/renamed")).unwrap();
    let on = ["train", "--resume", "latest", "--kimg", "0.032", "--device", "cpu"];
    assert!(desk.ok(&on).contains("finished 0.032 kimg in runs/renamed"));
    let on = ["train", "--resume", "runs/renamed", "--kimg", "0.048", "--device", "cpu"];
    std::fs::rename(desk.join("d"), desk.join("moved")).unwrap();
    let error = desk.fails(&on, 1);
    assert!(
        error.contains("is no longer at") && error.contains("pass its new place as --data"),
        "{error}"
    );
    let moved = [&on[..], &["--data", "moved"]].concat();
    desk.ok(&moved);
    std::fs::rename(desk.join("moved/nv/i3.png"), desk.join("moved/nv/other.png")).unwrap();
    let error = desk.fails(&moved, 1);
    assert!(error.contains("1 image is new (other) and 1 image is gone (i3)"), "{error}");
    assert!(error.contains("as --data"), "{error}");
}

#[test]
fn an_error_in_the_cache_names_its_variable() {
    let desk = Desk::new();
    std::fs::write(desk.join("file"), b"x").unwrap();
    for args in [
        &["train", "--data", "phantom:60", "--preset", "tiny", "--device", "cpu"][..],
        &["prepare", "phantom:60"],
        &["eval", "--real", "phantom:60", "--fake", "phantom", "--device", "cpu"],
    ] {
        let out =
            desk.command(args).env("DERMAGAN_CACHE", desk.join("file/cache")).output().unwrap();
        let stderr = text(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("DERMAGAN_CACHE"), "{args:?}: {stderr}");
    }
}

#[test]
fn a_flag_of_another_program_is_answered() {
    let desk = Desk::new();
    for (args, expected) in [
        (&["train", "--cond=1"][..], "--cond is not needed"),
        (&["train", "--niter", "3"], "the length of a run is --kimg"),
        (&["sample", "--network", "g.pkl"], "dermagan sample FILE_OR_RUN"),
        (&["eval", "real", "fake"], "--real REAL --fake GENERATED"),
    ] {
        let error = desk.fails(args, 2);
        assert!(error.contains(expected) && !error.contains("similar"), "{error}");
    }
}

/// A recorded terminal keeps every update of the progress line, and a terminal that cannot redraw gets plain lines.
#[test]
#[cfg(target_os = "linux")]
fn a_terminal_is_not_flooded_and_a_dumb_one_gets_the_snapshots() {
    let desk = Desk::new();
    let program = env!("CARGO_BIN_EXE_dermagan");
    let train =
        format!("{program} train {} --data phantom:60 --kimg 0.4 --snap 0.2", SHORT[..6].join(" "));
    let recorded = |term: &str| {
        let out = std::process::Command::new("script")
            .args(["-qec", &format!("{train} --device cpu"), "/dev/null"])
            .current_dir(desk.path())
            .env("DERMAGAN_CACHE", desk.join("cache"))
            .env("TERM", term)
            .stdin(std::process::Stdio::null())
            .output();
        out.ok().map(|out| text(&out.stdout))
    };
    let start = std::time::Instant::now();
    let Some(words) = recorded("xterm") else {
        eprintln!("the program script is not installed, so no terminal was recorded");
        return;
    };
    assert!(
        words.contains("finished 0.400 kimg") && words.contains("fakes000000.400.png"),
        "{words}"
    );
    // One update every two seconds, and those around the snapshots; there are 50 steps.
    let most = 10 + start.elapsed().as_secs() as usize / 2;
    assert!((1..=most).contains(&words.matches("img/s").count()), "{words}");
    assert!(words.lines().count() < 20, "{words}");
    let words = recorded("dumb").unwrap();
    assert!(
        words.contains("fakes000000.200.png") && words.contains("fakes000000.400.png"),
        "{words}"
    );
    assert!(!words.contains('\u{1b}'), "{words}");
}
