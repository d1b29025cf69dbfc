//! A device that errs, seen from outside: a fault that corrupts the gradients of chosen computations
//! makes the CPU a device to be checked.

mod common;

use std::process::Output;

use common::*;

/// Six steps between two ticks, ten in all.
const RUN: [&str; 8] = ["--kimg", "0.4", "--tick", "0.048", "--snap", "0.2", "--outdir", "runs"];

fn train(desk: &Desk, fault: Option<&str>, more: &[&str]) -> Output {
    let mut command = desk.command(&[&["train"], &SMALL[..], &RUN, more].concat());
    if let Some(fault) = fault {
        command.env("DERMAGAN_TEST_FAULT", fault);
    }
    command.output().unwrap()
}

fn log(desk: &Desk) -> String {
    std::fs::read_to_string(desk.run_folder("runs").join("log.txt")).unwrap()
}

#[test]
fn a_device_that_errs_at_the_start_is_refused_unless_one_insists() {
    let desk = Desk::new();
    let out = train(&desk, Some("G main.0.weight 0 1-"), &[]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(5), "{error}");
    assert!(error.contains("G main.0.weight is off by 1.00e0") && error.contains("CPU"), "{error}");
    let runs = std::fs::read_dir(desk.join("runs")).map_or(0, Iterator::count);
    assert_eq!(runs, 0, "nothing was trained, and nothing is left behind");
    let out = train(&desk, Some("G main.0.weight 0 1-"), &["--no-self-check"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("gradients are corrupted"), "{}", text(&out.stdout));
}

#[test]
fn a_device_that_errs_once_is_healed_said_and_counted_and_the_run_is_the_one_without() {
    // Computation 1 is compared with the CPU, the steps follow; two more are made at a snapshot.
    let (clean, healed) = (Desk::new(), Desk::new());
    assert!(train(&clean, None, &[]).status.success());
    let out = train(&healed, Some("D main.0.weight 0 9-9"), &[]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let words = "the gradient of D main.0.weight had norm 0.00e0";
    assert!(text(&out.stdout).contains(words), "{}", text(&out.stdout));
    assert!(log(&healed).contains(words), "{}", log(&healed));
    let [a, b] = [&clean, &healed]
        .map(|desk| std::fs::read(desk.run_folder("runs").join("generator.safetensors")).unwrap());
    assert!(a == b, "the wrong gradient was learnt from");
    let stats = stats(&healed.run_folder("runs"));
    let last = |name: &str| stats.last().unwrap()[name]["mean"].as_f64().unwrap();
    assert_eq!(last("SelfCheck/device_errors"), 1.0);
    assert_eq!(last("SelfCheck/steps_recomputed"), 1.0);
    assert!(last("SelfCheck/steps_compared") >= 3.0);
    assert!(stats[0].get("SelfCheck/total_sec").is_some());
}

#[test]
fn a_device_that_errs_at_a_snapshot_is_seen() {
    let desk = Desk::new();
    // 1 + 25 steps to 0.2 kimg, then the snapshot's two.
    let out = train(&desk, Some("G main.0.weight 1.5 28-28"), &[]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let log = log(&desk);
    assert!(log.contains("computed the gradient of G main.0.weight differently"), "{log}");
}

#[test]
fn a_device_that_goes_on_to_err_stops_with_the_last_good_checkpoint() {
    let desk = Desk::new();
    let out = train(&desk, Some("G main.0.weight 0 30-"), &[]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(5), "{error}");
    assert!(error.contains("The last good checkpoint is"), "{error}");
    let good = desk.run_folder("runs").join("checkpoint-000000.200.safetensors");
    assert!(good.is_file(), "{error}");
    assert!(log(&desk).contains("the device errs"), "{}", log(&desk));
    let resumed = desk.ok(&["train", "--outdir", "runs", "--resume", "latest", "--device", "cpu"]);
    assert!(resumed.contains("finished 0.400 kimg"), "{resumed}");
}

#[test]
fn a_fault_that_cannot_be_read_is_an_error() {
    let out = train(&Desk::new(), Some("nonsense"), &[]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("DERMAGAN_TEST_FAULT"), "{}", text(&out.stderr));
}

#[test]
fn doctor_repeats_the_step_and_says_how_often_it_was_wrong() {
    let desk = Desk::new();
    let out = desk.ok(&["doctor", "--device", "cpu", "--repeat", "3"]);
    assert!(out.contains("wrong steps: 0 of 3; steps with other bits than the first: 0"), "{out}");
    let preset = ["--preset", "fast", "--batch", "2", "--width", "2"];
    let out = desk.ok(&[&["doctor", "--device", "cpu", "--repeat", "2"], &preset[..]].concat());
    assert!(out.contains("pass:"), "{out}");
    let mut command =
        desk.command(&[&["doctor", "--device", "cpu", "--repeat", "4"], &preset[..]].concat());
    let out = command.env("DERMAGAN_TEST_FAULT", "D main.1.weight 0 2-3").output().unwrap();
    let words = text(&out.stdout);
    assert_eq!(out.status.code(), Some(5), "{words}");
    assert!(
        words.contains("wrong steps: 2 of 4; steps with other bits than the first: 2"),
        "{words}"
    );
    assert!(words.contains("D main.1.weight          wrong in 2"), "{words}");
    let error = desk.fails(&["doctor", "--repeat", "0", "--device", "cpu"], 1);
    assert!(error.contains("--repeat 0"), "{error}");
    let error = desk.fails(&["doctor", "--batch", "4", "--device", "cpu"], 2);
    assert!(error.contains("--preset"), "{error}");
}
