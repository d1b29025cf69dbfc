//! The shares of groups among real and generated images.

use std::collections::BTreeMap;

use dermagan_data::Record;
use serde::Serialize;

use crate::images::groups::Attribute;
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
    /// The share that the training images would have with the classes of the generated ones; `None` if it is that of the
    /// training images as they are.
    pub expected: Option<f64>,
    /// Whether the share among generated images differs from the expected one by more than chance.
    pub differs: bool,
}

/// An image with a class and a group.
type Member = (usize, Option<String>);

/// A difference of so many standard errors is more than chance, also where some fifty groups are looked at.
const CERTAIN: f64 = 3.3;

/// The shares of groups. `matched` says whether training images are weighted by the classes of the generated ones.
fn composition(attribute: &str, sets: &[Vec<Member>; 3], matched: bool) -> Composition {
    let known: Vec<Vec<(usize, &str)>> = sets
        .iter()
        .map(|set| {
            set.iter().filter_map(|(class, group)| Some((*class, group.as_deref()?))).collect()
        })
        .collect();
    let mut names: Vec<&str> = known.iter().flatten().map(|(_, group)| *group).collect();
    names.sort_unstable();
    names.dedup();
    let group = |name: &&str| {
        let rate = |set: usize| {
            let here = known[set].iter().filter(|(_, group)| group == name).count();
            Rate::new(here, known[set].len())
        };
        let fake = (!known[2].is_empty()).then(|| rate(2));
        let (expected, error) = match matched {
            true => expected(name, &known[0], &known[2]),
            false => (rate(0).share(), standard_error(rate(0).share(), known[0].len())),
        };
        let differs = fake.is_some_and(|fake| {
            let own = standard_error(expected, fake.trials);
            (fake.share() - expected).abs() > CERTAIN * own.hypot(error)
        });
        GroupShare {
            group: (*name).to_owned(),
            train: rate(0),
            held_out: rate(1),
            expected: (matched && fake.is_some()).then_some(expected),
            fake,
            differs,
        }
    };
    let mut groups: Vec<GroupShare> = names.iter().map(group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.train.events));
    let unknown = sets[0].len() - known[0].len();
    Composition { attribute: attribute.to_owned(), groups, unknown }
}

/// The standard error of a share, of which neither 0 nor 1 is certain (Agresti and Coull 1998).
fn standard_error(share: f64, n: usize) -> f64 {
    let n = n as f64;
    let share = (share * n + 2.0) / (n + 4.0);
    (share * (1.0 - share) / (n + 4.0)).sqrt()
}

/// The share of a group among training images with the classes of `fake`, and its standard error.
fn expected(name: &str, train: &[(usize, &str)], fake: &[(usize, &str)]) -> (f64, f64) {
    let mut of_class: BTreeMap<usize, [usize; 3]> = BTreeMap::new();
    for (class, group) in train {
        let counts = of_class.entry(*class).or_default();
        counts[0] += 1;
        counts[1] += usize::from(*group == name);
    }
    fake.iter().for_each(|(class, _)| of_class.entry(*class).or_default()[2] += 1);
    // Classes without training images say nothing.
    of_class.retain(|_, [all, ..]| *all > 0);
    let fakes: usize = of_class.values().map(|[_, _, fake]| fake).sum();
    let (mut share, mut variance) = (0.0, 0.0);
    for [all, here, fake] in of_class.values() {
        let weight = *fake as f64 / fakes.max(1) as f64;
        let of = *here as f64 / *all as f64;
        share += weight * of;
        variance += (weight * standard_error(of, *all)).powi(2);
    }
    (share, variance.sqrt())
}

/// The shares of classes: the class of each image, if it is known.
pub(crate) fn of_classes(sets: [Vec<Option<String>>; 3]) -> Composition {
    composition("class", &sets.map(|set| set.into_iter().map(|code| (0, code)).collect()), false)
}

/// The shares by each attribute of the tables; `fake` is empty if the generated images have no table. Each of these comes with its
/// class, as an index of the real classes.
pub(crate) fn of_tables(
    train: &[&Record],
    held: &[&Record],
    fake: &[(usize, &Record)],
) -> Vec<Composition> {
    let of = |attribute: Attribute| {
        let real = |records: &[&Record]| -> Vec<Member> {
            records.iter().map(|record| (record.class, attribute.of(record))).collect()
        };
        let made = fake.iter().map(|(class, record)| (*class, attribute.of(record))).collect();
        composition(attribute.name(), &[real(train), real(held), made], true)
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
        let real: Vec<Record> = (0..400).map(both).collect();
        let men: Vec<Record> = (0..200).map(|i| record(i, Sex::Male)).collect();
        let all: Vec<&Record> = real.iter().collect();
        let with = |some: &[Record]| {
            of_tables(&all, &all, &some.iter().map(|r| (0, r)).collect::<Vec<_>>())
        };
        let found = with(&men);
        assert_eq!(found.len(), 1);
        assert!(found[0].groups.iter().all(|group| group.differs), "{found:?}");
        let women = found[0].groups.iter().find(|group| group.group == "female").unwrap();
        assert_eq!((women.fake.unwrap().events, women.train.events), (0, 200));
        let fair = with(&real[..100]);
        assert!(fair[0].groups.iter().all(|group| !group.differs), "{fair:?}");
        let unknown = with(&[]);
        assert!(unknown[0].groups.iter().all(|group| group.fake.is_none() && !group.differs));
    }

    #[test]
    fn groups_are_compared_at_the_classes_of_the_generated_images() {
        // Class 0 shows men, class 1 women; the generated images are mostly of class 1.
        let record = |class: usize| {
            let sex = if class == 0 { Sex::Male } else { Sex::Female };
            Record { sex, ..Record::bare("I", class) }
        };
        let real: Vec<Record> = (0..400).map(|i| record(usize::from(i % 4 == 0))).collect();
        let made: Vec<Record> = (0..400).map(|i| record(usize::from(i % 4 != 0))).collect();
        let all: Vec<&Record> = real.iter().collect();
        let fake: Vec<(usize, &Record)> =
            made.iter().map(|record| (record.class, record)).collect();
        let found = of_tables(&all, &all, &fake);
        let women = found[0].groups.iter().find(|group| group.group == "female").unwrap();
        assert_eq!((women.expected, women.differs), (Some(0.75), false), "{women:?}");
    }
}
