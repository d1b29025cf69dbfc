//! The name and version of this program, as its files state them.

/// Program and version: `dermagan 0.1.0`. All crates of the workspace have this version.
pub fn producer() -> String {
    format!("dermagan {}", env!("CARGO_PKG_VERSION"))
}
