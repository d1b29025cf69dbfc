//! Everything in a tree that bears on labels, before anything is decided: images by name, and every table.

use std::collections::BTreeMap;

use crate::error::DataError;
use crate::source::entry::Entry;
use crate::source::labels::names;
use crate::source::problem::Problem;
use crate::source::side::Side;
use crate::source::tables::columns::{Columns, known_columns, stem_of};
use crate::source::tables::table::{HEAD, Recognised, Table, recognise};
use crate::source::tables::vocabulary::part_of;
use crate::source::tree::Tree;

/// Number of bytes that are read to see what a table is.
pub(super) const HEAD_BYTES: u64 = HEAD as u64;

/// The largest table that is read, in bytes; HAM10000's has 0.6 MB.
const MAX_TABLE: u64 = 16 << 20;

/// Largest number of rows of a table; HAM10000's has 10,015.
const MAX_ROWS: usize = 1_000_000;

/// Number of rows that are searched for names of images in a table that was not understood.
const SEARCHED_ROWS: usize = 1000;

/// A table whose columns were understood.
pub(super) struct Sheet<'a> {
    /// The file.
    pub entry: &'a Entry,
    pub table: Table,
    pub columns: Columns,
    /// The part of the author's split that the file's name, or else its folder's, names.
    pub part: Option<Side>,
}

/// A table that was not understood, or is of a format that is not read.
pub(super) struct Unread<'a> {
    /// The file.
    pub entry: &'a Entry,
    /// What it is, for a message.
    pub what: String,
    /// What to do about it, if it is the table of the images.
    pub next: String,
    /// Whether it names images of the tree, or may do so.
    pub names_images: bool,
    /// Whether it is a table of pixels.
    pub pixels: bool,
}

/// What lies in a tree.
pub(super) struct Survey<'a> {
    pub tree: &'a Tree,
    /// Indices of the entries that are images.
    pub images: Vec<usize>,
    /// Images by the name without folder and extension.
    pub by_stem: BTreeMap<&'a str, Vec<usize>>,
    by_path: BTreeMap<&'a str, usize>,
    /// Images by the name in lower case, for tables that spell an id differently.
    by_lower: BTreeMap<String, Vec<usize>>,
    pub sheets: Vec<Sheet<'a>>,
    pub unread: Vec<Unread<'a>>,
    /// Files that cannot be read.
    pub problems: Vec<Problem>,
}

/// The images that a table's cell may mean.
pub(super) enum Named<'s> {
    /// The cell is the path of this image.
    Path(usize),
    /// Images with this id.
    Id(&'s [usize]),
    /// There is none.
    Nothing,
}

impl<'a> Survey<'a> {
    /// Lists the images and reads every table.
    ///
    /// # Errors
    /// [`DataError::Bad`] if a table with the columns of one cannot be read or is too large.
    pub fn of(tree: &'a Tree) -> Result<Self, DataError> {
        let images: Vec<usize> =
            (0..tree.entries.len()).filter(|&i| tree.is_image(&tree.entries[i])).collect();
        let mut survey = Self {
            tree,
            images,
            by_stem: BTreeMap::new(),
            by_path: BTreeMap::new(),
            by_lower: BTreeMap::new(),
            sheets: Vec::new(),
            unread: Vec::new(),
            problems: Vec::new(),
        };
        for &image in &survey.images {
            let entry = &tree.entries[image];
            survey.by_stem.entry(entry.stem()).or_default().push(image);
            survey.by_lower.entry(entry.stem().to_lowercase()).or_default().push(image);
            survey.by_path.insert(&entry.path, image);
        }
        let is_image: std::collections::BTreeSet<usize> = survey.images.iter().copied().collect();
        for (i, entry) in tree.entries.iter().enumerate() {
            if !is_image.contains(&i) && may_be_table(&entry.extension()) {
                survey.read_table(entry)?;
            }
        }
        Ok(survey)
    }

    fn read_table(&mut self, entry: &'a Entry) -> Result<(), DataError> {
        let head = match self.tree.read_some(entry, HEAD_BYTES) {
            Ok((head, _)) => head,
            Err(problem) => {
                self.problems.push(problem);
                return Ok(());
            }
        };
        let kind = recognise(entry.name(), &head);
        match not_read(&kind) {
            Some((what, next)) => self.unread.push(Unread {
                entry,
                what: format!("{} is {what}", entry.path),
                next,
                pixels: matches!(kind, Recognised::Pixels),
                names_images: !matches!(kind, Recognised::Pixels),
            }),
            None if matches!(kind, Recognised::Table) => return self.read_rows(entry),
            // Any other JSON may describe the images as well.
            None if entry.extension().starts_with("json")
                && self.names_an_image(&String::from_utf8_lossy(&head)) =>
            {
                self.unread.push(Unread {
                    entry,
                    what: format!("{} names images and is no list of rows", entry.path),
                    next: known_columns().to_owned(),
                    names_images: true,
                    pixels: false,
                });
            }
            None if matches!(entry.extension().as_str(), "csv" | "tsv" | "tab") => {
                let start: String = String::from_utf8_lossy(&head).chars().take(20).collect();
                let begins = match start.trim().is_empty() {
                    true => "it is empty".to_owned(),
                    false => format!("it begins with {:?}", start.trim()),
                };
                self.unread.push(Unread {
                    entry,
                    what: format!("{} is no table: {begins}", entry.path),
                    next: known_columns().to_owned(),
                    names_images: false,
                    pixels: false,
                });
            }
            None => {}
        }
        Ok(())
    }

    fn read_rows(&mut self, entry: &'a Entry) -> Result<(), DataError> {
        let (bytes, more) = self
            .tree
            .read_some(entry, MAX_TABLE)
            .map_err(|p| DataError::bad(&entry.path, p.place))?;
        let read = match more {
            true => Err(format!("a table of more than {} MB", MAX_TABLE >> 20)),
            false => Table::read(entry.name(), &bytes, MAX_ROWS),
        };
        let table = match read {
            Ok(table) => table,
            Err(what) => {
                let names_images = self.names_an_image(&String::from_utf8_lossy(&bytes));
                // A text that names no image is not the table of these images, whatever else it is.
                if more || names_images || what.contains("more than") {
                    self.unread.push(Unread {
                        entry,
                        what: format!("{}: {what}", entry.path),
                        next: known_columns().to_owned(),
                        names_images: true,
                        pixels: false,
                    });
                }
                return Ok(());
            }
        };
        let is_json = entry.extension().starts_with("json");
        let names_images = self.names_images(&table, entry)
            || is_json && self.names_an_image(&String::from_utf8_lossy(&bytes));
        match Columns::of(&table) {
            Some(columns) if says_something(&columns, &table) || !names_images => {
                let folders = entry.path.rsplit('/').skip(1);
                let part = part_of(entry.name()).or_else(|| folders.into_iter().find_map(part_of));
                self.sheets.push(Sheet { entry, table, columns, part });
            }
            _ => self.unread.push(Unread {
                entry,
                what: format!(
                    "{} has the columns {}{}",
                    entry.path,
                    listed(&table.header),
                    match table.header_line {
                        Some(line) => format!(" in line {line}"),
                        None => String::new(),
                    }
                ),
                next: known_columns().to_owned(),
                names_images,
                pixels: false,
            }),
        }
        Ok(())
    }

    /// Whether a column's cells are names of images. One name is enough. A mere number may mean anything, so numbers must
    /// name half of the images.
    fn names_images(&self, table: &Table, entry: &Entry) -> bool {
        let folder = folder_of(entry);
        let rows = table.rows.iter().take(SEARCHED_ROWS);
        let mut numbers = vec![0; table.header.len()];
        for (column, cell) in rows.flat_map(|(_, cells)| cells.iter().enumerate()) {
            if matches!(self.named(folder, cell), Named::Nothing) {
                continue;
            }
            match cell.trim().bytes().all(|b| b.is_ascii_digit()) {
                false => return true,
                true => numbers.get_mut(column).into_iter().for_each(|n| *n += 1),
            }
        }
        let half = self.images.len().min(SEARCHED_ROWS).div_ceil(2);
        numbers.iter().any(|n| *n > 0 && *n >= half)
    }

    /// Whether a quoted word, or a word between blanks or commas, of a text is the name of an image.
    fn names_an_image(&self, text: &str) -> bool {
        let is_end = |c: char| c.is_whitespace() || "\"',;:[]{}()".contains(c);
        text.split(is_end)
            .filter(|word| word.len() > 2)
            .any(|word| !matches!(self.named("", word), Named::Nothing))
    }

    /// The path of an image whose name may be this id in the other Unicode form.
    pub fn other_form(&self, id: &str) -> Option<&str> {
        let wanted = unaccented(id);
        let same = |stem: &&&str| !stem.is_ascii() && unaccented(stem) == wanted;
        let stem = self.by_stem.keys().filter(|_| !id.is_ascii()).find(same)?;
        self.by_stem[stem].first().map(|&image| self.tree.entries[image].path.as_str())
    }

    /// The images that a cell of a table in `folder` names: by their path, from that folder or from any other, or
    /// else by their id.
    pub fn named(&self, folder: &str, cell: &str) -> Named<'_> {
        let path = cell.trim().replace('\\', "/");
        let path = path.trim_start_matches("./");
        if path.contains('/') || path.contains('.') {
            let beside = format!("{folder}{path}");
            if let Some(&image) =
                self.by_path.get(beside.as_str()).or_else(|| self.by_path.get(path))
            {
                return Named::Path(image);
            }
        }
        let stem = stem_of(cell);
        // pandas writes the numbers of a column with gaps as 1.0.
        let whole =
            stem.strip_suffix(".0").filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
        let stem = whole.map_or(stem.clone(), str::to_owned);
        let images =
            self.by_stem.get(stem.as_str()).or_else(|| self.by_lower.get(&stem.to_lowercase()));
        let Some(images) = images else { return Named::Nothing };
        // `a/1.jpg` and `b/1.jpg`: the end of the path says which.
        let end = format!("/{path}");
        let mut same = images
            .iter()
            .filter(|&&i| path.contains('/') && self.tree.entries[i].path.ends_with(&end));
        match (same.next(), same.next()) {
            (Some(&image), None) => Named::Path(image),
            _ => Named::Id(images),
        }
    }
}

/// A name with a mark for each accented letter, so that it is equal in both Unicode forms: composed (NFC) and
/// decomposed (NFD), which macOS writes. Different accents are equal, too, so equal results mean only that the names may
/// be the same.
fn unaccented(name: &str) -> String {
    let mut plain = String::new();
    for c in name.chars() {
        match c {
            '\u{300}'..='\u{36f}' => {
                plain.pop();
                plain.push('\u{fffd}');
            }
            c if c.is_ascii() => plain.push(c.to_ascii_lowercase()),
            _ => plain.push('\u{fffd}'),
        }
    }
    plain
}

/// Whether a table says more about an image than its name, or is only a list of names.
fn says_something(columns: &Columns, table: &Table) -> bool {
    let Columns { class, lesion, dx_type, age, sex, site, part, .. } = columns;
    class.is_some()
        || [lesion, dx_type, age, sex, site, part].iter().any(|c| c.is_some())
        || table.header.len() == 1
}

/// For a table that is not read: what it is, and what to do.
pub(super) fn not_read(kind: &Recognised) -> Option<(&'static str, String)> {
    let unpack = |format: &str| {
        format!(
            "Write its images as files into one folder per class, for example with Python: from datasets import \
             load_dataset; data = load_dataset('{format}', data_files='FILE', split='train'); then save each row's image \
             with its .save(), or write a CSV with the columns image_id and dx."
        )
    };
    let save = "Save it as CSV with the columns image_id and dx";
    Some(match kind {
        Recognised::Table | Recognised::NotATable => return None,
        Recognised::Parquet => ("a Parquet file, which dermagan does not read", unpack("parquet")),
        Recognised::Arrow => ("an Arrow file, which dermagan does not read", unpack("arrow")),
        Recognised::Excel => (
            "an Excel file, which dermagan does not read",
            format!("{save} (in Excel: Save As, CSV UTF-8)."),
        ),
        Recognised::Hdf5 => (
            "an HDF5 file, which dermagan does not read",
            format!("{save}, and its images as files."),
        ),
        Recognised::Pixels => (
            "a table of pixels, without image files",
            "Give the folder or zip with the image files, or MedMNIST's dermamnist npz.".into(),
        ),
    })
}

/// The path of an entry's folder with a `/` at its end, or nothing for the top.
pub(super) fn folder_of(entry: &Entry) -> &str {
    &entry.path[..entry.path.len() - entry.name().len()]
}

/// Names in a list, at most 12 of them.
pub(super) fn listed(all: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<&str> = all.iter().take(SHOWN).map(String::as_str).collect();
    let more = all.len().saturating_sub(SHOWN);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Whether a file with this extension may be a table.
pub(crate) fn may_be_table(extension: &str) -> bool {
    matches!(
        extension,
        "csv"
            | "tab"
            | "tsv"
            | "txt"
            | "json"
            | "jsonl"
            | "ndjson"
            | "parquet"
            | "arrow"
            | "feather"
            | "xlsx"
            | "xls"
            | "h5"
            | "hdf5"
            | ""
    )
}

/// Whether the name of a table or of its folder says that a generator made its images.
pub(super) fn is_synthetic_name(entry: &Entry) -> bool {
    names::is_synthetic(entry.stem()) || entry.folder().is_some_and(names::is_synthetic)
}
