//! The folder of a set as one zip, without compression: PNGs are compressed already.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use dermagan_base::atomic::Pending;
use dermagan_base::producer;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::card::{CARD, Files, card};
use crate::error::FormatError;
use crate::folder::place_of;
use crate::format::Format;
use crate::ours::ZIP_COMMENT;
use crate::set::{Item, Set};
use crate::shards::Place;
use crate::sink::Sink;
use crate::table::{Columns, TABLE, TableWriter};

/// A zip that gets its name when it is complete. All entries have the time 1980-01-01, so that equal files give equal
/// bytes.
pub(crate) struct ZipFile {
    pending: Pending,
    path: PathBuf,
    zip: ZipWriter<File>,
}

impl ZipFile {
    pub(crate) fn create(path: &Path) -> Result<Self, FormatError> {
        let io = |error| FormatError::io(path)(error);
        let mut pending = Pending::create(path).map_err(io)?;
        let zip = ZipWriter::new(pending.file().try_clone().map_err(io)?);
        Ok(Self { pending, path: path.to_owned(), zip })
    }

    /// Adds a file.
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), FormatError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644);
        let started = self.zip.start_file(name, options).map_err(std::io::Error::from);
        started.and_then(|()| self.zip.write_all(bytes)).map_err(FormatError::io(&self.path))
    }

    /// Completes the zip.
    pub(crate) fn finish(mut self) -> Result<(), FormatError> {
        let comment = format!("{ZIP_COMMENT}: {}", producer());
        let done = self.zip.set_comment(comment).and_then(|()| self.zip.finish());
        done.map_err(std::io::Error::from)
            .and_then(|_| self.pending.commit())
            .map_err(FormatError::io(&self.path))
    }
}

/// Writes a zip with PNG files, tables and the card.
pub(crate) struct ZipSink {
    zip: ZipFile,
    /// The table of the present part, in memory: the next file of a zip begins where the last one ends.
    table: Option<(String, TableWriter<Vec<u8>>)>,
}

impl ZipSink {
    pub(crate) fn create(out: &Path) -> Result<Self, FormatError> {
        Ok(Self { zip: ZipFile::create(out)?, table: None })
    }

    fn finish_table(&mut self) -> Result<(), FormatError> {
        let Some((name, rows)) = self.table.take() else { return Ok(()) };
        let bytes = rows.finish().map_err(FormatError::io(&self.zip.path))?;
        self.zip.add(&name, &bytes)
    }
}

impl Sink for ZipSink {
    fn put(&mut self, set: &Set, place: Place, item: &Item) -> Result<(), FormatError> {
        let folder = place_of(set, place.part);
        let table = match &mut self.table {
            Some((_, table)) if place.in_part > 0 => table,
            _ => {
                self.finish_table()?;
                let table = TableWriter::new(Vec::new(), Columns::Ham10000, set);
                let table = table.map_err(FormatError::io(&self.zip.path))?;
                &mut self.table.insert((format!("{folder}{TABLE}"), table)).1
            }
        };
        table.put(set, item).map_err(FormatError::io(&self.zip.path))?;
        self.zip.add(&format!("{folder}{}.png", item.name), &item.png)
    }

    fn finish(mut self: Box<Self>, set: &Set) -> Result<(), FormatError> {
        self.finish_table()?;
        self.zip.add(CARD, card(set, &Files::new(Format::Zip, None)).as_bytes())?;
        self.zip.finish()
    }
}
