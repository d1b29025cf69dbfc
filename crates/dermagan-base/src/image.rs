//! 8-bit RGB images, grids of them, and their PNG form with text that says what they are.

use crate::orientation::Orientation;

/// An RGB image: `height` rows of `width` pixels of three bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

impl Image {
    /// An image of one colour.
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        Self { width, height, pixels: colour.repeat(width * height) }
    }

    /// Copies `other` into this image with its top left corner at (`x`, `y`); what lies outside
    /// is cut off.
    pub fn paste(&mut self, other: &Image, x: usize, y: usize) {
        let columns = other.width.min(self.width.saturating_sub(x));
        for row in 0..other.height.min(self.height.saturating_sub(y)) {
            let from = row * other.width * 3;
            let to = ((y + row) * self.width + x) * 3;
            self.pixels[to..to + columns * 3]
                .copy_from_slice(&other.pixels[from..from + columns * 3]);
        }
    }

    /// This image with a square of `factor` × `factor` pixels for each of its own.
    pub fn enlarged(&self, factor: usize) -> Image {
        let mut pixels = Vec::with_capacity(self.pixels.len() * factor * factor);
        for row in self.pixels.chunks_exact(3 * self.width.max(1)) {
            let start = pixels.len();
            for pixel in row.chunks_exact(3) {
                (0..factor).for_each(|_| pixels.extend_from_slice(pixel));
            }
            let end = pixels.len();
            (1..factor).for_each(|_| pixels.extend_from_within(start..end));
        }
        Image { width: self.width * factor, height: self.height * factor, pixels }
    }

    /// This image, a square, as `orientation` lays it; any other comes back as it is.
    pub fn turned(self, orientation: Orientation) -> Image {
        let side = self.width;
        if orientation == Orientation::default() || self.height != side {
            return self;
        }
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for place in (0..side * side).map(|i| (i % side, i / side)) {
            let (x, y) = orientation.source(place, side - 1);
            pixels.extend_from_slice(&self.pixels[3 * (y * side + x)..][..3]);
        }
        Image { pixels, ..self }
    }

    /// Lays images of one size out in rows of `columns`, left to right and top to bottom,
    /// without gaps, as StyleGAN's snapshot grids do. Missing cells are black.
    pub fn grid(cells: &[Image], columns: usize) -> Image {
        let columns = columns.max(1);
        let (width, height) = cells.first().map_or((0, 0), |c| (c.width, c.height));
        let rows = cells.len().div_ceil(columns);
        let mut grid = Image::filled(width * columns, height * rows, [0; 3]);
        for (i, cell) in cells.iter().enumerate() {
            grid.paste(cell, i % columns * width, i / columns * height);
        }
        grid
    }

    /// The PNG file of this image, with `text` as its (keyword, value) chunks. Latin-1 values
    /// go to `tEXt`, others to `iTXt`.
    ///
    /// # Errors
    /// When a keyword is longer than PNG allows (79 bytes), or a side is 0.
    pub fn to_png(&self, text: &[(&str, String)]) -> Result<Vec<u8>, png::EncodingError> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        add_text(&mut encoder, text)?;
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(out)
    }
}

/// Gives a PNG its (keyword, value) chunks, as [`Image::to_png`] does.
///
/// # Errors
/// When a keyword is longer than PNG allows (79 bytes).
pub fn add_text<W: std::io::Write>(
    encoder: &mut png::Encoder<'_, W>,
    text: &[(&str, String)],
) -> Result<(), png::EncodingError> {
    for (keyword, value) in text {
        if value.is_ascii() {
            encoder.add_text_chunk((*keyword).to_owned(), value.clone())?;
        } else {
            encoder.add_itxt_chunk((*keyword).to_owned(), value.clone())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_runs_left_to_right_and_top_to_bottom() {
        let cells: Vec<_> = (0..3u8).map(|v| Image::filled(2, 1, [v; 3])).collect();
        let grid = Image::grid(&cells, 2);
        assert_eq!((grid.width, grid.height), (4, 2));
        let first: Vec<u8> = grid.pixels.chunks(3).map(|p| p[0]).collect();
        assert_eq!(first, [0, 0, 1, 1, 2, 2, 0, 0]);
    }

    #[test]
    fn an_enlarged_image_has_a_square_for_every_pixel() {
        let small = Image { width: 2, height: 1, pixels: vec![1, 2, 3, 4, 5, 6] };
        let large = small.enlarged(2);
        assert_eq!((large.width, large.height), (4, 2));
        assert_eq!(large.pixels, [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6].repeat(2));
        assert_eq!(small.enlarged(1), small);
    }

    #[test]
    fn a_turned_image_has_the_same_pixels_elsewhere() {
        let square = |pixels: [u8; 4]| Image {
            width: 2,
            height: 2,
            pixels: pixels.iter().flat_map(|v| [*v; 3]).collect(),
        };
        let turned =
            |mirror, quarters| square([0, 1, 2, 3]).turned(Orientation { mirror, quarters });
        assert_eq!(turned(false, 0), square([0, 1, 2, 3]));
        assert_eq!(turned(true, 0), square([1, 0, 3, 2]));
        assert_eq!(turned(false, 1), square([1, 3, 0, 2]));
        assert_eq!(turned(true, 1), square([0, 2, 1, 3]));
        let wide = Image::filled(2, 1, [7; 3]);
        assert_eq!(wide.clone().turned(Orientation { mirror: true, quarters: 1 }), wide);
    }

    #[test]
    fn a_png_carries_its_text() {
        let png = Image::filled(3, 2, [9, 8, 7]).to_png(&[("Source", "dermagan".into())]).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let text = &reader.info().uncompressed_latin1_text;
        assert_eq!((text[0].keyword.as_str(), text[0].text.as_str()), ("Source", "dermagan"));
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels[..3], [9, 8, 7]);
    }
}
