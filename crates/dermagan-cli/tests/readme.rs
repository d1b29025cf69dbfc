//! The documents keep their promises: the example of the crates is a program that is built, and the README stays short.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap()
}

#[test]
fn the_example_of_the_crates_is_built_with_the_others() {
    let example = read("crates/dermagan-train/examples/readme.rs");
    let code = example.lines().skip(2).collect::<Vec<_>>().join("\n");
    let readme = read("crates/README.md");
    let shown = readme.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(code.trim(), shown.trim());
}

#[test]
fn the_readme_has_at_most_150_lines() {
    assert!(read("README.md").lines().count() <= 150);
}
