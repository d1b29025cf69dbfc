//! The shares of groups among real and generated images.

use std::collections::BTreeMap;

use dermagan_data::Record;
use serde::Serialize;

use super::groups::Attribute;
use crate::statistics::Rate;

/// The shares of the groups of one attribute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Composition {
    /// `class`, `sex`, `age`, `site` or `confirmed by`.
    pub attribute: String,
    /// The groups, the largest first.
    pub groups: Vec<GroupShare>,
    /// Training images of which the table does not say the group.
    pub unknown: usize,
}

/// The share of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupShare {
    /// The group.
    pub group: String,
    /// Its share among the training images of which the group is known.
    pub train: Rate,
    /// Its share among the held-out images.
    pub held_out: Rate,
    /// Its share among the generated images; `None` if nothing says the group of any.
    pub fake: Option<Rate>,
    /// Whether the share among generated images differs from that of the training images by more than chance.
    pub differs: bool,
}

/// The shares of the values of `of`, by their known number among the training, the held-out and the generated images.
fn composition(attribute: &str, sets: [Vec<Option<String>>; 3]) -> Composition {
    let counts = sets.each_ref().map(|set| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        set.iter().flatten().for_each(|group| *counts.entry(group).or_default() += 1);
        counts
    });
    let known = counts.each_ref().map(|counts| counts.values().sum::<usize>());
    let mut names: Vec<&str> = counts.iter().flat_map(|counts| counts.keys().copied()).collect();
    names.sort_unstable();
    names.dedup();
    let group = |name: &&str| {
        let rate = |set: usize| Rate::new(counts[set].get(name).copied().unwrap_or(0), known[set]);
        let (train, held_out) = (rate(0), rate(1));
        let fake = (known[2] > 0).then(|| rate(2));
        let differs = fake.is_some_and(|fake| fake.low > train.high || fake.high < train.low);
        GroupShare { group: (*name).to_owned(), train, held_out, fake, differs }
    };
    let mut groups: Vec<GroupShare> = names.iter().map(group).collect();
    groups.sort_by(|a, b| b.train.events.cmp(&a.train.events));
    let unknown = sets[0].len() - known[0];
    Composition { attribute: attribute.to_owned(), groups, unknown }
}

/// The shares of classes.
pub(crate) fn of_classes(sets: [Vec<Option<String>>; 3]) -> Composition {
    composition("class", sets)
}

/// The shares by each attribute of the tables; `fake` is empty if the generated images have no table.
pub(crate) fn of_tables(train: &[&Record], held: &[&Record], fake: &[&Record]) -> Vec<Composition> {
    let of = |attribute: Attribute| {
        let set = |records: &[&Record]| records.iter().map(|record| attribute.of(record)).collect();
        composition(attribute.name(), [set(train), set(held), set(fake)])
    };
    Attribute::ALL.into_iter().map(of).filter(|found| !found.groups.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermagan_data::Sex;

    #[test]
    fn a_set_without_women_differs_and_a_fair_one_does_not() {
        let record = |i: usize, sex| Record { sex, ..Record::bare(format!("I{i}"), 0) };
        let both = |i: usize| record(i, if i.is_multiple_of(2) { Sex::Female } else { Sex::Male });
        let (real, men): (Vec<Record>, Vec<Record>) =
            ((0..400).map(both).collect(), (0..200).map(|i| record(i, Sex::Male)).collect());
        let all: Vec<&Record> = real.iter().collect();
        let only_men: Vec<&Record> = men.iter().collect();
        let found = of_tables(&all, &all, &only_men);
        assert_eq!(found.len(), 1);
        assert!(found[0].groups.iter().all(|group| group.differs), "{found:?}");
        let women = found[0].groups.iter().find(|group| group.group == "female").unwrap();
        assert_eq!((women.fake.unwrap().events, women.train.events), (0, 200));
        let fair = of_tables(&all, &all, &all[..100]);
        assert!(fair[0].groups.iter().all(|group| !group.differs), "{fair:?}");
        let unknown = of_tables(&all, &all, &[]);
        assert!(unknown[0].groups.iter().all(|group| group.fake.is_none() && !group.differs));
    }
}
