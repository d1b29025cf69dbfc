//! Tests a device that computes wrong gradients. `DERMAGAN_TEST_FAULT` corrupts the gradients of chosen computations, and
//! the CPU is then checked as a GPU is.

mod common;

use std::process::Output;

use common::*;

/// Six steps per tick, and 50 steps in all.
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
fn a_device_with_wrong_gradients_at_the_start_is_rejected_unless_the_check_is_off() {
    let desk = Desk::new();
    let out = train(&desk, Some("G main.0.weight 0 1-"), &[]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(5), "{error}");
    assert!(error.contains("G main.0.weight is off by 1.00e0") && error.contains("CPU"), "{error}");
    let runs = std::fs::read_dir(desk.join("runs")).map_or(0, Iterator::count);
    assert_eq!(runs, 0, "no run was created");
    let out = train(&desk, Some("G main.0.weight 0 1-"), &["--no-self-check"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("gradients are corrupted"), "{}", text(&out.stdout));
}

#[test]
fn a_single_wrong_gradient_is_recomputed_and_reported_and_does_not_change_the_run() {
    // Computation 1 is compared with the CPU. The steps follow, and each snapshot adds two computations.
    let (clean, healed) = (Desk::new(), Desk::new());
    assert!(train(&clean, None, &[]).status.success());
    let out = train(&healed, Some("D main.0.weight 0 9-9"), &[]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let words = "the gradient of D main.0.weight had norm 0.00e0";
    assert!(text(&out.stdout).contains(words), "{}", text(&out.stdout));
    assert!(log(&healed).contains(words), "{}", log(&healed));
    let [a, b] = [&clean, &healed]
        .map(|desk| std::fs::read(desk.run_folder("runs").join("generator.safetensors")).unwrap());
    assert!(a == b, "the wrong gradient changed the generator");
    let stats = stats(&healed.run_folder("runs"));
    let last = |name: &str| stats.last().unwrap()[name]["mean"].as_f64().unwrap();
    assert_eq!(last("SelfCheck/device_errors"), 1.0);
    assert_eq!(last("SelfCheck/steps_recomputed"), 1.0);
    assert!(last("SelfCheck/steps_compared") >= 3.0);
    assert!(stats[0].get("SelfCheck/total_sec").is_some());
}

#[test]
fn a_wrong_gradient_at_a_snapshot_is_reported() {
    let desk = Desk::new();
    // Computations 1 to 26 are the check and the 25 steps to 0.2 kimg; 27 and 28 belong to the snapshot.
    let out = train(&desk, Some("G main.0.weight 1.5 28-28"), &[]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let log = log(&desk);
    assert!(log.contains("computed the gradient of G main.0.weight differently"), "{log}");
}

#[test]
fn a_device_that_stays_wrong_stops_the_run_with_the_last_good_checkpoint() {
    let desk = Desk::new();
    let out = train(&desk, Some("G main.0.weight 0 30-"), &[]);
    let error = text(&out.stderr);
    assert_eq!(out.status.code(), Some(5), "{error}");
    assert!(error.contains("The last good checkpoint is"), "{error}");
    let good = desk.run_folder("runs").join("checkpoint-000000.200.safetensors");
    assert!(good.is_file(), "{error}");
    assert!(log(&desk).contains("the device computed wrongly"), "{}", log(&desk));
    let resumed = desk.ok(&["train", "--outdir", "runs", "--resume", "latest", "--device", "cpu"]);
    assert!(resumed.contains("finished 0.400 kimg"), "{resumed}");
}

#[test]
fn an_invalid_fault_is_an_error() {
    let out = train(&Desk::new(), Some("nonsense"), &[]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("DERMAGAN_TEST_FAULT"), "{}", text(&out.stderr));
}

#[test]
fn doctor_repeats_the_step_and_counts_wrong_gradients() {
    let desk = Desk::new();
    let out = desk.ok(&["doctor", "--device", "cpu", "--repeat", "3"]);
    assert!(
        out.contains("wrong steps: 0 of 3; steps that differ from the first in any bit: 0"),
        "{out}"
    );
    let preset = ["--preset", "fast", "--batch", "2", "--width", "2"];
    let out = desk.ok(&[&["doctor", "--device", "cpu", "--repeat", "2"], &preset[..]].concat());
    assert!(out.contains("pass:"), "{out}");
    let mut command =
        desk.command(&[&["doctor", "--device", "cpu", "--repeat", "4"], &preset[..]].concat());
    let out = command.env("DERMAGAN_TEST_FAULT", "D main.1.weight 0 2-3").output().unwrap();
    let words = text(&out.stdout);
    assert_eq!(out.status.code(), Some(5), "{words}");
    assert!(
        words.contains("wrong steps: 2 of 4; steps that differ from the first in any bit: 2"),
        "{words}"
    );
    assert!(words.contains("D main.1.weight          wrong in 2"), "{words}");
    let error = desk.fails(&["doctor", "--repeat", "0", "--device", "cpu"], 1);
    assert!(error.contains("--repeat 0"), "{error}");
    let error = desk.fails(&["doctor", "--batch", "4", "--device", "cpu"], 2);
    assert!(error.contains("--preset"), "{error}");
}
