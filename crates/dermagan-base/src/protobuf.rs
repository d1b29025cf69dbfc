//! Writes messages in the wire format of protocol buffers, for files of ONNX and TensorBoard.
//!
//! A message is a sequence of fields, and a field is its number, the form of its value, and the value
//! ([the encoding](https://protobuf.dev/programming-guides/encoding/)). A writer needs nothing else: the names and the
//! order of fields are not stored. So this short file replaces a code generator and its runtime.

/// A message under construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(Vec<u8>);

/// The forms of values on the wire.
#[derive(Clone, Copy)]
enum Form {
    Varint = 0,
    Fixed64 = 1,
    Delimited = 2,
    Fixed32 = 5,
}

impl Message {
    /// A message without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an integer: `int32`, `int64`, `uint64`, `bool` or an enumeration. A negative one takes ten bytes.
    #[must_use]
    pub fn int(mut self, field: u32, value: i64) -> Self {
        self.key(field, Form::Varint);
        self.varint(value.cast_unsigned());
        self
    }

    /// Adds a `float`.
    #[must_use]
    pub fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, Form::Fixed32);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Adds a `double`.
    #[must_use]
    pub fn double(mut self, field: u32, value: f64) -> Self {
        self.key(field, Form::Fixed64);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Adds `bytes`.
    #[must_use]
    pub fn bytes(mut self, field: u32, value: &[u8]) -> Self {
        self.key(field, Form::Delimited);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    /// Adds a `string`.
    #[must_use]
    pub fn text(self, field: u32, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    /// Adds a message inside this one.
    #[must_use]
    pub fn message(self, field: u32, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// The bytes of the message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u32, form: Form) {
        self.varint(u64::from(field) << 3 | form as u64);
    }

    /// Seven bits per byte, the lowest first; the highest bit says that another byte follows.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification() {
        assert_eq!(Message::new().int(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        let text = Message::new().text(2, "testing");
        assert_eq!(text.into_bytes(), b"\x12\x07testing");
        let inner = Message::new().int(1, 150);
        assert_eq!(Message::new().message(3, &inner).into_bytes(), [0x1a, 3, 0x08, 0x96, 0x01]);
        let negative = Message::new().int(1, -2).into_bytes();
        assert_eq!(negative, [8, 0xfe, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    }

    #[test]
    fn numbers_of_fixed_length_are_little_endian() {
        assert_eq!(Message::new().float(2, 1.0).into_bytes(), [0x15, 0, 0, 0x80, 0x3f]);
        let double = Message::new().double(1, 1.0).into_bytes();
        assert_eq!(double, [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        assert_eq!(Message::new().int(16, 0).into_bytes(), [0x80, 0x01, 0]);
    }
}
