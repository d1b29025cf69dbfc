//! A run's folder, in the layout that users of StyleGAN know. Only this module, `store::checkpoint`,
//! `watch::run_images` and `watch::board` write to it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dermagan_base::{SettingError, atomic};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::TrainError;
use crate::recipe::config::TrainConfig;
use crate::store::best::BEST_GENERATOR;
use crate::store::checkpoint;
use crate::store::stats::{KIMG, StatsLine, TOTAL_SECONDS, mean_of};

/// An open run folder. While it is open, no other process can train in it.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    log: File,
    stats: File,
}

impl RunDir {
    /// Makes the folder `OUTDIR/00000-DATA-PRESET` with this number or the next free one, and writes the run's options to it.
    ///
    /// # Errors
    /// When the folder cannot be written, or there is one with this number.
    pub fn create(
        outdir: &Path,
        number: Option<u64>,
        config: &TrainConfig,
        options: &impl Serialize,
    ) -> Result<Self, TrainError> {
        make_outdir(outdir)?;
        let mut next = number.unwrap_or_else(|| next_number(outdir));
        loop {
            let path = outdir.join(format!("{next:05}-{}-{}", config.source.name, config.preset));
            match std::fs::create_dir(&path) {
                Ok(()) => {
                    let run = Self::open(&path)?;
                    run.write_options(config, options)?;
                    return Ok(run);
                }
                // Another process took the number in the meantime.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && number.is_none() => next += 1,
                Err(e) => return Err(TrainError::io(&path)(e)),
            }
        }
    }

    /// Opens an existing run folder and locks it.
    ///
    /// # Errors
    /// When another process is training in it, its log or its statistics are links, or they cannot be written.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let append = |name: &str| {
            let file = path.join(name);
            if atomic::is_link(&file) {
                let what = format!(
                    "{}: a link; a run's files may not be links, because a run may come from another user: put the \
                     file itself in its place",
                    file.display()
                );
                return Err(TrainError::Invalid(what));
            }
            OpenOptions::new().create(true).append(true).open(&file).map_err(TrainError::io(file))
        };
        let (log, stats) = (append("log.txt")?, append("stats.jsonl")?);
        match log.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), log, stats }),
            Err(TryLockError::WouldBlock) => Err(TrainError::Invalid(format!(
                "{}: another process is training in this run; wait for it or stop it",
                path.display()
            ))),
            Err(TryLockError::Error(e)) => Err(TrainError::io(path.join("log.txt"))(e)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `training_options.json`: the configuration and the other options.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_options(
        &self,
        config: &TrainConfig,
        options: &impl Serialize,
    ) -> Result<(), TrainError> {
        let bad = |e| TrainError::Invalid(format!("{OPTIONS}: {e}"));
        #[derive(Serialize)]
        struct Options<'a, T> {
            #[serde(flatten)]
            config: &'a TrainConfig,
            #[serde(flatten)]
            options: &'a T,
        }
        self.write(OPTIONS, &serde_json::to_vec_pretty(&Options { config, options }).map_err(bad)?)
    }

    /// Writes a file of the folder atomically.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        let path = self.path.join(name);
        atomic::write(&path, bytes).map_err(TrainError::io(path))
    }

    /// Adds a line to `log.txt`. An error does not stop the run.
    pub fn log(&mut self, text: &str) {
        let _ = writeln!(self.log, "{text}");
    }

    /// Adds a line to `stats.jsonl`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_stats(&mut self, line: &StatsLine) -> Result<(), TrainError> {
        let mut text = serde_json::to_string(line)
            .map_err(|e| TrainError::Invalid(format!("stats.jsonl: {e}")))?;
        text.push('\n');
        self.stats.write_all(text.as_bytes()).map_err(TrainError::io(self.path.join("stats.jsonl")))
    }

    /// Removes the lines of `stats.jsonl` after the first `ticks`, and any line that was cut short. They were written
    /// after the checkpoint that the run continues from, and will be written again. Returns the training time up to the
    /// checkpoint, which is at `nimg` images, in seconds. It is 0 if no line states it.
    ///
    /// # Errors
    /// When the file cannot be read, or the folder cannot be written.
    pub fn rewind_stats(&mut self, ticks: u64, nimg: u64) -> Result<f64, TrainError> {
        let file = self.path.join("stats.jsonl");
        let text = std::fs::read(&file).map_err(TrainError::io(&file))?;
        let text = String::from_utf8_lossy(&text);
        let mut lines = parse_stats(&text);
        let kept: Vec<StatsLine> = lines.by_ref().take(ticks as usize).collect();
        if (kept.len() as u64) < ticks {
            let words =
                format!("stats.jsonl has only {} of the {ticks} lines up to here", kept.len());
            self.log(&format!("warning: {words}"));
        }
        let mut text = String::new();
        for line in &kept {
            text += &serde_json::to_string(line).unwrap_or_default();
            text.push('\n');
        }
        self.write("stats.jsonl", text.as_bytes())?;
        self.stats = OpenOptions::new().append(true).open(&file).map_err(TrainError::io(file))?;
        // The line of the tick that was open at the end of a run states the time of its last checkpoint.
        let kimg = nimg as f64 / 1000.0;
        let open = lines.next().filter(|line| mean_of(line, KIMG) == Some(kimg));
        let last = open.as_ref().or(kept.last());
        Ok(last.and_then(|line| mean_of(line, TOTAL_SECONDS)).unwrap_or(0.0))
    }

    /// Adds a line to `metric-NAME.jsonl`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_metric(&self, name: &str, line: &StatsLine) -> Result<(), TrainError> {
        let path = self.path.join(format!("metric-{name}.jsonl"));
        let mut text = serde_json::to_string(line)
            .map_err(|e| TrainError::Invalid(format!("metric-{name}.jsonl: {e}")))?;
        text.push('\n');
        let file = OpenOptions::new().append(true).create(true).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(TrainError::io(path))
    }

    /// Removes the lines of every `metric-*.jsonl` after `kimg`, and any line that was cut short. They will be written
    /// again.
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
            let before = |line: &StatsLine| {
                line.get(KIMG).and_then(|v| v.as_f64()).is_some_and(|k| k <= kimg)
            };
            let kept: Vec<String> = parse_stats(&text)
                .take_while(before)
                .map(|line| serde_json::to_string(&line).unwrap_or_default() + "\n")
                .collect();
            self.write(&name, kept.concat().as_bytes())?;
        }
        Ok(())
    }

    /// Renames checkpoints with more than `nimg` images to `NAME.superseded`: they are newer than the one that the run
    /// continues from, and neither `latest` nor the rotation may use them. A checkpoint that cannot be read has the
    /// number of images in its name.
    ///
    /// # Errors
    /// When a file cannot be renamed.
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

    /// Renames a file that is newer than the state the run continues from to `NAME.superseded`, or to
    /// `NAME.superseded.NUMBER` if that exists.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn set_aside(&mut self, name: &str) -> Result<(), TrainError> {
        let path = self.path.join(name);
        let mut aside = self.path.join(format!("{name}.superseded"));
        // A file that was set aside earlier stays.
        for number in 2.. {
            if !aside.exists() {
                break;
            }
            aside = self.path.join(format!("{name}.superseded.{number}"));
        }
        std::fs::rename(&path, &aside).map_err(TrainError::io(&path))?;
        self.log(&format!(
            "{name} is newer than the state that the run continues from and was renamed"
        ));
        Ok(())
    }

    /// Removes all checkpoints except the newest `keep`; 0 keeps all. An error is only logged.
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

/// The name that stands for the newest run.
pub const LATEST: &str = "latest";
/// Largest number of folders that an error lists.
const MOST_LISTED: usize = 4;
/// Whether a path is this name and no file or folder has it.
pub fn is_named(path: &Path, name: &str) -> bool {
    path.as_os_str() == name && !path.exists()
}

/// The file of a run's generator.
pub const GENERATOR: &str = "generator.safetensors";
/// The file of a run's options.
pub const OPTIONS: &str = "training_options.json";

/// The option `name` in a run's `training_options.json`. `None` if it is missing or cannot be read.
pub fn option_of<T: DeserializeOwned>(run: &Path, name: &str) -> Option<T> {
    serde_json::from_value(options_of(run)?.remove(name)?).ok()
}

/// Whether a path, which may not exist, is that of a checkpoint or a generator in a run's folder.
pub fn is_of_run(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kept = checkpoint::is_name(&name) || [GENERATOR, BEST_GENERATOR].contains(&&*name);
    kept && checkpoint::folder_of(path).join(OPTIONS).is_file()
}

/// Whether a folder is that of a run.
pub fn is_run(path: &Path) -> bool {
    path.join(GENERATOR).is_file() || path.join(OPTIONS).is_file()
}

/// The contents of a run's `training_options.json`. `None` if the file cannot be read.
pub fn options_of(run: &Path) -> Option<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_slice(&std::fs::read(run.join(OPTIONS)).ok()?).ok()
}

/// Checks that a checkpoint with this configuration belongs to the run in its folder. Otherwise a resumed run would mix
/// its files with those of another run.
///
/// # Errors
/// When it does not belong there. The error does not name the path.
pub fn belongs(run: &Path, config: &TrainConfig) -> Result<(), String> {
    let log = std::fs::read(run.join("log.txt")).unwrap_or_default();
    if !run.join(OPTIONS).is_file() && !log.starts_with(b"dermagan ") {
        return Err(format!(
            "its folder is not that of a run: it has neither {OPTIONS} nor a run's log.txt"
        ));
    }
    let text = std::fs::read_to_string(run.join(OPTIONS)).ok();
    let of_run = text.and_then(|text| serde_json::from_str::<TrainConfig>(&text).ok());
    let Some(of_run) = of_run else { return Ok(()) };
    let (of_run, own) = (fixed_options(&of_run), fixed_options(config));
    match own.as_object().into_iter().flatten().find(|(key, value)| of_run[*key] != **value) {
        Some((key, _)) => {
            Err(format!("it belongs to another run: {OPTIONS} in its folder has a different {key}"))
        }
        None => Ok(()),
    }
}

/// The options that stay the same from the beginning of a run to its end. The schedule may change. The data may move,
/// so only its digest is included.
fn fixed_options(config: &TrainConfig) -> serde_json::Value {
    // This goes through text, as for checkpoints: the direct conversion would add 60 kB to the program.
    let text = serde_json::to_string(config).unwrap_or_default();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let digest = config["source"]["digest"].take();
    if let Some(fields) = config.as_object_mut() {
        fields.remove("schedule");
        fields.insert("source".into(), digest);
    }
    config
}

/// Makes the folder of runs, if it does not exist.
///
/// # Errors
/// When it cannot be made, a file has its name, or it is a URL.
pub fn make_outdir(outdir: &Path) -> Result<(), TrainError> {
    // It would become a folder `s3:` here.
    if outdir.to_string_lossy().contains("://") {
        let problem = "this is a URL; expected a local folder. The command dermagan takes URLs of object stores, if it is built \
                       with the feature cloud";
        return Err(SettingError::value("outdir", outdir.display(), problem).into());
    }
    if outdir.exists() && !outdir.is_dir() {
        let problem = "this is a file; expected a folder, or the name of a new one";
        return Err(SettingError::value("outdir", outdir.display(), problem).into());
    }
    std::fs::create_dir_all(outdir).map_err(TrainError::io(outdir))
}

/// Thousands of images according to the name of a checkpoint.
fn kimg_of(path: &Path) -> Option<f64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?.parse().ok()
}

/// The lines of a run's `stats.jsonl`, up to the first that is not whole.
pub fn read_stats(run: &Path) -> Vec<StatsLine> {
    read_lines(&run.join("stats.jsonl"))
}

/// The lines of a file such as `stats.jsonl`, up to the first that is not whole. There are none if it cannot be read.
pub fn read_lines(path: &Path) -> Vec<StatsLine> {
    let text = std::fs::read(path).unwrap_or_default();
    parse_stats(&String::from_utf8_lossy(&text)).collect()
}

/// The lines up to the first that is not whole.
fn parse_stats(text: &str) -> impl Iterator<Item = StatsLine> {
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map_while(|line| serde_json::from_str(line).ok())
        .fuse()
}

/// One more than the highest number at the beginning of a name in `outdir`, whether of a file or a folder.
fn next_number(outdir: &Path) -> u64 {
    let numbers = std::fs::read_dir(outdir).into_iter().flatten().filter_map(|entry| {
        let name = entry.ok()?.file_name().to_string_lossy().into_owned();
        // Larger ones would leave no number for later runs.
        name.split('-').next()?.parse::<u64>().ok().filter(|number| *number < 1 << 62)
    });
    numbers.max().map_or(0, |number| number + 1)
}

/// The folders of runs in `outdir` with their numbers, sorted by number. If no folder has a number, as after a run was
/// renamed, the only one with a run's options counts, with the number 0.
pub fn runs(outdir: &Path) -> Vec<(u64, PathBuf)> {
    let mut found = numbered(outdir);
    if found.is_empty()
        && let [only] = &renamed(outdir)[..]
    {
        found.push((0, only.clone()));
    }
    found
}

/// The folder of the newest run in `outdir`, as a resumed `latest` finds it; `None` if there is no run.
pub fn newest_run(outdir: &Path) -> Option<PathBuf> {
    runs(outdir).pop().map(|(_, run)| run)
}

/// The folders in `outdir` that have a run's options, but not a run's number in their names; sorted by name.
fn renamed(outdir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(outdir).into_iter().flatten().flatten();
    let numbered: Vec<PathBuf> = numbered(outdir).into_iter().map(|(_, path)| path).collect();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.join(OPTIONS).is_file() && !numbered.contains(path))
        .collect();
    found.sort();
    found
}

fn numbered(outdir: &Path) -> Vec<(u64, PathBuf)> {
    let mut found: Vec<(u64, PathBuf)> = std::fs::read_dir(outdir)
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

/// The part of file names that states the number of images seen: `000010` if the snapshot was due at a whole number of
/// thousands of images (`due_kimg`), otherwise `000010.432`.
pub fn stamp(nimg: u64, due_kimg: Option<f64>) -> String {
    match due_kimg {
        Some(kimg) if kimg.fract() == 0.0 => format!("{:06}", kimg as u64),
        _ => format!("{:06}.{:03}", nimg / 1000, nimg % 1000),
    }
}

/// The newest checkpoint of the newest run in `outdir` that has one: the run with the highest number, or the only run if
/// none has a number.
///
/// # Errors
/// When no run has a checkpoint, or several runs without a number have one. The error says what the folder holds.
pub fn latest(outdir: &Path) -> Result<PathBuf, TrainError> {
    let newest = numbered(outdir).into_iter().rev().find_map(|(_, run)| newest_checkpoint(&run));
    if let Some(newest) = newest {
        return Ok(newest);
    }
    let renamed: Vec<(PathBuf, PathBuf)> = renamed(outdir)
        .into_iter()
        .filter_map(|run| newest_checkpoint(&run).map(|newest| (run, newest)))
        .collect();
    if let [(_, newest)] = &renamed[..] {
        return Ok(newest.clone());
    }
    let place = outdir.display();
    Err(TrainError::Invalid(match renamed.first() {
        Some((first, _)) => format!(
            "latest: {} runs in {place} have a checkpoint, and no number in their names says which is the newest; name \
             one of them, such as `resume` = {}",
            renamed.len(),
            first.display()
        ),
        None if outdir.join(OPTIONS).is_file() => {
            format!(
                "latest: {place} is itself a run, not a folder of runs; name it: `resume` = {place}"
            )
        }
        None => format!(
            "latest: no run with a checkpoint in {place}, {}; start one, name the run's folder as `resume`, or the folder \
             that holds it as `outdir`",
            contents(outdir)
        ),
    }))
}

/// What a folder of runs holds instead of a run with a checkpoint.
fn contents(outdir: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(outdir) else {
        return "because there is no such folder".to_owned();
    };
    let mut folders: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| {
            let what = match (is_run(&entry.path()), newest_checkpoint(&entry.path())) {
                (true, Some(_)) => "a run",
                (true, None) => "a run without a checkpoint",
                (false, _) => "no run",
            };
            format!("{} ({what})", entry.file_name().to_string_lossy())
        })
        .collect();
    folders.sort();
    match folders.len() {
        0 => "which has no folders".to_owned(),
        count if count <= MOST_LISTED => format!("which has the folders {}", folders.join(", ")),
        count => {
            format!("which has {count} folders, such as {}", folders[..MOST_LISTED].join(", "))
        }
    }
}

/// The newest checkpoint of a run by name, whole or damaged. A damaged one must be reported, not skipped.
pub fn newest_checkpoint(run: &Path) -> Option<PathBuf> {
    checkpoint::files(run)
        .into_iter()
        .max_by(|a, b| kimg_of(a).unwrap_or(-1.0).total_cmp(&kimg_of(b).unwrap_or(-1.0)))
}

/// The checkpoint to resume from. `wanted` is a checkpoint, a run's folder, or `latest` for the newest run in `outdir`.
///
/// # Errors
/// When there is no such checkpoint.
pub fn resolve(wanted: &str, outdir: &Path) -> Result<PathBuf, TrainError> {
    let path = Path::new(wanted);
    if is_named(path, LATEST) {
        return latest(outdir);
    }
    if path.is_dir() {
        return newest_checkpoint(path).ok_or_else(|| {
            let numbered = numbered(path).into_iter().map(|(_, run)| run);
            let problem = match renamed(path).into_iter().chain(numbered).last() {
                Some(run) if newest_checkpoint(&run).is_some() => format!(
                    "this folder holds runs and is not one; name one of them, such as {}",
                    run.display()
                ),
                _ if is_run(path) => {
                    "this run has no checkpoint, so it cannot be resumed; start a new one"
                        .to_owned()
                }
                _ => format!(
                    "there is no checkpoint in this folder, {}; expected a run's folder",
                    contents(path)
                ),
            };
            SettingError::value("resume", wanted, problem).into()
        });
    }
    if !path.exists() {
        let known: Vec<String> =
            runs(outdir).iter().rev().map(|(_, run)| run.display().to_string()).collect();
        let problem = match known.first() {
            Some(newest) => {
                format!(
                    "no such run or checkpoint; the newest run in {} is {newest}",
                    outdir.display()
                )
            }
            None => format!(
                "no such run or checkpoint, and {} has none, {}",
                outdir.display(),
                contents(outdir)
            ),
        };
        return Err(SettingError::value("resume", wanted, problem).into());
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(outdir: &Path, name: &str, files: &[&str]) -> PathBuf {
        let run = outdir.join(name);
        std::fs::create_dir_all(&run).unwrap();
        files.iter().for_each(|file| std::fs::write(run.join(file), b"{}").unwrap());
        run
    }

    const CHECKPOINT: &str = "checkpoint-000001.safetensors";

    #[test]
    fn latest_is_the_highest_number_or_the_only_run_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let outdir = folder.path();
        assert!(latest(&outdir.join("none")).unwrap_err().to_string().contains("no such folder"));
        assert!(latest(outdir).unwrap_err().to_string().contains("no folders"));
        run(outdir, "photographs", &[]);
        run(outdir, "broken", &[OPTIONS]);
        let error = latest(outdir).unwrap_err().to_string();
        assert!(
            error.contains("broken (a run without a checkpoint), photographs (no run)"),
            "{error}"
        );
        let good = run(outdir, "good", &[OPTIONS, CHECKPOINT]);
        assert_eq!(latest(outdir).unwrap(), good.join(CHECKPOINT));
        run(outdir, "better", &[OPTIONS, CHECKPOINT]);
        let error = latest(outdir).unwrap_err().to_string();
        assert!(error.contains("2 runs") && error.contains("better"), "{error}");
        let numbered = run(outdir, "00003-data-tiny", &[OPTIONS, CHECKPOINT]);
        assert_eq!(latest(outdir).unwrap(), numbered.join(CHECKPOINT));
        let error = latest(&numbered).unwrap_err().to_string();
        assert!(error.contains("is itself a run"), "{error}");
        std::fs::remove_dir_all(numbered).unwrap();
        let error = resolve(&outdir.display().to_string(), outdir).unwrap_err().to_string();
        assert!(error.contains("holds runs and is not one") && error.contains("good"), "{error}");
    }

    #[test]
    fn a_folder_of_runs_and_a_missing_run_name_the_runs_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let outdir = folder.path();
        run(outdir, "00000-data-tiny", &[OPTIONS, CHECKPOINT]);
        let error = resolve(&outdir.display().to_string(), outdir).unwrap_err().to_string();
        assert!(error.contains("holds runs") && error.contains("00000-data-tiny"), "{error}");
        let error = resolve("missing", outdir).unwrap_err().to_string();
        assert!(error.contains("00000-data-tiny"), "{error}");
    }
}
