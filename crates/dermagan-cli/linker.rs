//! Which linker a build uses: shared by the build scripts of the program and of the Python module.

use std::path::PathBuf;
use std::process::Command;

/// The target of rustup's toolchains that bring a linker of their own.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Whether a program is linked by the lld of a rustup toolchain, without linker settings of the user.
pub fn uses_rusts_linker() -> bool {
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if std::env::var_os("RUSTC_LINKER").is_some() || flags.contains("link") {
        return false;
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(out) = Command::new(rustc).args(["--print", "sysroot"]).output() else { return false };
    let sysroot = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
    sysroot.join("lib/rustlib").join(TARGET).join("bin/gcc-ld/ld.lld").is_file()
}
