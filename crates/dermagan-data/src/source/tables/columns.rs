//! Which column of a table means what, by the names of the columns and by what is in them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::source::record::is_unknown;
use crate::source::tables::names;
use crate::source::tables::table::{Table, stem};
use crate::source::tables::vocabulary::{Diagnosis, archive_diagnosis, diagnosis, part_of};

/// Number of rows by which a column is judged.
const LOOK: usize = 5000;

/// The columns of a table, by index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Columns {
    /// The image's id, file name or path.
    pub image: usize,
    /// The class; `None` if the table gives none.
    pub class: Option<ClassColumns>,
    pub lesion: Option<usize>,
    /// How the diagnosis was confirmed.
    pub dx_type: Option<usize>,
    pub age: Option<usize>,
    pub sex: Option<usize>,
    /// The body site.
    pub site: Option<usize>,
    /// The part of the split that the author gives.
    pub part: Option<usize>,
    pub patient: Option<usize>,
}

/// The columns that give the class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ClassColumns {
    /// One column with the name of the class.
    Value {
        column: usize,
        /// The columns `diagnosis_1` to `diagnosis_5` of the ISIC archive's export, if these give the class.
        archive: Option<[Option<usize>; 5]>,
    },
    /// A column per class, with its name: 1 in the column of the row's class and 0 in the others.
    OneHot(Vec<(usize, String)>),
}

/// What a row says about its class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RowClass<'a> {
    /// The value, as it is written. It is empty if the row gives none.
    Value(Cow<'a, str>),
    /// This number of one-hot columns is 1, instead of a single one.
    Hot(usize),
}

impl ClassColumns {
    /// The class of a row. For the levels of the ISIC archive it is the code of HAM10000 if they give one, else the
    /// deepest level that is filled.
    pub fn of_row<'a>(&'a self, cells: &'a [String]) -> RowClass<'a> {
        match self {
            Self::Value { column, archive: None } => {
                RowClass::Value(Table::cell(cells, *column).into())
            }
            Self::Value { archive: Some(levels), .. } => {
                let levels =
                    levels.map(|level| level.map_or("", |column| Table::cell(cells, column)));
                RowClass::Value(match archive_diagnosis(levels) {
                    Diagnosis::Ham(class) => {
                        crate::source::description::ham_codes().swap_remove(class).into()
                    }
                    Diagnosis::None => "".into(),
                    Diagnosis::Other => {
                        let named = levels[1..]
                            .iter()
                            .rev()
                            .find(|level| diagnosis(level) == Diagnosis::Other);
                        named.copied().unwrap_or_default().into()
                    }
                })
            }
            Self::OneHot(columns) => {
                let mut hot =
                    columns.iter().filter(|(column, _)| is_hot(Table::cell(cells, *column)));
                match (hot.next(), hot.count()) {
                    (Some((_, name)), 0) => RowClass::Value(name.as_str().into()),
                    (first, more) => RowClass::Hot(more + usize::from(first.is_some())),
                }
            }
        }
    }
}

impl Columns {
    /// Finds the columns of a table; `None` if no column gives the image.
    pub fn of(table: &Table) -> Option<Self> {
        let found =
            Finder { table, names: table.header.iter().map(|name| names::plain(name)).collect() };
        let image = found.image()?;
        let class = found.class(image);
        let taken = |column: &usize| match &class {
            Some(ClassColumns::Value { column: class, .. }) => column == class || *column == image,
            _ => *column == image,
        };
        let named = |list: &[&str]| found.named(list).find(|column| !taken(column));
        let filled = |list: &[&str]| {
            let all: Vec<usize> = found.named(list).filter(|column| !taken(column)).collect();
            all.iter().copied().find(|column| found.is_filled(*column)).or(all.first().copied())
        };
        let part =
            found.named(&names::PART).find(|column| !taken(column) && found.is_part(*column));
        Some(Self {
            image,
            lesion: filled(&names::LESION),
            dx_type: named(&names::DX_TYPE),
            age: filled(&names::AGE),
            sex: filled(&names::SEX),
            site: filled(&names::SITE),
            part,
            patient: filled(&names::PATIENT),
            class,
        })
    }
}

/// The known names of columns, as a sentence for an error.
pub(crate) fn known_columns() -> &'static str {
    "Known names of the image's column are image_id, isic_id, img_id, image, image_name, filename, file_name, \
     image_path and path; of the diagnosis' column dx, diagnosis, diagnostic, diagnosis_3, label, class, category and \
     target; or one column per class with the values 0 and 1."
}

/// The id in a cell: the last component of a path, with the separators of any system, without the extension of an
/// image and without blanks around it.
pub(crate) fn stem_of(cell: &str) -> String {
    stem(cell).to_owned()
}

/// Whether a cell of a one-hot table says that the row is of the column's class.
fn is_hot(cell: &str) -> bool {
    cell.eq_ignore_ascii_case("true") || cell.replace(',', ".").parse::<f64>() == Ok(1.0)
}

/// Whether a cell of a one-hot table says that the row is not of the column's class.
fn is_cold(cell: &str) -> bool {
    cell.eq_ignore_ascii_case("false") || cell.replace(',', ".").parse::<f64>() == Ok(0.0)
}

/// How sure a column's cells are to give images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ImageCells {
    /// Numbers, or words that differ.
    Possible,
    /// Words with digits.
    Likely,
    /// Names of image files, or ids of the ISIC archive.
    Certain,
}

/// How much a column's cells look like classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ClassCells {
    /// One value only, or almost as many as rows.
    Unlikely,
    Numbers,
    Words,
    /// Most of the words are diagnoses.
    Diagnoses,
}

struct Finder<'a> {
    table: &'a Table,
    /// The names of the columns in their plain form.
    names: Vec<String>,
}

impl Finder<'_> {
    /// The columns with one of these names, in the order of the list.
    fn named(&self, list: &[&str]) -> impl Iterator<Item = usize> {
        let of = |name: &&str| self.names.iter().position(|n| n == *name);
        list.iter().filter_map(of).collect::<Vec<_>>().into_iter()
    }

    /// The first cells of a column that are not empty.
    fn cells(&self, column: usize) -> impl Iterator<Item = &str> + Clone {
        let rows = self.table.rows.iter().take(LOOK);
        rows.map(move |(_, cells)| Table::cell(cells, column)).filter(|cell| !cell.is_empty())
    }

    fn is_filled(&self, column: usize) -> bool {
        self.cells(column).any(|cell| !is_unknown(cell))
    }

    fn image(&self) -> Option<usize> {
        let mut best: Option<(usize, ImageCells)> = None;
        let sure = self.named(&names::IMAGE).map(|column| (column, ImageCells::Possible));
        let maybe = self.named(&names::MAYBE_IMAGE).map(|column| (column, ImageCells::Certain));
        let any = (0..self.names.len())
            .filter(|column| {
                !["mask", "segmentation"].iter().any(|word| self.names[*column].contains(word))
            })
            .map(|column| (column, ImageCells::Certain));
        for (column, least) in sure.chain(maybe).chain(any) {
            let Some(cells) = self.image_cells(column).filter(|cells| *cells >= least) else {
                continue;
            };
            // A known name counts more than another column that is as sure.
            if best.is_none_or(|(_, before)| cells > before) {
                best = Some((column, cells));
            }
        }
        best.map(|(column, _)| column)
    }

    /// How sure the cells of a column give images; `None` if they do not.
    fn image_cells(&self, column: usize) -> Option<ImageCells> {
        if self.table.rows.is_empty() {
            // Only the name can tell.
            return names::means_image(&self.table.header[column]).then_some(ImageCells::Possible);
        }
        let cells = self.cells(column);
        let all = cells.clone().count();
        let most = |test: &dyn Fn(&str) -> bool| {
            cells.clone().filter(|cell| test(cell)).count() * 10 >= all * 9
        };
        let usable = |cell: &str| {
            let text = cell.len() <= 255
                && !cell.starts_with(['{', '['])
                && !cell.contains(char::is_control);
            text && (cell.parse::<f64>().is_err() || cell.parse::<u64>().is_ok())
        };
        if all == 0 || !most(&usable) {
            return None;
        }
        if most(&names::names_image) {
            return Some(ImageCells::Certain);
        }
        let number = |cell: &str| cell.parse::<u64>().is_ok();
        if most(&|cell| cell.contains(|c: char| c.is_ascii_digit()) && !number(cell)) {
            return Some(ImageCells::Likely);
        }
        // Words such as "dermoscopic" are kinds of images, and 0 and 1 are flags.
        let distinct = cells.clone().collect::<BTreeSet<_>>().len();
        (distinct * 2 > all).then_some(ImageCells::Possible)
    }

    /// Whether all cells of a column are words for parts of a split.
    fn is_part(&self, column: usize) -> bool {
        self.cells(column).next().is_some()
            && self.cells(column).all(|cell| part_of(cell).is_some())
    }

    fn class(&self, image: usize) -> Option<ClassColumns> {
        let lists: [&[&str]; 4] =
            [&names::DIAGNOSIS, &names::CLASS, &names::CLASS_NUMBER, &names::MALIGNANCY];
        let mut best: Option<(ClassColumns, ClassCells)> = None;
        let mut offer = |class: ClassColumns, cells: ClassCells| {
            if best.as_ref().is_none_or(|(_, before)| cells > *before) {
                best = Some((class, cells));
            }
        };
        let value = |column| ClassColumns::Value { column, archive: None };
        let known = |column: &usize| *column != image && self.is_filled(*column);
        for (at, list) in lists.iter().enumerate() {
            for column in self.named(list).filter(known) {
                offer(value(column), self.class_cells(self.diagnoses(column)));
            }
            // The levels of the archive come after a diagnosis in one column.
            if let (0, Some(levels)) = (at, self.archive()) {
                let column =
                    [2, 3, 4, 1].into_iter().find_map(|level| levels[level]).unwrap_or(image);
                let class = ClassColumns::Value { column, archive: Some(levels) };
                let rows = || self.table.rows.iter().take(LOOK);
                let words = rows().filter_map(|(_, cells)| match class.of_row(cells) {
                    RowClass::Value(word) if !word.is_empty() => Some(word.into_owned()),
                    _ => None,
                });
                let cells = self.class_cells(counts(words));
                offer(class, cells);
            }
        }
        let strong = matches!(best, Some((_, ClassCells::Words | ClassCells::Diagnoses)));
        if !strong && let Some(columns) = self.one_hot(image) {
            return Some(ClassColumns::OneHot(columns));
        }
        if let Some((class, cells)) = best
            && cells > ClassCells::Unlikely
        {
            return Some(class);
        }
        // A column of diagnoses under another name.
        let of_diagnoses = |column: &usize| {
            let values = self.diagnoses(*column);
            *column != image
                && values.len() > 1
                && values.keys().all(|value| matches!(diagnosis(value), Diagnosis::Ham(_)))
        };
        let mut others = (0..self.names.len()).filter(of_diagnoses);
        match (others.next(), others.next()) {
            (Some(column), None) => Some(value(column)),
            // Nothing better: the reader of the values says what is wrong with them.
            _ => lists
                .iter()
                .flat_map(|list| self.named(list))
                .find(|column| *column != image)
                .map(value),
        }
    }

    /// The values of a column that are not words for an unknown diagnosis, with their numbers of rows.
    fn diagnoses(&self, column: usize) -> BTreeMap<String, usize> {
        let given = self.cells(column).filter(|cell| diagnosis(cell) != Diagnosis::None);
        counts(given.map(str::to_owned))
    }

    /// How much values look like classes.
    fn class_cells(&self, values: BTreeMap<String, usize>) -> ClassCells {
        let rows: usize = values.values().sum();
        let ham = values.keys().filter(|v| matches!(diagnosis(v), Diagnosis::Ham(_))).count();
        if values.is_empty() {
            ClassCells::Unlikely
        } else if ham * 2 > values.len()
            || crate::source::tables::vocabulary::classes_of(&values).is_ok_and(|c| c.is_ham)
        {
            ClassCells::Diagnoses
        } else if values.keys().all(|v| v.parse::<f64>().is_ok()) {
            ClassCells::Numbers
        } else if values.len() == 1 || values.len() * 2 > rows {
            ClassCells::Unlikely
        } else {
            ClassCells::Words
        }
    }

    /// The levels of the archive's diagnosis, if there are any below the first.
    fn archive(&self) -> Option<[Option<usize>; 5]> {
        let levels = names::ARCHIVE.map(|list| self.named(&list).next());
        levels[1..].iter().any(Option::is_some).then_some(levels)
    }

    /// The columns of a one-hot table with the names of their classes: at least two columns of 0 and 1, of which one
    /// is 1 in nearly every row. Of those that are not exclusive, the columns that are named after diagnoses.
    fn one_hot(&self, image: usize) -> Option<Vec<(usize, String)>> {
        let other = |column: usize| {
            let name = self.names[column].as_str();
            let lists: [&[&str]; 9] = [
                &names::IMAGE,
                &names::MAYBE_IMAGE,
                &names::LESION,
                &names::DX_TYPE,
                &names::AGE,
                &names::SEX,
                &names::SITE,
                &names::PATIENT,
                &names::PART,
            ];
            let class: [&[&str]; 4] =
                [&names::DIAGNOSIS, &names::CLASS, &names::CLASS_NUMBER, &names::MALIGNANCY];
            name.is_empty()
                || name.contains("weight")
                || lists.iter().chain(&class).any(|list| list.contains(&name))
        };
        let binary = |column: usize| {
            let mut cells = self.cells(column).peekable();
            cells.peek().is_some() && cells.all(|cell| is_hot(cell) || is_cold(cell))
        };
        let binary: Vec<usize> =
            (0..self.names.len()).filter(|c| *c != image && !other(*c) && binary(*c)).collect();
        let is_code = |column: &usize| {
            let name = &self.table.header[*column];
            let codes = ["AK", "SCC", "UNK", "ACK", "SEK", "NEV"];
            matches!(diagnosis(name), Diagnosis::Ham(_))
                || codes.iter().any(|c| name.eq_ignore_ascii_case(c))
        };
        let codes: Vec<usize> = binary.iter().copied().filter(is_code).collect();
        let exclusive = |columns: &[usize]| {
            let rows = || self.table.rows.iter().take(LOOK);
            let one = rows().filter(|(_, cells)| {
                columns.iter().filter(|column| is_hot(Table::cell(cells, **column))).count() == 1
            });
            one.count() * 10 >= rows().count() * 9
        };
        let chosen = if binary.len() >= 2 && exclusive(&binary) {
            binary
        } else if codes.len() >= 2 {
            codes
        } else {
            return None;
        };
        let names: Vec<&str> =
            chosen.iter().map(|column| self.table.header[*column].as_str()).collect();
        let cut = common_prefix(&names);
        Some(
            chosen
                .iter()
                .zip(&names)
                .map(|(column, name)| (*column, name[cut..].to_owned()))
                .collect(),
        )
    }
}

/// Values with their numbers of rows.
fn counts(values: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// The length of what pandas puts before the values of a column that it turns into several: `dx_` in `dx_mel`.
fn common_prefix(names: &[&str]) -> usize {
    let Some(first) = names.first() else { return 0 };
    let ends =
        first.char_indices().filter(|(_, c)| "_.- ".contains(*c)).map(|(at, c)| at + c.len_utf8());
    let shared =
        |end: &usize| names.iter().all(|n| n.len() > *end && n.starts_with(&first[..*end]));
    ends.filter(shared).max().unwrap_or(0)
}
