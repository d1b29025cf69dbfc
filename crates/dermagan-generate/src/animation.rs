//! Writes animations: GIF and animated PNG.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use dermagan_base::image::{Image, add_text};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, RgbaImage};

/// Speed of the choice of a GIF's colours, 1 (best quality) to 30 (fastest).
const GIF_SPEED: i32 = 10;
/// The bytes that start a comment in a GIF.
const GIF_COMMENT: [u8; 2] = [0x21, 0xfe];
/// Largest number of bytes in one block of a comment.
const GIF_BLOCK: usize = 255;
/// The byte that ends a GIF.
const GIF_END: u8 = 0x3b;
/// Number of bytes of a GIF's header without its colour table.
const GIF_HEADER: usize = 13;
/// Offset of the byte in the header that gives the size of the colour table.
const GIF_COLOURS: usize = 10;

/// The file format of an animation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// GIF: 256 colours per frame.
    Gif,
    /// Animated PNG: all colours.
    Png,
}

impl Format {
    /// The format of a file's ending, `.gif`, `.png` or `.apng` in upper or lower case; `None` for any other ending.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_string_lossy().to_ascii_lowercase();
        match extension.as_str() {
            "gif" => Some(Self::Gif),
            "png" | "apng" => Some(Self::Png),
            _ => None,
        }
    }
}

/// A frame and its duration in milliseconds. A GIF stores hundredths of a second, a PNG stores 16 bits.
pub type Shown = (Image, u32);

/// Writes a GIF that repeats for ever, with the (keyword, value) pairs `text` as its comment.
///
/// The encoder of the crate `image` writes no comment. This function inserts it before the first frame, where other
/// programs look for it.
///
/// # Errors
/// The first error of `frames`, a frame whose pixels do not match its width and height, or an error of writing the file.
pub fn write_gif(
    file: &mut File,
    text: &[(&str, String)],
    frames: impl Iterator<Item = io::Result<Shown>>,
) -> io::Result<()> {
    let mut out = Commented {
        out: BufWriter::new(&mut *file),
        header: Vec::new(),
        comment: gif_comment(text),
    };
    {
        let mut encoder = GifEncoder::new_with_speed(&mut out, GIF_SPEED);
        encoder.set_repeat(Repeat::Infinite).map_err(io::Error::other)?;
        for shown in frames {
            let (image, ms) = shown?;
            let (width, height) = (image.width as u32, image.height as u32);
            let opaque = image.pixels.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], u8::MAX]);
            let frame = RgbaImage::from_raw(width, height, opaque.collect()).ok_or_else(|| {
                io::Error::other("a frame whose pixels do not match its width and height")
            })?;
            let delay = Delay::from_numer_denom_ms(ms, 1);
            let frame = Frame::from_parts(frame, 0, 0, delay);
            encoder.encode_frame(frame).map_err(io::Error::other)?;
        }
    }
    out.flush()?;
    drop(out);
    // The encoder writes the last byte when it is dropped, where it cannot report an error.
    let mut end = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut end)?;
    if end != [GIF_END] {
        return Err(io::Error::other("the last byte of the GIF was not written"));
    }
    Ok(())
}

/// A writer that passes a GIF on and inserts a comment after its header.
struct Commented<W> {
    out: W,
    /// The part of the header that has arrived; empty once the header is written.
    header: Vec<u8>,
    /// The comment; empty once it is written.
    comment: Vec<u8>,
}

impl<W: Write> Write for Commented<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.comment.is_empty() {
            return self.out.write(bytes);
        }
        self.header.extend_from_slice(bytes);
        let colours = match self.header.get(GIF_COLOURS) {
            Some(flags) if flags & 0x80 != 0 => 3 * (2 << (flags & 7)),
            _ => 0,
        };
        if let Some((header, rest)) = self.header.split_at_checked(GIF_HEADER + colours) {
            for part in [header, &self.comment, rest] {
                self.out.write_all(part)?;
            }
            (self.header, self.comment) = (Vec::new(), Vec::new());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The comment extension of a GIF: blocks of at most 255 bytes, each after its length.
fn gif_comment(text: &[(&str, String)]) -> Vec<u8> {
    let lines: String = text.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
    let mut comment = GIF_COMMENT.to_vec();
    for block in lines.as_bytes().chunks(GIF_BLOCK) {
        comment.push(block.len() as u8);
        comment.extend_from_slice(block);
    }
    comment.push(0);
    comment
}

/// Writes an animated PNG of `count` square frames that repeats for ever, with `text` in its text chunks.
///
/// # Errors
/// The first error of `frames`, a duration above 65,535 ms, or an error of writing the file.
pub(crate) fn write_png(
    file: &mut File,
    text: &[(&str, String)],
    [side, count]: [u32; 2],
    frames: impl Iterator<Item = io::Result<Shown>>,
) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    let mut encoder = png::Encoder::new(&mut out, side, side);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(count, 0)?;
    add_text(&mut encoder, text)?;
    let mut writer = encoder.write_header()?;
    for shown in frames {
        let (image, ms) = shown?;
        let ms = u16::try_from(ms).map_err(io::Error::other)?;
        writer.set_frame_delay(ms, 1000)?;
        writer.write_image_data(&image.pixels)?;
    }
    writer.finish()?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_comment_is_split_into_blocks_that_fit_a_gif() {
        let comment = gif_comment(&[("key", "x".repeat(300))]);
        assert_eq!(comment[..3], [0x21, 0xfe, 255]);
        assert_eq!((comment[3 + 255], comment.len()), (51, 2 + 1 + 255 + 1 + 51 + 1));
    }

    #[test]
    fn the_comment_follows_the_header_and_its_colours_for_any_write_size() {
        for (flags, colours) in [(0x70, 0), (0xf1, 12)] {
            let mut gif: Vec<u8> = (0..40).collect();
            gif[GIF_COLOURS] = flags;
            for step in [1, 7, 40] {
                let (header, comment) = (Vec::new(), vec![200, 201]);
                let mut out = Commented { out: Vec::new(), header, comment };
                gif.chunks(step).for_each(|piece| out.write_all(piece).unwrap());
                let (before, after) = gif.split_at(13 + colours);
                assert_eq!(out.out, [before, &[200, 201], after].concat());
            }
        }
    }

    #[test]
    fn the_ending_decides_the_format() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!([of("a.gif"), of("a/b.GIF")], [Some(Format::Gif); 2]);
        assert_eq!([of("a.png"), of("a.ApNg")], [Some(Format::Png); 2]);
        assert_eq!([of("gif"), of(".gif"), of("a.mp4"), of("")], [None; 4]);
    }
}
