//! One column of a row group: its values, and where they are missing, in the plain encoding
//! ([the encodings](https://parquet.apache.org/docs/file-format/data-pages/encodings/)).

use crate::set::Value;

use super::thrift::{Struct, varint};

/// The physical types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    /// One bit.
    Boolean = 0,
    /// Eight bytes, little-endian.
    Int64 = 2,
    /// Eight bytes, IEEE 754.
    Double = 5,
    /// A length of four bytes, and the bytes.
    Bytes = 6,
}

/// The values of a column since the last row group.
#[derive(Debug)]
pub(super) struct Column {
    /// Its path in the schema.
    pub(super) path: Vec<String>,
    pub(super) physical: Physical,
    /// For each row, how many of the optional fields on the path are there: all of them, or none.
    present: Vec<bool>,
    values: Vec<u8>,
    /// The number of values, for the bits of booleans.
    count: usize,
}

/// A page of a column with its header.
pub(super) struct Page {
    pub(super) header: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) rows: usize,
}

impl Column {
    pub(super) fn new(path: Vec<String>, physical: Physical) -> Self {
        Self { path, physical, present: Vec::new(), values: Vec::new(), count: 0 }
    }

    /// The number of bytes of the values.
    pub(super) fn size(&self) -> usize {
        self.values.len()
    }

    /// Adds bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        // A page has a length of 31 bits.
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length < 1 << 30);
        let length = length.ok_or_else(|| std::io::Error::other("a value larger than 1 GB"))?;
        self.values.extend(length.to_le_bytes());
        self.values.extend(bytes);
        self.present.push(true);
        Ok(())
    }

    /// Adds a value.
    pub(super) fn value(&mut self, value: &Value) -> std::io::Result<()> {
        match value {
            Value::Text(text) => return self.bytes(text.as_bytes()),
            Value::Integer(number) => self.values.extend(number.to_le_bytes()),
            Value::Number(number) => self.values.extend(number.to_le_bytes()),
            Value::Flag(flag) => {
                if self.count.is_multiple_of(8) {
                    self.values.push(0);
                }
                if let Some(byte) = self.values.last_mut() {
                    *byte |= u8::from(*flag) << (self.count % 8);
                }
                self.count += 1;
            }
            Value::Missing => {
                self.present.push(false);
                return Ok(());
            }
        }
        self.present.push(true);
        Ok(())
    }

    /// Takes the values as one page.
    pub(super) fn take_page(&mut self) -> std::io::Result<Page> {
        let present = std::mem::take(&mut self.present);
        let values = std::mem::take(&mut self.values);
        self.count = 0;
        // Every field on the path is optional, so the level of a value is their number, and that of a missing one is 0.
        let level = self.path.len() as u8;
        let levels = runs(present.iter().map(|present| u8::from(*present) * level));
        let mut body = (levels.len() as u32).to_le_bytes().to_vec();
        body.extend(levels);
        body.extend(values);
        let too_large = |_| std::io::Error::other("a page larger than 2 GB");
        let size = i32::try_from(body.len()).map_err(too_large)?;
        let rows = i32::try_from(present.len()).map_err(too_large)?;
        const DATA_PAGE: i32 = 0;
        let data = Struct::new().int32(1, rows).int32(2, PLAIN).int32(3, RLE).int32(4, RLE);
        let header = Struct::new()
            .int32(1, DATA_PAGE)
            .int32(2, size)
            .int32(3, size)
            .structure(5, data)
            .finish();
        Ok(Page { header, body, rows: present.len() })
    }
}

/// The encoding of values.
pub(super) const PLAIN: i32 = 0;
/// The encoding of levels.
pub(super) const RLE: i32 = 3;

/// Levels as runs: twice the length of a run as a varint, and the level in one byte.
fn runs(levels: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut run: Option<(u8, u64)> = None;
    let mut end = |run: Option<(u8, u64)>| {
        if let Some((level, length)) = run {
            varint(&mut bytes, length << 1);
            bytes.push(level);
        }
    };
    for level in levels {
        run = match run {
            Some((of, length)) if of == level => Some((of, length + 1)),
            other => {
                end(other);
                Some((level, 1))
            }
        };
    }
    end(run);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_runs() {
        assert_eq!(runs([2, 2, 2, 0, 2].into_iter()), [6, 2, 2, 0, 2, 2]);
        assert_eq!(runs(std::iter::repeat_n(1, 100)), [0xc8, 0x01, 1]);
        assert_eq!(runs(std::iter::empty()), [0; 0]);
    }

    #[test]
    fn values_are_plain_and_missing_ones_take_no_space() {
        let mut column = Column::new(vec!["flag".into()], Physical::Boolean);
        for value in [Value::Flag(true), Value::Missing, Value::Flag(false), Value::Flag(true)] {
            column.value(&value).unwrap();
        }
        let page = column.take_page().unwrap();
        assert_eq!(page.body, [6, 0, 0, 0, 2, 1, 2, 0, 4, 1, 0b101]);
        assert_eq!((page.rows, column.size()), (4, 0));
        let mut column = Column::new(vec!["text".into()], Physical::Bytes);
        column.value(&Value::Text("ab".into())).unwrap();
        assert_eq!(column.take_page().unwrap().body, [2, 0, 0, 0, 2, 1, 2, 0, 0, 0, b'a', b'b']);
    }
}
