//! Jobs in shards end as those of one call, byte for byte, for every command that has --shard.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in a folder of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn run(&self, line: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dermagan"));
        command.current_dir(self.0.path()).args(line.split(' '));
        command.env("DERMAGAN_CACHE", self.0.path().join("cache"));
        command.envs(variables.iter().copied()).output().unwrap()
    }

    /// The standard output of a command that succeeds.
    fn done(&self, line: &str) -> String {
        let output = self.run(line, &[]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The words of a command that fails.
    fn refused(&self, line: &str) -> String {
        let output = self.run(line, &[]);
        assert!(!output.status.success(), "{line} succeeds");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Every file below a path, or the file itself.
    fn files(&self, path: &str) -> BTreeMap<String, Vec<u8>> {
        fn add(path: &Path, name: String, found: &mut BTreeMap<String, Vec<u8>>) {
            if path.is_dir() {
                for entry in std::fs::read_dir(path).unwrap() {
                    let path = entry.unwrap().path();
                    let inner = path.file_name().unwrap().to_string_lossy().into_owned();
                    add(&path, format!("{name}/{inner}"), found);
                }
            } else {
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
        let mut found = BTreeMap::new();
        add(&self.0.path().join(path), String::new(), &mut found);
        found
    }

    /// Makes all shards of a command.
    fn shards(&self, line: &str, of: usize) {
        for index in (1..=of).rev() {
            let said = self.done(&format!("{line} --shard {index}/{of}"));
            assert!(said.contains(&format!("shard {index}/{of}: ")), "{said}");
            assert!(said.contains("dermagan merge "), "{said}");
        }
    }
}

#[test]
fn images_in_shards_are_those_of_one_call_in_every_format() {
    let place = Place::new();
    for format in ["folder", "zip", "webdataset", "parquet", "stylegan"] {
        let ending = match format {
            "zip" | "stylegan" => ".zip",
            _ => "",
        };
        let line = format!("sample shipped --seeds 3-9 --class df,vasc --format {format}");
        place.done(&format!("{line} --out one-{format}{ending}"));
        place.shards(&format!("{line} --shards parts-{format} --out many-{format}{ending}"), 3);
        place.done(&format!("merge parts-{format}"));
        let [one, many] =
            ["one", "many"].map(|name| place.files(&format!("{name}-{format}{ending}")));
        assert!(one == many, "{format}: other bytes");
    }
    // The format and the place may be chosen at the end; a shard that is there is not made again.
    let said =
        place.done("sample shipped --seeds 3-9 --class df,vasc --shard 2/3 --shards parts-zip");
    assert!(said.contains("was there already: 5 "), "{said}");
    place.done("merge parts-webdataset --out chosen -- --images-per-file 5");
    let line = "sample shipped --seeds 3-9 --class df,vasc --format webdataset --images-per-file 5";
    place.done(&format!("{line} --out whole"));
    assert!(place.files("chosen") == place.files("whole"));
    // An option that is given again takes the place of the recorded one.
    place.done("merge parts-parquet --out again -- --format folder");
    assert!(place.files("again") == place.files("one-folder"));
    place.done("sample shipped --seeds 3-9 --shard 1/1 --shards plain");
    for (line, expected) in [
        ("merge parts-zip --out parts-zip/set", "in the folder of the shards"),
        ("merge parts-zip -- --shard 1/2", "all shards are joined"),
        ("merge plain --out g.png -- --grid 7x1", "a grid and a walk are made in one call"),
    ] {
        let words = place.refused(line);
        assert!(words.contains(expected), "{line}: {words}");
    }
}

#[test]
fn shards_of_another_job_and_missing_ones_are_refused() {
    let place = Place::new();
    place.done("sample shipped -n 4 --shard 1/2");
    let words = place.refused("merge sample.shards");
    assert!(words.contains("shards are missing: 2/2"), "{words}");
    for (line, expected) in [
        ("sample shipped -n 5 --shard 2/2", "other settings"),
        ("sample shipped -n 4 --shard 2/3", "of 2 shards, not of 3"),
        ("sample shipped -n 4 --trunc 0.5 --shard 2/2", "other settings"),
        ("sample shipped -n 4 --shard 3/2", "--shard 3/2: expected I/N"),
        ("sample shipped -n 4 --shard auto", "no scheduler"),
        ("sample shipped --grid 2x2 --shard 1/2", "cannot be used with"),
        ("eval --real phantom --fake shipped --worst w.png --shard 1/2", "cannot be used with"),
        ("audit --real phantom --fake shipped --drop d --shard 1/2", "cannot be used with"),
        ("merge nowhere", "no such folder"),
        ("balance --data phantom --model shipped --out x --shard 1/2", "--audit FILE.json"),
    ] {
        let words = place.refused(line);
        assert!(words.contains(expected), "{line}: {words}");
    }
    place.done("sample shipped -n 4 --shard 2/2");
    let manifest = place.0.path().join("sample.shards/0001-of-0002.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    // A line of another command, which a shard cannot have.
    std::fs::write(&manifest, text.replace("\"sample\",\n    \"shipped\"", "\"devices\"")).unwrap();
    let words = place.refused("merge sample.shards");
    assert!(words.contains("cannot be joined") || words.contains("unexpected"), "{words}");
    let damaged = place.0.path().join("sample.shards/0002-of-0002.bin");
    std::fs::write(&manifest, text).unwrap();
    let mut bytes = std::fs::read(&damaged).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let words = place.refused("merge sample.shards");
    assert!(words.contains("not what its manifest says"), "{words}");
}

#[test]
fn a_cache_in_shards_is_that_of_one_call() {
    let place = Place::new();
    place.done("prepare phantom:100 --out one.dermagan");
    for task in ["11", "12", "13"] {
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", task),
            ("SLURM_ARRAY_TASK_MIN", "11"),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
        ];
        let output = place.run("prepare phantom:100 --out many.dermagan --shard auto", &slurm);
        assert!(output.status.success());
    }
    place.done("merge prepare.shards");
    assert!(place.files("one.dermagan") == place.files("many.dermagan"));
}

#[test]
fn a_shard_with_a_damaged_image_is_refused_by_strict() {
    let place = Place::new();
    place.done("data export phantom:30 --format folder --out photographs --size 64");
    let images = place.files("photographs/train");
    let name = images.keys().find(|name| name.ends_with(".png")).unwrap();
    let damaged = place.0.path().join(format!("photographs/train{name}"));
    std::fs::write(damaged, "no image").unwrap();
    let line = "prepare photographs --keep-synthetic --out p.dermagan --shards parts";
    let strict = |i: usize| place.run(&format!("{line} --strict --shard {i}/2"), &[]).status.code();
    let codes = [1, 2].map(strict);
    assert!(codes == [Some(0), Some(3)] || codes == [Some(3), Some(0)], "{codes:?}");
    (1..=2).for_each(|i| drop(place.done(&format!("{line} --shard {i}/2"))));
    assert_eq!(place.run("merge parts", &[]).status.code(), Some(0));
    assert_eq!(place.run("merge parts --out q.dermagan -- --strict", &[]).status.code(), Some(3));
}

#[test]
fn images_that_changed_between_two_shards_are_refused() {
    let place = Place::new();
    place.done("sample shipped -n 20 --out fakes");
    let line =
        "eval --real phantom:60 --fake fakes -n 10 --features handmade --json --shards parts";
    place.done(&format!("{line} --shard 1/2"));
    std::fs::remove_dir_all(place.0.path().join("fakes")).unwrap();
    // As many images, of the same names.
    place.done("sample shipped -n 20 --trunc 0.3 --out fakes");
    let words = place.refused(&format!("{line} --shard 2/2"));
    assert!(words.contains("other settings, or from another model or data"), "{words}");
}

#[test]
fn an_evaluation_and_an_audit_in_shards_have_the_report_of_one_call() {
    let place = Place::new();
    let eval = "eval --real phantom:100 --fake shipped -n 12 --per-class --json";
    let one = place.done(eval);
    place.shards(eval, 3);
    assert_eq!(place.done("merge eval.shards"), one);
    let words = place.refused("merge eval.shards --out x");
    assert!(words.contains("prints its result"), "{words}");

    let audit = "audit --real phantom:250 --fake shipped -n 100 --json";
    let one = place.run(audit, &[]);
    place.shards(audit, 2);
    let many = place.run("merge audit.shards", &[]);
    assert_eq!(one.status.code(), many.status.code());
    assert_eq!(String::from_utf8(one.stdout), String::from_utf8(many.stdout));
}
