//! Checkpoints that are older than others, damaged, or from another run.

mod common;

use std::path::Path;

use common::*;
use dermagan_train::Checkpoint;

#[test]
fn a_damaged_or_incompatible_checkpoint_is_rejected_and_the_good_one_is_named() {
    let desk = Desk::new();
    desk.train(&["--kimg", "2", "--snap", "1"]);
    let run = desk.run_folder("runs");
    let newest = run.join("checkpoint-000002.safetensors");
    let good = std::fs::read(&newest).unwrap();
    let refused = |bytes: &[u8], why: &str| {
        std::fs::write(&newest, bytes).unwrap();
        for wanted in ["latest", &run.to_string_lossy(), &newest.to_string_lossy()] {
            let error =
                desk.fails(&["train", "--resume", wanted, "--kimg", "3", "--device", "cpu"], 1);
            assert!(error.contains(why), "expected '{why}' in {error}");
            assert!(
                error.contains("resume from") && error.contains("checkpoint-000001.safetensors"),
                "{error}"
            );
        }
    };
    refused(&good[..good.len() - 1], "cut short");
    refused(&good[..100], "cut short");
    refused(b"", "cut short");
    refused(&vec![0xff; 4096], "not a safetensors file");
    let mut flipped = good.clone();
    let last = flipped.len() - 9;
    flipped[last] ^= 1;
    refused(&flipped, "checksum");
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let mut bytes = good.clone();
    let at = bytes[..header].windows(12).position(|w| w == br#"\"format\":2"#).unwrap();
    bytes[at + 11] = b'9';
    refused(&bytes, "newer dermagan");
    // This changes a digit of the metadata, not of the tensors.
    let mut bytes = good.clone();
    let digit = br#"\"beta1\":0.5"#;
    let at = bytes[..header].windows(digit.len()).position(|w| w == digit).unwrap();
    bytes[at + digit.len() - 1] = b'6';
    refused(&bytes, "checksum");
    refused(&std::fs::read(run.join("generator.safetensors")).unwrap(), "not a checkpoint");
    // The run resumes from the good checkpoint.
    std::fs::remove_file(&newest).unwrap();
    desk.ok(&["train", "--resume", "latest", "--device", "cpu"]);
    assert_eq!(std::fs::read(&newest).unwrap(), good);
}

#[test]
fn resuming_from_an_older_checkpoint_renames_the_newer_ones_to_superseded() {
    let desk = Desk::new();
    desk.train(&["--kimg", "3", "--snap", "1", "--keep", "0"]);
    let run = desk.run_folder("runs");
    let newest = std::fs::read(run.join("checkpoint-000003.safetensors")).unwrap();
    let older = run.join("checkpoint-000001.safetensors");
    desk.ok(&[
        "train",
        "--resume",
        &older.to_string_lossy(),
        "--kimg",
        "2",
        "--keep",
        "1",
        "--device",
        "cpu",
    ]);
    assert!(run.join("checkpoint-000003.safetensors.superseded").is_file());
    assert!(run.join("checkpoint-000002.safetensors").is_file());
    // The run remembers `--keep 1`.
    assert!(!run.join("checkpoint-000001.safetensors").exists());
    desk.ok(&["train", "--resume", "latest", "--kimg", "3", "--device", "cpu"]);
    assert!(std::fs::read(run.join("checkpoint-000003.safetensors")).unwrap() == newest);
    assert!(!run.join("checkpoint-000002.safetensors").exists());
    let back = ["train", "--resume", "latest", "--kimg", "1", "--device", "cpu"];
    assert!(desk.fails(&back, 1).contains("at 3.000 kimg already"));
    assert_eq!(stats(&run).len(), 6);
    // The step that reaches 3.001 kimg ends at 3.008 kimg.
    for _ in 0..2 {
        desk.ok(&["train", "--resume", "latest", "--kimg", "3.001", "--device", "cpu"]);
    }
    let again = desk.ok(&["train", "--resume", "latest", "--device", "cpu"]);
    assert!(again.contains("already finished, at 3.008 kimg"), "{again}");
}

#[test]
fn a_checkpoint_that_a_killed_process_did_not_remove_is_removed_by_the_next_one() {
    let desk = Desk::new();
    // A process that was killed just before it removed the oldest checkpoint leaves one more than `--keep`.
    desk.train(&["--kimg", "2", "--snap", "1", "--keep", "0"]);
    let again = ["train", "--resume", "latest", "--keep", "1", "--device", "cpu"];
    let out = desk.ok(&again);
    assert!(out.contains("already finished"), "{out}");
    let run = desk.run_folder("runs");
    assert!(!run.join("checkpoint-000001.safetensors").exists());
    assert!(run.join("checkpoint-000002.safetensors").is_file());
}

#[test]
fn a_checkpoint_outside_its_run_leaves_the_files_beside_it_unchanged() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let checkpoint = desk.run_folder("runs").join("checkpoint-000000.104.safetensors");
    std::fs::create_dir(desk.join("mine")).unwrap();
    std::fs::write(desk.join("mine/stats.jsonl"), b"my own notes").unwrap();
    std::fs::copy(checkpoint, desk.join("mine/c.safetensors")).unwrap();
    let args = ["train", "--resume", "mine/c.safetensors", "--kimg", "0.2", "--device", "cpu"];
    assert!(desk.fails(&args, 1).contains("not that of a run"));
    assert_eq!(std::fs::read(desk.join("mine/stats.jsonl")).unwrap(), b"my own notes");
}

#[test]
fn a_checkpoint_that_claims_a_larger_network_than_it_holds_is_refused() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let path = desk.run_folder("runs").join("checkpoint-000000.104.safetensors");
    // The forged checkpoint has a valid checksum, and the options of the run agree with it.
    let mut forged = Checkpoint::open(&path).unwrap();
    (forged.meta.config.model.g_width, forged.meta.config.model.d_width) = (9, 9);
    forged.save(&path).unwrap();
    let options = desk.run_folder("runs").join("training_options.json");
    let text = std::fs::read_to_string(&options).unwrap();
    std::fs::write(&options, text.replace("_width\": 4", "_width\": 9")).unwrap();
    let error = desk.fails(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"], 1);
    assert!(error.contains("its networks alone have"), "{error}");
}

#[test]
fn a_checkpoint_without_its_optimiser_state_is_rejected() {
    let desk = Desk::new();
    desk.train(&["--kimg", "1"]);
    let file = desk.run_folder("runs").join("checkpoint-000001.safetensors");
    let mut checkpoint = Checkpoint::open(&file).unwrap();
    checkpoint.tensors.retain(|name, _| !name.starts_with("adam_G."));
    checkpoint.save(&file).unwrap();
    let error = desk.fails(&["train", "--resume", "latest", "--kimg", "2", "--device", "cpu"], 1);
    assert!(error.contains("no tensor 'adam_G.m."), "{error}");
}

#[test]
fn resuming_from_an_older_checkpoint_restores_the_generator_and_the_best_generator() {
    let desk = Desk::new();
    let metrics = ["--metrics", "kid", "--keep", "0"];
    desk.train(&[&["--kimg", "0.6", "--snap", "0.2"], &metrics[..]].concat());
    let run = desk.run_folder("runs");
    let read = |name: &str| std::fs::read(run.join(name)).unwrap();
    let last = read("generator.safetensors");
    // This simulates that the last snapshot was the best.
    std::fs::write(run.join("generator-best.safetensors"), &last).unwrap();
    std::fs::write(run.join("best.json"), br#"{"metric":"kid60_lesion","value":0.1,"nimg":600}"#)
        .unwrap();
    let first = run.join("checkpoint-000000.200.safetensors");
    let first = first.to_string_lossy();
    let out = desk.ok(&["train", "--resume", &first, "--kimg", "0.2", "--device", "cpu"]);
    assert!(out.contains("already finished, at 0.200 kimg"), "{out}");
    let back = read("generator.safetensors");
    assert!(back != last, "the generator comes from the checkpoint");
    assert!(!run.join("best.json").exists() && run.join("best.json.superseded").exists());
    assert!(run.join("generator-best.safetensors.superseded").exists());
    // The second time, the superseded files of the first time stay.
    std::fs::write(run.join("best.json"), br#"{"metric":"kid60_lesion","value":0.1,"nimg":600}"#)
        .unwrap();
    desk.ok(&["train", "--resume", &first, "--kimg", "0.2", "--device", "cpu"]);
    assert!(run.join("best.json.superseded").exists());
    // Resuming writes missing files of the run again, with the same bytes.
    let split = read("split.csv");
    for name in ["generator.safetensors", "split.csv", "reals.png"] {
        std::fs::remove_file(run.join(name)).unwrap();
    }
    desk.ok(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"]);
    assert!(read("generator.safetensors") == back && read("split.csv") == split);
    assert!(run.join("reals.png").is_file());
    // The run repeats the steps that it took before.
    desk.ok(&["train", "--resume", "latest", "--kimg", "0.6", "--device", "cpu"]);
    assert!(read("generator.safetensors") == last);
    assert!(run.join("best.json").is_file());
    let quiet = ["train", "--resume", "latest", "--kimg", "0.8", "--metrics", "none"];
    let out = desk.ok(&[&quiet[..], &["--device", "cpu"]].concat());
    assert!(!out.contains("kid"), "{out}");
}

#[test]
fn a_checkpoint_of_another_run_is_rejected() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1", "--outdir", "a"]);
    desk.train(&["--kimg", "0.1", "--outdir", "b", "--seed", "5"]);
    let name = "checkpoint-000000.104.safetensors";
    let (a, b) = (desk.run_folder("a"), desk.run_folder("b"));
    let options = std::fs::read(a.join("training_options.json")).unwrap();
    std::fs::copy(b.join(name), a.join("checkpoint-000000.200.safetensors")).unwrap();
    let resume =
        ["train", "--resume", "latest", "--outdir", "a", "--kimg", "0.3", "--device", "cpu"];
    let error = desk.fails(&resume, 1);
    assert!(error.contains("another run") && error.contains("seed"), "{error}");
    desk.train(&["--kimg", "0.1", "--outdir", "c", "--lr", "1e-4"]);
    let other = desk.run_folder("c").join(name);
    std::fs::copy(other, a.join("checkpoint-000000.200.safetensors")).unwrap();
    let error = desk.fails(&resume, 1);
    assert!(error.contains("another run") && error.contains("optimiser"), "{error}");
    let bare = |folder: &Path| {
        let args = ["train", "--resume", name, "--kimg", "0.1", "--device", "cpu"];
        desk.command(&args).current_dir(folder).output().unwrap()
    };
    let out = bare(&b);
    assert!(
        out.status.success(),
        "a file name without a folder is relative to the current folder: {}",
        text(&out.stderr)
    );
    assert!(std::fs::read(a.join("training_options.json")).unwrap() == options);
}

#[test]
fn a_damaged_checkpoint_no_longer_blocks_a_run_that_resumed_from_a_good_one() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.4", "--snap", "0.2"]);
    let run = desk.run_folder("runs");
    std::fs::write(run.join("checkpoint-000009.safetensors"), b"cut").unwrap();
    let on = |from: &str, kimg: &str| {
        desk.run(&["train", "--resume", from, "--kimg", kimg, "--device", "cpu"]).status.success()
    };
    assert!(!on("latest", "0.5"));
    let good = run.join("checkpoint-000000.400.safetensors");
    assert!(on(&good.to_string_lossy(), "0.5"));
    assert!(on("latest", "0.6"));
    assert!(run.join("checkpoint-000009.safetensors.superseded").is_file());
}

#[test]
fn a_run_with_unreadable_options_loses_no_checkpoint() {
    let desk = Desk::new();
    desk.train(&["--kimg", "1", "--snap", "0.2", "--keep", "0"]);
    let run = desk.run_folder("runs");
    let checkpoints = || {
        let files = std::fs::read_dir(&run).unwrap().flatten();
        let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("checkpoint-")).count()
    };
    let before = checkpoints();
    for (broken, kimg) in [(Some("{"), "1.2"), (None, "1.4")] {
        let options = run.join("training_options.json");
        match broken {
            Some(text) => std::fs::write(&options, text).unwrap(),
            None => std::fs::remove_file(&options).unwrap(),
        }
        let out = desk.ok(&["train", "--resume", "latest", "--kimg", kimg, "--device", "cpu"]);
        assert!(out.contains("could not be read and was written anew"), "{out}");
    }
    assert_eq!(checkpoints(), before + 2);
}
