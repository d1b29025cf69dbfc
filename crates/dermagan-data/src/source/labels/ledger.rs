//! The account of a source: every image and every table ends in exactly one line.

use std::collections::BTreeMap;

use crate::source::problem::{Problem, ProblemKind, TableUse};
use crate::source::tree::Tree;

/// What becomes of the images and tables of a tree.
#[derive(Default)]
pub(super) struct Ledger {
    /// Images that are not used, by their index in the tree: the first reason stays.
    out: BTreeMap<usize, Problem>,
    /// Findings about rows, and notes.
    rows: Vec<Problem>,
    /// Why an image is not used that no other table uses.
    aside: BTreeMap<usize, Problem>,
    tables: BTreeMap<String, TableUse>,
}

impl Ledger {
    /// Says why an image is not used, unless a reason is known already.
    pub fn leave_out(&mut self, tree: &Tree, image: usize, kind: ProblemKind) {
        self.leave_out_with(tree, image, kind, "");
    }

    /// As [`Ledger::leave_out`], with details after the path.
    pub fn leave_out_with(&mut self, tree: &Tree, image: usize, kind: ProblemKind, details: &str) {
        let path = &tree.entries[image].path;
        let place = if details.is_empty() { path.clone() } else { format!("{path} ({details})") };
        self.out.entry(image).or_insert_with(|| Problem::new(kind, place));
    }

    /// Says why an image is not used, if nothing else uses it.
    pub fn set_aside(&mut self, tree: &Tree, image: usize, kind: ProblemKind) {
        let place = &tree.entries[image].path;
        self.aside.entry(image).or_insert_with(|| Problem::new(kind, place));
    }

    /// Moves the reason of an image that nothing uses into the account; false if none is known.
    pub fn settle(&mut self, image: usize) -> bool {
        let aside = self.aside.remove(&image);
        let known = aside.is_some();
        aside.into_iter().for_each(|problem| {
            self.out.entry(image).or_insert(problem);
        });
        known
    }

    /// Whether a reason is known why an image is not used.
    pub fn is_out(&self, image: usize) -> bool {
        self.out.contains_key(&image)
    }

    /// Adds a finding about a row, or a note.
    pub fn say(&mut self, problem: Problem) {
        self.rows.push(problem);
    }

    /// Says what became of a table.
    pub fn table(&mut self, path: &str, rows: usize, used: bool, what: impl Into<String>) {
        let line = TableUse { path: path.to_owned(), rows, used, what: what.into() };
        self.tables.insert(path.to_owned(), line);
    }

    /// As [`Ledger::table`], unless the account has the table already.
    pub fn table_unless_known(&mut self, path: &str, rows: usize, what: &str) {
        if !self.tables.contains_key(path) {
            self.table(path, rows, false, what);
        }
    }

    /// All findings and the lines of the tables.
    pub fn close(self) -> (Vec<Problem>, Vec<TableUse>) {
        let problems = self.rows.into_iter().chain(self.out.into_values()).collect();
        (problems, self.tables.into_values().collect())
    }
}
