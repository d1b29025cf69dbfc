//! What the header of an image file says, before the image is decoded.

use std::io::Cursor;

use image::{ColorType, ImageDecoder, ImageReader};

use crate::source::decode;
use crate::source::entry::Entry;
use crate::source::problem::{Problem, ProblemKind};
use crate::source::tree::Tree;

/// Number of bytes that are read first. A HAM10000 file has about 20 KB of XMP and Photoshop data before its size.
const HEAD_BYTES: u64 = 64 << 10;

/// The header of an image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ImageHeader {
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Whether the pixels have an alpha channel.
    pub alpha: bool,
    /// Whether the pixels have no colour channels.
    pub grey: bool,
}

/// Reads the header of an entry. The whole file is read only if the size does not come early in it.
///
/// # Errors
/// A problem with the entry's path: the file is empty, cannot be read, or does not begin like an image.
pub(super) fn look(tree: &Tree, entry: &Entry) -> Result<ImageHeader, Problem> {
    let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let (head, more) = tree.read_some(entry, HEAD_BYTES)?;
        if head.is_empty() {
            return Err(Problem::new(ProblemKind::EmptyFile, &entry.path));
        }
        let found = of_bytes(&entry.path, &head);
        match (found, more) {
            (Err(_), true) => of_bytes(&entry.path, &tree.read(entry)?),
            (found, _) => found,
        }
    }));
    looked.unwrap_or_else(|_| {
        let what = format!("{} (the decoder panicked)", entry.path);
        Err(Problem::new(ProblemKind::Undecodable, what))
    })
}

fn of_bytes(place: &str, bytes: &[u8]) -> Result<ImageHeader, Problem> {
    let size = decode::dimensions(place, bytes)?;
    let colour = colour_type(bytes);
    let alpha = colour.is_some_and(|colour| colour.has_alpha());
    Ok(ImageHeader { size, alpha, grey: colour.is_some_and(|colour| !colour.has_color()) })
}

/// The channels of the pixels; `None` if the header does not say.
fn colour_type(bytes: &[u8]) -> Option<ColorType> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    Some(reader.into_decoder().ok()?.color_type())
}
