//! Asks the linker to fold functions that compiled to the same code: kernels for GPUs are generic over
//! much that makes no difference in the end. Only where Rust's own linker is used by default and knows
//! the flag.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("TARGET").unwrap_or_default();
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let own_linker = std::env::var_os("RUSTC_LINKER").is_some() || flags.contains("link");
    if target == "x86_64-unknown-linux-gnu" && !own_linker {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
}
