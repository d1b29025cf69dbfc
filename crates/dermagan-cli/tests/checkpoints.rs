//! Checkpoints that are older than others, broken, or of another run.

mod common;

use std::path::Path;

use common::*;
use dermagan_train::checkpoint::Checkpoint;

#[test]
fn a_broken_foreign_or_newer_checkpoint_is_refused_and_the_good_one_named() {
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
                error.contains("--resume") && error.contains("checkpoint-000001.safetensors"),
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
    // A digit of what it says, not of its tensors.
    let mut bytes = good.clone();
    let told = br#"\"beta1\":0.5"#;
    let at = bytes[..header].windows(told.len()).position(|w| w == told).unwrap();
    bytes[at + told.len() - 1] = b'6';
    refused(&bytes, "checksum");
    refused(&std::fs::read(run.join("generator.safetensors")).unwrap(), "not a checkpoint");
    // The good one that was named does continue.
    std::fs::remove_file(&newest).unwrap();
    desk.ok(&["train", "--resume", "latest", "--device", "cpu"]);
    assert_eq!(std::fs::read(&newest).unwrap(), good);
}

#[test]
fn going_on_from_an_older_checkpoint_sets_the_newer_ones_aside() {
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
    // What was asked for once goes on: one is kept.
    assert!(!run.join("checkpoint-000001.safetensors").exists());
    desk.ok(&["train", "--resume", "latest", "--kimg", "3", "--device", "cpu"]);
    assert!(std::fs::read(run.join("checkpoint-000003.safetensors")).unwrap() == newest);
    assert!(!run.join("checkpoint-000002.safetensors").exists());
    let back = ["train", "--resume", "latest", "--kimg", "1", "--device", "cpu"];
    assert!(desk.fails(&back, 1).contains("at 3.000 kimg already"));
    assert_eq!(stats(&run).len(), 6);
    // 3.001 is done with 3.008.
    for _ in 0..2 {
        desk.ok(&["train", "--resume", "latest", "--kimg", "3.001", "--device", "cpu"]);
    }
    let again = desk.ok(&["train", "--resume", "latest", "--device", "cpu"]);
    assert!(again.contains("finished before, at 3.008 kimg"), "{again}");
}

#[test]
fn a_checkpoint_outside_its_run_touches_nothing_of_its_neighbours() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let checkpoint = desk.run_folder("runs").join("checkpoint-000000.104.safetensors");
    std::fs::create_dir(desk.join("mine")).unwrap();
    std::fs::write(desk.join("mine/stats.jsonl"), b"my own notes").unwrap();
    std::fs::copy(checkpoint, desk.join("mine/c.safetensors")).unwrap();
    let args = ["train", "--resume", "mine/c.safetensors", "--kimg", "0.2", "--device", "cpu"];
    assert!(desk.fails(&args, 1).contains("no run's folder"));
    assert_eq!(std::fs::read(desk.join("mine/stats.jsonl")).unwrap(), b"my own notes");
}

#[test]
fn a_checkpoint_that_claims_a_larger_network_than_it_holds_is_refused() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.1"]);
    let path = desk.run_folder("runs").join("checkpoint-000000.104.safetensors");
    // Forged with a checksum of its own, and the run's options with it.
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
fn a_checkpoint_without_its_optimisers_state_is_refused_not_continued_from_nothing() {
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
fn going_back_takes_the_generator_and_the_best_one_back_too() {
    let desk = Desk::new();
    let metrics = ["--metrics", "kid", "--keep", "0"];
    desk.train(&[&["--kimg", "0.6", "--snap", "0.2"], &metrics[..]].concat());
    let run = desk.run_folder("runs");
    let read = |name: &str| std::fs::read(run.join(name)).unwrap();
    let last = read("generator.safetensors");
    // As if the last had been the best.
    std::fs::write(run.join("generator-best.safetensors"), &last).unwrap();
    std::fs::write(run.join("best.json"), br#"{"metric":"kid60_lesion","value":0.1,"nimg":600}"#)
        .unwrap();
    let first = run.join("checkpoint-000000.200.safetensors");
    let first = first.to_string_lossy();
    let out = desk.ok(&["train", "--resume", &first, "--kimg", "0.2", "--device", "cpu"]);
    assert!(out.contains("finished before, at 0.200 kimg"), "{out}");
    let back = read("generator.safetensors");
    assert!(back != last, "the generator is the checkpoint's");
    assert!(!run.join("best.json").exists() && run.join("best.json.superseded").exists());
    assert!(run.join("generator-best.safetensors.superseded").exists());
    // A second time, what was set aside before stays.
    std::fs::write(run.join("best.json"), br#"{"metric":"kid60_lesion","value":0.1,"nimg":600}"#)
        .unwrap();
    desk.ok(&["train", "--resume", &first, "--kimg", "0.2", "--device", "cpu"]);
    assert!(run.join("best.json.superseded").exists());
    // What a run's folder lacks is put back, in the same bytes.
    let split = read("split.csv");
    for name in ["generator.safetensors", "split.csv", "reals.png"] {
        std::fs::remove_file(run.join(name)).unwrap();
    }
    desk.ok(&["train", "--resume", "latest", "--kimg", "0.2", "--device", "cpu"]);
    assert!(read("generator.safetensors") == back && read("split.csv") == split);
    assert!(run.join("reals.png").is_file());
    // The way that was gone before is gone again.
    desk.ok(&["train", "--resume", "latest", "--kimg", "0.6", "--device", "cpu"]);
    assert!(read("generator.safetensors") == last);
    assert!(run.join("best.json").is_file());
    let quiet = ["train", "--resume", "latest", "--kimg", "0.8", "--metrics", "none"];
    let out = desk.ok(&[&quiet[..], &["--device", "cpu"]].concat());
    assert!(!out.contains("kid"), "{out}");
}

#[test]
fn a_checkpoint_of_another_run_is_refused_in_this_ones_folder() {
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
    assert!(out.status.success(), "a bare name is a file of this folder: {}", text(&out.stderr));
    assert!(std::fs::read(a.join("training_options.json")).unwrap() == options);
}

#[test]
fn a_broken_newest_checkpoint_blocks_nothing_once_the_run_went_on_without_it() {
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
fn a_run_whose_options_cannot_be_read_loses_no_checkpoint() {
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
