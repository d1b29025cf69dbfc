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
    numbers.dedup();
    if numbers.len() > MAX_CLASSES {
        return Err(format!(
            "found {} different numbers as classes: {}. Expected at most {MAX_CLASSES}",
            numbers.len(),
            listed(&given)
        ));
    }
    for value in given.keys() {
        label.insert(value.clone(), numbers.iter().position(|n| *n == number(value)));
    }
    // `3.0` and `3` are one class, called 3.
    let names = numbers.iter().map(|n| n.to_string()).collect();
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
