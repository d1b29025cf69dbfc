//! One Parquet file: row groups, then a description of them all
//! ([the layout](https://parquet.apache.org/docs/file-format/), and the
//! [structures](https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift) with the numbers of
//! their fields).

use std::io::Write;

use crate::ours::CREATED_BY;
use crate::set::{Item, Kind, Set, Value};

use super::column::{Column, PLAIN, Physical, RLE};
use super::features::features;
use super::thrift::Struct;

/// The bytes at the start and at the end of a file.
const MAGIC: &[u8; 4] = b"PAR1";
/// The largest number of rows of a row group. The library `datasets` reads a whole group for one row.
const ROWS: usize = 1000;
/// A row group ends when it holds this number of bytes.
const BYTES: usize = 32 << 20;
/// No compression: PNGs are compressed already.
const UNCOMPRESSED: i32 = 0;
/// A field that may be missing.
const OPTIONAL: i32 = 1;
/// The number of the type in the older list of logical types.
const UTF8: i32 = 0;
const UINT_64: i32 = 14;

/// A Parquet file that is being written to `W`.
pub(super) struct ParquetFile<W: Write> {
    to: W,
    /// The number of bytes written.
    at: u64,
    /// `image.bytes` and `image.path`, the label if there are classes, and those of the set.
    columns: Vec<Column>,
    labelled: bool,
    schema: Vec<Struct>,
    groups: Vec<Struct>,
    features: String,
    rows: u64,
    /// The rows since the last group.
    open: usize,
}

impl<W: Write> ParquetFile<W> {
    pub(super) fn new(mut to: W, set: &Set) -> std::io::Result<Self> {
        to.write_all(MAGIC)?;
        let labelled = !set.classes.is_empty();
        let top = |name: &str, physical| Column::new(vec![name.to_owned()], physical);
        let of_image =
            |name: &str| Column::new(vec!["image".to_owned(), name.to_owned()], Physical::Bytes);
        let label = labelled.then(|| top("label", Physical::Int64));
        let columns = [of_image("bytes"), of_image("path")]
            .into_iter()
            .chain(label)
            .chain(set.columns.iter().map(|(name, kind)| top(name, physical(*kind))))
            .collect();
        let (schema, features) = (schema(set), features(set));
        let groups = Vec::new();
        Ok(Self { to, at: 4, columns, labelled, schema, groups, features, rows: 0, open: 0 })
    }

    /// Adds a row.
    pub(super) fn put(&mut self, item: &Item) -> std::io::Result<()> {
        let label = item.class.map_or(Value::Missing, |class| Value::Integer(class as u64));
        let label = self.labelled.then_some(label);
        let path = Value::Text(format!("{}.png", item.name));
        let mut columns = self.columns.iter_mut();
        if let Some(image) = columns.next() {
            image.bytes(&item.png)?;
        }
        for (column, value) in columns.zip([path].iter().chain(&label).chain(&item.values)) {
            column.value(value)?;
        }
        self.open += 1;
        let bytes: usize = self.columns.iter().map(Column::size).sum();
        if self.open == ROWS || bytes >= BYTES { self.end_group() } else { Ok(()) }
    }

    /// Writes the rows since the last group as a group.
    fn end_group(&mut self) -> std::io::Result<()> {
        let start = self.at;
        let mut chunks = Vec::new();
        for column in &mut self.columns {
            let page = column.take_page()?;
            let size = (page.header.len() + page.body.len()) as u64;
            self.to.write_all(&page.header)?;
            self.to.write_all(&page.body)?;
            let path: Vec<&str> = column.path.iter().map(String::as_str).collect();
            let about = Struct::new()
                .int32(1, column.physical as i32)
                .ints(2, &[PLAIN, RLE])
                .texts(3, &path)
                .int32(4, UNCOMPRESSED)
                .int64(5, page.rows as u64)
                .int64(6, size)
                .int64(7, size)
                .int64(9, self.at);
            chunks.push(Struct::new().int64(2, self.at).structure(3, about));
            self.at += size;
        }
        self.groups.push(
            Struct::new()
                .structures(1, chunks.into_iter())
                .int64(2, self.at - start)
                .int64(3, self.open as u64),
        );
        self.rows += self.open as u64;
        self.open = 0;
        Ok(())
    }

    /// Writes the description, which completes the file.
    pub(super) fn finish(mut self) -> std::io::Result<W> {
        if self.open > 0 {
            self.end_group()?;
        }
        const VERSION: i32 = 1;
        let features = Struct::new().text(1, "huggingface").text(2, &self.features);
        let about = Struct::new()
            .int32(1, VERSION)
            .structures(2, self.schema.into_iter())
            .int64(3, self.rows)
            .structures(4, self.groups.into_iter())
            .structures(5, [features].into_iter())
            // Readers expect a program and a version in this form.
            .text(6, &format!("{CREATED_BY}{}", env!("CARGO_PKG_VERSION")))
            .finish();
        let length = u32::try_from(about.len())
            .map_err(|_| std::io::Error::other("a description larger than 4 GB"))?;
        self.to.write_all(&about)?;
        self.to.write_all(&length.to_le_bytes())?;
        self.to.write_all(MAGIC)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

fn physical(kind: Kind) -> Physical {
    match kind {
        Kind::Text => Physical::Bytes,
        Kind::Integer => Physical::Int64,
        Kind::Number => Physical::Double,
        Kind::Flag => Physical::Boolean,
    }
}

/// The fields of the file as a tree, written from its root.
fn schema(set: &Set) -> Vec<Struct> {
    let leaf = |physical: Physical, name: &str| {
        Struct::new().int32(1, physical as i32).int32(3, OPTIONAL).text(4, name)
    };
    // The logical type is given twice: as older and as newer readers look for it.
    let string = || Struct::new().structure(1, Struct::new());
    let unsigned = || Struct::new().structure(10, Struct::new().byte(1, 64).flag(2, false));
    let text = |name: &str| leaf(Physical::Bytes, name).int32(6, UTF8).structure(10, string());
    let labelled = !set.classes.is_empty();
    let fields = 1 + usize::from(labelled) + set.columns.len();
    let mut schema = vec![
        Struct::new().text(4, "schema").int32(5, fields as i32),
        Struct::new().int32(3, OPTIONAL).text(4, "image").int32(5, 2),
        leaf(Physical::Bytes, "bytes"),
        text("path"),
    ];
    schema.extend(labelled.then(|| leaf(Physical::Int64, "label")));
    schema.extend(set.columns.iter().map(|(name, kind)| match kind {
        Kind::Text => text(name),
        Kind::Integer => leaf(Physical::Int64, name).int32(6, UINT_64).structure(10, unsigned()),
        Kind::Number | Kind::Flag => leaf(physical(*kind), name),
    }));
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{items, set};

    #[test]
    fn a_file_ends_with_the_length_of_its_description() {
        let mut file = ParquetFile::new(Vec::new(), &set()).unwrap();
        items().iter().for_each(|item| file.put(item).unwrap());
        let bytes = file.finish().unwrap();
        let length: [u8; 4] = bytes[bytes.len() - 8..][..4].try_into().unwrap();
        let start = bytes.len() - 8 - u32::from_le_bytes(length) as usize;
        assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&MAGIC[..], &MAGIC[..]));
        // Version 1, then the schema: a list of 11 structures, of which the first has 8 fields.
        assert_eq!(bytes[start..][..6], [0x15, 0x02, 0x19, 0xbc, 0x48, 6]);
        assert_eq!(&bytes[start..][6..14], b"schema\x15\x10");
        let text = String::from_utf8_lossy(&bytes[start..]);
        assert!(text.contains("\"names\": [\"nv\", \"mel\"]"), "{text}");
    }

    #[test]
    fn memory_is_that_of_a_row_group() {
        let mut file = ParquetFile::new(Vec::new(), &set()).unwrap();
        let item = &items()[0];
        for _ in 0..2 * ROWS + 1 {
            file.put(item).unwrap();
        }
        assert_eq!((file.groups.len(), file.open), (2, 1));
        assert!(file.columns[0].size() < 2 * (item.png.len() + 4));
        let large = Item { png: vec![0; BYTES], ..item.clone() };
        file.put(&large).unwrap();
        assert_eq!((file.groups.len(), file.open), (3, 0));
    }
}
