//! Sets of images in the formats of other programs: `sample --format` and `data export`.

mod common;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::*;
use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, ImageFolder, Reading, Source};

/// The formats and the output of each.
const FORMATS: [(&str, &str); 5] = [
    ("imagefolder", "i"),
    ("zip", "z.zip"),
    ("webdataset", "w"),
    ("parquet", "p"),
    ("stylegan", "s.zip"),
];

/// Flags that divide the set into files of `images`, in the formats that have some.
fn divided<'a>(format: &str, images: &'a str) -> Vec<&'a str> {
    match format {
        "webdataset" | "parquet" => vec!["--images-per-file", images],
        _ => Vec::new(),
    }
}

/// The files below a place by their paths, and their bytes. A file is its own only content.
fn contents(place: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn add(place: &Path, path: PathBuf, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        match std::fs::read_dir(place) {
            Ok(entries) => entries.for_each(|entry| {
                let entry = entry.unwrap();
                add(&entry.path(), path.join(entry.file_name()), found);
            }),
            Err(_) => match std::fs::read(place) {
                Ok(bytes) => drop(found.insert(path, bytes)),
                // A program that is still writing has renamed it since it was listed.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
            },
        }
    }
    let mut found = BTreeMap::new();
    if place.exists() {
        add(place, PathBuf::new(), &mut found);
    }
    found
}

/// The entries of a zip in their order. None of them may be compressed.
fn unzip(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let entries = zip.len();
    let read = |i| {
        let mut entry = zip.by_index(i).unwrap();
        assert_eq!(entry.compression(), zip::CompressionMethod::Stored);
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.name().unwrap().to_string(), bytes)
    };
    (0..entries).map(read).collect()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn every_format_holds_the_images_of_the_folder_and_has_the_same_bytes_each_time() {
    let desk = Desk::new();
    let sample = |format: &str, out: &str| {
        let out = desk.join(out);
        let args = ["sample", "shipped", "--class", "mel,df", "-n", "3", "--device", "cpu"];
        let more = ["--format", format, "--out", out.to_str().unwrap()];
        desk.ok(&[&args[..], &more, &divided(format, "4")].concat())
    };
    sample("folder", "folder");
    let folder = contents(&desk.join("folder"));
    let images: Vec<&Vec<u8>> =
        folder.iter().filter(|(path, _)| path.ends_with("metadata.csv")).map(|(_, b)| b).collect();
    assert_eq!(images.len(), 1);
    for (format, out) in FORMATS {
        sample(format, out);
        let first = contents(&desk.join(out));
        sample(format, out);
        sample(format, &format!("again-{out}"));
        assert!(contents(&desk.join(out)) == first, "{format}");
        assert!(contents(&desk.join(&format!("again-{out}"))) == first, "{format}");
        let everything = first.values().flatten().copied().collect::<Vec<u8>>();
        for (path, png) in folder.iter().filter(|(path, _)| path.extension().unwrap() == "png") {
            assert!(has(&everything, png), "{format} {}", path.display());
        }
    }
    // The zip is the folder, with a description.
    let zipped: BTreeMap<PathBuf, Vec<u8>> =
        unzip(&desk.join("z.zip")).into_iter().map(|(name, bytes)| (name.into(), bytes)).collect();
    let mut expected = folder.clone();
    // A set in one file has its passport beside it.
    let passport = expected.remove(Path::new("passport.json")).unwrap();
    assert_eq!(std::fs::read(desk.join("z.zip.passport.json")).unwrap(), passport);
    expected.insert("README.md".into(), zipped[Path::new("README.md")].clone());
    assert!(zipped == expected);
    let readme = text(&zipped[Path::new("README.md")]);
    assert!(readme.contains("license: cc-by-nc-4.0") && readme.contains("SYNTHETIC"), "{readme}");
    // StyleGAN's labels are those of the model's classes.
    let entries = unzip(&desk.join("s.zip"));
    assert_eq!(entries[0].0, "00000/img00000000.png");
    assert_eq!(entries[0].1, folder[Path::new("mel-seed0000.png")]);
    let json: serde_json::Value = serde_json::from_slice(&entries[6].1).unwrap();
    assert_eq!(entries[6].0, "dataset.json");
    assert_eq!(json["labels"][0], serde_json::json!(["00000/img00000000.png", 4]));
    assert_eq!(json["labels"][5], serde_json::json!(["00000/img00000005.png", 3]));
    assert!(desk.join("w/train-000001.tar").is_file());
    assert!(desk.join("p/data/train-00001-of-00002.parquet").is_file());
}

#[test]
fn the_ending_of_the_output_chooses_the_format() {
    let desk = Desk::new();
    let sample = ["sample", "shipped", "-n", "1", "--device", "cpu", "--out"];
    for (out, start) in [("a.zip", &b"PK"[..]), ("a.parquet", b"PAR1"), ("a.tar", b"seed0000.png")]
    {
        desk.ok(&[&sample[..], &[out]].concat());
        assert!(std::fs::read(desk.join(out)).unwrap().starts_with(start), "{out}");
    }
    desk.ok(&["sample", "shipped", "-n", "1", "--device", "cpu", "--format", "stylegan"]);
    assert!(desk.join("samples.zip").is_file());
    let fails = |more: &[&str], code| desk.fails(&[&sample[..], more].concat(), code);
    assert!(fails(&["b.zip", "--format", "folder"], 1).contains("or choose --format zip"));
    assert!(fails(&["b", "--format", "zip"], 1).contains("type --out b.zip"));
    assert!(fails(&["b.tar", "--format", "parquet"], 1).contains("type --format webdataset"));
    assert!(fails(&["b.png", "--format", "zip", "--grid", "2x2"], 2).contains("--format"));
    assert!(
        fails(&["b", "--format", "parquet", "--images-per-file", "0"], 1)
            .contains("--images-per-file 0: expected 1 to")
    );
    // A folder stays one, whatever its name is.
    std::fs::create_dir(desk.join("c.zip")).unwrap();
    desk.ok(&[&sample[..], &["c.zip"]].concat());
    assert!(desk.join("c.zip/metadata.csv").is_file());
}

#[test]
fn files_of_others_and_of_other_sets_are_not_replaced() {
    let desk = Desk::new();
    let sample = |format: &str, out: &str, seeds: &str| {
        let args = ["sample", "shipped", "--device", "cpu", "--format", format, "--out", out];
        text(&desk.run(&[&args[..], &["--seeds", seeds]].concat()).stderr)
    };
    for (format, out) in FORMATS {
        let place = desk.join(out);
        match out.ends_with(".zip") {
            true => std::fs::write(&place, "years of work").unwrap(),
            false => {
                std::fs::create_dir(&place).unwrap();
                std::fs::write(place.join("README.md"), "years of work").unwrap();
            }
        }
        let before = contents(&place);
        let error = sample(format, out, "0");
        assert!(error.contains("which dermagan did not write"), "{format}: {error}");
        assert!(contents(&place) == before, "{format}");
    }
    assert_eq!(sample("parquet", "q", "0-2"), "");
    let before = contents(&desk.join("q"));
    let error = sample("parquet", "q", "0-3");
    assert!(error.contains("it holds README.md, the description of another set"), "{error}");
    assert!(contents(&desk.join("q")) == before);
}

/// A process that is killed while it writes leaves nothing that looks complete, and the same command then writes the set.
#[test]
#[cfg(unix)]
fn a_killed_call_leaves_nothing_that_looks_complete() {
    let desk = Desk::new();
    desk.train(&["--kimg", "0.02"]);
    let args = |format: &'static str, out: &'static str| {
        let args = ["sample", "-n", "1500", "--device", "cpu", "--batch", "1"];
        [&args[..], &["--format", format, "--out", out], &divided(format, "100")].concat()
    };
    for (format, out) in FORMATS {
        desk.ok(&args(format, out));
        let whole = contents(&desk.join(out));
        std::fs::remove_file(desk.join(out))
            .or_else(|_| std::fs::remove_dir_all(desk.join(out)))
            .unwrap();
        let mut child = desk
            .command(&args(format, out))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let partial = match out.ends_with(".zip") {
            true => desk.join(&format!("{out}.partial")),
            false => desk.join(out),
        };
        let written = || contents(&partial).values().map(Vec::len).sum::<usize>();
        while written() < 60_000 {
            assert!(child.try_wait().unwrap().is_none(), "{format}: it ended before it was killed");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let left = contents(&desk.join(out));
        let complete = ["README.md", "metadata.csv", ""].map(PathBuf::from);
        assert!(complete.iter().all(|path| !left.contains_key(path)), "{format}");
        desk.ok(&args(format, out));
        assert!(contents(&desk.join(out)) == whole, "{format}");
    }
}

#[test]
fn own_sets_are_read_back_and_are_training_data_only_on_demand() {
    let desk = Desk::new();
    for (format, out) in FORMATS {
        let args = ["sample", "shipped", "--class", "mel,df,nv", "-n", "3", "--device", "cpu"];
        desk.ok(&[&args[..], &["--format", format, "--out", out]].concat());
    }
    for (out, classes) in [("i", &["df", "mel", "nv"][..]), ("z.zip", &["df", "mel", "nv"])] {
        let found = ImageFolder::open(&desk.join(out)).unwrap();
        let mut codes: Vec<&str> = (0..found.len()).filter_map(|i| found.class(i)).collect();
        codes.dedup();
        assert_eq!((found.len(), &codes[..]), (9, classes), "{out}");
        assert_eq!(found.notes(), [""; 0], "{out}");
    }
    let found = ImageFolder::open(&desk.join("s.zip")).unwrap();
    assert_eq!((found.len(), found.left_out()), (9, &[][..]));
    for out in ["i", "z.zip", "s.zip"] {
        let place = desk.join(out).to_string_lossy().into_owned();
        let keep = Reading { keep_synthetic: true, ..Reading::default() };
        let source = Source::open_with(&place, keep).unwrap();
        assert_eq!((source.records.len(), source.problems.len()), (9, 0), "{out}");
        let error = desk.fails(&["prepare", &place, "--out", "c"], 1);
        assert!(
            error.contains("a generator made its 9 images") || error.contains("generator"),
            "{out}: {error}"
        );
    }
    for fake in ["z.zip", "s.zip", "i"] {
        let eval = ["eval", "--real", "phantom:60", "--fake", fake, "--device", "cpu", "--json"];
        let out = desk.run(&[&eval[..], &["-n", "9", "--features", "handmade"]].concat());
        assert!(out.status.success(), "{fake}: {}", text(&out.stderr));
    }
}

#[test]
fn prepared_images_are_exported_with_their_sides_and_read_back_as_photographs() {
    let desk = Desk::new();
    desk.ok(&["prepare", "phantom:60", "--size", "32", "--out", "cache.dermagan"]);
    let cache = Cache::open(&desk.join("cache.dermagan")).unwrap();
    let sides = split::of_header(cache.header());
    let count = |side| sides.iter().filter(|s| **s == side).count();
    for (format, out) in FORMATS.into_iter().chain([("folder", "f")]) {
        let export = ["data", "export", "cache.dermagan", "--format", format, "--out", out];
        let words = desk.ok(&export);
        assert!(words.contains(&format!("{} train", count(Side::Train))), "{words}");
        let first = contents(&desk.join(out));
        desk.ok(&export);
        assert!(contents(&desk.join(out)) == first, "{format}");
        let everything = first.values().flatten().copied().collect::<Vec<u8>>();
        assert!(!has(&everything, b"SYNTHETIC image"), "{format}");
        assert!(has(&everything, b"Prepared by dermagan"), "{format}");
        // Of HAM10000 or a table the licence is in every image.
        assert!(has(&everything, b"not medical data"), "{format}");
    }
    for out in ["f", "i", "z.zip"] {
        let source = Source::open(desk.join(out).to_str().unwrap()).unwrap();
        assert_eq!(source.records.len(), cache.len());
        assert_eq!(source.problems, [], "{out}");
        for record in &source.records {
            let old = cache.header().records.iter().position(|r| r.image_id == record.image_id);
            let old = old.unwrap();
            let was = &cache.header().records[old];
            assert_eq!(record.part, Some(sides[old]), "{out}");
            assert_eq!((&record.lesion_id, record.age), (&was.lesion_id, was.age));
            assert_eq!((record.dx_type, record.sex), (was.dx_type, was.sex));
            assert_eq!(source.classes[record.class], cache.header().classes[was.class]);
        }
    }
    // The pixels are those of the cache.
    let name = &cache.header().records[0].image_id;
    let part = match sides[0] {
        Side::Train => "train",
        Side::Val => "validation",
        Side::Test => "test",
    };
    let image = image::open(desk.join(&format!("f/{part}/{name}.png"))).unwrap().into_rgb8();
    assert_eq!(image.as_raw(), cache.pixels(0));
    // StyleGAN gets the side for training.
    assert_eq!(unzip(&desk.join("s.zip")).len(), count(Side::Train) + 2);
}

#[test]
fn data_export_rejects_requests_that_it_cannot_fulfil() {
    let desk = Desk::new();
    desk.ok(&["prepare", "phantom:20", "--size", "48", "--out", "cache.dermagan"]);
    let fails = |more: &[&str], code| {
        desk.fails(&[&["data", "export"], more].concat(), code).replace('\n', " ")
    };
    let cache = |more: &[&str]| fails(&[&["cache.dermagan", "--out"], more].concat(), 1);
    assert!(cache(&["x"]).contains("--format is missing; it is one of folder, imagefolder, zip"));
    assert!(
        cache(&["x.zip", "--size", "64"]).contains("--size 64: the cache was prepared with 48")
    );
    assert!(
        cache(&["x.zip", "--fit", "pad"]).contains("--fit pad: the cache was prepared with crop")
    );
    assert!(
        cache(&["x.zip", "--images-per-file", "5"]).contains("--images-per-file has no effect")
    );
    assert!(cache(&["x.zip", "--format", "stylegan"]).contains("--size 48: the format stylegan"));
    assert!(
        fails(&["phantom:20", "--out", "x.zip", "--keep-synthetic"], 1).contains("--keep-synth")
    );
    assert!(fails(&["nothing", "--out", "x.zip"], 1).contains("no such file"));
    assert!(fails(&["phantom", "--out", "x.zip", "--split", "some"], 2).contains("--split"));
    assert!(!desk.join("x").exists() && !desk.join("x.zip").exists());
    let out = desk.run(&["data", "export", "cache.dermagan", "--out", "t.tar", "--split", "test"]);
    assert!(text(&out.stderr).contains("--split all writes all"), "{}", text(&out.stderr));
}

/// A limit on the file size simulates a full disk.
#[test]
#[cfg(unix)]
fn a_full_disk_leaves_nothing_that_looks_complete_and_says_what_to_do() {
    let desk = Desk::new();
    let script = "trap '' XFSZ; ulimit -f 20; exec \"$0\" \"$@\"";
    for (format, out) in FORMATS {
        let args = ["sample", "shipped", "-n", "20", "--device", "cpu"];
        let args = [&args[..], &["--format", format, "--out", out]].concat();
        let mut command = std::process::Command::new("bash");
        command.args(["-c", script, env!("CARGO_BIN_EXE_dermagan")]).args(&args);
        let output = command.current_dir(desk.path()).output().unwrap();
        if format == "imagefolder" {
            assert!(output.status.success(), "each of its files is small");
            continue;
        }
        let error = text(&output.stderr);
        assert!(error.contains("give the same command again"), "{format}: {error}");
        assert!(!desk.join(out).is_file() && !desk.join(out).join("README.md").exists());
        desk.ok(&args);
    }
}
