//! How the data of a run differs from the data that it began with.

use std::collections::BTreeSet;
use std::path::Path;

use dermagan_data::Cache;

/// The differences between the images of `cache` and those in the split of a run, as text. Both are compared by id.
pub fn changes(run: &Path, cache: &Cache) -> Option<String> {
    let table = std::fs::read(run.join("split.csv")).ok()?;
    let began = ids(&String::from_utf8_lossy(&table))?;
    let now = cache.header().records.iter().map(|record| record.image_id.clone()).collect();
    Some(difference(&began, &now))
}

fn difference(began: &BTreeSet<String>, now: &BTreeSet<String>) -> String {
    let part = |some: Vec<&String>, what: &str| {
        some.first().map(|first| match some.len() {
            1 => format!("1 image is {what} ({first})"),
            count => format!("{count} images are {what} (such as {first})"),
        })
    };
    let new = part(now.difference(began).collect(), "new");
    let gone = part(began.difference(now).collect(), "gone");
    match (new, gone) {
        (None, None) => {
            "all ids are the same, but the pixels or the class of an image differ".to_owned()
        }
        (new, gone) => new.into_iter().chain(gone).collect::<Vec<_>>().join(" and "),
    }
}

/// The first cell of every row of a CSV table with a header. `None` if there is no row.
fn ids(table: &str) -> Option<BTreeSet<String>> {
    let (_, mut rest) = table.split_once('\n')?;
    let mut found = BTreeSet::new();
    while !rest.is_empty() {
        let (id, after) = first_cell(rest);
        found.insert(id);
        rest = after.split_once('\n').map_or("", |(_, next)| next);
    }
    (!found.is_empty()).then_some(found)
}

/// The first cell of a row, which may be in quotes, and the text after it.
fn first_cell(row: &str) -> (String, &str) {
    let Some(mut rest) = row.strip_prefix('"') else {
        let end = row.find([',', '\n']).unwrap_or(row.len());
        return (row[..end].to_owned(), &row[end..]);
    };
    let mut cell = String::new();
    while let Some((part, after)) = rest.split_once('"') {
        cell += part;
        rest = after;
        match rest.strip_prefix('"') {
            Some(after) => {
                cell.push('"');
                rest = after;
            }
            None => return (cell, rest),
        }
    }
    (cell, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn new_and_gone_ids_are_counted_with_an_example() {
        let words = |began: &[&str], now: &[&str]| difference(&set(began), &set(now));
        assert_eq!(words(&["a", "b"], &["b", "c"]), "1 image is new (c) and 1 image is gone (a)");
        assert_eq!(words(&["a", "b", "c"], &["c"]), "2 images are gone (such as a)");
        assert!(words(&["a"], &["a"]).contains("all ids are the same"));
    }

    #[test]
    fn the_ids_of_a_split_are_read_as_they_were_written() {
        let table = "image_id,side\na,train\n\"b,\"\"1\"\"\nx\",val\nc,test";
        assert_eq!(ids(table), Some(set(&["a", "b,\"1\"\nx", "c"])));
        for damaged in ["", "image_id,side\n", "image_id,side\n\"", "x\n\"a", "x\n\n"] {
            let _ = ids(damaged);
        }
    }
}
