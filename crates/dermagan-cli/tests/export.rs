//! Runs `export`: files and folders for other programs.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::*;

/// The files of a folder by name.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn export_says_how_to_reach_other_formats_and_replaces_only_generators() {
    let desk = Desk::new();
    let error = desk.fails(&["export", "shipped", "--out", "g.pt"], 1);
    assert!(
        error.contains("type --out g.safetensors") && error.contains(".onnx and .py files"),
        "{error}"
    );
    std::fs::write(desk.join("mine.safetensors"), "weights of another program").unwrap();
    let error = desk.fails(&["export", "shipped", "--out", "mine.safetensors"], 1);
    assert!(error.contains("a file of this name, which is not a generator of dermagan"), "{error}");
    assert_eq!(
        std::fs::read(desk.join("mine.safetensors")).unwrap(),
        b"weights of another program"
    );
    (0..2).for_each(|_| drop(desk.ok(&["export", "shipped", "--out", "own.safetensors"])));
    let error = desk.fails(&["export", "own.safetensors", "--out", "./own.safetensors"], 1);
    assert!(error.contains("this is the model itself"), "{error}");
    // The generator that comes with the program is such a file, to the byte.
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models/lesion-generator/generator.safetensors");
    assert!(
        std::fs::read(desk.join("own.safetensors")).unwrap() == std::fs::read(shipped).unwrap()
    );
}

#[test]
fn a_graph_and_a_module_replace_only_their_own_kind() {
    let desk = Desk::new();
    for (name, start) in [("g.onnx", &b"\x08\x08\x12\x08dermagan"[..]), ("g.py", b"\"\"\"The gen")]
    {
        let out = || desk.run(&["export", "shipped", "--out", name]);
        assert!(out().status.success());
        let first = std::fs::read(desk.join(name)).unwrap();
        assert!(first.starts_with(start));
        assert!(out().status.success());
        assert!(std::fs::read(desk.join(name)).unwrap() == first, "equal bytes");
        let mine = [b"mine ", &first[..]].concat();
        std::fs::write(desk.join(name), &mine).unwrap();
        let error = desk.fails(&["export", "shipped", "--out", name], 1);
        assert!(error.contains("--out g.") && error.contains("which is not"), "{error}");
        assert!(std::fs::read(desk.join(name)).unwrap() == mine);
    }
    let error = desk.fails(&["export", "shipped", "--torch", "g.onnx"], 1);
    assert!(error.contains("--torch g.onnx: a PyTorch module is a .py file"), "{error}");
    desk.fails(&["export", "shipped", "--torch", "a.py", "--hub", "b"], 2);
    desk.fails(&["export", "shipped", "--torch", "a.py", "--out", "b.py"], 2);
}

#[test]
fn notes_say_what_a_user_of_the_file_has_to_do() {
    let desk = Desk::new();
    let notes = |args: &[&str]| text(&desk.run(&[&["export", "shipped"], args].concat()).stderr);
    let graph = notes(&["--out", "g.onnx", "--full"]);
    assert!(graph.contains("no random orientation") && graph.contains("32 bits"), "{graph}");
    assert!(notes(&["--torch", "g.py"]).contains("the module holds no weights: write them"));
    desk.ok(&["export", "shipped", "--out", "g.safetensors"]);
    let out = desk.run(&["export", "g.safetensors", "--torch", "g.py"]);
    assert!(text(&out.stdout).contains("a PyTorch module for g.safetensors in g.py"));
    assert!(text(&out.stderr).contains("Generator.from_file(\"g.safetensors\") loads them"));
}

#[test]
fn settings_without_effect_and_classes_that_cannot_be_made_are_refused() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.02"]);
    for (args, words) in [
        (&["--out", "g.safetensors", "--class", "mel"][..], "--class mel: only an ONNX file"),
        (&["--hub", "h", "--class", "mel"], "--class mel: only an ONNX file"),
        (&["--out", "g.onnx", "--class", "all"], "leave out --class"),
        (&["--out", "g.onnx", "--class", "xyz"], "akiec, bcc, bkl, df, mel, nv, vasc"),
        (&["--torch", "g.py", "--float"], "--float: only an ONNX file"),
        (&["--torch", "g.py", "--full"], "--full: the PyTorch module holds no weights"),
    ] {
        let error = desk.fails(&[&["export", "shipped"], args].concat(), 1);
        assert!(error.contains(words), "{error}");
    }
    // The run is a DCGAN.
    let error = desk.fails(&["export", "--out", "g.onnx", "--class", "mel"], 1);
    assert!(error.contains("no class on demand"), "{error}");
    assert!(!desk.join("g.onnx").exists() && !desk.join("h").exists());
}

#[test]
fn a_folder_for_hugging_face_is_a_model_for_every_command() {
    let desk = Desk::new();
    let out = desk.ok(&["export", "shipped", "--hub", "h"]);
    assert!(out.contains("licence of its data CC BY-NC 4.0"), "{out}");
    let sample = |model: &str, out: &str| {
        desk.ok(&["sample", model, "--class", "df", "-n", "3", "--device", "cpu", "--out", out]);
        contents(&desk.join(out))
    };
    assert!(sample("h", "a") == sample("shipped", "b"), "the same images with the same text");
    assert!(desk.ok(&["info", "h"]).contains("parameters"));
    let few = ["--real", "phantom:60", "--features", "handmade", "-n", "10", "--device", "cpu"];
    let report =
        desk.ok(&[&["eval", "--split", "all", "--json", "--fake", "h"], &few[..]].concat());
    assert!(report.contains("h/generator.safetensors"), "{report}");
    desk.ok(&["export", "h", "--out", "again.onnx"]);
    for model in ["h", "h/generator.safetensors"] {
        let error = desk.fails(&["export", model, "--hub", "h"], 1);
        assert!(error.contains("this is the model itself"), "{error}");
    }
    // A run's folder and its generator stay as they are.
    desk.train(&["--kimg", "0.02"]);
    let run = desk.run_folder("runs");
    let before = contents(&run);
    let error = desk.fails(&["export", "shipped", "--hub", &run.display().to_string()], 1);
    assert!(error.contains("--hub") && error.contains("without config.json"), "{error}");
    assert!(contents(&run) == before);
}
