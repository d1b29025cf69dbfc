//! What is left out of a set of generated images, counted by reason.

use serde::Serialize;

use crate::source::problem::Problem;

/// Number of examples that are kept of each reason.
const EXAMPLES: usize = 3;

/// Files or images that are not measured for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Why they are left out, in plain words.
    pub reason: String,
    /// Number of files or images.
    pub count: usize,
    /// The first of them, at most 3.
    pub examples: Vec<String>,
}

impl LeftOut {
    /// Adds `example` to the entry of `reason` in `list`, which gets a new entry for a new reason.
    pub(crate) fn add(list: &mut Vec<Self>, reason: &str, example: impl Into<String>) {
        let at = list.iter().position(|entry| entry.reason == reason).unwrap_or_else(|| {
            list.push(Self { reason: reason.to_owned(), count: 0, examples: Vec::new() });
            list.len() - 1
        });
        let entry = &mut list[at];
        entry.count += 1;
        if entry.examples.len() < EXAMPLES {
            entry.examples.push(example.into());
        }
    }

    /// Adds an image that cannot be read to `list`.
    pub fn add_problem(list: &mut Vec<Self>, problem: &Problem) {
        Self::add(list, problem.kind.describe(), &problem.place);
    }

    /// The number, the reason and the examples in one line.
    pub fn words(&self) -> String {
        let more = if self.count > self.examples.len() { ", …" } else { "" };
        format!("{} × {}: {}{more}", self.count, self.reason, self.examples.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_the_first_examples_are_named() {
        let mut list = Vec::new();
        for name in ["a", "b", "c", "d"] {
            LeftOut::add(&mut list, "empty file", name);
        }
        LeftOut::add(&mut list, "grid of a training run", "reals.png");
        assert_eq!(list[0].words(), "4 × empty file: a, b, c, …");
        assert_eq!(list[1].words(), "1 × grid of a training run: reals.png");
    }
}
