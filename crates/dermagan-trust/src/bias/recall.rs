//! For whom a classifier works: recall by group on held-out photographs.

use dermagan_data::Record;
use serde::Serialize;

use crate::images::groups::Attribute;
use crate::statistics::Rate;

/// The fewest lesions of which a recall is given.
const FEWEST: usize = 10;

/// The recall of a class in a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupRecall {
    /// The class.
    pub class: String,
    /// `all`, or the attribute of the group.
    pub attribute: String,
    /// The group.
    pub group: String,
    /// Number of held-out lesions.
    pub lesions: usize,
    /// The share of them that is recognised as the class; `None` with fewer than 10 lesions.
    pub recall: Option<Rate>,
}

/// The recalls of every class in every group. `lesions` has, for each held-out lesion, its record and whether it is recognised.
pub(crate) fn recalls(classes: &[String], lesions: &[(&Record, bool)]) -> Vec<GroupRecall> {
    let mut found = Vec::new();
    for (class, code) in classes.iter().enumerate() {
        let here: Vec<&(&Record, bool)> =
            lesions.iter().filter(|(record, _)| record.class == class).collect();
        if here.is_empty() {
            continue;
        }
        let mut add = |attribute: &str, group: &str, of: &[&&(&Record, bool)]| {
            let right = of.iter().filter(|(_, right)| *right).count();
            found.push(GroupRecall {
                class: code.clone(),
                attribute: attribute.to_owned(),
                group: group.to_owned(),
                lesions: of.len(),
                recall: (of.len() >= FEWEST).then(|| Rate::new(right, of.len())),
            });
        };
        add("all", "all", &here.iter().collect::<Vec<_>>());
        for attribute in Attribute::ALL {
            let mut groups: Vec<String> =
                here.iter().filter_map(|(record, _)| attribute.of(record)).collect();
            groups.sort_unstable();
            groups.dedup();
            for group in groups {
                let of =
                    |lesion: &&&(&Record, bool)| attribute.of(lesion.0).as_ref() == Some(&group);
                add(attribute.name(), &group, &here.iter().filter(of).collect::<Vec<_>>());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_lesions_have_no_recall() {
        let record = |i: usize| Record {
            age: Some(if i < 12 { 30.0 } else { 70.0 }),
            ..Record::bare("a", 0)
        };
        let records: Vec<Record> = (0..20).map(record).collect();
        let lesions: Vec<(&Record, bool)> =
            records.iter().enumerate().map(|(i, r)| (r, i % 2 == 0)).collect();
        let found = recalls(&["mel".to_owned()], &lesions);
        let of = |group: &str| found.iter().find(|recall| recall.group == group).unwrap();
        assert_eq!(of("all").recall.unwrap().events, 10);
        assert_eq!((of("below 40").lesions, of("below 40").recall.unwrap().events), (12, 6));
        assert_eq!((of("65 and above").lesions, of("65 and above").recall), (8, None));
    }
}
