//! Runs every input in `corpus/` through its target: `replay [FOLDER or FILE ...]`. Exit code 1 if one of them panics,
//! leaves a file behind, or takes more than 5 seconds or 1 GiB.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use dermagan_fuzz::{LIMIT_SECONDS, Scratch, TARGETS, Target, Trial};

/// The input that is running, and since when.
static NOW: Mutex<Option<(PathBuf, Instant)>> = Mutex::new(None);

fn main() -> ExitCode {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let given: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    std::thread::spawn(watch);
    let began = Instant::now();
    let (mut inputs, mut failures) = (0, 0);
    for target in TARGETS {
        let files: Vec<PathBuf> = match given.is_empty() {
            true => files_in(&corpus.join(target.name)),
            // A file belongs to the target that its folder is called after.
            false => given
                .iter()
                .flat_map(|path| if path.is_dir() { files_in(path) } else { vec![path.clone()] })
                .filter(|file| file.parent().is_some_and(|folder| folder.ends_with(target.name)))
                .collect(),
        };
        if files.is_empty() && given.is_empty() {
            eprintln!("{}: no inputs in {}", target.name, corpus.display());
            failures += 1;
        }
        inputs += files.len();
        failures += replay(target, &files);
    }
    println!("{inputs} inputs in {:.1} s, {failures} failures", began.elapsed().as_secs_f64());
    if failures == 0 && inputs > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the inputs of a target and returns the number of failures.
fn replay(target: &Target, files: &[PathBuf]) -> usize {
    let scratch = match Scratch::new(target.name) {
        Ok(scratch) => scratch,
        Err(e) => {
            eprintln!("{}: no folder for the inputs: {e}", target.name);
            return 1;
        }
    };
    let (mut failures, mut bytes, mut time) = (0, 0, Duration::ZERO);
    for file in files {
        *lock() = Some((file.clone(), Instant::now()));
        let trial = std::fs::read(file)
            .map_err(|e| e.to_string())
            .and_then(|input| Trial::run(target, &scratch, &input));
        *lock() = None;
        match trial {
            Ok(trial) => {
                bytes = bytes.max(trial.bytes);
                time = time.max(trial.time);
            }
            Err(what) => {
                eprintln!("{}: {what}", file.display());
                failures += 1;
            }
        }
    }
    if !files.is_empty() {
        println!(
            "{:14} {:5} inputs, the longest {:6.1} ms, the largest {:6.1} MiB",
            target.name,
            files.len(),
            time.as_secs_f64() * 1000.0,
            bytes as f64 / f64::from(1 << 20)
        );
    }
    failures
}

fn lock() -> std::sync::MutexGuard<'static, Option<(PathBuf, Instant)>> {
    NOW.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Ends the process when an input runs far too long: it may never end.
fn watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        if let Some((file, since)) = &*lock()
            && since.elapsed() > Duration::from_secs(24 * LIMIT_SECONDS)
        {
            eprintln!("{}: it does not end", file.display());
            std::process::exit(1);
        }
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = Vec::new();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() { files.extend(files_in(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
