//! The command `sign`, which is there with the feature `c2pa` only.
#![cfg(feature = "c2pa")]

mod common;

use std::path::{Path, PathBuf};

use common::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dermagan-trust/tests/data/signing").join(name)
}

fn sign<'a>(folder: &'a str, files: &'a [PathBuf; 2]) -> [&'a str; 6] {
    let [chain, key] = files.each_ref().map(|file| file.to_str().unwrap());
    ["sign", folder, "--certificates", chain, "--key", key]
}

#[test]
fn generated_images_are_signed_in_place_and_photographs_are_not() {
    let desk = Desk::new();
    desk.ok(&["sample", "shipped", "-n", "3", "--out", "s", "--device", "cpu"]);
    let photograph = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, 9]));
    photograph.save(desk.join("photograph.png")).unwrap();
    let inside = desk.join("s/photograph.png");
    std::fs::copy(desk.join("photograph.png"), &inside).unwrap();
    let image = desk.join("s/seed0001.png");
    let before = image::open(&image).unwrap();
    let files = [data("chain.pem"), data("key.pem")];
    let words = desk.ok(&sign("s", &files));
    assert!(words.contains("signed 3 images") && words.contains("3 other files"), "{words}");
    let bytes = std::fs::read(&image).unwrap();
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(has(b"caBX") && has(b"trainedAlgorithmicMedia") && has(b"dermagan:model"));
    assert_eq!(image::open(&image).unwrap(), before);
    assert_eq!(
        std::fs::read(&inside).unwrap(),
        std::fs::read(desk.join("photograph.png")).unwrap()
    );
    let sums = std::fs::read_to_string(desk.join("s.sha256")).unwrap();
    assert_eq!(sums.lines().count(), 3);
    assert!(sums.lines().all(|line| line.contains("  s/seed000")), "{sums}");
    let checked = std::process::Command::new("sha256sum")
        .args(["--check", "--quiet", "s.sha256"])
        .current_dir(desk.path())
        .status();
    assert!(checked.unwrap().success());
    // A second call changes nothing, and the set goes on with signed images.
    assert!(desk.ok(&sign("s", &files)).contains("3 were signed before"));
    assert_eq!(std::fs::read(&image).unwrap(), bytes);
    std::fs::remove_file(inside).unwrap();
    let words = desk.ok(&["sample", "shipped", "-n", "4", "--out", "s", "--device", "cpu"]);
    assert!(words.contains("3 of them were there already"), "{words}");
}

#[test]
fn certificates_that_cannot_sign_are_refused_and_no_file_changes() {
    let desk = Desk::new();
    desk.ok(&["sample", "shipped", "-n", "1", "--out", "s", "--device", "cpu"]);
    let before = std::fs::read(desk.join("s/seed0000.png")).unwrap();
    for files in [
        // A certificate that signed itself, one without its key, a file that is none.
        [data("itself.pem"), data("key.pem")],
        [data("key.pem"), data("key.pem")],
        [data("chain.pem"), data("chain.pem")],
    ] {
        let error = desk.fails(&sign("s", &files), 1);
        assert!(error.contains("--certificates"), "{error}");
        assert_eq!(std::fs::read(desk.join("s/seed0000.png")).unwrap(), before);
    }
    let files = [data("chain.pem"), data("key.pem")];
    let wrong = [&sign("s", &files)[..], &["--algorithm", "rsa"]].concat();
    assert!(desk.fails(&wrong, 1).contains("--algorithm rsa: expected es256"));
    std::fs::create_dir(desk.join("empty")).unwrap();
    let error = desk.fails(&sign("empty", &files), 1);
    assert!(error.contains("no image that dermagan generated"), "{error}");
}
