//! `dermagan demo` without a browser. `scripts/test-page` tests the page itself.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

mod common;

use common::Desk;

#[test]
fn without_the_runtime_the_error_says_how_to_get_it() {
    let desk = Desk::new();
    for more in [&["--out", "page"][..], &[], &["--runtime", "elsewhere"]] {
        let error = desk.fails(&[&["demo", "shipped"], more].concat(), 1);
        assert!(
            error.contains("--runtime") && error.contains("ort.wasm.min.mjs is missing"),
            "{error}"
        );
        assert!(error.contains("scripts/fetch-web-runtime"), "{error}");
    }
    assert!(!desk.join("page").exists());
}

#[test]
fn a_folder_is_not_served_too() {
    let desk = Desk::new();
    for flag in [&["--port", "8000"][..], &["--open"]] {
        let error = desk.fails(&[&["demo", "shipped", "--out", "page"], flag].concat(), 2);
        assert!(error.contains("cannot be used with"), "{error}");
    }
    desk.fails(&["demo", "shipped", "--port", "70000"], 2);
}
