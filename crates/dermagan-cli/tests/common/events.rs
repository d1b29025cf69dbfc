//! Reads the event file of a run: records with messages of protocol buffers.

use std::path::Path;

/// What an event shows at a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// A number.
    Scalar(f32),
    /// The bytes of a PNG.
    Image(Vec<u8>),
}

/// All events of a run after the first: step, tag and value, in the order of the file. Times and memory, which differ
/// between equal runs, are 0.
pub fn events(run: &Path) -> Vec<(u64, String, Shown)> {
    let records = records(&std::fs::read(run.join("events.out.tfevents.run")).unwrap());
    assert_eq!(bytes(&fields(&records[0]), 3), b"brain.Event:2");
    let mut found = Vec::new();
    for event in records[1..].iter().map(|record| fields(record)) {
        let step = u64::from_le_bytes(bytes(&event, 2).try_into().unwrap());
        for (_, value) in fields(&bytes(&event, 5)) {
            let value = fields(&value);
            let tag = String::from_utf8(bytes(&value, 1)).unwrap();
            let of_time = tag.starts_with("Timing/") || tag.starts_with("Resources/");
            let shown = match value.iter().any(|(field, _)| *field == 4) {
                true => Shown::Image(bytes(&fields(&bytes(&value, 4)), 4)),
                false if of_time => Shown::Scalar(0.0),
                false => Shown::Scalar(f32::from_le_bytes(bytes(&value, 2).try_into().unwrap())),
            };
            found.push((step, tag, shown));
        }
    }
    found
}

/// The data of all records. All of them must be whole.
fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk() {
        let length = u64::from_le_bytes(*length) as usize;
        found.push(rest[4..4 + length].to_vec());
        file = &rest[4 + length + 4..];
    }
    assert!(file.is_empty(), "a torn record");
    found
}

/// The bytes of the first field with this number. An integer has eight.
fn bytes(message: &[(u64, Vec<u8>)], number: u64) -> Vec<u8> {
    message.iter().find(|(field, _)| *field == number).map(|(_, bytes)| bytes.clone()).unwrap()
}

/// The fields of a message with their numbers.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => {
                found.push((key >> 3, varint(&mut message).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            5 => 4,
            form => panic!("no such form of a value: {form}"),
        };
        let (value, rest) = message.split_at(length);
        found.push((key >> 3, value.to_vec()));
        message = rest;
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = message.split_first().unwrap();
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
