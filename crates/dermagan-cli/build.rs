//! Asks the linker to fold functions that compiled to the same code: kernels for GPUs are generic over
//! much that makes no difference in the end, and the program becomes a fifth smaller. Only with Rust's
//! own linker, which the toolchains of rustup use on this target; others may not know the flag.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    if std::env::var("TARGET").is_ok_and(|t| t == TARGET) && uses_rusts_linker() {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
}

const TARGET: &str = "x86_64-unknown-linux-gnu";

fn uses_rusts_linker() -> bool {
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if std::env::var_os("RUSTC_LINKER").is_some() || flags.contains("link") {
        return false;
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(out) = Command::new(rustc).args(["--print", "sysroot"]).output() else { return false };
    let sysroot = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
    sysroot.join("lib/rustlib").join(TARGET).join("bin/gcc-ld/ld.lld").is_file()
}
