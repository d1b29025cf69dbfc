//! Items that have a head of values and bytes: the length of the head's JSON in four bytes, the JSON, then the bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ShardError;

/// The bytes of an item.
///
/// # Errors
/// When `head` has no JSON.
pub fn pack(head: &impl Serialize, bytes: &[u8]) -> Result<Vec<u8>, ShardError> {
    let json = serde_json::to_vec(head).map_err(std::io::Error::other);
    let json = json.map_err(ShardError::io("an item of a shard"))?;
    let mut item = (json.len() as u32).to_le_bytes().to_vec();
    item.extend(json);
    item.extend(bytes);
    Ok(item)
}

/// The head and the bytes of an item; `None` if it has another form.
pub fn unpack<T: DeserializeOwned>(item: &[u8]) -> Option<(T, &[u8])> {
    let (length, rest) = item.split_first_chunk::<4>()?;
    let (json, bytes) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((serde_json::from_slice(json).ok()?, bytes))
}

/// The bytes of an item whose bytes are numbers.
///
/// # Errors
/// When `head` has no JSON.
pub fn pack_floats(head: &impl Serialize, values: &[f32]) -> Result<Vec<u8>, ShardError> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    pack(head, &bytes)
}

/// The head and the numbers of an item; `None` if it has another form.
pub fn unpack_floats<T: DeserializeOwned>(item: &[u8]) -> Option<(T, Vec<f32>)> {
    let (head, bytes) = unpack(item)?;
    let (words, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| (head, words.iter().map(|word| f32::from_le_bytes(*word)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_read_back_and_others_are_refused() {
        let item = pack(&("a", 1.5), b"bytes").unwrap();
        assert_eq!(
            unpack::<(String, f64)>(&item),
            Some((("a").to_owned(), 1.5)).map(|head| (head, &b"bytes"[..]))
        );
        for other in [&b""[..], &[255, 255, 255, 255, 1], &item[..6]] {
            assert_eq!(unpack::<(String, f64)>(other), None);
        }
        let numbers = pack_floats(&1, &[0.5, -2.0]).unwrap();
        assert_eq!(unpack_floats::<u32>(&numbers), Some((1, vec![0.5, -2.0])));
        assert_eq!(unpack_floats::<u32>(&numbers[..numbers.len() - 1]), None);
    }
}
