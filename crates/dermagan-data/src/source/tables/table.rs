//! A table as cells, whatever it was written as: delimited text, JSON, JSON Lines.

use crate::source::record::is_unknown;
use crate::source::tables::names::{has_image_extension, last_component, names_image};
pub(crate) use crate::source::tables::recognise::{HEAD, Recognised, recognise};
use crate::source::tables::vocabulary::{Diagnosis, diagnosis, part_of};
use crate::source::tables::{delimited, json, text};

/// Largest number of columns of a table; HAM10000's has at most 8, ISIC 2024's has 55.
const MAX_COLUMNS: usize = 64;

/// A table as text cells.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The names of the columns as written, without blanks around them.
    pub header: Vec<String>,
    /// Each row with its line number in the file, from 1. In JSON it is the number of the row, from 1.
    pub rows: Vec<(u64, Vec<String>)>,
    /// Whether the file has no row of names, so that those in `header` are dermagan's: `split`, `file_name`, `label`
    /// and `column 4`, by what the cells are.
    pub headerless: bool,
    /// Number of the line of the header, from 1; `None` if the file has no such line.
    pub header_line: Option<u64>,
    /// Whether this is StyleGAN's `dataset.json`, whose classes are numbers.
    pub stylegan: bool,
}

impl Table {
    /// Reads a table of the name `name` from the bytes of its file. Empty rows are skipped, and those that repeat
    /// the header. Rows may differ in length.
    ///
    /// # Errors
    /// If the table has more than `max_rows` rows or 64 columns, or is neither delimited text nor JSON. The error says
    /// what was found, without the file's name.
    pub fn read(name: &str, bytes: &[u8], max_rows: usize) -> Result<Self, String> {
        let text = text::decode(bytes);
        if text::is_binary(&text) {
            return Err(
                "found binary data; expected a table as text: CSV, TSV, JSON or JSON Lines".into(),
            );
        }
        let lower = name.to_ascii_lowercase();
        let is_delimited = [".csv", ".tsv", ".tab"].iter().any(|ending| lower.ends_with(ending));
        if json::is_json(&text) && !is_delimited {
            let limits = json::Limits { rows: max_rows, columns: MAX_COLUMNS };
            let table = json::read(&text, limits)?;
            let (header, rows, stylegan) = (table.header, table.rows, table.stylegan);
            return Ok(Self { header, rows, headerless: false, header_line: None, stylegan });
        }
        let Some(layout) = delimited::layout(&text) else {
            return Ok(Self {
                header: Vec::new(),
                rows: Vec::new(),
                headerless: false,
                header_line: None,
                stylegan: false,
            });
        };
        let mut rows = delimited::rows(&text, &layout, max_rows, MAX_COLUMNS)?;
        if let Some(header) = synthetic_header(&rows) {
            let header_line = None;
            return Ok(Self { header, rows, headerless: true, header_line, stylegan: false });
        }
        let header_line = rows.first().map(|(line, _)| *line);
        let mut header = if rows.is_empty() { Vec::new() } else { rows.remove(0).1 };
        // R writes one name less than cells: the first column has the names of the rows.
        let longer = |(_, cells): &(u64, Vec<String>)| {
            cells.len() == header.len() + 1 && cells.last().is_some_and(|c| !c.is_empty())
        };
        if header.len() > 1 && rows.len() > 1 && rows.iter().all(longer) {
            header.insert(0, String::new());
        }
        // Tables that were appended to each other repeat the names.
        rows.retain(|(_, cells)| *cells != header);
        Ok(Self { header, rows, headerless: false, header_line, stylegan: false })
    }

    /// The index of a column by its name, in any case.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|n| n.eq_ignore_ascii_case(name))
    }

    /// The cell of a row in a column; empty if the row is too short.
    pub fn cell(cells: &[String], column: usize) -> &str {
        cells.get(column).map_or("", String::as_str)
    }
}

/// The names of the columns of a table whose first row has none, by what the cells are; `None` if the first row may
/// be one of names. That it is not is evident if it names an image, or gives a diagnosis where all rows do.
fn synthetic_header(rows: &[(u64, Vec<String>)]) -> Option<Vec<String>> {
    let (_, first) = rows.first()?;
    let column = |c: usize| rows.iter().map(move |(_, cells)| Table::cell(cells, c));
    let most = |c: usize, test: fn(&str) -> bool| {
        let filled = column(c).filter(|cell| !cell.is_empty());
        let (all, good) =
            filled.fold((0, 0), |(all, good), cell| (all + 1, good + usize::from(test(cell))));
        all > 0 && good * 10 >= all * 9
    };
    let known: fn(&str) -> bool =
        |cell| matches!(diagnosis(cell), Diagnosis::Ham(_)) || is_unknown(cell);
    let ham = |cell: &str| matches!(diagnosis(cell), Diagnosis::Ham(_));
    let is_known = |c: usize| ham(&first[c]) && column(c).skip(1).any(ham) && most(c, known);
    let image = (0..first.len()).find(|&c| names_image(&first[c]) && most(c, names_image));
    let class = (0..first.len()).find(|&c| rows.len() > 1 && is_known(c));
    let image = image.or_else(|| match (class, first.len()) {
        // Two columns, one of them of diagnoses: the other one has the images.
        (Some(class), 2) => Some(1 - class),
        _ => None,
    })?;
    let part = (0..first.len()).find(|&c| c != image && most(c, |cell| part_of(cell).is_some()));
    let rest: Vec<usize> = (0..first.len()).filter(|&c| c != image && Some(c) != part).collect();
    let label = class.or(if let [only] = rest[..] { Some(only) } else { None });
    let name = |c: usize| match c {
        _ if c == image => "file_name".to_owned(),
        _ if Some(c) == part => "split".to_owned(),
        _ if Some(c) == label => "label".to_owned(),
        _ => format!("column {}", c + 1),
    };
    Some((0..first.len()).map(name).collect())
}

/// The id in a cell: the last component of a path, with the separators of any system, without the extension of an
/// image and without blanks around it.
pub(super) fn stem(cell: &str) -> &str {
    let name = last_component(cell);
    match name.rsplit_once('.') {
        Some((stem, _)) if has_image_extension(name) => stem.trim(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(name: &str, text: &str) -> Table {
        Table::read(name, text.as_bytes(), 100).unwrap()
    }

    #[test]
    fn lines_are_those_of_the_file_and_names_are_as_written() {
        let table = read("t.csv", "sep=;\r\n Image ID ;DX;age\r\n\r\nI1;nv;85,0\r\nI2;mel\r\n");
        assert_eq!(table.header, ["Image ID", "DX", "age"]);
        assert_eq!(table.rows[0], (4, vec!["I1".into(), "nv".into(), "85,0".into()]));
        assert_eq!(table.rows[1], (5, vec!["I2".into(), "mel".into()]));
        assert!(!table.headerless && !table.stylegan);
        assert_eq!((table.column("dx"), table.column("sex")), (Some(1), None));
    }

    #[test]
    fn every_encoding_gives_the_same_table() {
        let text = "image_id\tdx\r\nISIC_1\tnævus\r\nISIC_2\tmel\r\n";
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let expected = read("t", text);
        for bytes in
            [[b"\xfe\xff", &wide[..]].concat(), wide, [b"\xef\xbb\xbf", text.as_bytes()].concat()]
        {
            let table = Table::read("t", &bytes, 9).unwrap();
            assert_eq!(
                (table.header, table.rows),
                (expected.header.clone(), expected.rows.clone())
            );
        }
    }

    #[test]
    fn tables_without_names_of_columns_get_them_by_their_cells() {
        for (text, header) in [
            (
                "TRAINING,train0_5.png,5\nVALIDATION,val0_2.png,2\nTEST,test0_0.png,0\n",
                "split file_name label",
            ),
            ("a.jpg 3\nb.jpg 4\n", "file_name label"),
            ("ISIC_0000001\nISIC_0000002\n", "file_name"),
            ("nv,lesion one\nmel,lesion two\nnv,lesion three\n", "label file_name"),
            ("img/a.jpg,40,nv\nimg/b.jpg,50,mel\n", "file_name column_2 label"),
        ] {
            let table = read("t.csv", text);
            assert!(table.headerless, "{text}");
            assert_eq!(
                table.header.iter().map(|h| h.replace(' ', "_")).collect::<Vec<_>>().join(" "),
                header
            );
            assert_eq!(table.rows[0].0, 1);
        }
        for text in [
            "image,MEL,NV\nISIC_1,1.0,0.0\n",
            "id,nv\n1,2\n",
            "image_id,dx\n",
            "melanoma,nevus\nx,y\nz,w\n",
        ] {
            assert!(!read("t.csv", text).headerless, "{text}");
        }
    }

    #[test]
    fn repeated_headers_and_names_of_rows_are_left_out() {
        let table = read("t.csv", "image_id,dx\nI1,nv\nimage_id,dx\nI2,mel\n");
        assert_eq!(table.rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4]);
        // What R's write.table writes.
        let table =
            read("t.csv", "\"image_id\",\"dx\"\n\"1\",\"I1\",\"nv\"\n\"2\",\"I2\",\"mel\"\n");
        assert_eq!(
            (table.header, table.rows[0].1[2].as_str()),
            (vec![String::new(), "image_id".into(), "dx".into()], "nv")
        );
    }

    #[test]
    fn faults_say_what_was_found() {
        let error = |bytes: &[u8]| Table::read("t.csv", bytes, 2).err().unwrap();
        assert!(error(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").contains("binary"));
        assert!(error(b"a,b\n1,2\n3,4\n5,6\n").contains("more than 2 rows"));
        let wide = error(vec!["x"; 300].join(",").as_bytes());
        assert!(wide.contains("line 1: found more than 64 columns"), "{wide}");
        let open = Table::read("t.csv", b"image_id,dx\nI1,nv\nI2,\"mel\nI3,nv\nI4,nv\n", 9);
        assert_eq!(open.err().unwrap(), "line 3: a quote is opened and not closed");
        // The end of a cell that is the last one may be missing, and an inch has one quote.
        let last = read("t.csv", "image_id,dx\nI1,nv\nI2,\"mel\n");
        assert_eq!(last.rows[1].1, ["I2", "mel"]);
        let inch = read("t.csv", "image_id,dx,note\nI1,nv,5\" scar\nI2,mel,\"two\nlines\"\n");
        assert_eq!(inch.rows[1].1[2], "two\nlines");
        let error = Table::read("t.json", b"{\"images\": [{\"a\": 1}], \"b\": 2, \"c\": [{}]}", 9)
            .err()
            .unwrap();
        assert!(error.contains("keys b, c, images"), "{error}");
    }

    #[test]
    fn the_id_of_a_cell_has_no_folder_and_no_extension() {
        for (cell, id) in [
            ("images\\ISIC_0029417.jpg", "ISIC_0029417"),
            ("/data/ham/ISIC_0029417.JPEG ", "ISIC_0029417"),
            ("ISIC_0029417", "ISIC_0029417"),
            ("PAT_8_15_820.png", "PAT_8_15_820"),
            ("v1.2", "v1.2"),
            ("a.b.png", "a.b"),
            ("folder/", "folder"),
            (" ", ""),
        ] {
            assert_eq!(stem(cell), id);
        }
    }

    proptest! {
        #[test]
        fn reading_is_total(bytes in prop::collection::vec(any::<u8>(), 0..300), name in "(t.csv|t.json|t)") {
            let _ = Table::read(&name, &bytes, 50);
        }

        #[test]
        fn what_reads_has_lines_in_order(text in "(image|[a-z,;\t\n\"0-9. ]{0,8}|a.jpg|nv|\n){0,30}") {
            if let Ok(table) = Table::read("t.csv", text.as_bytes(), 50) {
                prop_assert!(table.rows.is_sorted_by(|a, b| a.0 < b.0), "{table:?}");
            }
        }
    }
}
