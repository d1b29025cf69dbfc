//! The problems of a source, counted by kind, with examples: nothing is left out silently.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of examples that are kept of each kind.
const EXAMPLES: usize = 3;

/// A kind of problem with one image, row or archive entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// A row of the table has no image file.
    MissingImage,
    /// No row of the table names the image.
    ImageWithoutRow,
    /// The diagnosis is not a known class.
    UnknownClass,
    /// A second row has the same image id.
    DuplicateId,
    /// A second, different file has the same image id.
    DuplicateFile,
    /// The row is too short or has no id.
    BadRow,
    /// The file is empty.
    EmptyFile,
    /// The image is truncated or damaged.
    Truncated,
    /// The file has more bytes, or would decode to more pixels, than the limits allow.
    TooLarge,
    /// The file cannot be decoded as an image.
    Undecodable,
    /// The file is beside the images of a class, but is not an image.
    NotAnImage,
    /// The file or archive entry cannot be read.
    Unreadable,
    /// The path of an archive entry points outside the archive.
    OddPath,
    /// A value does not fit its column; the row is kept without the value.
    BadValue,
    /// The format of the content differs from the file's extension; the file is read by its content.
    WrongExtension,
}

impl ProblemKind {
    /// Whether an image with this problem is used nevertheless.
    pub fn kept(self) -> bool {
        matches!(self, Self::BadValue | Self::WrongExtension)
    }

    /// A description for people, in one line.
    pub fn describe(self) -> &'static str {
        match self {
            Self::MissingImage => "row without an image file",
            Self::ImageWithoutRow => "image without a row in the table",
            Self::UnknownClass => "unknown diagnosis (dx)",
            Self::DuplicateId => "image id occurs twice in the table",
            Self::DuplicateFile => "two different files with one image id",
            Self::BadRow => "row too short or without an id",
            Self::EmptyFile => "empty file",
            Self::Truncated => "truncated or damaged image",
            Self::TooLarge => "image or file larger than the limits",
            Self::Undecodable => "cannot be decoded as an image",
            Self::NotAnImage => "not an image, though it is among the images of a class",
            Self::Unreadable => "cannot be read",
            Self::OddPath => "path points outside the archive",
            Self::BadValue => "value not understood, row kept without it",
            Self::WrongExtension => "format differs from the file's extension, read by content",
        }
    }
}

/// One problem, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// What was kept, what was left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Number of images that were kept.
    pub kept: usize,
    /// The problems, by kind.
    pub problems: BTreeMap<ProblemKind, ProblemCount>,
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
        self.problems.iter().filter(|(kind, _)| !kind.kept()).map(|(_, t)| t.count).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>7}  kept", self.kept)?;
        writeln!(f, "{:>7}  left out", self.left_out())?;
        for (kind, tally) in &self.problems {
            let mark = if kind.kept() { "note" } else { "out " };
            write!(
                f,
                "{:>7}  {mark}  {}: {}",
                tally.count,
                kind.describe(),
                tally.examples.join(", ")
            )?;
            writeln!(f, "{}", if tally.count > tally.examples.len() { ", …" } else { "" })?;
        }
        for group in &self.identical {
            writeln!(
                f,
                "         note  identical images, kept on one side of the split: {}",
                group.join(" = ")
            )?;
        }
        Ok(())
    }
}
