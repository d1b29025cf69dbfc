//! Searches for inputs without the guidance of coverage: `blind TARGET RUNS [SEED] [CORPUS ...]`. It needs stable Rust
//! only, and no instrumented build. Inputs are changed files of the corpus: one to eight changes each, which keep
//! checksums and lengths right where the target's files have any. An input that fails is written to
//! `artifacts/TARGET/`. Exit code 1 if one failed. An input that takes more than 1 GiB ends the process; it is
//! `artifacts/TARGET/running` then.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use dermagan_fuzz::mutate::mutate;
use dermagan_fuzz::{Scratch, Trial, targets};

/// Largest number of bytes of an input.
const LONGEST: usize = 32 << 10;

/// A sequence of numbers by SplitMix64 (Steele et al. 2014), whose seed is all of its state.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is 0.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Changes the first `length` bytes of `buffer` in one place, and returns their new number.
fn change(numbers: &mut Numbers, others: &[Vec<u8>], buffer: &mut [u8], length: usize) -> usize {
    const ODD: [u8; 12] = [0, 1, 127, 128, 255, b',', b';', b'\n', b'"', b'/', b'.', b'9'];
    let at = numbers.below(length + 1);
    let run = 1 + numbers.below(16.min(length.saturating_sub(at)).max(1));
    match numbers.below(7) {
        0 if at < length => buffer[at] ^= 1 << numbers.below(8),
        1 if at < length => buffer[at] = ODD[numbers.below(ODD.len())],
        2 if at < length => buffer[at] = numbers.next() as u8,
        // Remove a run.
        3 if at + run <= length => {
            buffer.copy_within(at + run..length, at);
            return length - run;
        }
        // Repeat a run.
        4 if at + run <= length && length + run <= buffer.len() => {
            buffer.copy_within(at..length, at + run);
            return length + run;
        }
        // Cut the end.
        5 if length > 1 => return at.max(1),
        // Put a run of another file in.
        _ => {
            let other = &others[numbers.below(others.len())];
            let from = numbers.below(other.len());
            let run = (1 + numbers.below(64)).min(other.len() - from).min(buffer.len() - length);
            buffer.copy_within(at..length, at + run);
            buffer[at..at + run].copy_from_slice(&other[from..from + run]);
            return length + run;
        }
    }
    length
}

fn read_all(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|p| p.is_file()).collect();
    paths.sort();
    let files = paths.iter().filter_map(|path| std::fs::read(path).ok());
    files.filter(|bytes| !bytes.is_empty() && bytes.len() <= LONGEST).collect()
}

fn main() -> ExitCode {
    let mut given = std::env::args().skip(1);
    let (name, runs) =
        (given.next().unwrap_or_default(), given.next().and_then(|n| n.parse::<u64>().ok()));
    let seed: u64 = given.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    let (Some(target), Some(runs)) = (targets::find(&name), runs) else {
        let names: Vec<&str> = dermagan_fuzz::TARGETS.iter().map(|target| target.name).collect();
        eprintln!("usage: blind TARGET RUNS [SEED] [CORPUS ...]; targets: {}", names.join(", "));
        return ExitCode::from(2);
    };
    // A panic is a result here, not a message.
    std::panic::set_hook(Box::new(|_| ()));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = read_all(&here.join("corpus").join(target.name));
    given.for_each(|folder| files.extend(read_all(Path::new(&folder))));
    let artifacts = here.join("artifacts").join(target.name);
    let scratch = match std::fs::create_dir_all(&artifacts).and_then(|()| Scratch::new(target.name))
    {
        Ok(scratch) if !files.is_empty() => scratch,
        Ok(_) => {
            eprintln!("{name}: no inputs to start from");
            return ExitCode::from(2);
        }
        Err(e) => {
            eprintln!("{name}: no folder for the inputs: {e}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let (mut failures, mut slowest, mut largest) = (0, 0.0f64, 0);
    for run in 0..runs {
        let mut numbers = Numbers(seed ^ run.wrapping_mul(0xd1b5_4a32_d192_ed03));
        let start = &files[numbers.below(files.len())];
        let longest = target.longest.max(start.len()).min(LONGEST);
        let mut buffer = vec![0; longest];
        buffer[..start.len()].copy_from_slice(start);
        let mut length = start.len();
        for _ in 0..=numbers.below(8) {
            let draw = numbers.next() as u32;
            let mut plain =
                |buffer: &mut [u8], length: usize| change(&mut numbers, &files, buffer, length);
            length = mutate(target.shape, &mut buffer, length, draw, &mut plain);
        }
        let input = &buffer[..length];
        let running = artifacts.join("running");
        let kept = std::fs::write(&running, input);
        match (Trial::run(target, &scratch, input), kept) {
            (Ok(trial), Ok(())) => {
                slowest = slowest.max(trial.time.as_secs_f64());
                largest = largest.max(trial.bytes);
            }
            (Err(what), _) => {
                failures += 1;
                eprintln!("{name}: run {run} of seed {seed}: {what}");
                let _ = std::fs::copy(&running, artifacts.join(format!("failure-{seed}-{run}")));
            }
            (_, Err(e)) => eprintln!("{}: {e}", running.display()),
        }
    }
    let _ = std::fs::remove_file(artifacts.join("running"));
    println!(
        "{name}: {runs} inputs from {} files in {:.0} s, the slowest {slowest:.2} s, the largest {:.0} MB, {failures} failures",
        files.len(),
        began.elapsed().as_secs_f64(),
        largest as f64 / 1e6
    );
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
