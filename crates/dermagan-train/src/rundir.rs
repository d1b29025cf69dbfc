//! A run's folder, in the layout that users of StyleGAN know. Only this file, `checkpoint` and
//! `outputs` write inside it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dermagan_base::atomic;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checkpoint;
use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::metrics::BEST;
use crate::stats::{Line, mean_of};

/// An open run folder; while it is open, no other process trains in it.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    log: File,
    stats: File,
}

impl RunDir {
    /// Makes `OUTDIR/00000-DATA-PRESET`, with the next free number.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(
        outdir: &Path,
        config: &TrainConfig,
        asked: &impl Serialize,
    ) -> Result<Self, TrainError> {
        make_outdir(outdir)?;
        let mut next = next_number(outdir);
        loop {
            let path = outdir.join(format!("{next:05}-{}-{}", config.source.name, config.preset));
            match std::fs::create_dir(&path) {
                Ok(()) => {
                    let run = Self::open(&path)?;
                    run.write_options(config, asked)?;
                    return Ok(run);
                }
                // Another process took the number in the meantime.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => next += 1,
                Err(e) => return Err(TrainError::io(&path)(e)),
            }
        }
    }

    /// Opens an existing run folder, and locks it.
    ///
    /// # Errors
    /// When another process trains in it.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let append = |name: &str| {
            let file = path.join(name);
            if atomic::is_link(&file) {
                let what = format!(
                    "{}: a link, and a run may be somebody else's: put the file itself in its place",
                    file.display()
                );
                return Err(TrainError::Option(what));
            }
            OpenOptions::new().create(true).append(true).open(&file).map_err(TrainError::io(file))
        };
        let (log, stats) = (append("log.txt")?, append("stats.jsonl")?);
        match log.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), log, stats }),
            Err(TryLockError::WouldBlock) => Err(TrainError::Option(format!(
                "{}: another process is training in this run; wait for it, or stop it",
                path.display()
            ))),
            Err(TryLockError::Error(e)) => Err(TrainError::io(path.join("log.txt"))(e)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `training_options.json`: what decides the run, and what else was asked for.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_options(
        &self,
        config: &TrainConfig,
        asked: &impl Serialize,
    ) -> Result<(), TrainError> {
        let bad = |e| TrainError::Option(format!("{OPTIONS}: {e}"));
        #[derive(Serialize)]
        struct Options<'a, T> {
            #[serde(flatten)]
            config: &'a TrainConfig,
            #[serde(flatten)]
            asked: &'a T,
        }
        self.write(OPTIONS, &serde_json::to_vec_pretty(&Options { config, asked }).map_err(bad)?)
    }

    /// Writes a file as a whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        let path = self.path.join(name);
        atomic::write(&path, bytes).map_err(TrainError::io(path))
    }

    /// Adds a line to `log.txt`. A log that cannot be written does not stop a run.
    pub fn log(&mut self, text: &str) {
        let _ = writeln!(self.log, "{text}");
    }

    /// Adds a line to `stats.jsonl`.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn add_stats(&mut self, line: &Line) -> Result<(), TrainError> {
        let mut text = serde_json::to_string(line)
            .map_err(|e| TrainError::Option(format!("stats.jsonl: {e}")))?;
        text.push('\n');
        self.stats.write_all(text.as_bytes()).map_err(TrainError::io(self.path.join("stats.jsonl")))
    }

    /// Drops the lines of `stats.jsonl` behind `ticks`, and any line that was cut short: they were
    /// written after the checkpoint that the run continues from, and will be written again.
    /// Returns the training time until the checkpoint after `nimg` images, in seconds, as far as a line says it.
    ///
    /// # Errors
    /// When the file cannot be read, or the folder cannot be written.
    pub fn rewind_stats(&mut self, ticks: u64, nimg: u64) -> Result<f64, TrainError> {
        let file = self.path.join("stats.jsonl");
        let text = std::fs::read(&file).map_err(TrainError::io(&file))?;
        let text = String::from_utf8_lossy(&text);
        let mut lines = parse_stats(&text);
        let kept: Vec<Line> = lines.by_ref().take(ticks as usize).collect();
        if (kept.len() as u64) < ticks {
            let words =
                format!("stats.jsonl has {} of the {ticks} lines before this point", kept.len());
            self.log(&format!("warning: {words}"));
        }
        let mut text = String::new();
        for line in &kept {
            text += &serde_json::to_string(line).unwrap_or_default();
            text.push('\n');
        }
        self.write("stats.jsonl", text.as_bytes())?;
        self.stats = OpenOptions::new().append(true).open(&file).map_err(TrainError::io(file))?;
        // Of the tick that was open at its end, a run has left the time.
        let kimg = nimg as f64 / 1000.0;
        let open = lines.next().filter(|line| mean_of(line, "Progress/kimg") == Some(kimg));
        let last = open.as_ref().or(kept.last());
        Ok(last.and_then(|line| mean_of(line, "Timing/total_sec")).unwrap_or(0.0))
    }

    /// Adds a line to `metric-NAME.jsonl`.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn add_metric(&self, name: &str, line: &Line) -> Result<(), TrainError> {
        let path = self.path.join(format!("metric-{name}.jsonl"));
        let mut text = serde_json::to_string(line)
            .map_err(|e| TrainError::Option(format!("metric-{name}.jsonl: {e}")))?;
        text.push('\n');
        let file = OpenOptions::new().append(true).create(true).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(TrainError::io(path))
    }

    /// Drops the lines of every `metric-*.jsonl` behind `kimg`, and any line that was cut short:
    /// they will be written again.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn rewind_metrics(&self, kimg: f64) -> Result<(), TrainError> {
        for entry in std::fs::read_dir(&self.path).map_err(TrainError::io(&self.path))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !(name.starts_with("metric-") && name.ends_with(".jsonl")) {
                continue;
            }
            let text = std::fs::read(entry.path()).map_err(TrainError::io(entry.path()))?;
            let text = String::from_utf8_lossy(&text);
            let before = |line: &Line| {
                line.get("Progress/kimg").and_then(|v| v.as_f64()).is_some_and(|k| k <= kimg)
            };
            let kept: Vec<String> = parse_stats(&text)
                .take_while(before)
                .map(|line| serde_json::to_string(&line).unwrap_or_default() + "\n")
                .collect();
            self.write(&name, kept.concat().as_bytes())?;
        }
        Ok(())
    }

    /// Sets checkpoints aside that are newer than the one the run continues from, as
    /// `NAME.superseded`: `latest` and the rotation must not take them for this run's future. One that
    /// cannot be read is as old as its name says.
    ///
    /// # Errors
    /// When one cannot be renamed.
    pub fn supersede(&mut self, nimg: u64) -> Result<(), TrainError> {
        for path in checkpoint::files(&self.path) {
            let newer = match checkpoint::read_meta(&path) {
                Ok(meta) => meta.nimg > nimg,
                Err(_) => kimg_of(&path).is_some_and(|kimg| kimg * 1000.0 > nimg as f64),
            };
            if newer {
                self.set_aside(&path.file_name().unwrap_or_default().to_string_lossy())?;
            }
        }
        Ok(())
    }

    /// Renames a file that is newer than where the run goes on to `NAME.superseded`, or with a number
    /// behind it.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn set_aside(&mut self, name: &str) -> Result<(), TrainError> {
        let path = self.path.join(name);
        let mut aside = self.path.join(format!("{name}.superseded"));
        // One that was set aside before stays.
        for number in 2.. {
            if !aside.exists() {
                break;
            }
            aside = self.path.join(format!("{name}.superseded.{number}"));
        }
        std::fs::rename(&path, &aside).map_err(TrainError::io(&path))?;
        self.log(&format!("{name} is newer than where the run goes on: renamed"));
        Ok(())
    }

    /// Removes all checkpoints but the newest `keep` (0 keeps all).
    pub fn rotate(&mut self, keep: usize) {
        if keep == 0 {
            return;
        }
        for (path, meta) in checkpoint::list(&self.path).into_iter().skip(keep) {
            if let Err(error) = std::fs::remove_file(&path) {
                let kimg = meta.nimg as f64 / 1000.0;
                self.log(&format!("could not remove the checkpoint of {kimg:.3} kimg: {error}"));
            }
        }
    }
}

/// The file of a run's generator to show and to keep.
pub const GENERATOR: &str = "generator.safetensors";
/// The file of a run's options.
pub const OPTIONS: &str = "training_options.json";

/// What a run's `training_options.json` says of an option; `None` where it does not.
pub fn option_of<T: DeserializeOwned>(run: &Path, name: &str) -> Option<T> {
    serde_json::from_value(options_of(run)?.remove(name)?).ok()
}

/// Whether a file, there already or not, is one that the run in its folder keeps.
pub fn is_of_run(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kept = checkpoint::is_name(&name) || [GENERATOR, BEST[0]].contains(&&*name);
    kept && checkpoint::folder_of(path).join(OPTIONS).is_file()
}

/// A run's `training_options.json`; `None` where it cannot be read.
pub fn options_of(run: &Path) -> Option<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_slice(&std::fs::read(run.join(OPTIONS)).ok()?).ok()
}

/// Checks that a checkpoint is one of the run in whose folder it lies: what it would write there would
/// else be mixed with another run's.
///
/// # Errors
/// Says why it is not, without the path.
pub fn belongs(run: &Path, config: &TrainConfig) -> Result<(), String> {
    let log = std::fs::read(run.join("log.txt")).unwrap_or_default();
    if !run.join(OPTIONS).is_file() && !log.starts_with(b"dermagan ") {
        return Err(format!(
            "it lies in no run's folder (neither {OPTIONS} nor a run's log.txt beside it)"
        ));
    }
    let there = std::fs::read_to_string(run.join(OPTIONS)).ok();
    let there = there.and_then(|text| serde_json::from_str::<TrainConfig>(&text).ok());
    let Some(there) = there else { return Ok(()) };
    let (there, here) = (what_stays(&there), what_stays(config));
    match here.as_object().into_iter().flatten().find(|(key, value)| there[*key] != **value) {
        Some((key, _)) => {
            Err(format!("it is of another run: {OPTIONS} beside it has another {key}"))
        }
        None => Ok(()),
    }
}

/// What of a run's options stays from its beginning to its end: its schedule may change, and the data,
/// which is known by its digest, may move.
fn what_stays(config: &TrainConfig) -> serde_json::Value {
    // By way of text, as checkpoints are: the way without it is 60 kB of program.
    let text = serde_json::to_string(config).unwrap_or_default();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let digest = config["source"]["digest"].take();
    if let Some(fields) = config.as_object_mut() {
        fields.remove("schedule");
        fields.insert("source".into(), digest);
    }
    config
}

/// Makes the folder that runs go into.
///
/// # Errors
/// When it cannot be made.
pub fn make_outdir(outdir: &Path) -> Result<(), TrainError> {
    if outdir.exists() && !outdir.is_dir() {
        return Err(TrainError::Option(format!(
            "--outdir {}: a file; expected a folder, or a name for one",
            outdir.display()
        )));
    }
    std::fs::create_dir_all(outdir).map_err(TrainError::io(outdir))
}

/// Thousands of images by a checkpoint's name.
fn kimg_of(path: &Path) -> Option<f64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?.parse().ok()
}

/// The whole lines of a run's `stats.jsonl`.
pub fn read_stats(run: &Path) -> Vec<Line> {
    let text = std::fs::read(run.join("stats.jsonl")).unwrap_or_default();
    parse_stats(&String::from_utf8_lossy(&text)).collect()
}

/// Lines up to the first that is not whole.
fn parse_stats(text: &str) -> impl Iterator<Item = Line> {
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map_while(|line| serde_json::from_str(line).ok())
        .fuse()
}

/// The number behind the highest that any name in `outdir` begins with, folder or not.
fn next_number(outdir: &Path) -> u64 {
    let numbers = std::fs::read_dir(outdir).into_iter().flatten().filter_map(|entry| {
        let name = entry.ok()?.file_name().to_string_lossy().into_owned();
        name.split('-').next()?.parse::<u32>().ok()
    });
    numbers.max().map_or(0, |number| u64::from(number) + 1)
}

/// Run folders of `outdir`, by number.
pub fn runs(outdir: &Path) -> Vec<(u32, PathBuf)> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(outdir)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let number = name.split_once('-')?.0;
            (number.len() >= 5 && path.is_dir()).then(|| Some((number.parse().ok()?, path)))?
        })
        .collect();
    found.sort();
    found
}

/// How files of a moment are named: `000010` at a whole number of thousands of images that the
/// schedule asked for, `000010.432` at any other image.
pub fn stamp(nimg: u64, due_kimg: Option<f64>) -> String {
    match due_kimg {
        Some(kimg) if kimg.fract() == 0.0 => format!("{:06}", kimg as u64),
        _ => format!("{:06}.{:03}", nimg / 1000, nimg % 1000),
    }
}

/// The checkpoint that `--resume latest` means: the newest of the newest run that has one.
///
/// # Errors
/// When there is no run, or none with a checkpoint.
pub fn latest(outdir: &Path) -> Result<PathBuf, TrainError> {
    let newest = runs(outdir).into_iter().rev().find_map(|(_, run)| newest_checkpoint(&run));
    newest.ok_or_else(|| {
        TrainError::Option(format!(
            "latest: no run with a checkpoint in {}; start one with dermagan train, or name another \
             folder with --outdir",
            outdir.display()
        ))
    })
}

/// The newest checkpoint of a run by its name, whole or not: a broken one must be reported, not
/// passed over.
pub fn newest_checkpoint(run: &Path) -> Option<PathBuf> {
    checkpoint::files(run)
        .into_iter()
        .max_by(|a, b| kimg_of(a).unwrap_or(-1.0).total_cmp(&kimg_of(b).unwrap_or(-1.0)))
}

/// Resolves `--resume`: `latest`, a run's folder, or a checkpoint.
///
/// # Errors
/// When there is nothing to continue.
pub fn resolve(wanted: &str, outdir: &Path) -> Result<PathBuf, TrainError> {
    let path = Path::new(wanted);
    if wanted == "latest" && !path.exists() {
        return latest(outdir);
    }
    if path.is_dir() {
        return newest_checkpoint(path).ok_or_else(|| {
            TrainError::Option(format!("--resume {wanted}: no checkpoint in this folder"))
        });
    }
    if !path.exists() {
        return Err(TrainError::Option(format!(
            "--resume {wanted}: no such run or checkpoint; `latest` takes the newest in {}",
            outdir.display()
        )));
    }
    Ok(path.to_owned())
}
