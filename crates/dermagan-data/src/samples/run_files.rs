//! Recognises the grids and plots that a training run writes beside its networks: they are no samples.

use std::path::Path;

use crate::source::entry::{Entry, is_image_name};

/// The file that every run of dermagan and of StyleGAN has.
const OPTIONS: &str = "training_options.json";

/// Whether a folder is that of a training run.
pub(super) fn is_run(folder: &Path) -> bool {
    folder.join(OPTIONS).is_file()
}

/// The names of the training runs in a folder, in alphabetical order.
pub(super) fn runs_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let runs = entries.filter(|entry| is_run(&entry.path()));
    let mut names: Vec<String> =
        runs.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// For each entry, whether it is a grid or a plot of a training run: `fakes_init.png`, `fakes000200.png`, `reals.png` or
/// `losses.png`. Numbered files called `fakes` may be samples of another program, so they are grids only if their folder
/// has another file of a run.
pub(super) fn grids_and_plots(entries: &[Entry]) -> Vec<bool> {
    let folder = |entry: &Entry| -> String {
        entry.path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
    };
    let runs: std::collections::BTreeSet<String> =
        entries.iter().filter(|e| is_mark(e.name())).map(folder).collect();
    entries
        .iter()
        .map(|entry| {
            let name = entry.name();
            is_image_name(name)
                && runs.contains(&folder(entry))
                && (is_mark(name) || is_snapshot(entry.stem()))
        })
        .collect()
}

/// Whether only a training run has a file of this name.
fn is_mark(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_ascii_lowercase();
    let image = is_image_name(name) || name.to_ascii_lowercase().ends_with(".svg");
    image && ["fakes_init", "reals", "losses"].contains(&stem.as_str())
        || [OPTIONS, "stats.jsonl"].contains(&name)
        || name.starts_with("network-snapshot-")
}

/// Whether a stem is `fakes` and a number of thousand images, such as `fakes000200` or `fakes000000.200`.
fn is_snapshot(stem: &str) -> bool {
    stem.strip_prefix("fakes").is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tree::Tree;

    /// The files of a folder that are taken for grids and plots.
    fn found(names: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let tree = Tree::list(folder.path(), 1).unwrap();
        let is = grids_and_plots(&tree.entries);
        tree.entries.iter().zip(is).filter(|(_, is)| *is).map(|(e, _)| e.path.clone()).collect()
    }

    #[test]
    fn the_grids_of_a_run_are_told_from_samples_by_the_files_beside_them() {
        let run = ["fakes_init.png", "fakes000200.png", "fakes000000.400.png", "reals.png"];
        let others = ["losses.png", "seed0001.png", "fakes_of_mine.png"];
        let expected =
            ["fakes000000.400.png", "fakes000200.png", "fakes_init.png", "losses.png", "reals.png"];
        assert_eq!(found(&[&run[..], &others[..]].concat()), expected);
        assert!(found(&["fakes0001.png", "fakes0002.png"]).is_empty());
        assert_eq!(found(&["fakes000200.png", "network-snapshot-000200.pkl"]), ["fakes000200.png"]);
    }
}
