//! URLs of object stores on the command line. With the feature `cloud`, `scripts/test-cloud` tests them on real servers.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

mod common;

use common::Desk;

#[cfg(not(feature = "cloud"))]
#[test]
fn a_build_without_object_stores_says_how_to_build_one() {
    let desk = Desk::new();
    let lines: [(&str, &[&str]); 12] = [
        ("--data", &["train", "--data", "s3://lab/x.zip"]),
        ("--outdir", &["train", "--outdir", "gs://lab/runs"]),
        ("--resume", &["train", "--resume", "az://lab/runs/latest"]),
        ("--resume", &["train", "--resume", "latest", "--outdir", "s3://lab/runs"]),
        ("SOURCE", &["prepare", "S3://lab/x"]),
        ("--out", &["prepare", "phantom:60", "--out", "s3://lab/x"]),
        ("MODEL", &["sample", "s3://lab/runs/latest"]),
        ("MODEL", &["sample", "--outdir", "s3://lab/runs"]),
        ("--fake", &["eval", "--real", "phantom:60", "--fake", "s3://lab/x"]),
        ("--real", &["audit", "--real", "s3://lab/x", "--fake", "shipped"]),
        ("--hub", &["export", "--hub", "s3://lab/x"]),
        ("RUN", &["info", "s3://lab/x"]),
    ];
    for (name, line) in lines {
        let error = desk.fails(line, 1);
        assert!(error.contains(&format!("error: {name} ")), "{line:?}: {error}");
        assert!(error.contains("--features cloud"), "{line:?}: {error}");
    }
    assert!(!desk.join("s3:").exists() && !desk.join("runs").exists());
}

#[cfg(feature = "cloud")]
#[test]
fn a_wrong_url_is_refused_before_anything_is_sent() {
    let desk = Desk::new();
    for url in ["s3://", "s3://lab/../x", "s3://user:secret@lab/x", "gs://lab//x"] {
        let error = desk.fails(&["prepare", url], 1);
        assert!(error.contains("error: SOURCE ") && !error.contains("secret"), "{error}");
    }
    let error = desk.fails(&["sample", "shipped", "-n", "1", "--out", "s3://lab"], 1);
    assert!(error.contains("--out s3://lab: expected a name in this bucket"), "{error}");
    let error = desk.fails(&["trial", "--data", "phantom:60", "--state", "s3://lab/x"], 1);
    assert!(error.contains("--state s3://lab/x: this place must be on this machine"), "{error}");
    std::fs::create_dir(desk.join("mine")).unwrap();
    let error = desk.fails(&["train", "--resume", "mine", "--outdir", "s3://lab/runs"], 1);
    assert!(error.contains("--resume mine: this run is on this machine"), "{error}");
}
