//! Images one after another in one file: GIF, or PNG that moves.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use dermagan_base::image::{Image, add_text};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, RgbaImage};

/// How coarsely a GIF's colours are chosen, 1 to 30.
const GIF_SPEED: i32 = 10;
/// What begins a GIF's comment, the longest piece of it, and what ends a GIF.
const GIF_COMMENT: [u8; 2] = [0x21, 0xfe];
const GIF_PIECE: usize = 255;
const GIF_END: u8 = 0x3b;
/// Bytes of a GIF's header without its colours, and where among them it says how many colours follow.
const GIF_HEADER: usize = 13;
const GIF_COLOURS: usize = 10;

/// How an animation is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// 256 colours a frame.
    Gif,
    /// All colours.
    Png,
}

impl Format {
    /// By a file's ending, `.gif`, `.png` or `.apng` in whatever letters.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_string_lossy().to_ascii_lowercase();
        match extension.as_str() {
            "gif" => Some(Self::Gif),
            "png" | "apng" => Some(Self::Png),
            _ => None,
        }
    }
}

/// A frame, and for how many milliseconds it is shown; a GIF counts them in hundredths of a second, a PNG
/// in 16 bits.
pub(crate) type Shown = (Image, u32);

/// Writes a GIF that goes round for ever, with `text` as its comment.
///
/// `image`'s encoder writes no comment: it is put in before the first frame, where other programs look for it.
pub(crate) fn write_gif(
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
            let frame = RgbaImage::from_raw(width, height, opaque.collect())
                .ok_or_else(|| io::Error::other("a frame of the wrong size"))?;
            let delay = Delay::from_numer_denom_ms(ms, 1);
            let frame = Frame::from_parts(frame, 0, 0, delay);
            encoder.encode_frame(frame).map_err(io::Error::other)?;
        }
    }
    out.flush()?;
    drop(out);
    // The encoder writes the end as it is dropped, where it cannot say that it could not.
    let mut end = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut end)?;
    if end != [GIF_END] {
        return Err(io::Error::other("the end of the GIF was not written"));
    }
    Ok(())
}

/// Writes a GIF on, with a comment behind its header.
struct Commented<W> {
    out: W,
    /// The header as far as it is here; empty once it is written.
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

fn gif_comment(text: &[(&str, String)]) -> Vec<u8> {
    let lines: String = text.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
    let mut comment = GIF_COMMENT.to_vec();
    for piece in lines.as_bytes().chunks(GIF_PIECE) {
        comment.push(piece.len() as u8);
        comment.extend_from_slice(piece);
    }
    comment.push(0);
    comment
}

/// Writes a PNG of `count` square frames that goes round for ever, with `text` as its chunks.
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
    fn a_long_comment_is_cut_into_pieces_that_a_gif_can_hold() {
        let comment = gif_comment(&[("key", "x".repeat(300))]);
        assert_eq!(comment[..3], [0x21, 0xfe, 255]);
        assert_eq!((comment[3 + 255], comment.len()), (51, 2 + 1 + 255 + 1 + 51 + 1));
    }

    #[test]
    fn the_comment_stands_behind_the_header_and_its_colours_however_they_come() {
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
    fn the_ending_says_the_format() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!([of("a.gif"), of("a/b.GIF")], [Some(Format::Gif); 2]);
        assert_eq!([of("a.png"), of("a.ApNg")], [Some(Format::Png); 2]);
        assert_eq!([of("gif"), of(".gif"), of("a.mp4"), of("")], [None; 4]);
    }
}
