//! Runs the program as a process in a temporary folder.
#![allow(dead_code, reason = "each test file uses some of these helpers")]

pub mod events;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use events::events;

/// A temporary working folder with its own cache folder. `dermagan` runs inside it.
pub struct Desk(pub tempfile::TempDir);

/// Flags of a run that takes one or two seconds: 60 images, 4 channels, 8 images per step.
pub const SMALL: [&str; 10] =
    ["--preset", "tiny", "--data", "phantom:60", "--width", "4", "--batch", "8", "--device", "cpu"];

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dermagan"));
        command.args(args).current_dir(self.path()).env("DERMAGAN_CACHE", self.join("cache"));
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command, expects success, and returns its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
        assert!(out.status.success(), "{args:?} failed:\n{stdout}\n{stderr}");
        stdout
    }

    /// Runs a command, expects an exit code and no panic, and returns its standard error.
    pub fn fails(&self, args: &[&str], code: i32) -> String {
        let out = self.run(args);
        let stderr = text(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{args:?}: {}{stderr}", text(&out.stdout));
        assert!(!stderr.contains("panicked"), "{stderr}");
        stderr
    }

    /// Trains with the flags [`SMALL`] and `more`.
    pub fn train(&self, more: &[&str]) -> String {
        self.ok(&[&["train"], &SMALL[..], more].concat())
    }

    /// The newest run in `outdir`.
    pub fn run_folder(&self, outdir: &str) -> PathBuf {
        let mut runs: Vec<PathBuf> =
            std::fs::read_dir(self.join(outdir)).unwrap().map(|e| e.unwrap().path()).collect();
        runs.sort();
        assert!(!runs.is_empty());
        runs.pop().unwrap()
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines of `stats.jsonl` without times and memory, which differ between equal runs.
pub fn stats(run: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("stats.jsonl")).unwrap();
    let timeless = |line: &str| {
        let mut line: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        line.retain(|key, _| {
            !key.starts_with("Timing/") && !key.starts_with("Resources/") && key != "timestamp"
        });
        serde_json::Value::Object(line)
    };
    text.lines().map(timeless).collect()
}

/// Asserts that two runs ended in the same bytes and have the same statistics, for TensorBoard too.
pub fn assert_same_end(a: &Path, b: &Path, stamp: &str) {
    for name in [
        &format!("checkpoint-{stamp}.safetensors"),
        "generator.safetensors",
        &format!("fakes{stamp}.png"),
    ] {
        let (x, y) = (std::fs::read(a.join(name)).unwrap(), std::fs::read(b.join(name)).unwrap());
        assert!(x == y, "{name} differs between {} and {}", a.display(), b.display());
    }
    assert_eq!(stats(a), stats(b));
    let (mut shown, mut again) = (events(a), events(b));
    // A run that computes metrics shows them beside what the same run without metrics shows.
    let is_metric = |(_, tag, _): &(u64, String, events::Shown)| tag.starts_with("Metrics/");
    if shown.iter().any(is_metric) != again.iter().any(is_metric) {
        shown.retain(|event| !is_metric(event));
        again.retain(|event| !is_metric(event));
    }
    assert_eq!(places(&shown), places(&again));
    assert!(shown == again, "the event files of {} and {} differ", a.display(), b.display());
}

/// The steps and tags of events, which are shorter to print than their images.
fn places(events: &[(u64, String, events::Shown)]) -> Vec<(u64, &str)> {
    events.iter().map(|(step, tag, _)| (*step, tag.as_str())).collect()
}
