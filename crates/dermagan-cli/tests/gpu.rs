//! The wgpu path, on the device that `DERMAGAN_TEST_DEVICE` names (`scripts/test` names a software
//! rasteriser where it finds one that computes correctly).

mod common;

use common::*;

#[test]
fn the_device_under_test_passes_the_doctor_trains_resumes_and_samples() {
    let Ok(device) = std::env::var("DERMAGAN_TEST_DEVICE") else {
        println!("DERMAGAN_TEST_DEVICE is not set: no GPU path was run");
        return;
    };
    let desk = Desk::new();
    let out = desk.ok(&["doctor", "--device", &device]);
    println!("{out}");
    assert!(out.contains("pass:"), "{out}");
    let train =
        ["train", "--preset", "tiny", "--data", "phantom:60", "--width", "4", "--batch", "8"];
    desk.ok(&[
        &train[..],
        &["--kimg", "0.08", "--tick", "0.02", "--device", &device, "--outdir", "g"],
    ]
    .concat());
    desk.ok(&[
        "train", "--outdir", "g", "--resume", "latest", "--kimg", "0.16", "--device", &device,
    ]);
    desk.ok(&[
        &train[..],
        &["--kimg", "0.16", "--tick", "0.02", "--device", "cpu", "--outdir", "c"],
    ]
    .concat());
    // The same random numbers, other roundings: the first losses agree, later ones drift apart.
    let first =
        |outdir: &str| stats(&desk.run_folder(outdir))[0]["Loss/D/loss"]["mean"].as_f64().unwrap();
    let (gpu, cpu) = (first("g"), first("c"));
    assert!((gpu - cpu).abs() < 0.02 * cpu.abs(), "{gpu} on {device}, {cpu} on the CPU");
    desk.ok(&[
        "sample", "--outdir", "g", "-n", "5", "--batch", "4", "--out", "s", "--device", &device,
    ]);
    assert!(desk.join("s/seed0004.png").is_file());
}
