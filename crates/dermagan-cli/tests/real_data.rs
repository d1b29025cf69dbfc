//! Prepares, trains, resumes and samples on the real archive, if this machine has it.

mod common;

use std::path::{Path, PathBuf};

use common::*;

#[test]
fn prepare_train_resume_and_sample_work_on_ham10000() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DERMAGAN_TEST_DATA").map_or(beside, PathBuf::from);
    let Ok(archive) = folder.join("ham10000-200x150.zip").canonicalize() else {
        println!("skipped: ham10000-200x150.zip is not on this machine");
        return;
    };
    let archive = archive.to_string_lossy();
    let desk = Desk::new();
    let out = desk.ok(&["prepare", &archive, "--size", "32"]);
    assert!(
        out.contains("10015  images kept") && out.contains("ISIC_0024366 = ISIC_0029861"),
        "{out}"
    );
    let small = ["--preset", "tiny", "--data", &archive, "--device", "cpu"];
    let schedule = ["--snap", "0.5", "--tick", "0.1"];
    desk.ok(&[&["train"], &small[..], &schedule, &["--outdir", "whole", "--kimg", "2"]].concat());
    desk.ok(&[&["train"], &small[..], &schedule, &["--outdir", "halves", "--kimg", "1"]].concat());
    desk.ok(&[
        "train", "--outdir", "halves", "--resume", "latest", "--kimg", "2", "--device", "cpu",
    ]);
    assert_same_end(&desk.run_folder("whole"), &desk.run_folder("halves"), "000002");
    desk.ok(&[
        "sample", "--outdir", "whole", "--grid", "8x8", "--out", "grid.png", "--device", "cpu",
    ]);
    assert_eq!(image::image_dimensions(desk.join("grid.png")).unwrap(), (256, 256));
}
