//! The levels of the CPU: `DERMAGAN_CPU`, `devices`, `doctor`, and a run that changes its level.

mod common;

use common::*;
use dermagan_model::cpu::{self, Level};

/// Runs a command with `DERMAGAN_CPU` set; returns its exit code, standard output and standard error.
fn at(desk: &Desk, level: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let out = desk.command(args).env(cpu::VARIABLE, level).output().unwrap();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn every_command_rejects_an_unknown_level_and_names_the_available_ones() {
    let desk = Desk::new();
    let lacking = Level::ALL.into_iter().find(|level| *level > cpu::detected());
    let values = [Some("avx3"), Some("\u{e9}"), lacking.map(Level::name)];
    for value in values.into_iter().flatten() {
        for args in [
            &["devices"][..],
            &["doctor", "--device", "cpu"],
            &["sample", "--out", "x.png", "-n", "1"],
            &["train", "--preset", "tiny", "--data", "phantom:60"],
            &["bench", "sample"],
        ] {
            let (code, _, error) = at(&desk, value, args);
            assert_eq!(code, Some(1), "{args:?}: {error}");
            assert!(error.contains(&format!("DERMAGAN_CPU='{value}'")), "{error}");
            assert!(error.contains("This machine has baseline"), "{error}");
        }
    }
    assert!(!desk.join("runs").exists() && !desk.join("x.png").exists());
}

#[test]
fn devices_prints_the_level_in_use_and_doctor_passes_at_each_level() {
    let desk = Desk::new();
    let all: Vec<&str> = cpu::available().map(Level::name).collect();
    for level in &all {
        let (code, out, _) = at(&desk, level, &["devices"]);
        assert_eq!(code, Some(0));
        assert!(out.contains(&format!("level {level} is in use, of {};", all.join(", "))), "{out}");
        let (code, out, error) = at(&desk, level, &["doctor", "--device", "cpu"]);
        assert_eq!(code, Some(0), "{out}{error}");
        assert!(out.contains("with the CPU at level"), "{out}");
    }
    for word in ["auto", "AUTO", ""] {
        assert_eq!(at(&desk, word, &["devices"]).1, at(&desk, all[all.len() - 1], &["devices"]).1);
    }
}

#[test]
fn a_run_records_its_level_and_resumes_at_another_level_with_a_warning() {
    let desk = Desk::new();
    let train = [&["train"], &SMALL[..], &["--kimg", "0.08"]].concat();
    let highest = cpu::detected().name();
    let (code, _, error) = at(&desk, "auto", &train);
    assert_eq!(code, Some(0), "{error}");
    let run = desk.run_folder("runs");
    let checkpoint = run.join("checkpoint-000000.080.safetensors");
    let info = desk.ok(&["info", &checkpoint.display().to_string(), "--json"]);
    assert!(info.contains(&format!("\"level\": \"{highest}\"")), "{info}");
    let resume = |level: &str, kimg: &str| {
        let (code, out, error) =
            at(&desk, level, &["train", "--resume", "latest", "--kimg", kimg, "--device", "cpu"]);
        assert_eq!(code, Some(0), "{out}{error}");
        out
    };
    let words = "continues at level";
    assert!(!resume("auto", "0.16").contains(words));
    if highest != "baseline" {
        let expected = format!("computed at level {highest} and the run {words} baseline");
        assert!(resume("baseline", "0.24").contains(&expected));
        let log = std::fs::read_to_string(run.join("log.txt")).unwrap();
        assert!(log.contains(&expected), "{log}");
    }
    // A bfloat16 run also resumes if bfloat16 is emulated, with a warning.
    let narrow = ["--outdir", "narrow", "--precision", "bf16"];
    let (code, out, error) = at(&desk, "auto", &[&train[..], &narrow[..]].concat());
    assert_eq!(code, Some(0), "{error}");
    let emulated = cpu::detected() < Level::Avx512Bf16;
    assert_eq!(out.contains("bfloat16 is emulated"), emulated, "{out}");
    let more =
        ["train", "--outdir", "narrow", "--resume", "latest", "--kimg", "0.16", "--device", "cpu"];
    let (code, out, error) = at(&desk, "baseline", &more);
    assert!(code == Some(0) && out.contains("bfloat16 is emulated"), "{out}{error}");
}

#[test]
fn bench_rejects_invalid_requests_before_it_measures() {
    let desk = Desk::new();
    for (args, words) in [
        (&["features", "--batch", "0"][..], "--batch 0: expected 1 to 4096"),
        (&["features", "--features", "handmade", "--batch", "99999999999"], "expected 1 to 4096"),
        (&["features", "--size", "4000000000"], "expected 32, 64, 128 or 256"),
        (&["features", "--width", "8"], "--width"),
        (&["step", "--features", "lesion"], "--features is for"),
        (&["step", "--rounds", "0"], "--rounds 0: expected 1"),
        (&["step", "--warm-up", "18446744073709551615"], "--warm-up"),
        (&["sample", "--precision", "bf16"], "float32"),
        (&["step", "--batch", "4096", "--width", "512", "--size", "128"], "this machine has"),
        (&["sample", "--batch", "4096", "--width", "512", "--size", "128"], "this machine has"),
    ] {
        let all = [&["bench", "--preset", "tiny", "--device", "cpu"], args].concat();
        let error = desk.fails(&all, 1);
        assert!(error.contains(words), "{args:?}: {error}");
    }
    let few = ["--rounds", "1", "--warm-up", "0", "--batch", "2"];
    for features in ["lesion", "imagenet", "handmade", "inception"] {
        let out = desk.ok(&[&["bench", "features", "--features", features], &few[..]].concat());
        assert!(out.contains("images/s on cpu"), "{out}");
    }
}
