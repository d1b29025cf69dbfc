//! A resumed run ends in the same bytes as an uninterrupted one.

mod common;

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::*;
use dermagan_train::{Event, Metric, ResumeRequest, TrainRequest, resume, start};

const SCHEDULE: [&str; 4] = ["--snap", "0.08", "--tick", "0.04"];

/// Trains without interruption and returns the run's folder.
fn uninterrupted(desk: &Desk, kimg: &str) -> std::path::PathBuf {
    desk.train(&[&["--outdir", "whole", "--kimg", kimg], &SCHEDULE[..]].concat());
    desk.run_folder("whole")
}

#[test]
fn n_steps_and_n_resumed_steps_end_in_the_same_bytes_as_2n_steps() {
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
fn the_total_time_of_a_run_includes_its_last_incomplete_tick() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.2", "--tick", "5"]);
    let run = desk.run_folder("runs");
    let seconds = || -> serde_json::Value {
        let lines = std::fs::read_to_string(run.join("stats.jsonl")).unwrap();
        let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        last["Timing/total_sec"]["mean"].clone()
    };
    let lines = std::fs::read_to_string(run.join("stats.jsonl")).unwrap();
    let slower = lines.replace(&seconds().to_string(), "1000.0");
    std::fs::write(run.join("stats.jsonl"), slower).unwrap();
    desk.ok(&["train", "--resume", "latest", "--kimg", "0.4", "--device", "cpu"]);
    assert!(seconds().as_f64().unwrap() > 1000.0, "{}", seconds());
}

#[test]
fn a_wider_run_resumes_to_the_same_bytes_in_f32_and_auto_precision() {
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
    assert!(!ends[0].0, "f32 stays f32");
    assert_eq!(ends[0].1 != ends[1].1, ends[1].0, "bf16, if auto chose it, gives other bytes");
}

/// A small run of the residual backbone with every feature that the preset `reference` lacks.
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
    // The preset's rate depends on the length of the run, which differs between the two runs.
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
    // The run stops between two updates of the augmentation probability, between two penalties, between two lookahead
    // steps, and while the strength of the classes increases.
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
    assert!(
        stats.iter().any(|line| probability(line) > 0.0),
        "the discriminator overfits the 48 images at times, so augmentation increases"
    );
}

#[test]
fn a_scheduled_setting_resumes_where_the_run_was_killed() {
    let desk = Desk::new();
    let ramp = [
        "--set",
        "optimiser.learning_rate={ from = 1e-3, to = 1e-5 }",
        "--set",
        "objective.r1={ from = 0.5, to = 0.05 }",
        "--set",
        "augment.rotate=1",
        "--set",
        "augment.zoom=0.2",
        "--set",
        "augment.rare_probability={ from = 0.2, to = 0.9 }",
        "--set",
        "data.balanced=0.5",
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
    let whole = desk.run_folder("whole");
    assert_same_end(&whole, &desk.run_folder("killed"), "000006");
    let stats = stats(&whole);
    let rare = |line: &serde_json::Value| line["Progress/augment_rare"]["mean"].as_f64().unwrap();
    let (first, last) = (stats.first().unwrap(), stats.last().unwrap());
    assert!(rare(first) < rare(last), "from {} to {}", rare(first), rare(last));
}

#[test]
fn another_seed_gives_another_generator() {
    let desk = Desk::new();
    desk.train(&["--outdir", "a", "--kimg", "0.1"]);
    desk.train(&["--outdir", "b", "--kimg", "0.1", "--seed", "1"]);
    let read = |outdir: &str| {
        std::fs::read(desk.run_folder(outdir).join("generator.safetensors")).unwrap()
    };
    assert_ne!(read("a"), read("b"));
}

/// A xorshift generator for the times of the kills. Its seed is fixed, so the times are the same in every run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_run_that_is_killed_twenty_times_ends_in_the_same_bytes() {
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
fn ctrl_c_writes_a_checkpoint_and_the_resumed_run_ends_in_the_same_bytes() {
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
fn a_run_that_stopped_before_its_first_snapshot_is_measured_after_it_resumes() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1", "--snap", "0.2", "--metrics", "kid", "--keep", "1"]);
    let run = desk.run_folder("runs");
    let measured = || -> Vec<std::path::PathBuf> {
        let files = std::fs::read_dir(&run).unwrap().flatten().map(|file| file.path());
        let is = |path: &std::path::PathBuf| path.to_string_lossy().contains("metric-kid");
        files.filter(is).collect()
    };
    // This simulates a stop before the snapshot: only the options of the run name its metrics.
    measured().into_iter().for_each(|path| std::fs::remove_file(path).unwrap());
    desk.ok(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"]);
    assert_eq!(measured().len(), 2, "one by each of the two networks");
}

#[test]
fn a_stop_at_a_snapshot_breaks_its_metrics_off_and_the_resumed_run_computes_them() {
    let desk = Desk::new();
    desk.ok(&["prepare", "phantom:60", "--size", "32", "--out", "p.dermagan"]);
    let request = |outdir: &str| TrainRequest {
        data: Some(desk.join("p.dermagan").display().to_string()),
        preset: "tiny".into(),
        outdir: desk.join(outdir),
        keep: 0,
        metrics: vec![Metric::Kid],
        width: Some(4),
        batch: Some(8),
        kimg: Some(0.4),
        snap: Some(0.2),
        ..TrainRequest::default()
    };
    let device = dermagan_model::device::select(&"cpu".parse().unwrap()).unwrap();
    let whole =
        start(&request("whole"), &device, &AtomicBool::new(false), &mut |_| ()).unwrap().run;
    // The stop comes in the metrics of the snapshot after 200 or after 400 images. The second one ends the run.
    for (outdir, at) in [("middle", 200), ("end", 400)] {
        let stop = AtomicBool::new(false);
        let mut sink = |event| match event {
            // The event says that the checkpoint is written.
            Event::Measuring { nimg } if nimg == at => {
                let name = format!("checkpoint-000000.{at}.safetensors");
                assert!(desk.run_folder(outdir).join(name).is_file());
                stop.store(true, Ordering::Relaxed);
            }
            Event::Metric { .. } => assert!(!stop.load(Ordering::Relaxed)),
            _ => {}
        };
        let outcome = start(&request(outdir), &device, &stop, &mut sink).unwrap();
        assert!(outcome.interrupted && outcome.unmeasured && outcome.nimg == at);
        let run = outcome.run;
        assert_eq!(metrics(&run).len(), 2 * (at as usize / 200 - 1));
        let again = ResumeRequest::new(run.display().to_string());
        let outcome = resume(&again, &device, &AtomicBool::new(false), &mut |_| ()).unwrap();
        assert!(!outcome.interrupted && !outcome.unmeasured && outcome.nimg == 400);
        assert_same_end(&whole, &run, "000000.400");
        assert_eq!(metrics(&whole), metrics(&run));
        for name in ["best.json", "generator-best.safetensors", "checkpoint-000000.200.safetensors"]
        {
            let read = |run: &Path| std::fs::read(run.join(name)).unwrap();
            assert!(read(&whole) == read(&run), "{name}");
        }
        // Nothing is left to compute, and nothing is computed twice.
        let nothing = resume(&again, &device, &AtomicBool::new(false), &mut |_| ()).unwrap();
        assert!(!nothing.interrupted);
        assert_eq!(metrics(&whole), metrics(&run));
    }
}

/// The lines of the files `metric-*.jsonl` of a run without their times.
fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let files = std::fs::read_dir(run).unwrap().flatten().map(|file| file.path());
    let mut files: Vec<_> =
        files.filter(|path| path.to_string_lossy().contains("metric-")).collect();
    files.sort();
    let text: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let timeless = |line: &str| {
        let mut line: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        line.retain(|key, _| !key.contains("time"));
        serde_json::Value::Object(line)
    };
    text.lines().map(timeless).collect()
}

#[test]
fn a_run_that_is_killed_in_its_metrics_ends_in_the_same_bytes_and_metrics() {
    let desk = Desk::new();
    let args = ["--kimg", "0.4", "--snap", "0.2", "--metrics", "kid,pr", "--keep", "0"];
    desk.train(&[&args[..], &["--outdir", "whole"]].concat());
    let whole = desk.run_folder("whole");
    desk.train(&[&args[..], &["--outdir", "killed"]].concat());
    let run = desk.run_folder("killed");
    // This simulates a process that was killed at its last snapshot, in each of the lines of its metrics.
    let names = std::fs::read_dir(&run).unwrap().flatten().map(|file| file.path());
    let mut files: Vec<_> =
        names.filter(|path| path.to_string_lossy().contains("metric-")).collect();
    // The order in which they are written: by metric, and of each metric the lesion encoder's last.
    files.sort_by_key(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name.contains("metric-pr"), name.ends_with("_lesion.jsonl"))
    });
    assert_eq!(files.len(), 4);
    for killed in (0..files.len()).rev() {
        let text = std::fs::read_to_string(&files[killed]).unwrap();
        assert_eq!(text.lines().count(), 2);
        let first = text.lines().next().unwrap();
        std::fs::write(&files[killed], format!("{first}\n{{\"results\": ")).unwrap();
        for unwritten in &files[killed + 1..] {
            std::fs::write(
                unwritten,
                std::fs::read_to_string(unwritten).unwrap().lines().next().unwrap().to_owned()
                    + "\n",
            )
            .unwrap();
        }
        desk.ok(&["train", "--resume", &run.to_string_lossy(), "--device", "cpu"]);
        assert_same_end(&whole, &run, "000000.400");
        assert_eq!(metrics(&whole), metrics(&run));
        assert_eq!(metrics(&run).len(), 8);
    }
}

#[test]
#[cfg(unix)]
fn a_stop_while_steps_are_timed_says_that_there_is_nothing_to_resume() {
    use std::io::{BufRead, BufReader};

    let desk = Desk::new();
    let args = [&["train"], &SMALL[..], &["--minutes", "5"]].concat();
    let mut child =
        desk.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Signals are handled from the line of the preset on; steps are timed for ten seconds.
    let stdout = BufReader::new(child.stdout.take().unwrap());
    assert!(stdout.lines().any(|line| line.unwrap().starts_with("preset tiny")));
    std::thread::sleep(Duration::from_millis(1000));
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let out = child.wait_with_output().unwrap();
    let stderr = text(&out.stderr);
    assert_eq!(out.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("there is nothing to resume"), "{stderr}");
    assert!(!stderr.contains("checkpoint") && !stderr.contains("error"), "{stderr}");
    let runs = std::fs::read_dir(desk.join("runs")).into_iter().flatten().count();
    assert_eq!(runs, 0);
}

#[test]
fn a_projected_discriminator_resumes_to_the_same_bytes() {
    let desk = Desk::new();
    let base = ["train", "--preset", "rare", "--data", "phantom:60", "--size", "32", "--device"];
    let small = ["cpu", "--width", "8", "--batch", "4", "--precision", "f32", "--snap", "0.016"];
    let projected = ["--set", "model.projected=true", "--set", "optimiser.learning_rate=1e-4"];
    let constant = ["--set", "optimiser.lookahead_back=0.5", "--set", "augment.probability=0.5"];
    let train = |outdir: &str, kimg: &str, from: &str| {
        let length = ["--kimg", kimg, "--outdir", outdir, "--set", from];
        desk.ok(&[&base[..], &small, &length, &projected, &constant].concat())
    };
    // The judges take part from the first step, or from the image at which the run is resumed.
    for (name, from) in [("always", 0.0), ("later", 0.5)] {
        let [whole, parts] = ["whole", "parts"].map(|part| format!("{name}-{part}"));
        let from = format!("objective.projected_from={from}");
        train(&whole, "0.032", &from);
        let run = desk.run_folder(&whole);
        std::fs::create_dir(desk.join(&parts)).unwrap();
        let cut = desk.join(&parts).join("00000-phantom-rare");
        let copied = std::process::Command::new("cp").arg("-r").args([&run, &cut]).status();
        assert!(copied.unwrap().success());
        std::fs::remove_file(cut.join("checkpoint-000000.032.safetensors")).unwrap();
        desk.ok(&["train", "--resume", "latest", "--outdir", &parts, "--device", "cpu"]);
        assert_same_end(&run, &cut, "000000.032");
    }
    let alone = ["--set", "objective.projected=2", "--kimg", "0.01", "--preset", "rare"];
    let error = desk.fails(&[&["train", "--data", "phantom:60"], &alone[..]].concat(), 1);
    assert!(error.contains("model.projected is false"), "{error}");
}

#[test]
fn a_run_at_256_pixels_resumes_to_the_same_bytes_and_its_images_are_sampled_and_evaluated() {
    let desk = Desk::new();
    let base = ["train", "--preset", "fast", "--data", "phantom:60", "--size", "256", "--device"];
    let small = ["cpu", "--width", "2", "--batch", "4", "--precision", "f32", "--snap", "0.016"];
    let train = |outdir: &str, kimg: &str| {
        let length = ["--kimg", kimg, "--outdir", outdir, "--set", "optimiser.learning_rate=1e-4"];
        let constant = ["--set", "optimiser.lookahead_back=0.5", "--set", "model.projected=false"];
        desk.ok(&[&base[..], &small, &length, &constant].concat())
    };
    train("whole", "0.032");
    train("parts", "0.016");
    desk.ok(&[
        "train", "--resume", "latest", "--outdir", "parts", "--kimg", "0.032", "--device", "cpu",
    ]);
    let (whole, parts) = (desk.run_folder("whole"), desk.run_folder("parts"));
    assert_same_end(&whole, &parts, "000000.032");
    let run = whole.to_string_lossy();
    desk.ok(&["sample", &run, "-n", "3", "--out", "s", "--device", "cpu"]);
    assert_eq!(image::image_dimensions(desk.join("s/seed0002.png")).unwrap(), (256, 256));
    let eval = ["eval", "--real", "phantom:60", "--fake", &run, "-n", "12", "--split", "all"];
    let table = desk.ok(&[&eval[..], &["--device", "cpu"]].concat());
    assert!(table.contains("imagenet"), "{table}");
    let estimate = ["train", "--preset", "rare", "--size", "256", "--data", "phantom:60", "-n"];
    let estimate = desk.ok(&[&estimate[..], &["--device", "cpu", "--width", "12"]].concat());
    assert!(estimate.contains("memory") && estimate.contains("dry run"), "{estimate}");
}
