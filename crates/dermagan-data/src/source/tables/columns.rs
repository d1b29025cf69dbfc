//! Which column of a table means what, by the names of the columns and by what is in them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::source::description::ham_codes;
use crate::source::record::is_unknown;
use crate::source::tables::names;
use crate::source::tables::table::{Table, stem};
use crate::source::tables::vocabulary::{
    Diagnosis, archive_diagnosis, diagnosis, is_diagnosis, part_of,
};

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
    /// Other columns that give diagnoses, or have the name of the class' column. They are not used.
    pub rivals: Vec<usize>,
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
                    Diagnosis::Ham(class) => ham_codes().swap_remove(class).into(),
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
            lesion: filled(&names::LESION).filter(|column| found.is_lesion(*column)),
            dx_type: named(&names::DX_TYPE),
            age: filled(&names::AGE),
            sex: filled(&names::SEX),
            site: filled(&names::SITE),
            part,
            patient: filled(&names::PATIENT),
            rivals: found.rivals(image, class.as_ref()),
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
        // Words such as "dermoscopic" are kinds of images, and 0 and 1 are flags. Rows may be repeated.
        let distinct = cells.clone().collect::<BTreeSet<_>>().len();
        (distinct * 2 > all || (most(&number) && distinct > 2)).then_some(ImageCells::Possible)
    }

    /// Whether a column called `lesion` numbers the lesions, and is not a diagnosis or a flag.
    fn is_lesion(&self, column: usize) -> bool {
        let distinct = self.cells(column).collect::<BTreeSet<_>>();
        self.names[column] == "lesionid"
            || (distinct.len() * 10 > self.cells(column).count()
                && !distinct.iter().all(|cell| is_diagnosis(cell)))
    }

    /// Whether all cells of a column are words for parts of a split.
    fn is_part(&self, column: usize) -> bool {
        self.cells(column).next().is_some()
            && self.cells(column).all(|cell| part_of(cell).is_some())
    }

    fn class(&self, image: usize) -> Option<ClassColumns> {
        if self.table.stylegan && self.table.rows.is_empty() {
            return None;
        }
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
        // Labels beside the names of their classes, however few rows there are: the names say more.
        if let Some((ClassColumns::Value { column, .. }, ClassCells::Numbers)) = &best
            && let Some(names) = self.names_of(*column, image)
        {
            return Some(value(names));
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

    /// The columns that give diagnoses as the class' column does, by their names and their cells.
    fn rivals(&self, image: usize, class: Option<&ClassColumns>) -> Vec<usize> {
        // The levels of the archive differ from each other by design.
        let Some(&ClassColumns::Value { column: chosen, archive: None }) = class else {
            return Vec::new();
        };
        let is_rival = |column: &usize| {
            let name = self.names[*column].as_str();
            let means_class = names::DIAGNOSIS.contains(&name) || names::CLASS.contains(&name);
            let gives_diagnoses =
                || self.class_cells(self.diagnoses(*column)) == ClassCells::Diagnoses;
            name == self.names[chosen] || means_class && gives_diagnoses()
        };
        (0..self.names.len())
            .filter(|column| *column != image && *column != chosen && self.is_filled(*column))
            .filter(is_rival)
            .collect()
    }

    /// The values of a column that are not words for an unknown diagnosis, with their numbers of rows.
    fn diagnoses(&self, column: usize) -> BTreeMap<String, usize> {
        let given = self.cells(column).filter(|cell| diagnosis(cell) != Diagnosis::None);
        counts(given.map(str::to_owned))
    }

    /// The column with the names of the classes of which the column `numbers` has the numbers: in every row one name for one
    /// number. `None` if there is none.
    fn names_of(&self, numbers: usize, image: usize) -> Option<usize> {
        let are_names = |column: &usize| {
            let (mut by_number, mut by_name) = (BTreeMap::new(), BTreeMap::new());
            let rows = self.table.rows.iter().take(LOOK);
            rows.map(|(_, cells)| (Table::cell(cells, numbers), Table::cell(cells, *column))).all(
                |(number, name)| {
                    let is_name = !name.is_empty() && name.parse::<f64>().is_err();
                    is_name
                        && *by_number.entry(number).or_insert(name) == name
                        && *by_name.entry(name).or_insert(number) == number
                },
            )
        };
        let columns = self.named(&names::DIAGNOSIS).chain(self.named(&names::CLASS));
        columns.filter(|column| ![image, numbers].contains(column)).find(are_names)
    }

    /// How much values look like classes.
    fn class_cells(&self, values: BTreeMap<String, usize>) -> ClassCells {
        let rows: usize = values.values().sum();
        let known = values.keys().filter(|value| is_diagnosis(value)).count();
        if values.is_empty() {
            ClassCells::Unlikely
        } else if known * 2 > values.len() {
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
            // `benign` and `malignant` may be the columns of a one-hot table.
            let class: [&[&str]; 3] = [&names::DIAGNOSIS, &names::CLASS, &names::CLASS_NUMBER];
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
        // Columns that pandas made of one begin with its name.
        let of_one = || {
            let prefixes = binary.iter().flat_map(|c| prefixes(&self.table.header[*c]));
            let groups = prefixes.map(|prefix| {
                let group = binary.iter().filter(|c| self.table.header[**c].starts_with(prefix));
                group.copied().collect::<Vec<usize>>()
            });
            groups.filter(|group| group.len() >= 2 && exclusive(group)).max_by_key(Vec::len)
        };
        let chosen = if binary.len() >= 2 && exclusive(&binary) {
            binary
        } else if codes.len() >= 2 {
            codes
        } else {
            of_one()?
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

/// The beginnings of a name that end in a character between two words, the shortest first.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    let ends =
        name.char_indices().filter(|(_, c)| "_.- ".contains(*c)).map(|(at, c)| at + c.len_utf8());
    ends.map(|end| &name[..end])
}

/// The length of what pandas puts before the values of a column that it turns into several: `dx_` in `dx_mel`.
fn common_prefix(names: &[&str]) -> usize {
    let shared =
        |prefix: &&str| names.iter().all(|n| n.len() > prefix.len() && n.starts_with(prefix));
    let first = names.first().copied().unwrap_or_default();
    prefixes(first).filter(shared).map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(text: &str) -> Table {
        Table::read("t", text.as_bytes(), 1000).unwrap()
    }

    /// The names of the image's column and the class' column.
    fn found(text: &str) -> Option<(String, Option<String>)> {
        let table = table(text);
        let columns = Columns::of(&table)?;
        let name = |column: usize| table.header[column].clone();
        let class = columns.class.map(|class| match class {
            ClassColumns::Value { column, .. } => name(column),
            ClassColumns::OneHot(columns) => {
                columns.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(" ")
            }
        });
        Some((name(columns.image), class))
    }

    fn finds(text: &str, image: &str, class: &str) {
        let class = Some(class).filter(|c| !c.is_empty()).map(str::to_owned);
        assert_eq!(found(text), Some((image.to_owned(), class)), "{text}");
    }

    #[test]
    fn columns_are_found_by_synonyms_in_any_spelling() {
        for image in [
            "image_id",
            "isic_id",
            "img_id",
            "Image Name",
            "filename",
            "file_name",
            " ImagePath",
            "image",
            "PATH",
        ] {
            for class in ["dx", "Diagnosis", "diagnostic", "label", "target", "Class", "cell_type"]
            {
                finds(
                    &format!("age,{image},{class}\n40,I1,nv\n50,I2,mel\n60,I3,nv\n"),
                    image.trim(),
                    class,
                );
            }
        }
    }

    #[test]
    fn all_columns_of_ham10000_and_of_pad_ufes_are_found() {
        let ham = table(
            "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset\nH1,ISIC_1,nv,histo,40,male,back,rosendahl\n",
        );
        let columns = Columns::of(&ham).unwrap();
        assert_eq!(
            columns,
            Columns {
                image: 1,
                class: Some(ClassColumns::Value { column: 2, archive: None }),
                lesion: Some(0),
                dx_type: Some(3),
                age: Some(4),
                sex: Some(5),
                site: Some(6),
                part: None,
                patient: None,
                rivals: Vec::new(),
            }
        );
        let pad = table(
            "patient_id,lesion_id,smoke,age,gender,region,diagnostic,itch,img_id,biopsed\n\
             PAT_8,15,True,55,FEMALE,NECK,BCC,False,PAT_8_15_820.png,True\n\
             PAT_8,15,True,55,FEMALE,NECK,SCC,True,PAT_8_15_821.png,True\n\
             PAT_9,16,,55,FEMALE,NECK,SCC,True,PAT_9_16_822.png,True\n\
             PAT_9,16,,55,FEMALE,NECK,BCC,True,PAT_9_16_823.png,True\n",
        );
        let columns = Columns::of(&pad).unwrap();
        assert_eq!(
            (columns.image, columns.class),
            (8, Some(ClassColumns::Value { column: 6, archive: None }))
        );
        assert_eq!(
            (columns.lesion, columns.patient, columns.sex, columns.site),
            (Some(1), Some(0), Some(4), Some(5))
        );
    }

    #[test]
    fn of_two_columns_the_one_with_diagnoses_gives_the_class() {
        finds(
            "image_id,dx,label,image_path\nISIC_1,mel,1,data\\ISIC_1.jpg\nISIC_2,nv,0,data\\ISIC_2.jpg\n",
            "image_id",
            "dx",
        );
        finds(
            "image_name,diagnosis,benign_malignant,target\nISIC_1,nevus,benign,0\nISIC_2,melanoma,malignant,1\n",
            "image_name",
            "diagnosis",
        );
        finds("image,label,category\na1,0,melanoma\na2,1,nevus\n", "image", "category");
        finds(
            "image,benign_malignant,target\na1,benign,0\na2,malignant,1\na3,benign,0\na4,malignant,1\n",
            "image",
            "benign_malignant",
        );
        finds("image,dx,note\na1,,melanoma\na2,,nevus\n", "image", "note");
        // A column that is empty, or of one value, gives no class if another one does.
        finds("image,diagnosis,target\na1,unknown,0\na2,unknown,1\na3,,0\n", "image", "target");
    }

    #[test]
    fn numbers_are_a_class_only_if_nothing_better_is_there() {
        finds(
            "id,ClassId, ImagePath,x\nHAM_1,0,train/nv/a.jpg,train/nv/a.jpg\nHAM_2,1,train/mel/b.jpg,train/mel/b.jpg\n",
            "ImagePath",
            "ClassId",
        );
        finds("lesion_id,image_id,dx\nH1,ISIC_1,0\nH2,ISIC_2,1\n", "image_id", "dx");
    }

    #[test]
    fn an_image_column_has_names_of_images() {
        // Kinds of images and flags are no images.
        assert_eq!(
            found("image,dx\ndermoscopic,nv\ndermoscopic,mel\ndermoscopic,nv\ndermoscopic,nv\n"),
            None
        );
        assert_eq!(found("age,sex\n40,male\n50,female\n"), None);
        assert_eq!(found("epoch,loss\n1,0.5\n2,0.4\n"), None);
        // A column of file names gives the image under any name, and a known name counts more.
        finds("bild,klasse\na.jpg,nv\nb.jpg,mel\n", "bild", "klasse");
        finds("image_id,mask_path,dx\nA1,m/1_mask.png,nv\nA2,m/2_mask.png,mel\n", "image_id", "dx");
        finds("id,dx\nISIC_0000001,nv\nISIC_0000002,mel\n", "id", "dx");
        finds("image_id,filename,dx\n1,x1.jpg,nv\n2,x2.jpg,mel\n", "filename", "dx");
        finds("image,dx\n1,nv\n2,nv\n3,mel\n1,nv\n2,nv\n3,mel\n1,nv\n", "image", "dx");
        finds("image_name,patient_id\n", "image_name", "");
    }

    #[test]
    fn one_hot_columns_are_the_classes_and_weights_are_not() {
        finds(
            "image,MEL,NV,UNK,score_weight,validation_weight\nISIC_1,1.0,0.0,0.0,1.0,0.0\nISIC_2,0.0,1.0,0.0,1.0,1.0\n",
            "image",
            "MEL NV UNK",
        );
        finds(
            "id,file,dx_mel,dx_nv,male\n1,a.png,True,False,True\n2,b.png,False,True,True\n",
            "file",
            "mel nv",
        );
        finds(
            "file,warts,eczema,tinea\na.png,1,0,0\nb.png,0,1,0\nc.png,0,0,1\n",
            "file",
            "warts eczema tinea",
        );
        // Flags that are not exclusive are no classes.
        finds("file,itch,grew\na.png,1,1\nb.png,0,0\nc.png,0,1\n", "file", "");
        let table = table("image,MEL,NV\nI1,1.0,0.0\nI2,1,1\nI3,0,0\n");
        let class = Columns::of(&table).unwrap().class.unwrap();
        let rows: Vec<RowClass<'_>> =
            table.rows.iter().map(|(_, cells)| class.of_row(cells)).collect();
        assert_eq!(rows, [RowClass::Value("MEL".into()), RowClass::Hot(2), RowClass::Hot(0)]);
    }

    #[test]
    fn the_levels_of_the_archive_give_one_class_per_row() {
        let table = table(
            "isic_id,diagnosis_1,diagnosis_2,diagnosis_3,diagnosis_confirm_type,lesion_id,sex\n\
             ISIC_1,Benign,Benign melanocytic proliferations,Nevus,histopathology,IL_1,male\n\
             ISIC_2,Benign,Benign soft tissue proliferations - Vascular,,histopathology,IL_2,male\n\
             ISIC_3,Malignant,Malignant epidermal proliferations,\"Squamous cell carcinoma, Invasive\",histopathology,IL_3,\n\
             ISIC_4,Benign,,,histopathology,IL_4,\n",
        );
        let columns = Columns::of(&table).unwrap();
        assert_eq!((columns.image, columns.dx_type, columns.lesion), (0, Some(4), Some(5)));
        let class = columns.class.unwrap();
        let levels = Some([Some(1), Some(2), Some(3), None, None]);
        assert_eq!(class, ClassColumns::Value { column: 3, archive: levels });
        let word = |row: usize| class.of_row(&table.rows[row].1);
        let expected = ["nv", "vasc", "Squamous cell carcinoma, Invasive", ""];
        for (row, expected) in expected.into_iter().enumerate() {
            assert_eq!(word(row), RowClass::Value(expected.into()));
        }
    }

    #[test]
    fn parts_are_read_only_from_words_for_them() {
        let part = |text: &str| Columns::of(&table(text)).unwrap().part;
        assert_eq!(part("image,dx,split\na1,nv,train\na2,mel,TEST\n"), Some(2));
        assert_eq!(part("image,dx,dataset\na1,nv,vidir_modern\na2,mel,rosendahl\n"), None);
        assert_eq!(part("image,dx,fold\na1,nv,1\na2,mel,2\n"), None);
        assert_eq!(part("TRAINING,train0_5.png,5\nTEST,test0_0.png,0\n"), Some(0));
    }

    #[test]
    fn a_column_called_lesion_may_be_the_diagnosis() {
        finds("image,lesion\na1,nv\na2,mel\n", "image", "lesion");
        let columns =
            Columns::of(&table("image,dx,lesion\na1,nv,nevus\na2,mel,melanoma\n")).unwrap();
        assert_eq!(columns.lesion, None);
    }

    #[test]
    fn the_sentence_lists_names_that_are_known() {
        let sentence = known_columns();
        let words = sentence
            .split([' ', ',', ';', '.'])
            .filter(|w| w.contains('_') || ["dx", "filename", "label", "target"].contains(w));
        for word in words {
            let plain = names::plain(word);
            let known = [&names::IMAGE[..], &names::DIAGNOSIS, &names::CLASS, &names::ARCHIVE[2]];
            assert!(known.iter().any(|list| list.contains(&plain.as_str())), "{word}");
        }
    }

    proptest! {
        #[test]
        fn columns_of_any_table_are_inside_it(
            header in prop::collection::vec("image|dx|id|MEL|NV|diagnosis_[123]|lesion|split|[a-z]{0,3}", 0..6),
            rows in prop::collection::vec(prop::collection::vec("a\\.jpg|nv|0|1|train|[a-z0-9]{0,3}", 0..7), 0..6),
        ) {
            let rows = (2..).zip(rows).collect();
            let table =
                Table { header, rows, headerless: false, header_line: Some(1), stylegan: false };
            if let Some(columns) = Columns::of(&table) {
                prop_assert!(columns.image < table.header.len());
                for (_, cells) in &table.rows {
                    if let Some(class) = &columns.class {
                        class.of_row(cells);
                    }
                }
            }
        }
    }
}
