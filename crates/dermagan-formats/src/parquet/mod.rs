//! Parquet files as the library [datasets](https://huggingface.co/docs/datasets) reads them:
//! `data/train-00000-of-00001.parquet`, with the PNG bytes in a column `image` and the types of the columns under the key
//! `huggingface`.
//!
//! The writer is our own. The crate `parquet` would add seven crates, and give burn's hash maps a random order: both use
//! `ahash`, and share its features. What a writer needs is small: columns of plain values, without compression.

mod column;
mod features;
mod file;
mod thrift;

use std::path::{Path, PathBuf};

use dermagan_base::atomic::Pending;

use crate::card::{Files, card};
use crate::error::FormatError;
use crate::folder::{begin, end};
use crate::format::Format;
use crate::ours;
use crate::set::{Item, Set};
use crate::shards::{Place, Shards};
use crate::sink::Sink;
use file::ParquetFile;

/// A file that gets its name when it is complete.
struct Shard {
    pending: Pending,
    path: PathBuf,
    rows: ParquetFile<std::fs::File>,
}

/// Writes files.
struct ParquetSink {
    shards: Shards,
    shard: Option<Shard>,
    /// The card of a folder.
    card: Option<Pending>,
}

/// The writer of a folder of files, or of one file if `out` ends with `.parquet`.
pub(crate) fn sink(out: &Path, set: &Set, most: u64) -> Result<Box<dyn Sink>, FormatError> {
    if Format::Parquet.is_file(out) {
        let shards = Shards::One(out.to_owned());
        return Ok(Box::new(ParquetSink { shards, shard: None, card: None }));
    }
    let name = |part: &str, number, files| format!("data/{part}-{number:05}-of-{files:05}.parquet");
    let shards = Shards::Many { folder: out.to_owned(), most, name };
    let text = text(set);
    ours::check_folder(out, &text, &|path| shards.has(set, path))?;
    let card = Some(begin(out, &text)?);
    Ok(Box::new(ParquetSink { shards, shard: None, card }))
}

fn text(set: &Set) -> String {
    let pattern = |part: &str| format!("data/{part}-*.parquet");
    card(set, &Files::new(Format::Parquet, Some(&pattern)))
}

impl ParquetSink {
    fn finish_shard(&mut self) -> Result<(), FormatError> {
        let Some(Shard { pending, path, rows }) = self.shard.take() else { return Ok(()) };
        rows.finish().and_then(|_| pending.commit()).map_err(FormatError::io(path))
    }
}

impl Sink for ParquetSink {
    fn put(&mut self, set: &Set, place: Place, item: &Item) -> Result<(), FormatError> {
        if let Some(path) = self.shards.begins(set, place) {
            self.finish_shard()?;
            let io = |error| FormatError::io(&path)(error);
            let mut pending = Pending::create(&path).map_err(io)?;
            let file = pending.file().try_clone().map_err(io)?;
            let rows = ParquetFile::new(file, set).map_err(io)?;
            self.shard = Some(Shard { pending, path, rows });
        }
        let Some(shard) = &mut self.shard else {
            return Err(FormatError::item(&item.name, "no file is open for it"));
        };
        shard.rows.put(item).map_err(FormatError::io(&shard.path))
    }

    fn finish(mut self: Box<Self>, set: &Set) -> Result<(), FormatError> {
        self.finish_shard()?;
        match (self.card, self.shards.folder()) {
            (Some(card), Some(folder)) => end(card, folder, &text(set)),
            _ => Ok(()),
        }
    }
}
