//! The classes that the values of a column make.

use std::collections::{BTreeMap, BTreeSet};

use dermagan_base::name;

use crate::source::description::ham_codes;
use crate::source::tables::vocabulary::diagnosis::{Diagnosis, Word, diagnosis, meaning};

/// Most classes that a column may have.
const MAX_CLASSES: usize = 200;

/// Most values that an error lists.
const MAX_LISTED: usize = 12;

/// The codes of ISIC 2019, PAD-UFES-20 and ISIC 2025 (MILK10k). AK and SCC, or ACK and SCC, are classes of their own
/// there, which HAM10000 has not.
const CODE_LISTS: [&[&str]; 3] = [
    &["mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc"],
    &["bcc", "scc", "ack", "sek", "mel", "nev"],
    &["akiec", "bcc", "ben_oth", "bkl", "df", "inf", "mal_oth", "mel", "nv", "sccka", "vasc"],
];

/// The classes of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classes {
    /// The names of the classes, in label order.
    pub names: Vec<String>,
    /// Whether they are the seven codes of HAM10000.
    pub is_ham: bool,
    /// The class of each value, which is a cell as it is written without blanks around it. `None`: the value is no
    /// class, because it says that there is no diagnosis ([`diagnosis`] tells), or because it is not known.
    pub label: BTreeMap<String, Option<usize>>,
}

impl Classes {
    /// HAM10000's classes, with the label of each value.
    fn ham(label: BTreeMap<String, Option<usize>>) -> Self {
        Self { names: ham_codes(), is_ham: true, label }
    }
}

/// The classes of a column with these values, each with the number of its rows.
///
/// - If all diagnoses are words for classes of HAM10000, or more than half of them are and none is a class of another
///   collection: HAM10000's seven classes. The other values have no class.
/// - If all are codes of ISIC 2019, PAD-UFES-20 or ISIC 2025: the classes of that collection.
/// - Else every value is a class. A value that alone belongs to a class of HAM10000 gets that code.
///
/// # Errors
/// If there is no diagnosis, if the values are numbers, if they are too many for classes, or if one cannot be the name
/// of a class.
pub(crate) fn classes_of(values: &BTreeMap<String, usize>) -> Result<Classes, String> {
    let (given, mut label) = given(values)?;
    if given.keys().all(|value| is_number(value)) {
        return Err(format!(
            "found numbers as classes: {}. Expected names of diagnoses or the codes {}: replace each number by the \
             code of its class",
            listed(&given),
            ham_codes().join(", ")
        ));
    }
    if let Some(classes) = of_code_list(&given, &label) {
        return Ok(classes);
    }
    let meanings: Vec<Word> = given.keys().map(|value| meaning(value)).collect();
    let known = meanings.iter().filter(|m| matches!(m, Word::Class(_) | Word::Within(_))).count();
    let foreign = meanings.contains(&Word::Foreign);
    if known == meanings.len() || (2 * known > meanings.len() && !foreign) {
        for value in given.keys() {
            let class = match diagnosis(value) {
                Diagnosis::Ham(class) => Some(class),
                _ => None,
            };
            label.insert(value.clone(), class);
        }
        return Ok(Classes::ham(label));
    }
    own(&given, label)
}

/// The classes of a column of numbers, which are the names of the classes, in the order of the numbers. For StyleGAN's
/// `dataset.json` and MedMNIST's tables, whose classes have no other names.
///
/// # Errors
/// If there is no value, one is not a number, or they are too many for classes.
pub(crate) fn numbered(values: &BTreeMap<String, usize>) -> Result<Classes, String> {
    let (given, mut label) = given(values)?;
    if let Some(value) = given.keys().find(|value| !is_number(value)) {
        return Err(format!("found '{value}' as a class; expected a number"));
    }
    let number = |value: &str| value.parse::<f64>().unwrap_or_default();
    let mut numbers: Vec<f64> = given.keys().map(|value| number(value)).collect();
    numbers.sort_by(f64::total_cmp);
    // `3.0` and `3` are one class, called 3.
    numbers.dedup();
    if numbers.len() > MAX_CLASSES {
        return Err(format!(
            "found {} different numbers as classes: {}. Expected at most {MAX_CLASSES}",
            numbers.len(),
            listed(&given)
        ));
    }
    let names: Vec<String> = numbers.iter().map(f64::to_string).collect();
    if let Some(name) = names.iter().find(|name| !name::is_plain(name)) {
        return Err(format!(
            "found {} as a class; expected numbers from 0",
            name::start_of(name, 40)
        ));
    }
    for value in given.keys() {
        label.insert(value.clone(), numbers.iter().position(|n| *n == number(value)));
    }
    Ok(Classes { names, is_ham: false, label })
}

/// The classes of DermaMNIST, whose numbers 0 to 6 are HAM10000's classes in their order.
pub(crate) fn medmnist_classes() -> Classes {
    Classes::ham((0..ham_codes().len()).map(|class| (class.to_string(), Some(class))).collect())
}

/// Values with their numbers of rows, the most frequent first, for a message: `'a' (3 rows), 'b' (1 row)`.
pub(crate) fn listed(values: &BTreeMap<String, usize>) -> String {
    let mut order: Vec<(&String, &usize)> = values.iter().collect();
    order.sort_by_key(|(value, rows)| (std::cmp::Reverse(**rows), *value));
    let one = |(value, rows): &(&String, &usize)| {
        format!(
            "'{}' ({rows} {})",
            name::start_of(value, 40),
            if **rows == 1 { "row" } else { "rows" }
        )
    };
    let mut text: Vec<String> = order.iter().take(MAX_LISTED).map(one).collect();
    if order.len() > MAX_LISTED {
        text.push(format!("and {} more", order.len() - MAX_LISTED));
    }
    text.join(", ")
}

/// Values with their numbers of rows.
type Counts = BTreeMap<String, usize>;

/// The class of each value.
type Labels = BTreeMap<String, Option<usize>>;

/// The values that give a diagnosis, and those that do not, which have no class.
///
/// # Errors
/// If no value gives a diagnosis.
fn given(values: &Counts) -> Result<(Counts, Labels), String> {
    let mut given = Counts::new();
    let mut label = Labels::new();
    for (value, rows) in values {
        let value = value.trim().to_owned();
        if diagnosis(&value) == Diagnosis::None {
            label.insert(value, None);
        } else {
            *given.entry(value).or_default() += rows;
        }
    }
    if given.is_empty() {
        let found = if values.is_empty() { "no row".into() } else { listed(values) };
        return Err(format!("found no diagnosis: {found}"));
    }
    Ok((given, label))
}

/// Whether a value is a number, which says nothing about its class.
fn is_number(value: &str) -> bool {
    value.parse::<f64>().is_ok_and(f64::is_finite)
}

/// The classes of the collection whose code list contains all values, if one of them is none of HAM10000's.
fn of_code_list(given: &Counts, label: &Labels) -> Option<Classes> {
    let place =
        |list: &[&str], value: &str| list.iter().position(|code| value.eq_ignore_ascii_case(code));
    if given.keys().all(|value| ham_codes().iter().any(|code| value.eq_ignore_ascii_case(code))) {
        return None;
    }
    let list = CODE_LISTS
        .into_iter()
        .find(|list| given.keys().all(|value| place(list, value).is_some()))?;
    let mut label = label.clone();
    label.extend(given.keys().map(|value| (value.clone(), place(list, value))));
    Some(Classes {
        names: list.iter().map(|code| (*code).to_owned()).collect(),
        is_ham: false,
        label,
    })
}

/// Every value as a class of its own. Values that differ only in case and blanks are one.
///
/// # Errors
/// If the values are too many for classes, or one cannot be the name of a class.
fn own(given: &Counts, mut label: Labels) -> Result<Classes, String> {
    // The spellings of each class, with their numbers of rows.
    let mut spellings: BTreeMap<String, Vec<(&String, usize)>> = BTreeMap::new();
    for (value, rows) in given {
        spellings.entry(key_of(value)).or_default().push((value, *rows));
    }
    let rows: usize = given.values().sum();
    if spellings.len() > MAX_CLASSES || spellings.len() * 2 > rows {
        return Err(format!(
            "found {} different values in {rows} rows: {}. Expected names of diagnoses or the codes {}: at most \
             {MAX_CLASSES} classes, with two images or more on average",
            spellings.len(),
            listed(given),
            ham_codes().join(", ")
        ));
    }
    let ham = |key: &String| match meaning(spellings[key][0].0) {
        Word::Class(class) | Word::Within(class) => Some(class),
        _ => None,
    };
    let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
    for class in spellings.keys().filter_map(ham) {
        *shared.entry(class).or_default() += 1;
    }
    let codes = ham_codes();
    let mut name_of: BTreeMap<&String, String> = BTreeMap::new();
    for (key, spelt) in &spellings {
        // The most frequent spelling, and of equally frequent ones the first.
        let usual = spelt
            .iter()
            .rev()
            .max_by_key(|(_, rows)| *rows)
            .map_or("", |(value, _)| value.as_str());
        let code = ham(key).filter(|class| shared[class] == 1).map(|class| codes[class].clone());
        let name = code.unwrap_or_else(|| usual.split_whitespace().collect::<Vec<_>>().join(" "));
        if !name::is_plain(&name) {
            return Err(format!(
                "found '{}' as a class, which cannot be its name: expected {}",
                name::start_of(&name, 40),
                name::RULE
            ));
        }
        name_of.insert(key, name);
    }
    let names: Vec<String> =
        name_of.values().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    for (key, spelt) in &spellings {
        let class = names.iter().position(|name| *name == name_of[key]);
        label.extend(spelt.iter().map(|(value, _)| ((*value).clone(), class)));
    }
    Ok(Classes { names, is_ham: false, label })
}

/// What makes two values one class: the class itself, if it is one of HAM10000's by its code or name; else the letters
/// without regard to case and blanks.
fn key_of(value: &str) -> String {
    match meaning(value) {
        Word::Class(class) => ham_codes()[class].clone(),
        _ => value.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(values: &[(&str, usize)]) -> Counts {
        values.iter().map(|(value, rows)| ((*value).to_owned(), *rows)).collect()
    }

    /// The name of each value's class.
    fn named(values: &[(&str, usize)]) -> Vec<Option<String>> {
        let classes = classes_of(&counts(values)).unwrap();
        values
            .iter()
            .map(|(value, _)| classes.label[value.trim()].map(|i| classes.names[i].clone()))
            .collect()
    }

    fn names(values: &[(&str, usize)]) -> (bool, Vec<String>) {
        let classes = classes_of(&counts(values)).unwrap();
        (classes.is_ham, classes.names)
    }

    #[test]
    fn words_of_ham10000_become_its_seven_codes() {
        let values = [("Melanocytic nevi", 9), ("melanoma", 2), ("unknown", 4), ("", 1)];
        assert_eq!(names(&values), (true, ham_codes()));
        assert_eq!(named(&values), [Some("nv".into()), Some("mel".into()), None, None]);
        assert_eq!(names(&[("mel", 1)]), (true, ham_codes()));
        // Several diagnoses of ISIC 2020 are one class.
        let values = [("solar lentigo", 7), ("seborrheic keratosis", 9), ("nevus", 5)];
        assert_eq!(named(&values), [Some("bkl".into()), Some("bkl".into()), Some("nv".into())]);
    }

    #[test]
    fn a_few_unknown_words_among_known_ones_have_no_class() {
        let values = [
            ("Actinic keratoses", 4),
            ("Basal cell carcinoma", 4),
            ("Benign keratosis-like lesions", 4),
            ("Dermatofibroma", 4),
            ("Melanoma", 4),
            ("Melanomaanocytic nevi", 4),
            ("Vascular lesions", 4),
        ];
        let found = named(&values);
        assert!(names(&values).0);
        assert_eq!(found[5], None);
        assert_eq!(found.iter().flatten().count(), 6);
    }

    #[test]
    fn the_codes_of_other_collections_stay_apart() {
        let isic = ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"].map(|c| (c, 5));
        let (is_ham, found) = names(&isic);
        assert!(!is_ham);
        assert_eq!(found, ["mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc"]);
        assert_eq!(named(&isic)[8], None);
        let pad = ["BCC", "SCC", "ACK", "SEK", "MEL", "NEV"].map(|c| (c, 6));
        assert_eq!(
            names(&pad),
            (false, ["bcc", "scc", "ack", "sek", "mel", "nev"].map(str::to_owned).to_vec())
        );
        assert_eq!(names(&[("MEL", 3), ("SCCKA", 2), ("BEN_OTH", 2)]).1.len(), 11);
        // The same seven codes are HAM10000's.
        let ham = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"].map(|c| (c, 0));
        assert!(names(&ham).0);
    }

    #[test]
    fn a_class_of_another_collection_makes_all_classes_the_tables_own() {
        let values = [
            ("actinic keratosis", 5),
            ("basal cell carcinoma", 5),
            ("dermatofibroma", 5),
            ("melanoma", 5),
            ("nevus", 5),
            ("pigmented benign keratosis", 5),
            ("seborrheic keratosis", 5),
            ("squamous cell carcinoma", 5),
            ("vascular lesion", 5),
        ];
        let (is_ham, found) = names(&values);
        assert!(!is_ham);
        assert_eq!(
            found,
            [
                "akiec",
                "bcc",
                "df",
                "mel",
                "nv",
                "pigmented benign keratosis",
                "seborrheic keratosis",
                "squamous cell carcinoma",
                "vasc"
            ]
        );
    }

    #[test]
    fn own_classes_are_mapped_one_by_one_and_equal_but_for_case_and_blanks() {
        let values = [
            ("Eczema", 9),
            ("eczema ", 3),
            ("Atopic  dermatitis", 5),
            ("Melanocytic nevi", 8),
            ("Tinea", 4),
        ];
        assert_eq!(
            names(&values),
            (false, ["Atopic dermatitis", "Eczema", "Tinea", "nv"].map(str::to_owned).to_vec())
        );
        let found = named(&values);
        assert_eq!((&found[0], &found[3]), (&found[1], &Some("nv".into())));
        assert_eq!(
            names(&[("benign", 5), ("malignant", 5)]),
            (false, vec!["benign".into(), "malignant".into()])
        );
        // The code and the name of a class are one class, also beside others.
        assert_eq!(
            named(&[("nv", 3), ("Nevus", 3), ("eczema", 3), ("rosacea", 3)])[..2],
            [Some("nv".into()), Some("nv".into())]
        );
    }

    #[test]
    fn numbers_are_refused_with_their_counts_and_the_codes() {
        let error = classes_of(&counts(&[("0", 4), ("1", 8), ("nan", 1)])).unwrap_err();
        assert_eq!(
            error,
            "found numbers as classes: '1' (8 rows), '0' (4 rows). Expected names of diagnoses or the codes akiec, \
             bcc, bkl, df, mel, nv, vasc: replace each number by the code of its class"
        );
        assert!(classes_of(&counts(&[("0.0", 4), ("1.0", 8)])).is_err());
    }

    #[test]
    fn values_that_cannot_be_classes_are_refused_and_counted() {
        let values: Counts = (0..300).map(|i| (format!("case {i}"), 3)).collect();
        let error = classes_of(&values).unwrap_err();
        assert!(
            error.contains("300 different values in 900 rows") && error.contains("and 288 more"),
            "{error}"
        );
        let error = classes_of(&counts(&[("a", 1), ("b", 1), ("c", 1)])).unwrap_err();
        assert!(error.contains("3 different values in 3 rows: 'a' (1 row)"), "{error}");
        let error = classes_of(&counts(&[("a/b", 4), ("c", 4)])).unwrap_err();
        assert!(error.contains("'a/b'"), "{error}");
        let error = classes_of(&counts(&[("unknown", 4), ("", 1)])).unwrap_err();
        assert_eq!(error, "found no diagnosis: 'unknown' (4 rows), '' (1 row)");
        assert_eq!(classes_of(&Counts::new()).unwrap_err(), "found no diagnosis: no row");
    }

    #[test]
    fn numbers_are_classes_in_their_order_where_there_are_no_names() {
        let classes = numbered(&counts(&[("10", 4), ("2", 8), ("2.0", 1), ("", 3)])).unwrap();
        assert_eq!(classes.names, ["2", "10"]);
        assert_eq!(
            (classes.label["10"], classes.label["2.0"], classes.label[""]),
            (Some(1), Some(0), None)
        );
        assert!(numbered(&counts(&[("1", 4), ("a", 8)])).unwrap_err().contains("'a'"));
        assert!(numbered(&counts(&[("-1", 4)])).is_err());
        let dermamnist = medmnist_classes();
        assert_eq!((dermamnist.names, dermamnist.label["5"]), (ham_codes(), Some(5)));
    }

    proptest! {
        #[test]
        fn every_value_is_in_the_result(values in prop::collection::btree_map("[a-cA-C0 ]{0,3}|nv|Nevus|scc", 0_usize..9, 0..9)) {
            if let Ok(classes) = classes_of(&values) {
                for value in values.keys() {
                    let label = classes.label[value.trim()];
                    prop_assert!(label.is_none_or(|i| i < classes.names.len()));
                }
                prop_assert!(name::twice(&classes.names).is_none());
            }
            let _ = numbered(&values);
        }
    }
}
