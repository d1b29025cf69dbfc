//! Everything needed to continue a run, in one safetensors file.
//!
//! Tensors: `G.…`, `D.…`, `G_ema.…` by PyTorch's names, and `adam_G.m.…`, `adam_G.v.…`,
//! `adam_D.…`, with lookahead `slow_G.…` and `slow_D.…`. Metadata: the options, the counters, the
//! open tick, and a SHA-256 of all that and of the tensors. No clock goes in, so equal states of equal
//! options are equal files.

use std::io::Read;
use std::path::{Path, PathBuf};

use dermagan_base::atomic;
use dermagan_model::weights::{METADATA_KEY, Version, Weights, from_safetensors, to_safetensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::stats::Tally;

/// Raise when an older program would misread a checkpoint. In format 1 the SHA-256 was of the tensors alone.
const FORMAT: u32 = 2;
/// What a checkpoint says that it is.
const KIND: &str = "checkpoint";
/// The largest header of a safetensors file that is read for its metadata.
const MAX_HEADER: u64 = 64 << 20;

/// What a checkpoint says besides its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Version of the format.
    pub format: u32,
    /// Always `checkpoint`.
    pub kind: String,
    /// Program that wrote it.
    pub producer: String,
    /// The run's options.
    pub config: TrainConfig,
    /// Images seen.
    pub nimg: u64,
    /// Steps done.
    pub steps: u64,
    /// Ticks written.
    pub ticks: u64,
    /// The open tick.
    pub tally: Tally,
    /// What the probability of the transforms has become, if it adapts.
    #[serde(default)]
    pub adaptive: Adaptive,
    /// What computed it: the CPU's level of vector instructions (`avx2`, …), or `gpu`. `None` in older
    /// checkpoints. Another level rounds differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// SHA-256 of the metadata without it, and of the tensors' names and values. Empty in a checkpoint that
    /// was not saved yet.
    pub sha256: String,
}

/// State of an adaptive probability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Adaptive {
    /// The probability.
    pub probability: f64,
    /// Sum of the mean signs of the real logits since it last moved.
    pub signs: f64,
}

/// A checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Counters and options.
    pub meta: Meta,
    /// All tensors.
    pub tensors: Weights,
}

/// `dermagan 0.1.0`.
pub fn producer() -> String {
    format!("dermagan {}", env!("CARGO_PKG_VERSION"))
}

/// The SHA-256 of metadata, as its text without this hash, and of tensors.
fn digest(blank: &str, tensors: &Weights) -> String {
    let mut hash = Sha256::new();
    hash.update(blank);
    for (name, array) in tensors {
        hash.update(name);
        for values in array.values.chunks(4096) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            hash.update(&bytes);
        }
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

impl Checkpoint {
    /// A checkpoint of this program's format.
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

    /// Writes the file as a whole or not at all.
    ///
    /// # Errors
    /// When the disk is full or the folder cannot be written; an older file of this name is then
    /// untouched.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let text = |meta: &Meta| {
            let bad = |e| TrainError::Option(format!("the checkpoint's metadata: {e}"));
            serde_json::to_string(meta).map_err(bad)
        };
        let mut meta = Meta { format: FORMAT, sha256: String::new(), ..self.meta.clone() };
        meta.sha256 = digest(&text(&meta)?, &self.tensors);
        let json = text(&meta)?;
        let bytes = to_safetensors(&self.tensors, json)?;
        atomic::write(path, &bytes).map_err(TrainError::io(path))
    }

    /// Reads and checks a checkpoint.
    ///
    /// # Errors
    /// When it is cut short, changed, not a checkpoint, or from a newer program; names the newest
    /// good one beside it.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let refused = |what: String| refuse(path, what);
        let length = std::fs::metadata(path).map_err(TrainError::io(path))?.len();
        // The header is looked at first, so that a foreign file of any size costs nothing.
        let (meta, text) = read_text(path).map_err(refused)?;
        let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
        let file = from_safetensors(&path.display().to_string(), &bytes)
            .map_err(|e| refuse(path, format!("cut short or damaged at {length} bytes ({e})")))?;
        let blank = match meta.format {
            ..2 => String::new(),
            _ => text.replacen(&meta.sha256, "", 1),
        };
        if digest(&blank, &file.weights) != meta.sha256 {
            return Err(refuse(path, "it does not match its checksum: it was changed".into()));
        }
        let batch = meta.config.optimiser.batch as u64;
        let chance = meta.adaptive.probability;
        if meta.steps.checked_mul(batch) != Some(meta.nimg) || !(0.0..=1.0).contains(&chance) {
            let what = format!(
                "it counts {} images in {} steps of {batch}, at an augmentation of {chance}",
                meta.nimg, meta.steps
            );
            return Err(refuse(path, what));
        }
        Ok(Self { meta, tensors: file.weights })
    }

    /// The tensors under `prefix.`, without it; they are taken out.
    pub fn take(&mut self, prefix: &str) -> Weights {
        let prefix = format!("{prefix}.");
        let names: Vec<String> =
            self.tensors.keys().filter(|n| n.starts_with(&prefix)).cloned().collect();
        let take =
            |name: String| self.tensors.remove(&name).map(|a| (name[prefix.len()..].to_owned(), a));
        names.into_iter().filter_map(take).collect()
    }
}

/// Reads the metadata alone, and checks that the file is as long as its header says.
///
/// # Errors
/// Says what is wrong, without the path.
pub fn read_meta(path: &Path) -> Result<Meta, String> {
    read_text(path).map(|(meta, _)| meta)
}

/// Whether a file is one of dermagan's checkpoints, whole or not: by what it says of itself, and by its name only
/// where that cannot be read any more.
pub fn is_checkpoint(path: &Path) -> bool {
    match read_header(path) {
        Ok((json, _)) => {
            let version = metadata(&json).and_then(|text| Version::of(text).ok());
            version.is_some_and(|version| version.kind == KIND)
        }
        Err(_) => path.file_name().is_some_and(|name| is_name(&name.to_string_lossy())),
    }
}

/// A safetensors file's header, how long that is, and how long the file.
fn read_header(path: &Path) -> Result<(serde_json::Value, [u64; 2]), String> {
    let mut file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    let mut word = [0; 8];
    let short = |_| "too short to be a checkpoint: cut short, or not one".to_owned();
    file.read_exact(&mut word).map_err(short)?;
    let header = u64::from_le_bytes(word);
    if header > MAX_HEADER {
        return Err("not a safetensors file".into());
    }
    if header + 8 > length {
        return Err(format!("cut short: {length} bytes, its header alone has {header}"));
    }
    let mut json = vec![0; header as usize];
    file.read_exact(&mut json).map_err(short)?;
    let json = serde_json::from_slice(&json).map_err(|_| "not a safetensors file".to_owned())?;
    Ok((json, [header, length]))
}

fn metadata(json: &serde_json::Value) -> Option<&str> {
    json["__metadata__"][METADATA_KEY].as_str()
}

/// As [`read_meta`], with the text that it stands in.
fn read_text(path: &Path) -> Result<(Meta, String), String> {
    let (json, [header, length]) = read_header(path)?;
    let text =
        metadata(&json).ok_or("a safetensors file, but not one of dermagan's checkpoints")?;
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
            "cut short: {length} bytes, expected {}",
            end.saturating_add(8 + header)
        ));
    }
    let meta = serde_json::from_str(text).map_err(|e| format!("its metadata: {e}"))?;
    Ok((meta, text.to_owned()))
}

fn refuse(path: &Path, what: String) -> TrainError {
    let folder = folder_of(path);
    let good = list(folder).into_iter().find(|(other, _)| other != path);
    let next = match good {
        Some((good, meta)) => format!(
            "The newest good one beside it is at {:.3} kimg: --resume {}",
            meta.nimg as f64 / 1000.0,
            good.display()
        ),
        None => "There is no other checkpoint beside it; start the run anew.".to_owned(),
    };
    TrainError::Checkpoint { path: path.to_owned(), what, next }
}

/// The folder that a checkpoint lies in: of a bare name, this one.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The whole checkpoints of a run's folder, newest first by the images they have seen.
pub fn list(folder: &Path) -> Vec<(PathBuf, Meta)> {
    let mut found: Vec<(PathBuf, Meta)> = files(folder)
        .into_iter()
        .filter_map(|path| Some((path.clone(), read_meta(&path).ok()?)))
        .collect();
    found.sort_by(|a, b| b.1.nimg.cmp(&a.1.nimg).then_with(|| a.0.cmp(&b.0)));
    found
}

/// Whether a file of this name is a run's checkpoint.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with("checkpoint-") && name.ends_with(".safetensors")
}

/// Every file that is named like a checkpoint, whole or not, in the order of names.
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
    fn a_checkpoint_of_the_first_format_opens_and_its_tensors_are_checked() {
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
