//! Everything that was wrong with a source, counted by kind, with examples: nothing is lost
//! silently.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How many examples of each kind are kept.
const EXAMPLES: usize = 3;

/// A kind of trouble with one image, row or archive entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// A row of the table whose image is not there.
    MissingImage,
    /// An image that no row of the table names.
    ImageWithoutRow,
    /// A diagnosis that is none of the known classes.
    UnknownClass,
    /// A second row for an image id.
    DuplicateId,
    /// A second, different file for an image id.
    DuplicateFile,
    /// A row that is too short or has no id.
    BadRow,
    /// A file of no bytes.
    EmptyFile,
    /// An image that ends before it should.
    Truncated,
    /// An image that would decode to more pixels, or a file of more bytes, than is safe.
    TooLarge,
    /// An image that cannot be decoded.
    Undecodable,
    /// A file among a class's images that is none.
    NotAnImage,
    /// A file or entry that cannot be read at all.
    Unreadable,
    /// An archive entry whose path leads out of the archive.
    OddPath,
    /// A value that is not what its column holds; the row is kept without it.
    BadValue,
    /// A file whose content is another format than its name says; it is read by its content.
    WrongExtension,
}

impl ProblemKind {
    /// Whether the image is used all the same.
    pub fn kept(self) -> bool {
        matches!(self, Self::BadValue | Self::WrongExtension)
    }

    /// A line for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::MissingImage => "row without an image file",
            Self::ImageWithoutRow => "image without a row in the table",
            Self::UnknownClass => "unknown diagnosis (dx)",
            Self::DuplicateId => "image id named twice in the table",
            Self::DuplicateFile => "two different files for one image id",
            Self::BadRow => "row too short or without an id",
            Self::EmptyFile => "empty file",
            Self::Truncated => "truncated or damaged image",
            Self::TooLarge => "image or file too large to be safe",
            Self::Undecodable => "cannot be decoded as an image",
            Self::NotAnImage => "no image, though it lies among images",
            Self::Unreadable => "cannot be read",
            Self::OddPath => "path leads out of the archive",
            Self::BadValue => "value not understood, row kept without it",
            Self::WrongExtension => "format differs from the file's name, read by content",
        }
    }
}

/// One problem and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// The file, entry or row, with detail.
    pub place: String,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, place: impl Into<String>) -> Self {
        Self { kind, place: place.into() }
    }
}

/// How often a kind occurred, and where first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many.
    pub count: usize,
    /// The first few places, in order of their names.
    pub examples: Vec<String>,
}

/// What was kept, what was left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Images that went in.
    pub kept: usize,
    /// The trouble, by kind.
    pub problems: BTreeMap<ProblemKind, Tally>,
    /// Groups of images that are pixel for pixel the same after preparation; all are kept.
    pub identical: Vec<Vec<String>>,
}

impl Report {
    /// Counts the problems.
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

    /// All problems together, those whose image was kept included.
    pub fn total(&self) -> usize {
        self.problems.values().map(|t| t.count).sum()
    }

    /// Images, rows and entries that were left out.
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
