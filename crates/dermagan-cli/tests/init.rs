//! `train --init`: runs that start from trained networks.

mod common;

use std::path::Path;

use common::*;
use dermagan_model::ModelFile;
use dermagan_train::Checkpoint;

/// A small class-conditional run of `kimg` on the phantom with the flags `more`.
fn train_for(desk: &Desk, kimg: &str, outdir: &str, more: &[&str]) -> String {
    let small =
        ["train", "--preset", "rare", "--data", "phantom:60", "--batch", "8", "--precision", "f32"];
    let more = [&["--device", "cpu", "--kimg", kimg, "--outdir", outdir], more].concat();
    desk.ok(&[&small[..], &more].concat())
}

fn train(desk: &Desk, outdir: &str, more: &[&str]) -> String {
    train_for(desk, "0.16", outdir, more)
}

const SIZES: [&str; 4] = ["--size", "32", "--width", "4"];

fn model(run: &Path) -> ModelFile {
    ModelFile::open(&run.join("generator.safetensors")).unwrap()
}

/// The newest checkpoint of a run that ended at 0.16 kimg.
fn checkpoint(run: &Path) -> Checkpoint {
    Checkpoint::open(&run.join("checkpoint-000000.160.safetensors")).unwrap()
}

#[test]
fn a_generator_without_a_discriminator_stays_as_it_is_while_a_new_discriminator_learns() {
    let desk = Desk::new();
    train(&desk, "first", &SIZES);
    let first = desk.run_folder("first");
    let file = first.join("generator.safetensors");
    // The sizes are the model's, so no flag repeats them.
    let out = train(&desk, "second", &["--init", file.to_str().unwrap(), "--seed", "3"]);
    assert!(out.contains("the generator takes 14 of 14 tensors"), "{out}");
    assert!(out.contains("it has no discriminator, so that one is new"), "{out}");
    // Five passes over the training images, which are fewer than 2000.
    assert!(out.contains("split by lesion: 59 train"), "{out}");
    assert!(out.contains("does not move for 0.295 kimg"), "{out}");
    let second = desk.run_folder("second");
    assert_eq!(model(&first).weights, model(&second).weights);
    let log = std::fs::read_to_string(second.join("log.txt")).unwrap();
    assert!(log.contains("starts from") && log.contains("14 of 14 tensors"), "{log}");
    let options = std::fs::read_to_string(second.join("training_options.json")).unwrap();
    assert!(options.contains(&model(&first).hash), "{options}");
    // At another size there are new layers, which learn from the first step.
    let larger = train(&desk, "larger", &["--init", file.to_str().unwrap(), "--size", "64"]);
    assert!(!larger.contains("does not move"), "{larger}");
    // Once it may move, it does.
    let moves = ["--set", "optimiser.frozen_kimg=0.08"];
    train(&desk, "third", &[&["--init", file.to_str().unwrap()], &moves[..]].concat());
    assert_ne!(model(&first).weights, model(&desk.run_folder("third")).weights);
}

#[test]
fn a_run_that_starts_from_another_resumes_to_the_same_bytes_without_it() {
    let desk = Desk::new();
    train(&desk, "first", &SIZES);
    let first = desk.run_folder("first");
    let from = ["--init", first.to_str().unwrap(), "--set", "optimiser.frozen_kimg=0.05"];
    for outdir in ["whole", "parts"] {
        train_for(&desk, "0.32", outdir, &[&from[..], &["--snap", "0.16"]].concat());
    }
    let (whole, parts) = (desk.run_folder("whole"), desk.run_folder("parts"));
    std::fs::remove_dir_all(&first).unwrap();
    let half = parts.join("checkpoint-000000.160.safetensors");
    desk.ok(&["train", "--resume", half.to_str().unwrap(), "--device", "cpu"]);
    assert_same_end(&whole, &parts, "000000.320");
    // The new run took everything: both players, and the average.
    let mut found = checkpoint(&whole);
    assert!(found.meta.config.initial.is_some());
    assert!(!found.take("D").is_empty());
}

#[test]
fn a_run_gives_its_discriminator_too() {
    let desk = Desk::new();
    train(&desk, "first", &SIZES);
    let out = train_for(&desk, "0.008", "first", &["--init", "latest", "--lr", "1e-30"]);
    assert!(out.contains("the discriminator takes 9 of 9 tensors"), "{out}");
    assert!(!out.contains("does not move"), "{out}");
    let mut first =
        Checkpoint::open(&desk.join("first/00000-phantom-rare/checkpoint-000000.160.safetensors"))
            .unwrap();
    let second = desk.run_folder("first").join("checkpoint-000000.008.safetensors");
    let mut second = Checkpoint::open(&second).unwrap();
    for network in ["G", "D", "G_ema"] {
        let (first, second) = (first.take(network), second.take(network));
        for (name, array) in &first {
            let apart = array.values.iter().zip(&second[name].values).map(|(a, b)| (a - b).abs());
            // In a step the average comes a little nearer to the generator.
            let most = if network == "G_ema" { 1e-3 } else { 1e-20 };
            assert!(apart.fold(0.0, f32::max) < most, "{network}.{name}");
        }
    }
}

#[test]
fn classes_are_taken_by_their_codes_and_new_ones_are_listed() {
    let desk = Desk::new();
    train(&desk, "first", &[&SIZES[..], &["--classes", "mel,nv,bcc"]].concat());
    let first = model(&desk.run_folder("first"));
    let from = ["--init", "first/00000-phantom-rare/generator.safetensors"];
    let out = train(&desk, "second", &[&from[..], &["--classes", "nv,bkl,mel"]].concat());
    assert!(out.contains("known classes: mel, nv; new classes: bkl"), "{out}");
    let second = model(&desk.run_folder("second"));
    let row = |file: &ModelFile, code: &str| {
        let classes = &file.card.as_ref().unwrap().classes;
        let row = classes.iter().position(|class| class == code).unwrap();
        file.weights["embed"].values[32 * row..][..32].to_vec()
    };
    for code in ["nv", "mel"] {
        assert_eq!(row(&first, code), row(&second, code), "{code}");
    }
    assert!(row(&second, "bkl").iter().any(|value| *value != 0.0));
    let card = second.card.unwrap();
    assert_eq!(card.data, "phantom", "the same data is named once");
}

#[test]
fn the_generator_that_comes_with_the_program_binds_what_starts_from_it() {
    let desk = Desk::new();
    let out = train_for(&desk, "0.008", "r", &["--init", "shipped"]);
    assert!(out.contains("starts from dermagan's own generator"), "{out}");
    let card = model(&desk.run_folder("r")).card.unwrap();
    assert!(card.licence.contains("before it ham10000-200x150: CC BY-NC 4.0"), "{}", card.licence);
    assert!(card.data.ends_with("before it ham10000-200x150"), "{}", card.data);
    assert_eq!(card.model.g_width, 48);
    // A larger generator takes the layers of the sides that both have.
    let out = train_for(&desk, "0.008", "r", &["--init", "shipped", "--size", "128"]);
    assert!(out.contains("new in the generator: main.5.bias, main.5.weight"), "{out}");
}

#[test]
fn networks_that_do_not_fit_are_refused_with_the_reason() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.02"]);
    let run = desk.run_folder("runs");
    let fails = |more: &[&str]| {
        let base = ["train", "--data", "phantom:60", "--device", "cpu", "--kimg", "0.02"];
        desk.fails(&[&base[..], more].concat(), 1)
    };
    let other = fails(&["--preset", "rare", "--init", run.to_str().unwrap()]);
    assert!(other.contains("of the kind dcgan, those of this --preset are residual"), "{other}");
    let missing = fails(&["--preset", "rare", "--init", "nowhere"]);
    assert!(missing.contains("no such model or run: nowhere"), "{missing}");
    let nothing = ["--preset", "tiny", "--init", run.to_str().unwrap(), "--width", "7"];
    let nothing = fails(&[&nothing[..], &["--set", "model.z_dim=3"]].concat());
    assert!(nothing.contains("no tensor of its generator has the name and the shape"), "{nothing}");
    let resumed = ["train", "--resume", "latest", "--init", "shipped", "--device", "cpu"];
    assert!(desk.fails(&resumed, 1).contains("--init cannot change a resumed run"));
    let seed = fails(&["--preset", "rare", "--set", "optimiser.frozen_kimg=-1"]);
    assert!(seed.contains("optimiser.frozen_kimg"), "{seed}");
}
