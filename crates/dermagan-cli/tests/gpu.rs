//! Tests the wgpu path on the device that `DERMAGAN_TEST_DEVICE` names. `scripts/test` names a software rasteriser if it
//! finds one that computes correctly. Every process compiles its kernels anew, which takes a rasteriser minutes, so there
//! are few of them; `self_check` injects faults on the CPU.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;

#[test]
fn the_device_under_test_passes_the_doctor_trains_resumes_and_evaluates() {
    let Ok(device) = std::env::var("DERMAGAN_TEST_DEVICE") else {
        println!("skipped: DERMAGAN_TEST_DEVICE is not set");
        return;
    };
    let desk = Desk::new();
    // Autotuning chooses kernels by their time, so a busy machine makes it choose others. Every step takes half a minute
    // on a busy rasteriser.
    let out = busy(|| desk.ok(&["doctor", "--device", &device, "--repeat", "4"]));
    println!("{out}");
    assert!(out.contains("wrong steps: 0 of 4;") && out.contains("pass:"), "{out}");
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
    desk.ok(&[
        "eval",
        "--real",
        "phantom:60",
        "--fake",
        &desk.run_folder("g").to_string_lossy(),
        "-n",
        "16",
        "--split",
        "all",
        "--device",
        &device,
    ]);
}

/// Runs `work` while a thread per core spins.
fn busy<T>(work: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop()
                }
            });
        }
        // The threads must stop even if `work` panics, because the scope waits for them.
        let found = catch_unwind(AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        found.unwrap_or_else(|panic| resume_unwind(panic))
    })
}
