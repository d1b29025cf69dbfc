//! What a file is, by its beginning: a table, or one of the formats that tables are also kept in.

use crate::source::tables::names::{means_image, names_image};
use crate::source::tables::{delimited, json, text};

/// Number of bytes of a file that [`recognise`] asks for.
pub(crate) const HEAD: usize = 64 << 10;

/// Number of columns from which a table of numbers is one of pixels.
const PIXELS: usize = 65;

/// What the beginning of a file shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// A table that [`Table::read`](super::table::Table::read) reads, or whose fault it reports.
    Table,
    /// A table of pixel values, one image per row, such as `hmnist_28_28_RGB.csv`.
    Pixels,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow: a Feather file, or what `save_to_disk` of Hugging Face writes.
    Arrow,
    /// A workbook of Excel or of LibreOffice.
    Excel,
    /// HDF5.
    Hdf5,
    /// Anything else.
    NotATable,
}

/// Extensions of programs, pages and notes, which also have commas and braces.
const OTHER: [&str; 31] = [
    "md",
    "rst",
    "html",
    "htm",
    "xml",
    "svg",
    "py",
    "ipynb",
    "r",
    "m",
    "rs",
    "js",
    "ts",
    "c",
    "cpp",
    "h",
    "java",
    "sh",
    "bat",
    "yml",
    "yaml",
    "toml",
    "ini",
    "cfg",
    "tex",
    "bib",
    "log",
    "css",
    "lock",
    "gitattributes",
    "gitignore",
];

/// What the file called `name` is, by its first [`HEAD`] bytes.
pub(crate) fn recognise(name: &str, head: &[u8]) -> Recognised {
    if let Some(format) = binary(name, head) {
        return format;
    }
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    let text = text::decode(head);
    // A server's page in the place of a table, and a pointer of Git LFS.
    let is_page = text.trim_start().starts_with('<') || text.starts_with("version https://git-lfs");
    if OTHER.contains(&extension.as_str())
        || is_page
        || text.trim().is_empty()
        || text::is_binary(&text)
    {
        return Recognised::NotATable;
    }
    let table = |is: bool| if is { Recognised::Table } else { Recognised::NotATable };
    let named = matches!(extension.as_str(), "csv" | "tsv" | "tab");
    if json::is_json(&text) && !named {
        let whole = head.len() < HEAD;
        return table(
            matches!(extension.as_str(), "jsonl" | "ndjson")
                || json::looks_like_table(&text, whole),
        );
    }
    if is_pixels(&text) {
        return Recognised::Pixels;
    }
    let Some(layout) = delimited::layout(&text) else {
        return Recognised::NotATable;
    };
    if layout.columns == 1 {
        let body = &text[layout.skip..];
        let mut lines = body.lines().map(|l| l.trim().trim_matches('"')).filter(|l| !l.is_empty());
        // A list of images, with or without a header.
        let list =
            lines.clone().take(50).skip(1).all(names_image) && lines.clone().nth(1).is_some();
        return table(
            list || (named && lines.next().is_some_and(|l| means_image(l) || names_image(l))),
        );
    }
    let columns = layout.rows > 2 && layout.consistent >= 0.95 && layout.delimiter != b' ';
    table(named || (layout.known_header && layout.consistent >= 0.8) || columns)
}

/// The format of a file that is no text, by its magic number.
fn binary(name: &str, head: &[u8]) -> Option<Recognised> {
    let contains = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
    let stream = || {
        let length = head.get(4..8).and_then(|b| Some(u32::from_le_bytes(b.try_into().ok()?)));
        name.to_ascii_lowercase().ends_with(".arrow") && length.is_some_and(|l| l < 16 << 20)
    };
    Some(match head {
        [b'P', b'A', b'R', b'1' | b'E', ..] => Recognised::Parquet,
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [b'F', b'E', b'A', b'1', ..] => {
            Recognised::Arrow
        }
        [0xff, 0xff, 0xff, 0xff, ..] if stream() => Recognised::Arrow,
        [0x89, b'H', b'D', b'F', b'\r', b'\n', 0x1a, b'\n', ..] => Recognised::Hdf5,
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => Recognised::Excel,
        [b'P', b'K', 3, 4, ..]
            if contains(b"xl/") && contains(b"[Content_Types].xml")
                || contains(b"application/vnd.oasis.opendocument.spreadsheet") =>
        {
            Recognised::Excel
        }
        _ => return None,
    })
}

/// Whether a text begins like a table of pixel values. The first row alone may be longer than the beginning.
fn is_pixels(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let (Some(first), second) = (lines.next(), lines.next()) else {
        return false;
    };
    let share = |line: &str, test: fn(&str) -> bool| {
        let cells: Vec<&str> =
            line.split([',', ';', '\t']).map(|c| c.trim().trim_matches('"')).collect();
        cells.len() >= PIXELS
            && cells.iter().filter(|cell| test(cell)).count() * 10 >= cells.len() * 9
    };
    let number = |cell: &str| cell.parse::<f64>().is_ok_and(|v| (0.0..=255.0).contains(&v));
    let pixel = |cell: &str| {
        let digits =
            cell.trim_start_matches(|c: char| c.is_ascii_alphabetic() || "_ -.".contains(c));
        let letters = &cell[..cell.len() - digits.len()];
        let named = ["", "pixel", "pix", "px", "p"];
        let letters = letters.trim_matches(['_', ' ', '-', '.']).to_ascii_lowercase();
        named.contains(&letters.as_str())
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_ascii_digit() || "x_.-".contains(c))
    };
    // The last cell of a line that was cut may be anything.
    (share(first, pixel)
        && second.is_none_or(|second| share(second, number) || lines.next().is_none()))
        || (share(first, number) && second.is_none_or(|second| share(second, number)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is(name: &str, head: &[u8], expected: Recognised) {
        assert_eq!(recognise(name, head), expected, "{name}: {:?}", String::from_utf8_lossy(head));
    }

    #[test]
    fn tables_are_recognised_by_content() {
        for (name, text) in [
            ("HAM10000_metadata.csv", "lesion_id,image_id,dx\nH1,ISIC_1,nv\n"),
            ("HAM10000_metadata", "lesion_id,image_id,dx\nH1,ISIC_1,nv\n"),
            ("t.tab", "lesion_id\timage_id\tdx\nH1\tISIC_1\tnv\n"),
            ("test.csv", "image_name,patient_id,sex\n"),
            ("t.csv", "sep=;\nimage_id;dx\nI1;nv\n"),
            ("odd.csv", "alpha,beta\n1,2\n"),
            ("list.txt", "a.jpg 3\nb.jpg 4\n"),
            ("train.txt", "ISIC_0000001\nISIC_0000002\n"),
            ("val.csv", "image_id\nISIC_0000001\n"),
            ("dermamnist.csv", "TRAINING,train0_5.png,5\n"),
            ("dataset.json", "{\"labels\": [[\"00000/a.png\", 3]]}"),
            ("dataset.json", "{\"labels\": null}"),
            ("metadata.jsonl", "{\"file_name\": \"a.jpg\"}\n"),
            ("data.json", "[{\"id\": 1}, {\"id\": 2}]"),
            // Reading says what is wrong with it.
            (
                "coco.json",
                "{\"images\": [{\"file_name\": \"a.jpg\"}], \"annotations\": [{\"id\": 1}]}",
            ),
        ] {
            is(name, text.as_bytes(), Recognised::Table);
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            is(name, &[b"\xff\xfe", &wide[..]].concat(), Recognised::Table);
        }
    }

    #[test]
    fn notes_programs_and_images_are_no_tables() {
        for (name, bytes) in [
            ("LICENSE.txt", b"CC BY-NC 4.0\nCite the paper, please.\n".as_slice()),
            ("attribution.txt", b"cite\n"),
            ("README.md", b"| image | dx |\n|---|---|\n| a | nv |\n"),
            ("load.py", b"import os, sys\nx = 1, 2\ny = 3, 4\n"),
            ("a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40"),
            ("empty.csv", b""),
            ("blank.csv", b"\n \n"),
            ("labels.json", b"{\"0\": \"nv\", \"1\": \"mel\"}"),
            ("card.json", b"{\"classes\": [\"nv\"], \"size\": 64, \"data\": {\"name\": \"x\"}}"),
        ] {
            is(name, bytes, Recognised::NotATable);
        }
    }

    #[test]
    fn a_long_json_is_recognised_by_its_beginning() {
        for (text, expected) in [
            ("{\"labels\": [", Recognised::Table),
            ("[\n  {", Recognised::Table),
            ("{\"cells\": [", Recognised::NotATable),
        ] {
            let mut head = text.as_bytes().to_vec();
            head.resize(HEAD, b' ');
            is("a.json", &head, expected);
        }
    }

    #[test]
    fn pixels_are_recognised_by_the_header_or_the_cells() {
        let header: Vec<String> = (0..784).map(|i| format!("pixel{i:04}")).collect();
        let row = vec!["17"; 784].join(",");
        is(
            "hmnist_28_28_L.csv",
            format!("{},label\n{row},2\n", header.join(",")).as_bytes(),
            Recognised::Pixels,
        );
        is(
            "x.csv",
            format!(
                "label,{}\n2,{row}\n",
                (0..784).map(|i| i.to_string()).collect::<Vec<_>>().join(",")
            )
            .as_bytes(),
            Recognised::Pixels,
        );
        is("x.csv", format!("{row},2\n{row},3\n").as_bytes(), Recognised::Pixels);
        // The header alone is longer than the beginning.
        let header: Vec<String> = (0..12288).map(|i| format!("pixel{i:05}")).collect();
        is("hmnist_64_64_RGB.csv", &header.join(",").as_bytes()[..HEAD], Recognised::Pixels);
        // Many columns of other things are no pixels.
        let header: Vec<String> = (0..100).map(|i| format!("question {i} answer")).collect();
        is(
            "x.csv",
            format!("image,{}\na,{}\n", header.join(","), vec!["yes"; 100].join(",")).as_bytes(),
            Recognised::Table,
        );
    }

    #[test]
    fn other_formats_of_tables_are_named() {
        is("train-00000-of-00001.parquet", b"PAR1\x15\x04\x15", Recognised::Parquet);
        is("a.feather", b"ARROW1\0\0\xff\xff\xff\xff", Recognised::Arrow);
        is(
            "data-00000-of-00001.arrow",
            b"\xff\xff\xff\xff\x80\x02\0\0\x10\0\0\0",
            Recognised::Arrow,
        );
        is("a.bin", b"\xff\xff\xff\xff\x80\x02\0\0\x10\0\0\0", Recognised::NotATable);
        is(
            "t.xlsx",
            b"PK\x03\x04\x14\0\x06\0[Content_Types].xml ... xl/workbook.xml",
            Recognised::Excel,
        );
        is("t.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", Recognised::Excel);
        is("t.h5", b"\x89HDF\r\n\x1a\n\0\0", Recognised::Hdf5);
        is("images.zip", b"PK\x03\x04\x14\0\x06\0a.jpg", Recognised::NotATable);
    }

    proptest! {
        #[test]
        fn any_bytes_are_recognised(bytes in prop::collection::vec(any::<u8>(), 0..300), name in "[a-z]{0,3}(\\.csv|\\.json|\\.txt|\\.arrow)?") {
            recognise(&name, &bytes);
        }
    }
}
