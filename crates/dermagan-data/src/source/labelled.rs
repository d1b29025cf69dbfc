//! The result of labelling the files of a tree.

use crate::source::kind::Kind;
use crate::source::problem::{Problem, TableUse};
use crate::source::record::Record;

/// The labelled images of a tree.
pub(crate) struct LabelledEntries {
    /// What the source was recognised as.
    pub kind: Kind,
    /// Class codes; a record's `class` is an index into them.
    pub classes: Vec<String>,
    /// Each record with the index of its entry in the tree.
    pub records: Vec<(Record, usize)>,
    /// Rows and files that were left out, or used without some value.
    pub problems: Vec<Problem>,
    /// What became of each table.
    pub tables: Vec<TableUse>,
}
