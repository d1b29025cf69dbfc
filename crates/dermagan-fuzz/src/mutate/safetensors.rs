//! Safetensors: the JSON header or the JSON inside its metadata is changed, and the length before it follows.

use serde_json::Value;

use super::part::{Plain, Random, changed};

pub(super) fn mutate(bytes: &[u8], random: &mut Random, plain: Plain<'_>) -> Option<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (header, values) = rest.split_at_checked(u64::from_le_bytes(*length) as usize)?;
    let header = match random.below(3) {
        0 => changed(header, plain),
        _ => with_changed_metadata(header, plain).unwrap_or_else(|| changed(header, plain)),
    };
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header);
    out.extend(values);
    Some(out)
}

/// The header with a change in the text that dermagan's metadata is.
fn with_changed_metadata(header: &[u8], plain: Plain<'_>) -> Option<Vec<u8>> {
    let mut json: Value = serde_json::from_slice(header).ok()?;
    let Value::String(text) = json.get_mut("__metadata__")?.get_mut("dermagan")? else {
        return None;
    };
    *text = String::from_utf8_lossy(&changed(text.as_bytes(), plain)).into_owned();
    serde_json::to_vec(&json).ok()
}
