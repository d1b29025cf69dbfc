//! The front of all formats: takes images in order and passes them to the writer of a format.

use std::path::Path;

use dermagan_base::SettingError;
use dermagan_base::name::has_ending;

use crate::error::FormatError;
use crate::folder::FolderSink;
use crate::format::Format;
use crate::set::{Item, Set};
use crate::shards::Place;
use crate::sink::Sink;
use crate::stylegan::StyleGanSink;
use crate::webdataset;
use crate::zip_file::ZipSink;
use crate::{ours, parquet};

/// The usual largest number of images in one file of a set that is divided into files.
pub const IMAGES_PER_FILE: u64 = 10_000;
/// The largest number of images in one file.
const MOST_PER_FILE: u64 = 10_000_000;

/// Writes a set of images in a format. If it is dropped before [`SetWriter::finish`], the set is not complete: a file is
/// absent, and a folder has no `README.md`.
pub struct SetWriter {
    sink: Box<dyn Sink>,
    set: Set,
    next: Place,
}

impl std::fmt::Debug for SetWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetWriter").field("set", &self.set).field("next", &self.next).finish()
    }
}

impl SetWriter {
    /// Begins a set at `out`. A set of one file is written beside `out` and gets its name when it is complete. In WebDataset
    /// and Parquet `out` is a folder, in which each file has at most `per_file` images (1 to 10,000,000), or one file for
    /// all images if it ends with `.tar` or `.parquet`.
    ///
    /// What an earlier call for the same set left is replaced.
    ///
    /// # Errors
    /// [`FormatError::Setting`] if `out` does not fit the format or holds files of others or of another set, if `per_file` is
    /// out of range, or if the images do not fit the format. [`FormatError::Io`] if the system refuses to write. Nothing is
    /// written before `out` was looked at.
    pub fn create(
        format: Format,
        out: &Path,
        mut set: Set,
        per_file: u64,
    ) -> Result<Self, FormatError> {
        if !(1..=MOST_PER_FILE).contains(&per_file) {
            let problem = format!("expected 1 to {MOST_PER_FILE}");
            return Err(SettingError::value("images_per_file", per_file, problem).into());
        }
        check_ending(format, out)?;
        set.parts.retain(|part| part.images > 0);
        let sink: Box<dyn Sink> = match format {
            Format::Folder | Format::ImageFolder => {
                Box::new(FolderSink::create(format, out, &set)?)
            }
            Format::Zip => Box::new(ZipSink::create(out)?),
            Format::StyleGan => Box::new(StyleGanSink::create(out, &set)?),
            Format::WebDataset => webdataset::sink(out, &set, per_file)?,
            Format::Parquet => parquet::sink(out, &set, per_file)?,
        };
        Ok(Self { sink, set, next: Place { part: 0, in_part: 0, in_set: 0 } })
    }

    /// Writes the next image. Images come in the order of the set's parts.
    ///
    /// # Errors
    /// [`FormatError::Item`] if the image does not fit the set or the format, or is one more than the set has.
    /// [`FormatError::Io`] if the system refuses to write.
    pub fn put(&mut self, item: &Item) -> Result<(), FormatError> {
        self.set.check(item)?;
        let Some(part) = self.set.parts.get(self.next.part) else {
            return Err(FormatError::item(&item.name, "the set has fewer images than were given"));
        };
        self.sink.put(&self.set, self.next, item)?;
        let Place { part: number, in_part, in_set } = self.next;
        self.next = match in_part + 1 == part.images {
            true => Place { part: number + 1, in_part: 0, in_set: in_set + 1 },
            false => Place { part: number, in_part: in_part + 1, in_set: in_set + 1 },
        };
        Ok(())
    }

    /// Completes the set.
    ///
    /// # Errors
    /// [`FormatError::Item`] if images are missing. [`FormatError::Io`] if the system refuses to write.
    pub fn finish(self) -> Result<(), FormatError> {
        if self.next.part < self.set.parts.len() {
            let problem = format!("the set has {} images", self.set.images());
            return Err(FormatError::item(&format!("number {}", self.next.in_set), problem));
        }
        self.sink.finish(&self.set)
    }
}

/// Refuses a name that does not fit the format.
fn check_ending(format: Format, out: &Path) -> Result<(), FormatError> {
    let refuse = |problem: String| Err(SettingError::value("out", out.display(), problem).into());
    let ending = format.ending().unwrap_or_default();
    let fits = has_ending(out, ending);
    if format.is_one_file() && !fits && !out.is_dir() {
        let with = out.with_added_extension(ending);
        return refuse(format!(
            "the format {} is one .{ending} file: type `out` = {}",
            format.name(),
            with.display()
        ));
    }
    match Format::of_ending(out) {
        Some(other) if !fits && !out.is_dir() => refuse(format!(
            "the format {} is not in .{} files; type `format` = {} or name a folder",
            format.name(),
            other.ending().unwrap_or_default(),
            other.name()
        )),
        _ if fits || format.is_one_file() => ours::check_file(out),
        _ => Ok(()),
    }
}
