//! Tests the wgpu path on the device that `DERMAGAN_TEST_DEVICE` names. `scripts/test` names a software rasteriser if it
//! finds one that computes correctly.
//!
//! Every process compiles its kernels anew, on one core, which takes a rasteriser minutes. So there are few processes, and
//! the tests run side by side. They are a load for each other, under which measurements of kernels vary.

mod common;

use common::*;

/// The device under test; `None` if there is none.
fn device() -> Option<String> {
    let device = std::env::var("DERMAGAN_TEST_DEVICE").ok();
    if device.is_none() {
        println!("skipped: DERMAGAN_TEST_DEVICE is not set");
    }
    device
}

#[test]
fn the_device_under_test_passes_the_doctor() {
    let Some(device) = device() else { return };
    let out = Desk::new().ok(&["doctor", "--device", &device, "--repeat", "8"]);
    println!("{out}");
    assert!(out.contains("wrong steps: 0 of 8;") && out.contains("pass:"), "{out}");
}

#[test]
fn the_device_under_test_trains_and_resumes() {
    let Some(device) = device() else { return };
    let desk = Desk::new();
    let train =
        ["train", "--preset", "tiny", "--data", "phantom:60", "--width", "4", "--batch", "8"];
    desk.ok(&[
        &train[..],
        &["--kimg", "0.04", "--tick", "0.02", "--device", &device, "--outdir", "g"],
    ]
    .concat());
    desk.ok(&[
        "train", "--outdir", "g", "--resume", "latest", "--kimg", "0.08", "--device", &device,
    ]);
    desk.ok(&[
        &train[..],
        &["--kimg", "0.08", "--tick", "0.02", "--device", "cpu", "--outdir", "c"],
    ]
    .concat());
    let log = std::fs::read_to_string(desk.run_folder("g").join("log.txt")).unwrap();
    let checked = "self-check: the gradients match the CPU's";
    assert_eq!(log.matches(checked).count(), 2, "at the start and after resuming: {log}");
    assert!(log.contains("two computations of a step have"), "{log}");
    let errors = |line: &serde_json::Value| line["SelfCheck/device_errors"]["mean"].as_f64();
    assert!(stats(&desk.run_folder("g")).iter().all(|line| errors(line) == Some(0.0)));
    // Both runs use the same random numbers and round differently: their first losses agree, later ones diverge.
    let first =
        |outdir: &str| stats(&desk.run_folder(outdir))[0]["Loss/D/loss"]["mean"].as_f64().unwrap();
    let (gpu, cpu) = (first("g"), first("c"));
    assert!((gpu - cpu).abs() < 0.02 * cpu.abs(), "{gpu} on {device}, {cpu} on the CPU");
}

#[test]
fn the_device_under_test_samples_and_evaluates() {
    let Some(device) = device() else { return };
    let desk = Desk::new();
    desk.train(&["--kimg", "0.02"]);
    let run = desk.run_folder("runs");
    let run = run.to_string_lossy();
    desk.ok(&["sample", &run, "-n", "5", "--batch", "4", "--out", "s", "--device", &device]);
    assert!(desk.join("s/seed0004.png").is_file());
    let real = ["--real", "phantom:60", "-n", "16", "--split", "all"];
    desk.ok(&[&["eval", "--fake", &run, "--device", &device][..], &real].concat());
}
