//! Makes the module smaller, as `dermagan-cli/build.rs` makes the program: Rust's own linker folds functions that compiled to
//! the same code. The other flag there is left out, because a wheel should not need as new a glibc.

use std::path::PathBuf;
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    if std::env::var("TARGET").is_ok_and(|t| t == TARGET) && uses_rusts_linker() {
        println!("cargo:rustc-link-arg-cdylib=-Wl,--icf=all");
    }
}

/// Whether the module is linked by the lld of a rustup toolchain, without linker settings of the user.
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
