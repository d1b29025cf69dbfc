//! Runs every subcommand as a process.

mod common;

use common::*;

#[test]
fn help_names_every_subcommand_and_the_exit_codes() {
    let help = Desk::new().ok(&["--help"]);
    for word in [
        "prepare",
        "data",
        "train",
        "sample",
        "demo",
        "info",
        "devices",
        "doctor",
        "completions",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn a_run_folder_has_the_layout_of_stylegan() {
    let desk = Desk::new();
    let out = desk.train(&["--kimg", "0.2", "--snap", "0.1", "--tick", "0.05", "--seed", "3"]);
    assert!(out.contains("finished 0.200 kimg"), "{out}");
    let run = desk.run_folder("runs");
    assert_eq!(run.file_name().unwrap(), "00000-phantom-tiny");
    for name in [
        "training_options.json",
        "reals.png",
        "fakes_init.png",
        "fakes000000.104.png",
        "fakes000000.200.png",
        "stats.jsonl",
        "log.txt",
        "checkpoint-000000.200.safetensors",
        "generator.safetensors",
        "losses.png",
        "timelapse.gif",
    ] {
        assert!(run.join(name).is_file(), "{name} is missing");
    }
    let lines = stats(&run);
    assert_eq!(lines.len(), 4);
    assert!(lines[3]["Loss/D/loss"]["mean"].as_f64().unwrap() > 0.0);
    let options: serde_json::Value =
        serde_json::from_slice(&std::fs::read(run.join("training_options.json")).unwrap()).unwrap();
    assert_eq!(
        (options["seed"].as_u64(), options["optimiser"]["batch"].as_u64()),
        (Some(3), Some(8))
    );
    assert!(desk.ok(&["info", "runs/00000-phantom-tiny"]).contains("healthy"));
    let info: serde_json::Value =
        serde_json::from_str(&desk.ok(&["info", "--json", "runs/00000-phantom-tiny"])).unwrap();
    assert_eq!((info["what"].as_str(), info["seed"].as_u64()), (Some("run"), Some(3)));
}

#[test]
fn snapshots_at_whole_kimg_are_named_with_six_digits_and_old_checkpoints_are_deleted() {
    let desk = Desk::new();
    desk.train(&["--kimg", "3", "--snap", "1", "--keep", "2"]);
    let run = desk.run_folder("runs");
    for stamp in ["000001", "000002", "000003"] {
        assert!(run.join(format!("fakes{stamp}.png")).is_file());
    }
    let kept = |stamp: &str| run.join(format!("checkpoint-{stamp}.safetensors")).is_file();
    assert_eq!(
        [kept("000000"), kept("000001"), kept("000002"), kept("000003")],
        [false, false, true, true]
    );
}

#[test]
fn prepare_writes_a_cache_that_train_accepts_and_info_describes() {
    let desk = Desk::new();
    let out = desk.ok(&[
        "prepare",
        "phantom:60",
        "--size",
        "32",
        "--fit",
        "squash",
        "--out",
        "p.dermagan",
    ]);
    assert!(out.contains("kept"), "{out}");
    assert!(
        desk.ok(&[
            "prepare",
            "phantom:60",
            "--size",
            "32",
            "--fit",
            "squash",
            "--out",
            "p.dermagan"
        ])
        .contains("unchanged")
    );
    assert!(desk.ok(&["info", "p.dermagan"]).contains("cache of prepared images"));
    desk.ok(&[
        "train",
        "--preset",
        "tiny",
        "--data",
        "p.dermagan",
        "--width",
        "4",
        "--batch",
        "8",
        "--kimg",
        "0.02",
        "--device",
        "cpu",
    ]);
    let wrong = ["train", "--preset", "tiny", "--data", "p.dermagan", "--size", "64"];
    assert!(desk.fails(&wrong, 1).contains("holds images of 32 pixels"));
}

#[test]
fn strict_has_its_own_exit_code() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.join("d/nv")).unwrap();
    std::fs::write(desk.join("d/nv/a.jpg"), b"no image").unwrap();
    let image = image::RgbImage::from_fn(40, 40, |x, y| image::Rgb([x as u8, y as u8, 90]));
    image.save(desk.join("d/nv/b.png")).unwrap();
    assert!(desk.ok(&["prepare", "d", "--size", "32"]).contains("not downloaded"));
    assert!(desk.fails(&["prepare", "d", "--size", "32", "--strict"], 3).contains("a.jpg"));
}

#[test]
fn data_info_prints_a_table_or_json_and_writes_an_image() {
    let desk = Desk::new();
    let table = desk.ok(&["data", "info", "phantom:60", "--grid", "g.png"]);
    assert!(table.contains("not medical data") && table.contains("Melanoma"), "{table}");
    assert_eq!(image::image_dimensions(desk.join("g.png")).unwrap(), (960, 7 * 96));
    desk.ok(&["data", "info", "phantom:60", "--grid", "g.png"]);
    std::fs::write(desk.join("mine.png"), b"years of work").unwrap();
    let error = desk.fails(&["data", "info", "phantom:60", "--grid", "mine.png"], 1);
    assert!(error.contains("--grid mine.png: there is a file of this name"), "{error}");
    assert_eq!(std::fs::read(desk.join("mine.png")).unwrap(), b"years of work");
    let json: serde_json::Value =
        serde_json::from_str(&desk.ok(&["data", "info", "phantom:60", "--json"])).unwrap();
    assert_eq!(json["classes"].as_array().unwrap().len(), 7);
    assert!(desk.fails(&["data", "info", "nowhere"], 1).contains("no such file or folder"));
}

#[test]
fn a_dry_run_shows_the_plan_and_writes_no_run() {
    let desk = Desk::new();
    let out = desk.train(&["--kimg", "4", "--dry-run"]);
    assert!(
        out.contains("\"batch\": 8")
            && out.contains("parameters")
            && out.contains("500 of 8 images"),
        "{out}"
    );
    assert!(!desk.join("runs").exists());
}

#[test]
fn a_run_that_needs_more_memory_than_the_machine_has_does_not_start() {
    let desk = Desk::new();
    // This run needs about 1,145 GB.
    let train = ["train", "--data", "phantom:60", "--device", "cpu", "--size", "128"];
    let huge = [&train[..], &["--width", "512", "--batch", "4096"]].concat();
    let dry = [&huge[..], &["--dry-run"]].concat();
    if dermagan_train::machine_gigabytes().is_none_or(|gigabytes| gigabytes > 500.0) {
        desk.ok(&dry);
        return;
    }
    for args in [dry, huge.clone(), [&huge[..], &["--minutes", "5", "--dry-run"]].concat()] {
        let error = desk.fails(&args, 1);
        assert!(error.contains("GB of memory and this machine has"), "{error}");
    }
    assert!(!desk.join("runs").exists());
}

#[test]
fn minutes_set_the_length_of_a_run_and_of_its_schedules() {
    let desk = Desk::new();
    let ramp = "optimiser.learning_rate={ from = 2e-4, to = 1e-4 }";
    let out = desk.train(&["--minutes", "0.02", "--set", ramp, "--snap", "100"]);
    let words = out.lines().find(|line| line.contains("s/kimg here")).expect("says so");
    let kimg: f64 = words.rsplit(' ').nth(1).unwrap().parse().unwrap();
    assert!(kimg >= 0.008, "{words}");
    let options = std::fs::read_to_string(desk.run_folder("runs").join("training_options.json"));
    let options: serde_json::Value = serde_json::from_str(&options.unwrap()).unwrap();
    assert_eq!(options["schedule"]["kimg"], kimg);
    assert_eq!(options["horizon_kimg"], kimg);
    assert!(out.contains(&format!("finished {:.3} kimg", (kimg * 125.0).ceil() / 125.0)), "{out}");
    // A step of the small run takes almost no time.
    let small = [&["train"], &SMALL[..]].concat();
    assert!(desk.fails(&[&small[..], &["--minutes", "0"]].concat(), 1).contains("more than 0"));
    assert!(desk.fails(&[&small[..], &["--minutes=1e-9"]].concat(), 1).contains("one step takes"));
    let resumed = ["train", "--device", "cpu", "--minutes", "1", "--resume", "latest"];
    assert!(desk.fails(&resumed, 1).contains("cannot change"));
    desk.fails(&["train", "--minutes", "1", "--kimg", "1"], 2);
}

#[test]
fn errors_of_invalid_options_name_the_valid_values() {
    let desk = Desk::new();
    let error = desk.fails(&["train", "--preset", "finest"], 1);
    assert!(error.contains("reference, fast, rare,") && error.contains(", tiny"), "{error}");
    assert!(
        desk.fails(&["train", "--size", "48", "--data", "phantom:60"], 1)
            .contains("32, 64, 128 or 256")
    );
    assert!(
        desk.fails(&["train", "--batch", "1", "--data", "phantom:60"], 1).contains("2 to 4096")
    );
    assert!(desk.fails(&["train", "--kimg=-1", "--data", "phantom:60"], 1).contains("more than 0"));
    assert!(desk.fails(&["train", "--device", "rocm"], 2).contains("gpu:1"));
    assert!(desk.fails(&["train", "--device", "cuda:9"], 1).contains("--device"));
    assert!(desk.fails(&["train", "--resume", "latest"], 1).contains("no run with a checkpoint"));
    assert!(desk.fails(&["sample", "nowhere"], 1).contains("train one"));
    assert!(desk.fails(&["info", "nowhere"], 1).contains("nowhere"));
    assert!(desk.ok(&["completions", "bash"]).contains("dermagan"));
    assert!(desk.ok(&["devices"]).contains("cpu"));
}

#[test]
fn the_doctor_finds_two_cpu_levels_equal_up_to_rounding() {
    let out = Desk::new().ok(&["doctor", "--device", "cpu"]);
    let (_, after) = out.split_once("off by ").unwrap();
    let worst: f64 = after.split_whitespace().next().unwrap().parse().unwrap();
    assert!(out.contains("pass: ") && worst < 1e-4, "{out}");
    // Two levels round differently, so a difference of 0 means that a level was compared with itself.
    assert_eq!(worst > 0.0, dermagan_model::cpu::available().count() > 1, "{out}");
}

#[test]
fn divergence_stops_the_run_and_leaves_the_last_good_checkpoint() {
    let desk = Desk::new();
    let args = [&["train"], &SMALL[..], &["--kimg", "5", "--lr", "1e30", "--snap", "0.5"]].concat();
    let error = desk.fails(&args, 4);
    assert!(error.contains("not finite") && error.contains("last good checkpoint"), "{error}");
    let run = desk.run_folder("runs");
    let checkpoint = run.join("checkpoint-000000.safetensors");
    assert!(desk.ok(&["info", &checkpoint.to_string_lossy()]).contains("checkpoint"));
    assert!(std::fs::read_to_string(run.join("log.txt")).unwrap().contains("not finite"));
}

#[test]
fn the_notebook_preset_squashes_and_keeps_no_average() {
    let desk = Desk::new();
    let out = desk.ok(&[
        "train",
        "--preset",
        "notebook",
        "--data",
        "phantom:60",
        "--dry-run",
        "--device",
        "cpu",
    ]);
    for word in [
        "\"fit\": \"squash\"",
        "\"filter\": \"bilinear\"",
        "\"ema_kimg\": 0.0",
        "\"init\": \"pytorch\"",
        "\"split\": \"all\"",
    ] {
        assert!(out.contains(word), "{word} is not in {out}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_standard_output_is_an_error_and_a_closed_pipe_is_not() {
    let desk = Desk::new();
    let commands: [&[&str]; 4] = [
        &["devices"],
        &["completions", "zsh"],
        &["info", "shipped"],
        &["info", "shipped", "--json"],
    ];
    for args in commands {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let out = desk.command(args).stdout(full).output().unwrap();
        let stderr = text(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(stderr.contains("standard output is incomplete"), "{args:?}: {stderr}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let out = desk.command(args).stdout(writer).output().unwrap();
        assert_eq!(out.status.code(), Some(0), "{args:?}: {}", text(&out.stderr));
    }
}

#[test]
#[cfg(unix)]
fn a_closed_pipe_does_not_stop_training() {
    let desk = Desk::new();
    let args = [&["train"], &SMALL[..], &["--kimg", "0.3", "--snap", "0.1"]].concat();
    let mut child = desk.command(&args).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    assert!(desk.run_folder("runs").join("checkpoint-000000.304.safetensors").is_file());
}

#[test]
fn a_file_with_the_name_of_the_next_run_is_skipped() {
    let desk = Desk::new();
    std::fs::create_dir(desk.join("runs")).unwrap();
    std::fs::write(desk.join("runs/00000-phantom-tiny"), b"a file").unwrap();
    desk.train(&["--kimg", "0.02"]);
    assert!(desk.join("runs/00001-phantom-tiny/generator.safetensors").is_file());
}

#[test]
fn a_run_shorter_than_a_tick_has_statistics_a_plot_and_the_split() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.05"]);
    let run = desk.run_folder("runs");
    assert_eq!(stats(&run).len(), 1);
    assert!(run.join("losses.png").is_file());
    let split = std::fs::read_to_string(run.join("split.csv")).unwrap();
    assert!(split.starts_with("image_id,side,split\nPHANTOM_0000000,"), "{split}");
    assert!(split.contains(",test,lesion-2\n"), "{split}");
    let info: serde_json::Value =
        serde_json::from_str(&desk.ok(&["info", "--json", &run.to_string_lossy()])).unwrap();
    assert_eq!(info["kimg_checkpoint"].as_f64(), Some(0.056));
}

#[test]
fn a_cache_or_a_checkpoint_in_the_wrong_place_is_recognised_in_the_error() {
    let desk = Desk::new();
    desk.ok(&["prepare", "phantom:60", "--size", "32", "--out", "p.dermagan"]);
    assert!(desk.fails(&["data", "info", "p.dermagan"], 1).contains("dermagan cache"));
    desk.train(&["--kimg", "0.02"]);
    let checkpoint = desk.run_folder("runs").join("checkpoint-000000.024.safetensors");
    let few = ["-n", "1", "--out", "s", "--device", "cpu"];
    desk.ok(&[&["sample", &*checkpoint.to_string_lossy()], &few[..]].concat());
    // The file name does not matter.
    std::fs::copy(&checkpoint, desk.join("ck.safetensors")).unwrap();
    assert!(desk.ok(&["info", "ck.safetensors"]).contains("optimiser"));
    let eval = ["eval", "--real", "phantom:60", "--features", "handmade", "-n", "10", "--fake"];
    desk.ok(&[&eval[..], &["ck.safetensors", "--device", "cpu"]].concat());
    let generator = checkpoint.with_file_name("generator.safetensors");
    std::fs::copy(&generator, desk.join("checkpoint-x.safetensors")).unwrap();
    assert!(desk.ok(&["info", "checkpoint-x.safetensors"]).contains("parameters"));
    std::fs::create_dir(desk.join("passed-on")).unwrap();
    std::fs::copy(&generator, desk.join("passed-on/generator.safetensors")).unwrap();
    assert!(desk.ok(&["info", "passed-on"]).contains("parameters"));
    let bytes = std::fs::read(&checkpoint).unwrap();
    std::fs::write(desk.join("ck.safetensors"), &bytes[..bytes.len() - 9]).unwrap();
    let error = desk.fails(&["info", "ck.safetensors"], 1);
    assert!(error.contains("cut short"), "{error}");
}

#[test]
fn export_never_overwrites_a_file_of_a_run() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.02"]);
    let run = desk.run_folder("runs");
    for name in ["checkpoint-000000.024.safetensors", "generator.safetensors"] {
        let before = std::fs::read(run.join(name)).unwrap();
        let out = run.join(name).display().to_string();
        assert!(desk.fails(&["export", "--out", &out], 1).contains("a file of a run"));
        assert!(std::fs::read(run.join(name)).unwrap() == before);
    }
    let new = run.join("checkpoint-000999.safetensors").display().to_string();
    assert!(desk.fails(&["export", "--out", &new], 1).contains("a file of a run"));
    let own = run.join("half.safetensors").display().to_string();
    (0..2).for_each(|_| drop(desk.ok(&["export", "--out", &own])));
}

#[test]
fn bench_prints_the_speed_as_text_and_as_json() {
    let desk = Desk::new();
    let small =
        ["--batch", "4", "--width", "16", "--rounds", "2", "--warm-up", "1", "--device", "cpu"];
    let words = desk.ok(&[&["bench"], &small[..]].concat());
    assert!(words.contains("images/s on cpu") && words.contains("f32"), "{words}");
    let lines = desk.ok(&[&["bench", "sample", "--json"], &small[..]].concat());
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4, "three rounds and the summary");
    assert!(lines[0]["seconds"].as_f64().unwrap() > 0.0);
    assert!(lines[3]["images_per_second"].as_f64().unwrap() > 0.0);
    desk.fails(&["bench", "--rounds", "0", "--warm-up", "0", "--device", "cpu"], 1);
    desk.fails(&["bench", "--size", "50", "--device", "cpu"], 1);
}

#[test]
fn an_unsupported_precision_is_rejected_and_a_resumed_run_keeps_its_precision() {
    let desk = Desk::new();
    let error = desk.fails(&[&["train"], &SMALL[..], &["--precision", "f16"]].concat(), 1);
    assert!(error.contains("f16 is for GPUs") && error.contains("--precision f32"), "{error}");
    assert!(!desk.join("runs").exists(), "no run was created");
    let error = desk.fails(&["train", "--precision", "f8"], 2);
    assert!(error.contains("auto, f32, bf16 or f16"), "{error}");
    desk.train(&["--kimg", "0.05"]);
    let error = desk.fails(&["train", "--resume", "latest", "--precision", "f32"], 1);
    assert!(error.contains("--precision cannot change"), "{error}");
}
