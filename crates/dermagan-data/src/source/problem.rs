//! The problems of a source, counted by kind, with examples: nothing is left out silently.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of examples that are kept of each kind.
const EXAMPLES: usize = 3;

/// Number of groups of identical images, and of images of a group, that are printed.
const IDENTICAL: usize = 5;

/// What a finding means for the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// An image or a row is not used. A strict preparation refuses it.
    LeftOut,
    /// A file that is known to be no training image, such as a mask. It is counted and not used.
    Companion,
    /// Everything is used, though some labels must be wrong. A strict preparation refuses it.
    Warning,
    /// Everything is used; the finding is only said.
    Note,
}

/// A kind of finding about one image, row, table or archive entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// A row of the table has no image file.
    MissingImage,
    /// No row of the table names the image.
    ImageWithoutRow,
    /// The image is in no folder of a class, though most are.
    NoClassFolder,
    /// The image is in a folder of processed copies, such as heat maps or crops, beside photographs in other folders.
    Derived,
    /// The diagnosis is not a known class.
    UnknownClass,
    /// The row gives no diagnosis: it is empty, or says that none is known.
    NoDiagnosis,
    /// Two rows give one image different classes.
    ContradictingRows,
    /// A second, different file has the same image id.
    DuplicateFile,
    /// The row is too short or has no id.
    BadRow,
    /// The file is empty.
    EmptyFile,
    /// Rows of the image are missing.
    Truncated,
    /// The file has more bytes, or would decode to more pixels, than the limits allow.
    TooLarge,
    /// The file cannot be decoded as an image.
    Undecodable,
    /// The file holds a server's answer or a pointer in the place of the image.
    NotDownloaded,
    /// The file is beside the images of a class, but is not an image.
    NotAnImage,
    /// The file or archive entry cannot be read.
    Unreadable,
    /// The path of an archive entry points outside the archive.
    OddPath,
    /// The image has only two colours, as a mask has.
    TwoColours,
    /// All pixels of the image are equal.
    OneColour,
    /// The shorter side of the image is shorter than the prepared square, and most images are larger.
    TooSmall,
    /// Most of the image is transparent.
    Transparent,
    /// A generator made the image.
    Synthetic,
    /// The image or its table belongs to another set than the one that is used.
    OtherSet,
    /// A mask, superpixel or attribute image beside the photographs.
    Mask,
    /// A table of pixels, such as `hmnist_28_28_RGB.csv`.
    PixelTable,
    /// A table that describes images of this source, but adds nothing that is used.
    UnusedTable,
    /// A file that a system or a program adds for itself, such as a thumbnail.
    SystemFile,
    /// The folder of a training run.
    RunFolder,
    /// An archive that is not read: of another format than zip, or a zip inside a zip inside a zip.
    UnreadArchive,
    /// A file of data or of a model that is not read, such as `.mat`, `.pkl` or `.npy`.
    DataFile,
    /// An image of a format that is not read, such as `.heic` or `.dcm`.
    UnreadImage,
    /// A link that leads nowhere or in a circle, or a folder that is listed already under another name.
    UnfollowedLink,
    /// A file that has no content of its own: a pipe, a socket or a device.
    SpecialFile,
    /// A second copy of a file.
    SameFile,
    /// Images that are equal, pixel for pixel, have different classes.
    TwoClasses,
    /// Two columns of a table give different diagnoses in one row.
    DisagreeingColumns,
    /// The table gives an image another class than the folder that it is in.
    DisagreeingFolder,
    /// A second row equals the first.
    EqualRows,
    /// One image is in two parts of the author's split.
    TwoParts,
    /// The row has more cells than the table has columns; it is read as it is.
    ExtraCells,
    /// A value does not fit its column; the row is kept without the value.
    BadValue,
    /// The format of the content differs from the file's extension; the file is read by its content.
    WrongExtension,
    /// Only the end marker of the file is missing; all rows of the image are there.
    NoEndMarker,
    /// The image has transparent pixels, which are composited on white.
    Composited,
    /// The image is smaller than the prepared square, as most of the source is; it is enlarged.
    Enlarged,
    /// No class has the name of a known diagnosis.
    OwnClasses,
}

impl ProblemKind {
    /// What a finding of this kind means.
    pub fn severity(self) -> Severity {
        match self {
            Self::Mask
            | Self::PixelTable
            | Self::UnusedTable
            | Self::SystemFile
            | Self::RunFolder
            | Self::OtherSet
            | Self::DataFile
            | Self::UnfollowedLink
            | Self::SpecialFile
            | Self::SameFile => Severity::Companion,
            Self::TwoClasses | Self::DisagreeingColumns | Self::DisagreeingFolder => {
                Severity::Warning
            }
            Self::EqualRows
            | Self::TwoParts
            | Self::ExtraCells
            | Self::BadValue
            | Self::WrongExtension
            | Self::NoEndMarker
            | Self::Composited
            | Self::Enlarged
            | Self::OwnClasses => Severity::Note,
            _ => Severity::LeftOut,
        }
    }

    /// Whether it is a finding about a row that no image belongs to.
    pub fn is_of_a_row(self) -> bool {
        matches!(self, Self::MissingImage | Self::BadRow)
    }

    /// A description for people, in one line.
    pub fn describe(self) -> &'static str {
        match self {
            Self::MissingImage => "row without an image file",
            Self::ImageWithoutRow => "image without a row in the table",
            Self::Derived => "image in a folder of processed copies",
            Self::NoClassFolder => "image in no folder of a class",
            Self::UnknownClass => {
                "unknown diagnosis; the codes are akiec, bcc, bkl, df, mel, nv, vasc"
            }
            Self::NoDiagnosis => "row without a diagnosis",
            Self::ContradictingRows => "rows that give one image different classes",
            Self::DuplicateFile => "a different file with the same image id",
            Self::BadRow => "row too short or without an id",
            Self::EmptyFile => "empty file",
            Self::Truncated => "truncated or damaged image",
            Self::TooLarge => "image or file larger than the limits",
            Self::Undecodable => "cannot be decoded as an image",
            Self::NotDownloaded => "not downloaded: a server's answer or a pointer, not an image",
            Self::NotAnImage => "not an image, though it is among the images of a class",
            Self::Unreadable => "cannot be read",
            Self::OddPath => "path points outside the archive",
            Self::TwoColours => "image of two colours, as a mask has",
            Self::OneColour => "image of a single colour",
            Self::TooSmall => "image smaller than the prepared square",
            Self::Transparent => "image that is mostly transparent",
            Self::Synthetic => "image made by a generator",
            Self::OtherSet => "of another set, not used",
            Self::Mask => "mask, superpixel or attribute image beside the photographs",
            Self::PixelTable => "table of pixels, not read",
            Self::UnusedTable => "table that is not used",
            Self::SystemFile => "file of the system or of a program",
            Self::RunFolder => "folder of a training run, not read",
            Self::UnreadArchive => "archive that is not read: unpack it",
            Self::DataFile => "file of data or of a model, not read",
            Self::UnreadImage => "image of a format that is not read: convert it to PNG or JPEG",
            Self::UnfollowedLink => {
                "link that leads nowhere or in a circle, or folder that is listed under another name"
            }
            Self::SpecialFile => "pipe, socket or device, not read",
            Self::SameFile => "second copy of a file",
            Self::TwoClasses => "identical images under different classes",
            Self::DisagreeingColumns => "row whose columns of diagnoses disagree",
            Self::DisagreeingFolder => {
                "image whose table contradicts the folder that it is in: the table counts"
            }
            Self::EqualRows => {
                "row that equals an earlier one, counted once (to draw rare classes more often, use `balanced`)"
            }
            Self::TwoParts => "image in two parts of the author's split",
            Self::ExtraCells => "row with more cells than the table has columns, read as it is",
            Self::BadValue => "value not understood, row kept without it",
            Self::WrongExtension => "format differs from the file's extension, read by content",
            Self::NoEndMarker => "end marker missing, all rows of the image are there",
            Self::Composited => "transparent pixels, composited on white",
            Self::OwnClasses => "no class is a known diagnosis",
            Self::Enlarged => "image smaller than the prepared square, as most here: enlarged",
        }
    }
}

/// One problem, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The kind of problem.
    pub kind: ProblemKind,
    /// The file, archive entry or row, with details.
    pub place: String,
}

impl Problem {
    /// A problem of this kind at this place.
    pub(crate) fn new(kind: ProblemKind, place: impl Into<String>) -> Self {
        Self { kind, place: place.into() }
    }
}

/// How often a kind of problem occurred, and where first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemCount {
    /// Number of problems.
    pub count: usize,
    /// The first places, at most 3, in the order in which the problems were found.
    pub examples: Vec<String>,
}

/// What became of one table of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableUse {
    /// Path inside the source.
    pub path: String,
    /// Number of rows.
    pub rows: usize,
    /// Whether it labels images, or says more about labelled ones.
    pub used: bool,
    /// What it was used for, or why it was not used.
    pub what: String,
}

/// What was kept, what was left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Number of images that were kept.
    pub kept: usize,
    /// The problems, by kind.
    pub problems: BTreeMap<ProblemKind, ProblemCount>,
    /// What became of each table, in the order of the paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<TableUse>,
    /// The ids of each group of images that are equal, pixel for pixel, after preparation. All of them are kept.
    pub identical: Vec<Vec<String>>,
}

impl Report {
    /// Counts `problems` by kind; `kept` is the number of images that were kept.
    pub fn new(kept: usize, problems: &[Problem]) -> Self {
        let mut report = Self { kept, ..Self::default() };
        for problem in problems {
            let tally = report.problems.entry(problem.kind).or_default();
            tally.count += 1;
            if tally.examples.len() < EXAMPLES {
                tally.examples.push(problem.place.clone());
            }
        }
        report
    }

    /// Number of problems, including those of images that were kept.
    pub fn total(&self) -> usize {
        self.problems.values().map(|t| t.count).sum()
    }

    /// Number of images, rows and archive entries that were left out.
    pub fn left_out(&self) -> usize {
        self.images_left_out() + self.rows_left_out()
    }

    /// Number of images and archive entries that were left out.
    pub fn images_left_out(&self) -> usize {
        self.count(|kind| kind.severity() == Severity::LeftOut && !kind.is_of_a_row())
    }

    /// Number of rows of tables that name no image, or nothing.
    pub fn rows_left_out(&self) -> usize {
        self.count(|kind| kind.severity() == Severity::LeftOut && kind.is_of_a_row())
    }

    /// Number of findings that say that some labels must be wrong.
    pub fn warnings(&self) -> usize {
        self.count(|kind| kind.severity() == Severity::Warning)
    }

    fn count(&self, counts: impl Fn(ProblemKind) -> bool) -> usize {
        self.problems.iter().filter(|(kind, _)| counts(**kind)).map(|(_, t)| t.count).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>7}  images kept", self.kept)?;
        writeln!(f, "{:>7}  images left out", self.images_left_out())?;
        if self.rows_left_out() > 0 {
            writeln!(f, "{:>7}  rows left out", self.rows_left_out())?;
        }
        for (kind, tally) in &self.problems {
            let mark = match kind.severity() {
                Severity::LeftOut => "out ",
                Severity::Companion => "also",
                Severity::Warning => "warn",
                Severity::Note => "note",
            };
            let examples: Vec<&str> =
                tally.examples.iter().map(String::as_str).filter(|e| !e.is_empty()).collect();
            write!(f, "{:>7}  {mark}  {}: {}", tally.count, kind.describe(), examples.join(", "))?;
            writeln!(f, "{}", if tally.count > tally.examples.len() { ", …" } else { "" })?;
        }
        for TableUse { path, rows, what, .. } in &self.tables {
            writeln!(f, "  table        {path} ({rows} rows): {what}")?;
        }
        for group in self.identical.iter().take(IDENTICAL) {
            let shown: Vec<&str> = group.iter().take(IDENTICAL).map(String::as_str).collect();
            let more = if group.len() > IDENTICAL { " = …" } else { "" };
            writeln!(f, "         note  identical images: {}{more}", shown.join(" = "))?;
        }
        if self.identical.len() > IDENTICAL {
            writeln!(
                f,
                "         note  {} more groups of identical images",
                self.identical.len() - IDENTICAL
            )?;
        }
        Ok(())
    }
}
