//! Joins the rows of several tables: each image gets one record.

use std::collections::BTreeMap;

use crate::source::labels::ledger::Ledger;
use crate::source::problem::{Problem, ProblemKind};
use crate::source::record::{DxType, Record, Sex};
use crate::source::side::Side;

/// What a row is about: an image of the tree, or an id without an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Image(usize),
    Missing(String),
}

/// A row with a known class.
pub(super) struct Row {
    pub subject: Subject,
    pub record: Record,
    /// The table's path and the line, for messages.
    pub place: String,
    /// Number of the table.
    pub table: usize,
}

/// The joined rows.
#[derive(Default)]
pub(super) struct Merged {
    rows: BTreeMap<Subject, Row>,
    /// Images whose rows contradict each other.
    contradictions: BTreeMap<Subject, String>,
    /// For each table, the number of rows that were new.
    pub new: BTreeMap<usize, usize>,
}

impl Merged {
    /// Adds a row. One that equals an earlier row of its own table is a note; one that gives another class makes the
    /// image unusable. A row may add what the earlier one does not say.
    pub fn add(&mut self, row: Row, ledger: &mut Ledger) {
        let Some(first) = self.rows.get_mut(&row.subject) else {
            *self.new.entry(row.table).or_default() += 1;
            self.rows.insert(row.subject.clone(), row);
            return;
        };
        if first.record.class != row.record.class {
            let both = format!("{} and {}", first.place, row.place);
            self.contradictions.entry(row.subject).or_insert(both);
            return;
        }
        if first.table == row.table {
            let what = format!("{}: {} (as {})", row.place, row.record.image_id, first.place);
            ledger.say(Problem::new(ProblemKind::EqualRows, what));
        }
        if let (Some(a), Some(b)) = (first.record.part, row.record.part)
            && a != b
        {
            let what =
                format!("{} ({a} by {}, {b} by {})", row.record.image_id, first.place, row.place);
            ledger.say(Problem::new(ProblemKind::TwoParts, what));
        }
        complete(&mut first.record, row.record);
    }

    /// Adds what a table without classes says about an image.
    pub fn complete(&mut self, subject: &Subject, more: Record) -> bool {
        let Some(row) = self.rows.get_mut(subject) else { return false };
        complete(&mut row.record, more);
        true
    }

    /// The rows whose images are unusable because their rows contradict each other, each with their places.
    pub fn contradictions(&self) -> &BTreeMap<Subject, String> {
        &self.contradictions
    }

    /// The rows of usable images and of missing ones, in the order of their subjects.
    pub fn rows(self) -> impl Iterator<Item = Row> {
        let Self { rows, contradictions, .. } = self;
        rows.into_values().filter(move |row| !contradictions.contains_key(&row.subject))
    }
}

/// Fills the gaps of a record. An image in two parts belongs to the one that is kept farther from training, so that
/// nothing that an author tests on is trained on.
pub(super) fn complete(record: &mut Record, more: Record) {
    record.lesion_id = record.lesion_id.take().or(more.lesion_id);
    record.age = record.age.or(more.age);
    record.part = farther(record.part, more.part);
    if record.dx_type == DxType::Unknown {
        record.dx_type = more.dx_type;
    }
    if record.sex == Sex::Unknown {
        record.sex = more.sex;
    }
    if record.localization == crate::source::record::unknown() {
        record.localization = more.localization;
    }
}

fn farther(a: Option<Side>, b: Option<Side>) -> Option<Side> {
    a.max(b)
}
