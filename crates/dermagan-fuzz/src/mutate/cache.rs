//! Caches: the JSON header is changed, and the preamble's lengths and checksum follow.

use sha2::{Digest, Sha256};

use super::part::{Plain, Random, changed};

/// Where the pixels begin, in bytes.
const PIXELS_AT: usize = 4096;

pub(super) fn mutate(bytes: &[u8], random: &mut Random, plain: Plain<'_>) -> Option<Vec<u8>> {
    let word =
        |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?) as usize);
    let (pixels, at) = (word(16)?, word(24)?);
    if PIXELS_AT.checked_add(pixels) != Some(at) {
        return None;
    }
    let json = changed(bytes.get(at..)?, plain);
    let mut out = bytes[..at].to_vec();
    if random.below(8) == 0 {
        out.resize(PIXELS_AT + random.below(4096), 0);
    }
    let pixels = (out.len() - PIXELS_AT) as u64;
    let check = Sha256::digest(&json);
    out[16..24].copy_from_slice(&pixels.to_le_bytes());
    out[24..32].copy_from_slice(&(PIXELS_AT as u64 + pixels).to_le_bytes());
    out[32..40].copy_from_slice(&(json.len() as u64).to_le_bytes());
    out[40..48].copy_from_slice(&check[..8]);
    out.extend(json);
    Some(out)
}
