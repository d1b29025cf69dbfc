//! What a set of images is: its description, and one image with its metadata.

use std::fmt::Write;

use crate::error::FormatError;

/// A part of a set, such as the training side of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, as the library `datasets` expects it: `train`, `validation` or `test`.
    pub name: String,
    /// The number of its images.
    pub images: u64,
}

/// The type of a column of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number from 0 to 2^64 - 1.
    Integer,
    /// A number with a fraction.
    Number,
    /// True or false.
    Flag,
}

impl Kind {
    /// Its name in the library `datasets`.
    pub(crate) fn dtype(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "uint64",
            Self::Number => "float64",
            Self::Flag => "bool",
        }
    }
}

/// A value of an image's metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(u64),
    /// A number with a fraction.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// Not known. It fits every column.
    Missing,
}

impl Value {
    /// Text, or [`Value::Missing`].
    pub fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Missing, |text| Self::Text(text.into()))
    }

    pub(crate) fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Text(_) => kind == Kind::Text,
            Self::Integer(_) => kind == Kind::Integer,
            Self::Number(number) => kind == Kind::Number && number.is_finite(),
            Self::Flag(_) => kind == Kind::Flag,
            Self::Missing => true,
        }
    }

    /// The value as JSON.
    fn json(&self) -> String {
        match self {
            Self::Text(text) => json_text(text),
            Self::Integer(number) => number.to_string(),
            // With the point that says that it is no whole number.
            Self::Number(number) => format!("{number:?}"),
            Self::Flag(flag) => flag.to_string(),
            Self::Missing => "null".to_owned(),
        }
    }
}

/// A JSON string. Control characters that JSON allows are escaped too, because YAML does not allow them.
pub(crate) fn json_text(text: &str) -> String {
    let mut json = String::new();
    for c in serde_json::Value::from(text).to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json
}

/// What all images of a set have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// The title of the set, for its `README.md`.
    pub title: String,
    /// The licence of the images in words, such as `CC BY-NC 4.0`.
    pub licence: String,
    /// Whether a generator made the images.
    pub synthetic: bool,
    /// Paragraphs of Markdown about the set, for its `README.md`.
    pub about: Vec<String>,
    /// The codes of the classes in the order of their labels; empty if the images have no labels.
    pub classes: Vec<String>,
    /// The parts, in the order in which their images come.
    pub parts: Vec<Part>,
    /// The side of the images in pixels; they are square RGB images.
    pub side: usize,
    /// The columns of the metadata, without file and label.
    pub columns: Vec<(&'static str, Kind)>,
}

impl Set {
    /// The number of images.
    pub fn images(&self) -> u64 {
        self.parts.iter().map(|part| part.images).sum()
    }

    /// The place of a column.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, _)| *column == name)
    }

    /// The metadata of an image as a JSON object, with the keys in the order of the columns.
    pub(crate) fn json(&self, item: &Item) -> String {
        let mut json = String::from("{");
        for ((name, _), value) in self.columns.iter().zip(&item.values) {
            let comma = if json.len() > 1 { ", " } else { "" };
            let _ = write!(json, "{comma}{}: {}", json_text(name), value.json());
        }
        json + "}"
    }

    /// Refuses an image that does not fit the set.
    pub(crate) fn check(&self, item: &Item) -> Result<(), FormatError> {
        let refuse = |problem: &str| Err(FormatError::item(&item.name, problem));
        let name = item.name.as_str();
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0', '\n', '\r'])
        {
            return refuse("this cannot be the name of a file");
        }
        if item.class.is_some_and(|class| class >= self.classes.len()) {
            return refuse("its label is not among the classes of the set");
        }
        let fit = self.columns.iter().zip(&item.values).all(|((_, kind), value)| value.fits(*kind));
        match fit && self.columns.len() == item.values.len() {
            true => Ok(()),
            false => refuse("its metadata does not fit the columns of the set"),
        }
    }
}

/// One image with its label and metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The name of its file without ending, which no other image of the set has.
    pub name: String,
    /// The bytes of its PNG file.
    pub png: Vec<u8>,
    /// The index of its class among those of the set; `None` if it is not known.
    pub class: Option<usize>,
    /// One value for each column of the set.
    pub values: Vec<Value>,
}
