//! Structures in the compact protocol of Thrift, in which Parquet describes pages and files
//! ([the encoding](https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md)).

/// The types of fields.
#[derive(Clone, Copy)]
enum Type {
    True = 1,
    False = 2,
    Byte = 3,
    Int32 = 5,
    Int64 = 6,
    Binary = 8,
    List = 9,
    Struct = 12,
}

/// A structure under construction. Fields come in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Struct {
    bytes: Vec<u8>,
    last: u8,
}

impl Struct {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds an `i32` or an enumeration.
    #[must_use]
    pub(super) fn int32(mut self, field: u8, value: i32) -> Self {
        self.key(field, Type::Int32);
        varint(&mut self.bytes, zigzag(value.into()));
        self
    }

    /// Adds an `i64`.
    #[must_use]
    pub(super) fn int64(mut self, field: u8, value: u64) -> Self {
        self.key(field, Type::Int64);
        varint(&mut self.bytes, zigzag(value.cast_signed()));
        self
    }

    /// Adds an `i8`.
    #[must_use]
    pub(super) fn byte(mut self, field: u8, value: u8) -> Self {
        self.key(field, Type::Byte);
        self.bytes.push(value);
        self
    }

    /// Adds a `bool`, which is in the type of its field.
    #[must_use]
    pub(super) fn flag(mut self, field: u8, value: bool) -> Self {
        self.key(field, if value { Type::True } else { Type::False });
        self
    }

    /// Adds a `string`.
    #[must_use]
    pub(super) fn text(mut self, field: u8, value: &str) -> Self {
        self.key(field, Type::Binary);
        binary(&mut self.bytes, value);
        self
    }

    /// Adds a structure.
    #[must_use]
    pub(super) fn structure(mut self, field: u8, value: Self) -> Self {
        self.key(field, Type::Struct);
        self.bytes.extend(value.finish());
        self
    }

    /// Adds a list of enumerations.
    #[must_use]
    pub(super) fn ints(mut self, field: u8, values: &[i32]) -> Self {
        self.list(field, Type::Int32, values.len());
        values.iter().for_each(|value| varint(&mut self.bytes, zigzag((*value).into())));
        self
    }

    /// Adds a list of strings.
    #[must_use]
    pub(super) fn texts(mut self, field: u8, values: &[&str]) -> Self {
        self.list(field, Type::Binary, values.len());
        values.iter().for_each(|value| binary(&mut self.bytes, value));
        self
    }

    /// Adds a list of structures.
    #[must_use]
    pub(super) fn structures(
        mut self,
        field: u8,
        values: impl ExactSizeIterator<Item = Self>,
    ) -> Self {
        self.list(field, Type::Struct, values.len());
        values.for_each(|value| self.bytes.extend(value.finish()));
        self
    }

    /// The bytes of the structure.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }

    /// The header of a field: the difference to the number of the field before, and the type. All fields of Parquet's
    /// structures are numbered from 1 to 15.
    fn key(&mut self, field: u8, of: Type) {
        debug_assert!(field > self.last && field - self.last < 16, "fields in order");
        self.bytes.push((field - self.last) << 4 | of as u8);
        self.last = field;
    }

    fn list(&mut self, field: u8, of: Type, length: usize) {
        self.key(field, Type::List);
        match u8::try_from(length) {
            Ok(short @ 0..15) => self.bytes.push(short << 4 | of as u8),
            _ => {
                self.bytes.push(0xf0 | of as u8);
                varint(&mut self.bytes, length as u64);
            }
        }
    }
}

fn binary(bytes: &mut Vec<u8>, text: &str) {
    varint(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Adds a number in groups of seven bits, the lowest first.
pub(super) fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_bytes_of_the_compact_protocol() {
        let inner = Struct::new().int32(1, -1);
        let all = Struct::new()
            .int32(1, 150)
            .int64(3, 1 << 40)
            .byte(4, 64)
            .flag(5, true)
            .flag(6, false)
            .text(8, "ab")
            .structure(9, inner.clone())
            .ints(10, &[0, 3])
            .texts(11, &["x"])
            .structures(12, vec![inner; 15].into_iter());
        let start = [
            &[0x15, 0xac, 0x02][..],
            &[0x26, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
            &[0x13, 64, 0x11, 0x12, 0x28, 2, b'a', b'b'],
            &[0x1c, 0x15, 0x01, 0x00, 0x19, 0x25, 0x00, 0x06, 0x19, 0x18, 1, b'x'],
            &[0x19, 0xfc, 15],
        ];
        let end = [[0x15, 0x01, 0x00].repeat(15), vec![0]];
        assert_eq!(all.finish(), [start.concat(), end.concat()].concat());
    }
}
