//! Failures around a run: a full disk, a second process, a kill, symbolic links.

mod common;

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use common::*;

#[test]
fn two_processes_cannot_train_the_same_run() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let run = desk.run_folder("runs");
    let log = std::fs::OpenOptions::new().append(true).open(run.join("log.txt")).unwrap();
    log.lock().unwrap();
    let error = desk.fails(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"], 1);
    assert!(error.contains("another process is training"), "{error}");
}

/// A limit on the file size simulates a full disk: the write fails halfway.
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
fn an_unwritable_folder_is_an_error_before_training() {
    let desk = Desk::new();
    std::fs::File::create(desk.join("file")).unwrap().write_all(b"x").unwrap();
    let error = desk
        .fails(&[&["train"], &SMALL[..], &["--outdir", "file/runs", "--kimg", "1"]].concat(), 1);
    assert!(error.contains("file/runs"), "{error}");
}

#[test]
fn a_killed_prepare_leaves_no_incomplete_cache() {
    let desk = Desk::new();
    let args = ["prepare", "phantom:3000", "--size", "64", "--out", "p.dermagan"];
    for wait in [30, 150, 400] {
        let mut child = desk.command(&args).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!desk.join("p.dermagan").exists(), "killed after {wait} ms, but the cache exists");
    }
    desk.ok(&args);
    let info: serde_json::Value =
        serde_json::from_str(&desk.ok(&["info", "--json", "p.dermagan"])).unwrap();
    assert_eq!(info["damaged_images"].as_u64(), Some(0));
    assert!(!desk.join("p.dermagan.partial").exists());
}

#[test]
fn an_event_file_that_cannot_be_written_does_not_fail_the_run() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let events = desk.run_folder("runs").join("events.out.tfevents.run");
    std::fs::remove_file(&events).unwrap();
    std::fs::create_dir_all(events.join("mine")).unwrap();
    let on = |kimg| desk.ok(&["train", "--resume", "latest", "--kimg", kimg, "--device", "cpu"]);
    let out = on("0.2");
    assert!(out.contains("TensorBoard does not show this run") && out.contains("finished 0.200"));
    // With its place free again, the next part of the run shows all of it.
    std::fs::remove_dir_all(&events).unwrap();
    let out = on("0.3");
    assert!(!out.contains("TensorBoard"), "{out}");
    let shown = events::events(&desk.run_folder("runs"));
    let steps: Vec<u64> =
        shown.iter().filter(|(_, tag, _)| tag == "fakes").map(|(step, ..)| *step).collect();
    assert_eq!(steps, [0, 304], "the ends of the earlier parts are not in the schedule");
}

#[test]
fn a_time_lapse_that_cannot_be_written_does_not_fail_the_run() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    std::fs::write(desk.run_folder("runs").join("fakes0.png"), b"mine").unwrap();
    let out = desk.ok(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"]);
    assert!(out.contains("time-lapse was not written") && out.contains("finished 0.200"), "{out}");
}

#[cfg(unix)]
#[test]
fn symbolic_links_in_an_output_folder_are_not_followed() {
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
