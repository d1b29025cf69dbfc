//! Whole sets in every format: the same bytes each time, complete or visibly not, and nothing of others replaced.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dermagan_formats::{Format, FormatError, Item, Set, SetWriter};

#[path = "../src/test_support.rs"]
mod test_support;

use test_support::{items, set};

fn write(format: Format, out: &Path, set: Set, per_file: u64) -> Result<(), FormatError> {
    let mut writer = SetWriter::create(format, out, set, per_file)?;
    items().iter().try_for_each(|item| writer.put(item))?;
    writer.finish()
}

/// The files below a place by their paths, and their bytes. A file is its own only content.
fn contents(place: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn add(place: &Path, path: PathBuf, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        match std::fs::read_dir(place) {
            Ok(entries) => entries.for_each(|entry| {
                let entry = entry.unwrap();
                add(&entry.path(), path.join(entry.file_name()), found);
            }),
            Err(_) => drop(found.insert(path, std::fs::read(place).unwrap())),
        }
    }
    let mut found = BTreeMap::new();
    if place.exists() {
        add(place, PathBuf::new(), &mut found);
    }
    found
}

fn out(folder: &Path, format: Format) -> PathBuf {
    match format.is_one_file() {
        true => folder.join("set.zip"),
        false => folder.join("set"),
    }
}

#[test]
fn every_format_has_the_same_bytes_each_time_and_replaces_its_own() {
    for format in Format::ALL {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [a, b] = [out(a.path(), format), out(b.path(), format)];
        write(format, &a, set(), 2).unwrap();
        write(format, &b, set(), 2).unwrap();
        let first = contents(&a);
        assert!(!first.is_empty());
        assert!(first == contents(&b), "{}", format.name());
        write(format, &a, set(), 2).unwrap();
        assert!(first == contents(&a), "{}", format.name());
    }
}

#[test]
fn a_call_that_stops_leaves_no_set_that_looks_complete_and_the_next_one_finishes_it() {
    for format in Format::ALL {
        let folder = tempfile::tempdir().unwrap();
        let out = out(folder.path(), format);
        let whole = folder.path().join("whole.zip");
        let whole = if format.is_one_file() { whole } else { folder.path().join("whole") };
        write(format, &whole, set(), 2).unwrap();
        let part = |images: usize| {
            let mut writer = SetWriter::create(format, &out, set(), 2).unwrap();
            items()[..images].iter().for_each(|item| writer.put(item).unwrap());
            writer
        };
        let error = part(4).finish().unwrap_err().to_string();
        assert!(error.contains("the set has 5 images"), "{error}");
        drop(part(4));
        assert!(!out.join("README.md").exists(), "{}", format.name());
        assert!(!out.is_file(), "{}", format.name());
        // A process that is killed also leaves its partial files.
        std::mem::forget(part(4));
        assert!(!out.join("README.md").exists() && !out.is_file());
        let partial = contents(folder.path());
        assert!(partial.keys().any(|path| path.to_string_lossy().ends_with(".partial")));
        // Its lock is that of this process, so the next call would wait: a copy stands for a later process.
        let copy = tempfile::tempdir().unwrap();
        let then = copy.path().join(out.file_name().unwrap());
        for (path, bytes) in partial {
            let path = copy.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        write(format, &then, set(), 2).unwrap();
        assert!(contents(&then) == contents(&whole), "{}", format.name());
    }
}

#[test]
fn files_of_others_and_of_other_sets_are_refused_and_stay() {
    for format in Format::ALL {
        let folder = tempfile::tempdir().unwrap();
        let out = out(folder.path(), format);
        let other = Set { title: "Others".into(), ..set() };
        if format.is_one_file() {
            for foreign in [&b"years of work"[..], b"PK\x05\x06 not a zip of dermagan"] {
                std::fs::write(&out, foreign).unwrap();
                let error = write(format, &out, set(), 2).unwrap_err().to_string();
                assert!(error.contains("dermagan did not write as a set"), "{error}");
                assert_eq!(std::fs::read(&out).unwrap(), foreign);
            }
            continue;
        }
        for name in [
            "notes.txt",
            "README.md",
            "metadata.csv",
            "data/train-00000-of-00002.parquet",
            "train-000000.tar",
            "train/image0.png",
            "train/metadata.csv",
            "more/deep.txt",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("set");
            let path = out.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "lesion_id,image_id,dx,dx_type,age,sex,localization\na,b,nv\n")
                .unwrap();
            let error = write(format, &out, set(), 2).unwrap_err().to_string();
            assert!(error.contains("which dermagan did not write"), "{name}: {error}");
            assert_eq!(contents(&out).len(), 1, "{name}");
        }
        write(format, &out, set(), 2).unwrap();
        let before = contents(&out);
        let error = write(format, &out, other, 2).unwrap_err().to_string();
        assert!(error.contains("the description of another set"), "{error}");
        assert!(before == contents(&out));
    }
}

#[test]
fn the_name_of_the_output_fits_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |format, name: &str| {
        let out = folder.path().join(name);
        write(format, &out, set(), 2).unwrap_err().to_string().replace('\\', "/")
    };
    assert!(refused(Format::Zip, "a").contains("/a.zip"));
    assert!(refused(Format::StyleGan, "a.tar").contains("/a.tar.zip"));
    assert!(refused(Format::Parquet, "a.zip").contains("type `format` = zip or name a folder"));
    assert!(refused(Format::Folder, "a.tar").contains("type `format` = webdataset"));
    assert!(contents(folder.path()).is_empty());
    for (format, name) in [(Format::WebDataset, "a.tar"), (Format::Parquet, "a.parquet")] {
        let out = folder.path().join(name);
        write(format, &out, set(), 2).unwrap();
        assert!(out.is_file(), "all parts in one file");
        write(format, &out, set(), 2).unwrap();
    }
}

#[test]
fn an_image_that_does_not_fit_its_set_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer =
        SetWriter::create(Format::Zip, &folder.path().join("a.zip"), set(), 2).unwrap();
    let item = items().remove(0);
    for bad in [
        Item { name: "../a".into(), ..item.clone() },
        Item { class: Some(2), ..item.clone() },
        Item { values: Vec::new(), ..item.clone() },
    ] {
        assert!(writer.put(&bad).is_err(), "{bad:?}");
    }
    let odd = Set { side: 48, ..set() };
    let error = write(Format::StyleGan, &folder.path().join("b.zip"), odd, 2).unwrap_err();
    assert!(error.to_string().contains("`size` = 48"), "{error}");
    let error = write(Format::Parquet, &folder.path().join("c"), set(), 0).unwrap_err();
    assert!(error.to_string().contains("`images_per_file` = 0"), "{error}");
}
