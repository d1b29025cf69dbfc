//! Makes the module smaller, as `dermagan-cli/build.rs` makes the program: Rust's own linker folds functions that compiled to
//! the same code. The other flag there is left out, because a wheel should not need as new a glibc.

#[path = "../dermagan-cli/linker.rs"]
mod linker;

use linker::{TARGET, uses_rusts_linker};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../dermagan-cli/linker.rs");
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    if std::env::var("TARGET").is_ok_and(|t| t == TARGET) && uses_rusts_linker() {
        println!("cargo:rustc-link-arg-cdylib=-Wl,--icf=all");
    }
}
