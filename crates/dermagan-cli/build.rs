//! Makes the program smaller by two flags of Rust's own linker, which the toolchains of rustup use on this
//! target; others may not know them.
//! - Functions that compiled to the same code are folded: kernels for GPUs are generic over much that makes
//!   no difference in the end. A fifth.
//! - Addresses to be filled in at the start take a bit each instead of 24 bytes: 70 MB become 60. glibc
//!   knows that form since 2.36, so it is used where this machine's is as new; the program then needs one.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    if std::env::var("TARGET").is_ok_and(|t| t == TARGET) && uses_rusts_linker() {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
        if std::env::var("HOST").is_ok_and(|host| host == TARGET) && glibc() >= Some((2, 36)) {
            println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        }
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

/// This machine's version of glibc, as `getconf` says it: `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let out = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
