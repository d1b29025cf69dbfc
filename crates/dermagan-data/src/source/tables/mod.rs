//! Tables beside the images.
//!
//! [`table`] reads a file as cells: delimited text ([`delimited`]) in any encoding ([`text`]), or JSON ([`json`]).
//! [`recognise`] says by its beginning whether a file is one. [`columns`] finds the columns by their names ([`names`])
//! and values, and [`vocabulary`] knows what the values mean.

pub(crate) mod columns;
mod delimited;
mod json;
mod names;
mod recognise;
pub(crate) mod table;
mod text;
pub(crate) mod vocabulary;
