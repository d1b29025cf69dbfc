//! Tables beside the images.
//!
//! [`table`] reads a file as cells: delimited text ([`delimited`]) in any encoding ([`text`]), or JSON ([`json`]).
//! [`recognise`] says by its beginning whether a file is one. [`columns`] finds the columns by their names ([`names`])
//! and values, and [`vocabulary`] knows what the values mean. [`metadata`] interprets the tables of HAM10000 and
//! ISIC 2018, and [`join`] finds the image of every row.

#[allow(dead_code, reason = "labelling is about to use it")]
pub(crate) mod columns;
mod delimited;
pub(crate) mod join;
mod json;
mod metadata;
#[allow(dead_code, reason = "labelling is about to use it")]
mod names;
#[allow(dead_code, reason = "labelling is about to use it")]
mod recognise;
#[allow(dead_code, reason = "labelling is about to use it")]
pub(crate) mod table;
mod text;
#[allow(dead_code, reason = "labelling is about to use it")]
pub(crate) mod vocabulary;
