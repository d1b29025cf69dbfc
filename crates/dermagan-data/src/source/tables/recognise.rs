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

/// What the file called `name` is, by its first [`HEAD`] bytes.
pub(crate) fn recognise(name: &str, head: &[u8]) -> Recognised {
    if let Some(format) = binary(name, head) {
        return format;
    }
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    // Programs, pages and notes also have commas and braces.
    let other = [
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
    let text = text::decode(head);
    if other.contains(&extension.as_str()) || text.trim().is_empty() || text::is_binary(&text) {
        return Recognised::NotATable;
    }
    let table = |is: bool| if is { Recognised::Table } else { Recognised::NotATable };
    if json::is_json(&text) {
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
    let named = matches!(extension.as_str(), "csv" | "tsv" | "tab");
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
    table(named || layout.known_header || columns)
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
        let named = ["", "pixel", "pix", "px", "p", "x", "v", "val", "feature"];
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
