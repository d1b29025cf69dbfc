//! Tables beside the images: [`table`] reads any delimited text, [`metadata`] interprets the tables of HAM10000
//! and ISIC 2018, and [`join`] finds the image of every row.

pub(crate) mod join;
mod metadata;
pub(crate) mod table;
