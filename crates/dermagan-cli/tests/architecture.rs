//! The architecture that `crates/README.md` describes: which crates and folders may use which, no import cycles between
//! files, and no crowded folders.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

mod imports;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imports::{Crate, cycles};

/// The crates of this project that each crate may depend on.
const CRATES: [(&str, &[&str]); 19] = [
    ("base", &[]),
    ("kernels", &[]),
    ("datasets", &[]),
    ("models", &[]),
    ("cloud", &["base"]),
    ("formats", &["base"]),
    ("shards", &["base"]),
    ("model", &["base", "kernels"]),
    ("data", &["base", "datasets", "shards"]),
    ("generate", &["base", "formats", "model", "models", "shards"]),
    ("eval", &["base", "data", "generate", "kernels", "model", "models", "shards"]),
    ("export", &["base", "generate", "model"]),
    ("demo", &["base", "export", "generate", "model"]),
    ("train", &["base", "data", "eval", "export", "formats", "generate", "model", "models"]),
    ("trust", &["base", "data", "eval", "generate", "kernels", "model", "shards", "train"]),
    ("mpi", &["train"]),
    (
        "cli",
        &[
            "base", "cloud", "data", "demo", "eval", "export", "formats", "generate", "model",
            "mpi", "shards", "train", "trust",
        ],
    ),
    ("python", &["base", "cli", "data", "eval", "formats", "generate", "model", "train"]),
    ("fuzz", &["base", "data", "eval", "generate", "model", "models", "train"]),
];

/// The folders of a crate in their order: a folder may use those before it.
const FOLDERS: [(&str, &[&str]); 7] = [
    ("kernels", &["matmul", "conv", "pointwise"]),
    ("model", &["tensor", "ops", "imagenet", "network", "device", "file"]),
    ("data", &["source", "prepare", "samples"]),
    ("eval", &["features", "metrics", "report"]),
    ("export", &["onnx", "pytorch", "hub"]),
    (
        "trust",
        &[
            "statistics",
            "images",
            "copies",
            "membership",
            "audit",
            "balance",
            "bias",
            "trial",
            "report",
        ],
    ),
    (
        "train",
        &["recipe", "augment", "group", "step", "check", "store", "plan", "watch", "run", "tools"],
    ),
];

const MOST_FILES: usize = 16;
const MOST_PUBLIC_MODULES: usize = 8;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn folder(name: &str) -> PathBuf {
    match name {
        "models" | "datasets" => root().join(name),
        _ => root().join("crates").join(format!("dermagan-{name}")),
    }
}

#[test]
fn a_crate_depends_only_on_those_below_it() {
    for (name, expected) in CRATES {
        let manifest = std::fs::read_to_string(folder(name).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        let own = dependencies
            .into_iter()
            .flatten()
            .filter_map(|(dependency, _)| dependency.strip_prefix("dermagan-").map(str::to_owned));
        let mut own: Vec<String> = own.collect();
        own.sort();
        assert_eq!(own, expected, "dependencies of dermagan-{name}");
    }
}

#[test]
fn every_crate_is_in_the_list() {
    let folders = std::fs::read_dir(root().join("crates")).unwrap().flatten();
    let crates = folders.filter(|entry| entry.path().join("Cargo.toml").is_file());
    let names = crates.filter_map(|entry| {
        entry.file_name().to_str()?.strip_prefix("dermagan-").map(str::to_owned)
    });
    for name in names.filter(|name| name != "bench") {
        assert!(
            CRATES.iter().any(|(known, _)| *known == name),
            "dermagan-{name} has no edges here"
        );
    }
}

#[test]
fn no_file_imports_itself_through_others() {
    for (name, _) in CRATES {
        let found = cycles(&Crate::read(&folder(name)).edges());
        assert!(found.is_empty(), "import cycles in dermagan-{name}: {found:#?}");
    }
}

#[test]
fn a_folder_uses_only_those_before_it() {
    for (name, order) in FOLDERS {
        let place: BTreeMap<&str, usize> = order.iter().copied().zip(0..).collect();
        for (file, imports) in Crate::read(&folder(name)).edges() {
            for import in imports {
                let [from, to] = [&file, &import].map(|module| {
                    place.get(module.split("::").next().unwrap_or_default()).copied()
                });
                if let (Some(from), Some(to)) = (from, to) {
                    assert!(to <= from, "dermagan-{name}: {file} uses {import}");
                }
            }
        }
    }
}

#[test]
fn no_folder_is_crowded_and_no_crate_has_many_public_modules() {
    for (name, _) in CRATES {
        let krate = Crate::read(&folder(name));
        for (folder, files) in krate.files_per_folder() {
            assert!(*files <= MOST_FILES, "{}: {files} files", folder.display());
        }
        let public = krate.public_modules();
        assert!(public <= MOST_PUBLIC_MODULES, "dermagan-{name}: {public} public modules");
    }
}

#[test]
fn a_cycle_would_be_found() {
    let edges = |list: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
        let owned = |to: &[&str]| to.iter().map(|to| (*to).to_owned()).collect();
        list.iter().map(|(from, to)| ((*from).to_owned(), owned(to))).collect()
    };
    assert!(cycles(&edges(&[("a", &["b"]), ("b", &["c"]), ("c", &[])])).is_empty());
    let found = cycles(&edges(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["a"])]));
    assert_eq!(found, [["a", "b", "c"]]);
    // The parser sees imports, paths in code, and names that another file passes on.
    let krate = Crate::of(&[
        ("", "mod a; mod b; mod c;"),
        ("a", "use crate::b::thing; #[cfg(test)] mod tests { use crate::c::other; }"),
        ("b", "pub use crate::c::other; pub fn thing() {}"),
        ("c", "fn f() { super::b::thing(); } pub fn other() { crate::b::other() }"),
    ]);
    let edges = krate.edges();
    assert_eq!(edges["a"], ["b"]);
    assert_eq!(edges["c"], ["b"], "what b passes on is c's own");
}
