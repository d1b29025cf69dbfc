//! A folder of PNG files with a `metadata.csv`: in HAM10000's columns, or as
//! [imagefolder](https://huggingface.co/docs/datasets/image_dataset) reads it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use dermagan_base::atomic::{self, Pending};

use crate::card::{CARD, Files, card};
use crate::error::FormatError;
use crate::format::Format;
use crate::ours::{self, UNFINISHED};
use crate::set::{Item, Set};
use crate::shards::Place;
use crate::sink::Sink;
use crate::table::{Columns, TABLE, TableWriter};

/// The folder of a part inside the set. Generated images are at the top, because they have no parts.
pub(crate) fn place_of(set: &Set, part: usize) -> String {
    match set.parts.get(part) {
        Some(part) if !is_flat(set) => format!("{}/", part.name),
        _ => String::new(),
    }
}

fn is_flat(set: &Set) -> bool {
    set.synthetic && set.parts.len() == 1
}

/// A table that gets its name when it is complete.
struct Table {
    pending: Pending,
    path: PathBuf,
    rows: TableWriter<File>,
}

/// Writes a folder.
pub(crate) struct FolderSink {
    folder: PathBuf,
    format: Format,
    columns: Columns,
    /// It gets its name last, and marks the set as complete. Until then its lock keeps other calls away.
    card: Pending,
    table: Option<Table>,
}

impl FolderSink {
    /// Looks at the folder, and removes what marks it as complete.
    pub(crate) fn create(format: Format, folder: &Path, set: &Set) -> Result<Self, FormatError> {
        let columns = match format {
            Format::Folder => Columns::Ham10000,
            _ => Columns::Everything,
        };
        let is_part = |path: &str| (0..set.parts.len()).any(|part| place_of(set, part) == path);
        let planned = |path: &str| {
            let (part, name) = match path.split_once('/') {
                Some((part, name)) => (format!("{part}/"), name),
                None => (String::new(), path),
            };
            is_part(&format!("{path}/"))
                || is_part(&part) && (name == TABLE || name.ends_with(".png"))
        };
        let text = text(set, format);
        ours::check_folder(folder, &text, &planned)?;
        let card = begin(folder, &text)?;
        for part in 0..set.parts.len() {
            remove(&folder.join(place_of(set, part)).join(TABLE))?;
        }
        Ok(Self { folder: folder.to_owned(), format, columns, card, table: None })
    }

    /// Completes the table of a part.
    fn finish_table(&mut self) -> Result<(), FormatError> {
        let Some(Table { pending, path, rows }) = self.table.take() else { return Ok(()) };
        rows.finish().and_then(|_| pending.commit()).map_err(FormatError::io(path))
    }
}

impl Sink for FolderSink {
    fn put(&mut self, set: &Set, place: Place, item: &Item) -> Result<(), FormatError> {
        let folder = self.folder.join(place_of(set, place.part));
        let table = match &mut self.table {
            Some(table) if place.in_part > 0 => table,
            _ => {
                self.finish_table()?;
                let path = folder.join(TABLE);
                let io = |error| FormatError::io(&path)(error);
                let mut pending = Pending::create(&path).map_err(io)?;
                let file = pending.file().try_clone().map_err(io)?;
                let rows = TableWriter::new(file, self.columns, set).map_err(io)?;
                self.table.insert(Table { pending, path, rows })
            }
        };
        table.rows.put(set, item).map_err(FormatError::io(&table.path))?;
        let path = folder.join(format!("{}.png", item.name));
        // Images are not flushed one by one: the table, which is written last, marks the part as complete.
        atomic::write_unflushed(&path, &item.png).map_err(FormatError::io(path))
    }

    fn finish(mut self: Box<Self>, set: &Set) -> Result<(), FormatError> {
        self.finish_table()?;
        let text = text(set, self.format);
        end(self.card, &self.folder, &text)
    }
}

/// The text of the card. The files of imagefolder are the images and the table of a part.
fn text(set: &Set, format: Format) -> String {
    let pattern = |part: &str| match is_flat(set) {
        true => "*".to_owned(),
        false => format!("{part}/*"),
    };
    card(set, &Files::new(format, Some(&pattern)))
}

/// Begins a set in a folder, whose card gets its name at the end. Until then a hidden file holds the text of the card: a
/// later call sees by it which set the files belong to.
pub(crate) fn begin(folder: &Path, text: &str) -> Result<Pending, FormatError> {
    let path = folder.join(CARD);
    let pending = Pending::create(&path).map_err(FormatError::io(&path))?;
    let unfinished = folder.join(UNFINISHED);
    atomic::write(&unfinished, text.as_bytes()).map_err(FormatError::io(&unfinished))?;
    remove(&path)?;
    Ok(pending)
}

/// Completes a set in a folder.
pub(crate) fn end(mut card: Pending, folder: &Path, text: &str) -> Result<(), FormatError> {
    let written = card.file().write_all(text.as_bytes()).and_then(|()| card.commit());
    written.map_err(FormatError::io(folder.join(CARD)))?;
    remove(&folder.join(UNFINISHED))
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<(), FormatError> {
    atomic::remove(path).map_err(FormatError::io(path))
}
