//! Compares training steps on the device that `DERMAGAN_TEST_DEVICE` names with PyTorch's.
//!
//! This is a program without the test harness: SwiftShader's exit handlers may crash a process whose work is done (see
//! `leave` in the CLI), so this one ends without them.

mod common;

use std::process::exit;

use common::{differences, worst};
use dermagan_model::{Choice, device};

/// Devices round differently, and Adam's first steps divide a small gradient by itself, so a rounding error in it
/// decides the direction of a weight. SwiftShader is off by 2.3e-6.
const TOLERANCE: f64 = 1e-3;

fn main() {
    let Ok(name) = std::env::var("DERMAGAN_TEST_DEVICE") else {
        println!("DERMAGAN_TEST_DEVICE is not set: only the CPU is compared with PyTorch");
        exit(0);
    };
    let device = device::select(&name.parse::<Choice>().unwrap()).unwrap();
    let found = differences(&device.handle);
    let (parameter, off) = worst(&found);
    println!("worst on {}: {parameter}, {off:.2e}", device.name);
    let passed = off < TOLERANCE;
    let word = if passed { "ok" } else { "FAILED" };
    println!(
        "test three_steps_on_the_device_agree_with_pytorchs_within_one_in_a_thousand ... {word}"
    );
    println!("test result: {word}. {} passed; {} failed", u8::from(passed), u8::from(!passed));
    leave(i32::from(!passed));
}

#[expect(unsafe_code, reason = "declares the C library's _exit, which takes any number")]
fn leave(code: i32) -> ! {
    use std::io::Write;
    std::io::stdout().flush().unwrap();
    unsafe extern "C" {
        safe fn _exit(code: std::ffi::c_int) -> !;
    }
    _exit(code)
}
