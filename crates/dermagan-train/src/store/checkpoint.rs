//! Everything that is needed to continue a run, in one safetensors file.
//!
//! The tensors are `G.…`, `D.…` and `G_ema.…` under PyTorch's names, `adam_G.m.…`, `adam_G.v.…` and `adam_D.…`, with
//! lookahead also `slow_G.…` and `slow_D.…`, and in float16 `scale_G` and `scale_D`. The metadata are the options, the
//! counters, the open tick, and a SHA-256 of all that and of the tensors. There is no time in the file, so equal states
//! of equal options are equal files.

use std::io::Read;
use std::path::{Path, PathBuf};

use dermagan_base::{atomic, hex, producer, quoted};
use dermagan_model::weights::{METADATA_KEY, Version, Weights, from_safetensors, to_safetensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::recipe::config::TrainConfig;
use crate::store::stats::Tally;

/// Version of the format. It must be raised when an older program would misread a checkpoint. In format 1 the SHA-256
/// covered only the tensors.
const FORMAT: u32 = 2;
/// The kind of file that a checkpoint's metadata state.
const KIND: &str = "checkpoint";
/// Size in bytes of the largest header of a safetensors file that is read.
const MAX_HEADER: u64 = 64 << 20;

/// The metadata of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Version of the format.
    pub format: u32,
    /// Always `checkpoint`.
    pub kind: String,
    /// Name and version of the program that wrote it.
    pub producer: String,
    /// Configuration of the run.
    pub config: TrainConfig,
    /// Number of images seen.
    pub nimg: u64,
    /// Number of steps done.
    pub steps: u64,
    /// Number of ticks written.
    pub ticks: u64,
    /// Statistics of the open tick.
    pub tally: Tally,
    /// State of the adaptive probability of the transforms.
    #[serde(default)]
    pub adaptive: Adaptive,
    /// What computed it: the CPU's level of vector instructions (`avx2`, …), or `gpu`. Levels round differently. `None`
    /// in older checkpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// SHA-256, in hexadecimal, of the metadata without this field and of the tensors' names and values. Empty in a
    /// checkpoint that has not been saved.
    pub sha256: String,
}

/// State of an adaptive probability of the transforms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Adaptive {
    /// The probability, 0 to 1.
    pub probability: f64,
    /// Sum of the steps' mean signs of the real logits since the probability last moved.
    pub signs: f64,
}

/// A checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The metadata.
    pub meta: Meta,
    /// All tensors by name.
    pub tensors: Weights,
}

/// The SHA-256 of the metadata's text without the hash, `blank`, and of the tensors.
fn digest(blank: &str, tensors: &Weights) -> String {
    hex(&hash(blank, tensors))
}

/// The SHA-256 of a text and of tensors.
fn hash(text: &str, tensors: &Weights) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(text);
    for (name, array) in tensors {
        hash.update(name);
        for values in array.values.chunks(4096) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            hash.update(&bytes);
        }
    }
    hash.finalize().into()
}

impl Checkpoint {
    /// A checkpoint in this program's format.
    pub fn new(
        config: TrainConfig,
        nimg: u64,
        steps: u64,
        ticks: u64,
        tally: Tally,
        tensors: Weights,
    ) -> Self {
        let (format, kind, producer) = (FORMAT, KIND.to_owned(), producer());
        Self {
            meta: Meta {
                format,
                kind,
                producer,
                config,
                nimg,
                steps,
                ticks,
                tally,
                adaptive: Adaptive::default(),
                level: None,
                sha256: String::new(),
            },
            tensors,
        }
    }

    /// Writes the file atomically.
    ///
    /// # Errors
    /// When the disk is full or the folder cannot be written. An older file of this name is then unchanged.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        atomic::write(path, &self.to_bytes()?).map_err(TrainError::io(path))
    }

    /// The contents of the file.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, TrainError> {
        let text = |meta: &Meta| {
            let bad = |e| {
                TrainError::Invalid(format!(
                    "the checkpoint's metadata cannot be written as JSON: {e}"
                ))
            };
            serde_json::to_string(meta).map_err(bad)
        };
        let mut meta = Meta { format: FORMAT, sha256: String::new(), ..self.meta.clone() };
        meta.sha256 = digest(&text(&meta)?, &self.tensors);
        let json = text(&meta)?;
        Ok(to_safetensors(&self.tensors, json)?)
    }

    /// From what [`Checkpoint::to_bytes`] of the same program gave. `from` names the sender in errors.
    ///
    /// # Errors
    /// When the bytes are damaged, or come from another version of the program.
    pub(crate) fn from_bytes(from: &str, bytes: &[u8]) -> Result<Self, TrainError> {
        let file = from_safetensors(from, bytes)?;
        let text = file.metadata.unwrap_or_default();
        let meta: Meta = serde_json::from_str(&text).map_err(|e| {
            TrainError::Invalid(format!("{from}: the state cannot be read: {}", quoted(e)))
        })?;
        if digest(&text.replacen(&meta.sha256, "", 1), &file.weights) != meta.sha256 {
            return Err(TrainError::Invalid(format!(
                "{from}: the state does not match its checksum"
            )));
        }
        Ok(Self { meta, tensors: file.weights })
    }

    /// SHA-256 of the number of images seen and of the tensors.
    pub(crate) fn state(&self) -> [u8; 32] {
        hash(&self.meta.nimg.to_string(), &self.tensors)
    }

    /// Reads and checks a checkpoint.
    ///
    /// # Errors
    /// When the file is cut short, changed, not a checkpoint, or from a newer program. The error names the newest good
    /// checkpoint in the same folder.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let refused = |what: String| refusal(path, what);
        let length = std::fs::metadata(path).map_err(TrainError::io(path))?.len();
        // The header is read first, so that a foreign file of any size costs nothing.
        let (meta, text) = read_text(path).map_err(refused)?;
        let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
        let file = from_safetensors(&path.display().to_string(), &bytes)
            .map_err(|e| refusal(path, format!("cut short or damaged at {length} bytes ({e})")))?;
        let blank = match meta.format {
            ..2 => String::new(),
            _ => text.replacen(&meta.sha256, "", 1),
        };
        if digest(&blank, &file.weights) != meta.sha256 {
            return Err(refusal(
                path,
                "its contents do not match its checksum, so the file was changed".into(),
            ));
        }
        let batch = meta.config.optimiser.batch as u64;
        let chance = meta.adaptive.probability;
        if meta.steps.checked_mul(batch) != Some(meta.nimg) || !(0.0..=1.0).contains(&chance) {
            let what = format!(
                "its counters do not fit together: {} images in {} steps of {batch}, and an augmentation probability \
                 of {chance}",
                meta.nimg, meta.steps
            );
            return Err(refusal(path, what));
        }
        Ok(Self { meta, tensors: file.weights })
    }

    /// Takes the tensors whose names begin with `prefix.` out of the checkpoint. The prefix is removed from their
    /// names.
    pub fn take(&mut self, prefix: &str) -> Weights {
        let prefix = format!("{prefix}.");
        let names: Vec<String> =
            self.tensors.keys().filter(|n| n.starts_with(&prefix)).cloned().collect();
        let take =
            |name: String| self.tensors.remove(&name).map(|a| (name[prefix.len()..].to_owned(), a));
        names.into_iter().filter_map(take).collect()
    }
}

/// Reads only the metadata, and checks that the file has the length that its header states.
///
/// # Errors
/// When the file is not a whole checkpoint. The error does not name the path.
pub fn read_meta(path: &Path) -> Result<Meta, String> {
    read_text(path).map(|(meta, _)| meta)
}

/// Whether a file is one of dermagan's checkpoints, whole or damaged. Its metadata decide. If they cannot be read, its
/// name decides.
pub fn is_checkpoint(path: &Path) -> bool {
    match read_header(path) {
        Ok((json, _)) => {
            let version = metadata(&json).and_then(|text| Version::of(text).ok());
            version.is_some_and(|version| version.kind == KIND)
        }
        Err(_) => path.file_name().is_some_and(|name| is_name(&name.to_string_lossy())),
    }
}

/// The header of a safetensors file, with the lengths of the header and of the file in bytes.
fn read_header(path: &Path) -> Result<(serde_json::Value, [u64; 2]), String> {
    let mut file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    let mut word = [0; 8];
    let short = |_| {
        "the file is too short for a checkpoint: it is cut short, or it is not a checkpoint"
            .to_owned()
    };
    file.read_exact(&mut word).map_err(short)?;
    let header = u64::from_le_bytes(word);
    if header > MAX_HEADER {
        return Err("it is not a safetensors file".into());
    }
    if header + 8 > length {
        return Err(format!(
            "the file is cut short: it has {length} bytes, and its header alone needs {header}"
        ));
    }
    let mut json = vec![0; header as usize];
    file.read_exact(&mut json).map_err(short)?;
    let json =
        serde_json::from_slice(&json).map_err(|_| "it is not a safetensors file".to_owned())?;
    Ok((json, [header, length]))
}

/// dermagan's metadata in the header of a safetensors file, as JSON text.
fn metadata(json: &serde_json::Value) -> Option<&str> {
    json["__metadata__"][METADATA_KEY].as_str()
}

/// As [`read_meta`], also with the metadata's JSON text.
fn read_text(path: &Path) -> Result<(Meta, String), String> {
    let (json, [header, length]) = read_header(path)?;
    let text =
        metadata(&json).ok_or("it is a safetensors file, but not one of dermagan's checkpoints")?;
    Version::of(text)?.check(KIND, FORMAT)?;
    let end = json
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, tensor)| tensor["data_offsets"][1].as_u64())
        .max()
        .unwrap_or(0);
    if end.checked_add(8 + header) != Some(length) {
        return Err(format!(
            "the file is cut short: it has {length} bytes, expected {}",
            end.saturating_add(8 + header)
        ));
    }
    let meta = serde_json::from_str(text)
        .map_err(|e| format!("its metadata cannot be read: {}", quoted(e)))?;
    Ok((meta, text.to_owned()))
}

/// The error of a checkpoint that cannot be used, with the newest good one in its folder.
fn refusal(path: &Path, what: String) -> TrainError {
    let folder = folder_of(path);
    let good = list(folder).into_iter().find(|(other, _)| other != path);
    let next = match good {
        Some((good, meta)) => format!(
            "The newest good checkpoint in this folder is at {:.3} kimg: resume from {}",
            meta.nimg as f64 / 1000.0,
            good.display()
        ),
        None => "There is no other checkpoint in this folder; start a new run.".to_owned(),
    };
    TrainError::Checkpoint { path: path.to_owned(), what, next }
}

/// The folder of a checkpoint's file. It is `.` if the path is a bare name.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The undamaged checkpoints in a run's folder with their metadata, newest first by the number of images seen. Only
/// headers are read.
pub fn list(folder: &Path) -> Vec<(PathBuf, Meta)> {
    let mut found: Vec<(PathBuf, Meta)> = files(folder)
        .into_iter()
        .filter_map(|path| Some((path.clone(), read_meta(&path).ok()?)))
        .collect();
    found.sort_by(|a, b| b.1.nimg.cmp(&a.1.nimg).then_with(|| a.0.cmp(&b.0)));
    found
}

/// Whether a file of this name is a checkpoint of a run.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with("checkpoint-") && name.ends_with(".safetensors")
}

/// Every file with the name of a checkpoint, whole or damaged, sorted by name.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            is_name(&name)
        })
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_of_format_1_opens_and_its_tensors_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint-000000.safetensors");
        let config = TrainConfig::of_preset("tiny", 3).unwrap();
        let array = dermagan_model::weights::Array { shape: vec![2], values: vec![1.0, 2.0] };
        let tensors = Weights::from([("G.a".to_owned(), array)]);
        let checkpoint = Checkpoint::new(config, 0, 0, 0, Tally::default(), tensors);
        let write = |sha256: String| {
            let meta = Meta { format: 1, sha256, ..checkpoint.meta.clone() };
            let json = serde_json::to_string(&meta).unwrap();
            std::fs::write(&path, to_safetensors(&checkpoint.tensors, json).unwrap()).unwrap();
        };
        write(digest("", &checkpoint.tensors));
        assert_eq!(Checkpoint::open(&path).unwrap().meta.config.seed, 3);
        write(digest("x", &checkpoint.tensors));
        assert!(Checkpoint::open(&path).unwrap_err().to_string().contains("checksum"));
    }
}
