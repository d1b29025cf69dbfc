//! Resuming is exact: whatever stops a run, it ends in the same bytes.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::*;
use dermagan_train::Event;
use dermagan_train::checkpoint::Checkpoint;
use dermagan_train::metrics::Metric;
use dermagan_train::plan::{Plan, Request};
use dermagan_train::session::{self, SessionOptions};

const SCHEDULE: [&str; 4] = ["--snap", "0.08", "--tick", "0.04"];

fn uninterrupted(desk: &Desk, kimg: &str) -> std::path::PathBuf {
    desk.train(&[&["--outdir", "whole", "--kimg", kimg], &SCHEDULE[..]].concat());
    desk.run_folder("whole")
}

#[test]
fn a_run_of_n_and_n_more_steps_ends_in_the_bytes_of_a_run_of_2n() {
    let desk = Desk::new();
    let whole = uninterrupted(&desk, "1.2");
    desk.train(&[&["--outdir", "halves", "--kimg", "0.6"], &SCHEDULE[..]].concat());
    let out = desk.ok(&[
        "train", "--outdir", "halves", "--resume", "latest", "--kimg", "1.2", "--device", "cpu",
    ]);
    assert!(out.contains("finished 1.200"), "{out}");
    assert_same_end(&whole, &desk.run_folder("halves"), "000001.200");
}

#[test]
fn a_wider_run_resumes_to_the_same_bytes_in_every_precision_of_this_cpu() {
    let desk = Desk::new();
    let fixed =
        ["train", "--preset", "tiny", "--data", "phantom:60", "--batch", "8", "--device", "cpu"];
    let run = |outdir: &str, kimg: &str, precision: &str| {
        let own = ["--width", "16", "--outdir", outdir, "--kimg", kimg, "--precision", precision];
        desk.ok(&[&fixed[..], &own[..]].concat());
    };
    let mut ends = Vec::new();
    for precision in ["f32", "auto"] {
        let (whole, halves) = (format!("whole-{precision}"), format!("halves-{precision}"));
        run(&whole, "0.16", precision);
        run(&halves, "0.08", precision);
        desk.ok(&[
            "train", "--outdir", &halves, "--resume", "latest", "--kimg", "0.16", "--device", "cpu",
        ]);
        let whole = desk.run_folder(&whole);
        assert_same_end(&whole, &desk.run_folder(&halves), "000000.160");
        let options = std::fs::read_to_string(whole.join("training_options.json")).unwrap();
        let narrow = options.contains("\"precision\": \"bf16\"");
        ends.push((narrow, std::fs::read(whole.join("generator.safetensors")).unwrap()));
    }
    assert!(!ends[0].0, "f32 is f32");
    assert_eq!(ends[0].1 != ends[1].1, ends[1].0, "bf16, where there is any, ends elsewhere");
}

/// The residual backbone with all that the reference has not, small.
const ALL: [&str; 34] = [
    "--preset",
    "rare",
    "--set",
    "model.noise=true",
    "--data",
    "phantom:60",
    "--size",
    "32",
    "--width",
    "4",
    "--batch",
    "8",
    "--precision",
    "f32",
    "--device",
    "cpu",
    // The preset's falls over the run, whose length would be another when it is stopped.
    "--set",
    "optimiser.learning_rate=2e-4",
    "--set",
    "optimiser.lookahead=3",
    "--set",
    "optimiser.lookahead_back=0.5",
    "--set",
    "augment.target=0.001",
    "--set",
    "augment.adapt_kimg=0.2",
    "--set",
    "condition.from_kimg=0.04",
    "--set",
    "condition.to_kimg=0.36",
    "--set",
    "objective.every=3",
    "--tick",
    "0.04",
];

#[test]
fn a_conditional_run_with_penalties_and_adaptive_augmentation_resumes_to_the_same_bytes() {
    let desk = Desk::new();
    let run = |outdir: &str, kimg: &str| {
        let own = ["--outdir", outdir, "--kimg", kimg];
        desk.ok(&[&["train"], &ALL[..], &own[..]].concat());
    };
    run("whole", "0.6");
    // Stopped between two moves of the probability, two penalties, two looks ahead, in mid transition.
    run("halves", "0.2");
    desk.ok(&[
        "train", "--outdir", "halves", "--resume", "latest", "--kimg", "0.6", "--device", "cpu",
    ]);
    let whole = desk.run_folder("whole");
    assert_same_end(&whole, &desk.run_folder("halves"), "000000.600");
    let stats = stats(&whole);
    let last = stats.last().unwrap();
    assert!(last["Loss/D/r1"]["mean"].as_f64().unwrap() > 0.0, "{last}");
    let probability = |line: &serde_json::Value| line["Progress/augment"]["mean"].as_f64().unwrap();
    assert!(stats.iter().any(|line| probability(line) > 0.0), "it is sure of 48 pictures at times");
}

#[test]
fn a_setting_that_changes_over_a_run_goes_on_where_the_run_was_stopped() {
    let desk = Desk::new();
    let ramp = [
        "--set",
        "optimiser.learning_rate={ from = 1e-3, to = 1e-5 }",
        "--set",
        "objective.r1={ from = 0.5, to = 0.05 }",
    ];
    let start = |outdir: &'static str| -> Vec<&str> {
        [&["train"], &ALL[..], &ramp[..], &["--outdir", outdir, "--kimg", "6"]].concat()
    };
    desk.ok(&start("whole"));
    let mut child = desk.command(&start("killed")).stdout(Stdio::null()).spawn().unwrap();
    while !has_checkpoint(&desk.join("killed")) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    child.kill().unwrap();
    child.wait().unwrap();
    desk.ok(&["train", "--outdir", "killed", "--resume", "latest", "--device", "cpu"]);
    assert_same_end(&desk.run_folder("whole"), &desk.run_folder("killed"), "000006");
}

#[test]
fn another_seed_ends_elsewhere() {
    let desk = Desk::new();
    desk.train(&["--outdir", "a", "--kimg", "0.1"]);
    desk.train(&["--outdir", "b", "--kimg", "0.1", "--seed", "1"]);
    let read = |outdir: &str| {
        std::fs::read(desk.run_folder(outdir).join("generator.safetensors")).unwrap()
    };
    assert_ne!(read("a"), read("b"));
}

/// Numbers for the moments of the kills; a seed of its own, printed, so that a failure repeats.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_run_killed_twenty_times_at_random_moments_ends_in_the_same_bytes() {
    let desk = Desk::new();
    let kimg = "12";
    let whole = uninterrupted(&desk, kimg);
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut kills = 0;
    let start: Vec<&str> =
        [&["train"], &SMALL[..], &["--outdir", "killed", "--kimg", kimg], &SCHEDULE[..]].concat();
    let resume = ["train", "--outdir", "killed", "--resume", "latest", "--device", "cpu"];
    loop {
        let begun = has_checkpoint(&desk.join("killed"));
        let args = if begun { &resume[..] } else { &start[..] };
        let mut child: Child =
            desk.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        if kills < 20 {
            std::thread::sleep(Duration::from_millis(20 + next(&mut state) % 500));
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                continue;
            }
        }
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "after {kills} kills: {}", text(&out.stderr));
        break;
    }
    assert!(kills >= 20, "the run ended after {kills} kills: make it longer");
    assert_same_end(&whole, &desk.run_folder("killed"), "000012");
}

fn has_checkpoint(outdir: &Path) -> bool {
    let runs = std::fs::read_dir(outdir).into_iter().flatten().filter_map(Result::ok);
    runs.flat_map(|run| std::fs::read_dir(run.path()).unwrap().filter_map(Result::ok)).any(|file| {
        file.file_name().to_string_lossy().starts_with("checkpoint-")
            && !file.file_name().to_string_lossy().ends_with(".partial")
    })
}

#[test]
#[cfg(unix)]
fn ctrl_c_finishes_the_step_writes_a_checkpoint_and_the_run_goes_on_without_a_seam() {
    let desk = Desk::new();
    let whole = uninterrupted(&desk, "4");
    let args: Vec<&str> =
        [&["train"], &SMALL[..], &["--outdir", "stopped", "--kimg", "4"], &SCHEDULE[..]].concat();
    let child = desk.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !has_checkpoint(&desk.join("stopped")) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(150));
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(130), "{}", text(&out.stderr));
    let stdout = text(&out.stdout);
    assert!(stdout.contains("--resume"), "{stdout}");
    let run = desk.run_folder("stopped");
    desk.ok(&["train", "--resume", &run.to_string_lossy(), "--device", "cpu"]);
    assert_same_end(&whole, &run, "000004");
}

#[test]
fn a_broken_foreign_or_newer_checkpoint_is_refused_and_the_good_one_named() {
    let desk = Desk::new();
    desk.train(&["--kimg", "2", "--snap", "1"]);
    let run = desk.run_folder("runs");
    let newest = run.join("checkpoint-000002.safetensors");
    let good = std::fs::read(&newest).unwrap();
    let refused = |bytes: &[u8], why: &str| {
        std::fs::write(&newest, bytes).unwrap();
        for wanted in ["latest", &run.to_string_lossy(), &newest.to_string_lossy()] {
            let error =
                desk.fails(&["train", "--resume", wanted, "--kimg", "3", "--device", "cpu"], 1);
            assert!(error.contains(why), "expected '{why}' in {error}");
            assert!(
                error.contains("--resume") && error.contains("checkpoint-000001.safetensors"),
                "{error}"
            );
        }
    };
    refused(&good[..good.len() - 1], "cut short");
    refused(&good[..100], "cut short");
    refused(b"", "cut short");
    refused(&vec![0xff; 4096], "not a safetensors file");
    let mut flipped = good.clone();
    let last = flipped.len() - 9;
    flipped[last] ^= 1;
    refused(&flipped, "checksum");
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let mut bytes = good.clone();
    let at = bytes[..header].windows(12).position(|w| w == br#"\"format\":2"#).unwrap();
    bytes[at + 11] = b'9';
    refused(&bytes, "newer dermagan");
    // A digit of what it says, not of its tensors.
    let mut bytes = good.clone();
    let told = br#"\"beta1\":0.5"#;
    let at = bytes[..header].windows(told.len()).position(|w| w == told).unwrap();
    bytes[at + told.len() - 1] = b'6';
    refused(&bytes, "checksum");
    refused(&std::fs::read(run.join("generator.safetensors")).unwrap(), "not a checkpoint");
    // The good one that was named does continue.
    std::fs::remove_file(&newest).unwrap();
    desk.ok(&["train", "--resume", "latest", "--device", "cpu"]);
    assert_eq!(std::fs::read(&newest).unwrap(), good);
}

#[test]
fn a_flag_that_would_change_a_resumed_run_is_an_error() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    for flag in
        [&["--seed", "5"][..], &["--batch", "16"], &["--mirror"], &["--preset", "reference"]]
    {
        let error = desk.fails(&[&["train", "--resume", "latest"], flag].concat(), 1);
        assert!(error.contains(flag[0]) && error.contains("cannot change"), "{error}");
    }
    let other =
        desk.fails(&["train", "--resume", "latest", "--data", "phantom:90", "--kimg", "0.2"], 1);
    assert!(other.contains("not those that this run began with"), "{other}");
}

#[test]
fn two_processes_cannot_train_in_one_run() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let run = desk.run_folder("runs");
    let log = std::fs::OpenOptions::new().append(true).open(run.join("log.txt")).unwrap();
    log.lock().unwrap();
    let error = desk.fails(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"], 1);
    assert!(error.contains("another process is training"), "{error}");
}

/// A limit on the size of files stands in for a full disk: the write fails in the middle.
#[test]
#[cfg(unix)]
fn a_full_disk_stops_the_run_with_the_last_good_checkpoint_intact() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let run = desk.run_folder("runs");
    let good = run.join("checkpoint-000000.104.safetensors");
    let before = std::fs::read(&good).unwrap();
    let blocks = before.len() / 1024 / 2;
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let program = env!("CARGO_BIN_EXE_dermagan");
    let out = std::process::Command::new("bash")
        .args([
            "-c", &script, program, "train", "--resume", "latest", "--kimg", "0.4", "--device",
            "cpu",
        ])
        .current_dir(desk.path())
        .env("DERMAGAN_CACHE", desk.join("cache"))
        .output()
        .unwrap();
    let stderr = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("last good checkpoint is untouched")
            && stderr.contains("checkpoint-000000.104.safetensors"),
        "{stderr}"
    );
    assert_eq!(std::fs::read(&good).unwrap(), before);
    let partial = std::fs::read_dir(&run)
        .unwrap()
        .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().ends_with(".partial"));
    assert_eq!(partial.count(), 0);
    desk.ok(&["train", "--resume", "latest", "--kimg", "0.4", "--device", "cpu"]);
}

#[test]
fn an_unwritable_place_is_an_error_before_anything_is_trained() {
    let desk = Desk::new();
    std::fs::File::create(desk.join("file")).unwrap().write_all(b"x").unwrap();
    let error = desk
        .fails(&[&["train"], &SMALL[..], &["--outdir", "file/runs", "--kimg", "1"]].concat(), 1);
    assert!(error.contains("file/runs"), "{error}");
}

#[test]
fn a_killed_prepare_leaves_nothing_that_a_later_one_would_trust() {
    let desk = Desk::new();
    let args = ["prepare", "phantom:3000", "--size", "64", "--out", "p.dermagan"];
    for wait in [30, 150, 400] {
        let mut child = desk.command(&args).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            !desk.join("p.dermagan").exists(),
            "killed after {wait} ms, and yet it has its name"
        );
    }
    desk.ok(&args);
    let info: serde_json::Value =
        serde_json::from_str(&desk.ok(&["info", "--json", "p.dermagan"])).unwrap();
    assert_eq!(info["damaged_images"].as_u64(), Some(0));
    assert!(!desk.join("p.dermagan.partial").exists());
}

#[test]
fn going_on_from_an_older_checkpoint_sets_the_newer_ones_aside() {
    let desk = Desk::new();
    desk.train(&["--kimg", "3", "--snap", "1", "--keep", "0"]);
    let run = desk.run_folder("runs");
    let newest = std::fs::read(run.join("checkpoint-000003.safetensors")).unwrap();
    let older = run.join("checkpoint-000001.safetensors");
    desk.ok(&[
        "train",
        "--resume",
        &older.to_string_lossy(),
        "--kimg",
        "2",
        "--keep",
        "1",
        "--device",
        "cpu",
    ]);
    assert!(run.join("checkpoint-000003.safetensors.superseded").is_file());
    assert!(run.join("checkpoint-000002.safetensors").is_file());
    // What was asked for once goes on: one is kept.
    assert!(!run.join("checkpoint-000001.safetensors").exists());
    desk.ok(&["train", "--resume", "latest", "--kimg", "3", "--device", "cpu"]);
    assert!(std::fs::read(run.join("checkpoint-000003.safetensors")).unwrap() == newest);
    assert!(!run.join("checkpoint-000002.safetensors").exists());
    let back = ["train", "--resume", "latest", "--kimg", "1", "--device", "cpu"];
    assert!(desk.fails(&back, 1).contains("at 3.000 kimg already"));
    assert_eq!(stats(&run).len(), 6);
    // 3.001 is done with 3.008.
    for _ in 0..2 {
        desk.ok(&["train", "--resume", "latest", "--kimg", "3.001", "--device", "cpu"]);
    }
    let again = desk.ok(&["train", "--resume", "latest", "--device", "cpu"]);
    assert!(again.contains("finished before, at 3.008 kimg"), "{again}");
}

#[test]
fn a_checkpoint_outside_its_run_touches_nothing_of_its_neighbours() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let checkpoint = desk.run_folder("runs").join("checkpoint-000000.104.safetensors");
    std::fs::create_dir(desk.join("mine")).unwrap();
    std::fs::write(desk.join("mine/stats.jsonl"), b"my own notes").unwrap();
    std::fs::copy(checkpoint, desk.join("mine/c.safetensors")).unwrap();
    let args = ["train", "--resume", "mine/c.safetensors", "--kimg", "0.2", "--device", "cpu"];
    assert!(desk.fails(&args, 1).contains("no run's folder"));
    assert_eq!(std::fs::read(desk.join("mine/stats.jsonl")).unwrap(), b"my own notes");
}

#[test]
fn a_checkpoint_that_claims_a_larger_network_than_it_holds_is_refused() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let path = desk.run_folder("runs").join("checkpoint-000000.104.safetensors");
    // Forged with a checksum of its own, and the run's options with it.
    let mut forged = Checkpoint::open(&path).unwrap();
    (forged.meta.config.model.g_width, forged.meta.config.model.d_width) = (9, 9);
    forged.save(&path).unwrap();
    let options = desk.run_folder("runs").join("training_options.json");
    let text = std::fs::read_to_string(&options).unwrap();
    std::fs::write(&options, text.replace("_width\": 4", "_width\": 9")).unwrap();
    let error = desk.fails(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"], 1);
    assert!(error.contains("its networks alone have"), "{error}");
}

#[test]
fn a_time_lapse_that_cannot_be_made_does_not_make_the_run_a_failure() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    std::fs::write(desk.run_folder("runs").join("fakes0.png"), b"mine").unwrap();
    let out = desk.ok(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"]);
    assert!(out.contains("time-lapse was not written") && out.contains("finished 0.200"), "{out}");
}

#[cfg(unix)]
#[test]
fn links_that_somebody_left_in_a_folder_are_not_followed() {
    use std::os::unix::fs::symlink;
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let run = desk.run_folder("runs");
    let victim = desk.join("victim");
    std::fs::write(&victim, b"years of work").unwrap();
    let untouched = || assert_eq!(std::fs::read(&victim).unwrap(), b"years of work");
    symlink(&victim, run.join("training_options.json.partial")).unwrap();
    let on = ["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"];
    desk.ok(&on);
    untouched();
    std::fs::create_dir(desk.join("s")).unwrap();
    symlink(&victim, desk.join("s/seed0000.png.partial")).unwrap();
    desk.ok(&["sample", "-n", "1", "--out", "s", "--device", "cpu"]);
    untouched();
    std::fs::rename(run.join("log.txt"), desk.join("log.txt")).unwrap();
    symlink(&victim, run.join("log.txt")).unwrap();
    assert!(desk.fails(&on, 1).contains("put the file itself in its place"));
    untouched();
}

#[test]
fn a_run_that_was_stopped_before_its_first_snapshot_is_measured_when_it_goes_on() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1", "--snap", "0.2", "--metrics", "kid", "--keep", "1"]);
    let run = desk.run_folder("runs");
    let measured = || -> Vec<std::path::PathBuf> {
        let files = std::fs::read_dir(&run).unwrap().flatten().map(|file| file.path());
        let is = |path: &std::path::PathBuf| path.to_string_lossy().contains("metric-kid");
        files.filter(is).collect()
    };
    // As if it had been stopped: nothing but its options says that it was to be measured.
    measured().into_iter().for_each(|path| std::fs::remove_file(path).unwrap());
    desk.ok(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"]);
    assert_eq!(measured().len(), 1);
}

#[test]
fn going_back_takes_the_generator_and_the_best_one_back_too() {
    let desk = Desk::new();
    let metrics = ["--metrics", "kid", "--keep", "0"];
    desk.train(&[&["--kimg", "0.6", "--snap", "0.2"], &metrics[..]].concat());
    let run = desk.run_folder("runs");
    let read = |name: &str| std::fs::read(run.join(name)).unwrap();
    let last = read("generator.safetensors");
    // As if the last had been the best.
    std::fs::write(run.join("generator-best.safetensors"), &last).unwrap();
    std::fs::write(run.join("best.json"), br#"{"metric":"kid60_lesion","value":0.1,"nimg":600}"#)
        .unwrap();
    let first = run.join("checkpoint-000000.200.safetensors");
    let first = first.to_string_lossy();
    let out = desk.ok(&["train", "--resume", &first, "--kimg", "0.2", "--device", "cpu"]);
    assert!(out.contains("finished before, at 0.200 kimg"), "{out}");
    let back = read("generator.safetensors");
    assert!(back != last, "the generator is the checkpoint's");
    assert!(!run.join("best.json").exists() && run.join("best.json.superseded").exists());
    assert!(run.join("generator-best.safetensors.superseded").exists());
    // A second time, what was set aside before stays.
    std::fs::write(run.join("best.json"), br#"{"metric":"kid60_lesion","value":0.1,"nimg":600}"#)
        .unwrap();
    desk.ok(&["train", "--resume", &first, "--kimg", "0.2", "--device", "cpu"]);
    assert!(run.join("best.json.superseded").exists());
    // What a run's folder lacks is put back, in the same bytes.
    let split = read("split.csv");
    for name in ["generator.safetensors", "split.csv", "reals.png"] {
        std::fs::remove_file(run.join(name)).unwrap();
    }
    desk.ok(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"]);
    assert!(read("generator.safetensors") == back && read("split.csv") == split);
    assert!(run.join("reals.png").is_file());
    // The way that was gone before is gone again.
    desk.ok(&["train", "--resume", "latest", "--kimg", "0.6", "--device", "cpu"]);
    assert!(read("generator.safetensors") == last);
    assert!(run.join("best.json").is_file());
    let quiet = ["train", "--resume", "latest", "--kimg", "0.8", "--metrics", "none"];
    let out = desk.ok(&[&quiet[..], &["--device", "cpu"]].concat());
    assert!(!out.contains("kid"), "{out}");
}

#[test]
fn a_checkpoint_of_another_run_is_refused_in_this_ones_folder() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1", "--outdir", "a"]);
    desk.train(&["--kimg", "0.1", "--outdir", "b", "--seed", "5"]);
    let name = "checkpoint-000000.104.safetensors";
    let (a, b) = (desk.run_folder("a"), desk.run_folder("b"));
    let options = std::fs::read(a.join("training_options.json")).unwrap();
    std::fs::copy(b.join(name), a.join("checkpoint-000000.200.safetensors")).unwrap();
    let resume =
        ["train", "--resume", "latest", "--outdir", "a", "--kimg", "0.3", "--device", "cpu"];
    let error = desk.fails(&resume, 1);
    assert!(error.contains("another run") && error.contains("seed"), "{error}");
    desk.train(&["--kimg", "0.1", "--outdir", "c", "--lr", "1e-4"]);
    let other = desk.run_folder("c").join(name);
    std::fs::copy(other, a.join("checkpoint-000000.200.safetensors")).unwrap();
    let error = desk.fails(&resume, 1);
    assert!(error.contains("another run") && error.contains("optimiser"), "{error}");
    let bare = |folder: &Path| {
        let args = ["train", "--resume", name, "--kimg", "0.1", "--device", "cpu"];
        desk.command(&args).current_dir(folder).output().unwrap()
    };
    let out = bare(&b);
    assert!(out.status.success(), "a bare name is a file of this folder: {}", text(&out.stderr));
    assert!(std::fs::read(a.join("training_options.json")).unwrap() == options);
}

#[test]
fn a_broken_newest_checkpoint_blocks_nothing_once_the_run_went_on_without_it() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.4", "--snap", "0.2"]);
    let run = desk.run_folder("runs");
    std::fs::write(run.join("checkpoint-000009.safetensors"), b"cut").unwrap();
    let on = |from: &str, kimg: &str| {
        desk.run(&["train", "--resume", from, "--kimg", kimg, "--device", "cpu"]).status.success()
    };
    assert!(!on("latest", "0.5"));
    let good = run.join("checkpoint-000000.400.safetensors");
    assert!(on(&good.to_string_lossy(), "0.5"));
    assert!(on("latest", "0.6"));
    assert!(run.join("checkpoint-000009.safetensors.superseded").is_file());
}

#[test]
fn a_run_whose_options_cannot_be_read_loses_no_checkpoint() {
    let desk = Desk::new();
    desk.train(&["--kimg", "1", "--snap", "0.2", "--keep", "0"]);
    let run = desk.run_folder("runs");
    let checkpoints = || {
        let files = std::fs::read_dir(&run).unwrap().flatten();
        let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("checkpoint-")).count()
    };
    let before = checkpoints();
    for (broken, kimg) in [(Some("{"), "1.2"), (None, "1.4")] {
        let options = run.join("training_options.json");
        match broken {
            Some(text) => std::fs::write(&options, text).unwrap(),
            None => std::fs::remove_file(&options).unwrap(),
        }
        let out = desk.ok(&["train", "--resume", "latest", "--kimg", kimg, "--device", "cpu"]);
        assert!(out.contains("could not be read and was written anew"), "{out}");
    }
    assert_eq!(checkpoints(), before + 2);
}

#[test]
fn a_stop_in_the_very_step_of_a_snapshot_leaves_that_snapshot() {
    let desk = Desk::new();
    desk.ok(&["prepare", "phantom:60", "--size", "32", "--out", "p.dermagan"]);
    let request = Request {
        data: Some(desk.join("p.dermagan").display().to_string()),
        preset: "tiny".into(),
        width: Some(4),
        batch: Some(8),
        kimg: Some(2.0),
        snap: Some(1.0),
        ..Request::default()
    };
    let mut plan = Plan::new(&request, &mut |_| ()).unwrap();
    let device = dermagan_model::device::select(&"cpu".parse().unwrap()).unwrap();
    let stop = AtomicBool::new(false);
    let mut sink = |event| {
        if matches!(event, Event::Progress { nimg: 992, .. }) {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let options = SessionOptions { keep: 0, metrics: vec![Metric::Kid] };
    let outcome =
        session::start(&mut plan, device, &desk.join("runs"), options, &stop, &mut sink).unwrap();
    assert!(outcome.interrupted && outcome.nimg == 1000);
    for name in ["checkpoint-000001.safetensors", "fakes000001.png", "best.json"] {
        assert!(outcome.run.join(name).is_file(), "{name}");
    }
}
