//! PNGs: the content or the type of one chunk is changed, or a chunk is repeated or removed.

use super::part::{Plain, Random, changed};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The chunks of a PNG: type and content.
fn chunks(bytes: &[u8]) -> Option<Vec<([u8; 4], Vec<u8>)>> {
    let mut rest = bytes.strip_prefix(SIGNATURE)?;
    let mut chunks = Vec::new();
    while let Some((head, tail)) = rest.split_at_checked(8) {
        let length = u32::from_be_bytes(head[..4].try_into().ok()?) as usize;
        let content = tail.get(..length)?;
        chunks.push((head[4..].try_into().ok()?, content.to_vec()));
        rest = tail.get(length + 4..)?;
    }
    Some(chunks)
}

pub(super) fn mutate(bytes: &[u8], random: &mut Random, plain: Plain<'_>) -> Option<Vec<u8>> {
    let mut chunks = chunks(bytes)?;
    let one = random.below(chunks.len());
    let chunk = chunks.get_mut(one)?;
    match random.below(10) {
        0 => chunk.0[random.below(4)] = b'A' + random.below(58) as u8,
        1 => chunk.0 = *[b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tRNS", b"acTL"][random.below(6)],
        2 => {
            let copy = chunk.clone();
            chunks.insert(one, copy);
        }
        3 => {
            chunks.remove(one);
        }
        _ => chunk.1 = changed(&chunk.1, plain),
    }
    let mut out = SIGNATURE.to_vec();
    for (kind, content) in chunks {
        out.extend((content.len() as u32).to_be_bytes());
        out.extend(kind);
        out.extend(&content);
        let mut check = crc32fast::Hasher::new();
        check.update(&kind);
        check.update(&content);
        out.extend(check.finalize().to_be_bytes());
    }
    Some(out)
}
