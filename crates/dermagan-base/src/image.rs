//! 8-bit RGB images, grids of images, and their PNG form with text chunks.

use crate::orientation::Orientation;

/// An RGB image: `height` rows of `width` pixels, three bytes per pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Number of pixels per row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// The colours, 0 to 255: `width * height * 3` bytes, row by row from the top left corner.
    pub pixels: Vec<u8>,
}

impl Image {
    /// An image of one colour.
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        Self { width, height, pixels: colour.repeat(width * height) }
    }

    /// Copies `other` into this image with its top left corner at column `x` and row `y`. Pixels
    /// outside this image are cut off.
    pub fn paste(&mut self, other: &Image, x: usize, y: usize) {
        let columns = other.width.min(self.width.saturating_sub(x));
        for row in 0..other.height.min(self.height.saturating_sub(y)) {
            let from = row * other.width * 3;
            let to = ((y + row) * self.width + x) * 3;
            self.pixels[to..to + columns * 3]
                .copy_from_slice(&other.pixels[from..from + columns * 3]);
        }
    }

    /// This image enlarged: each pixel becomes a square of `factor` × `factor` pixels.
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

    /// This image in `orientation`. An image that is not square is returned unchanged.
    pub fn oriented(self, orientation: Orientation) -> Image {
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

    /// A grid of images of one size with `columns` images per row, left to right and top to bottom,
    /// without gaps, as in StyleGAN's snapshot grids. Missing cells are black.
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

    /// The bytes of this image's PNG file, with `text` as its (keyword, value) chunks. ASCII values
    /// become `tEXt` chunks, others `iTXt` chunks.
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

/// Adds (keyword, value) chunks to a PNG encoder, as [`Image::to_png`] does.
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
    fn a_grid_is_filled_left_to_right_and_top_to_bottom() {
        let cells: Vec<_> = (0..3u8).map(|v| Image::filled(2, 1, [v; 3])).collect();
        let grid = Image::grid(&cells, 2);
        assert_eq!((grid.width, grid.height), (4, 2));
        let first: Vec<u8> = grid.pixels.chunks(3).map(|p| p[0]).collect();
        assert_eq!(first, [0, 0, 1, 1, 2, 2, 0, 0]);
    }

    #[test]
    fn an_enlarged_image_has_a_square_of_pixels_for_every_pixel() {
        let small = Image { width: 2, height: 1, pixels: vec![1, 2, 3, 4, 5, 6] };
        let large = small.enlarged(2);
        assert_eq!((large.width, large.height), (4, 2));
        assert_eq!(large.pixels, [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6].repeat(2));
        assert_eq!(small.enlarged(1), small);
    }

    #[test]
    fn an_oriented_image_has_the_same_pixels_in_other_places() {
        let square = |pixels: [u8; 4]| Image {
            width: 2,
            height: 2,
            pixels: pixels.iter().flat_map(|v| [*v; 3]).collect(),
        };
        let oriented =
            |mirror, quarters| square([0, 1, 2, 3]).oriented(Orientation { mirror, quarters });
        assert_eq!(oriented(false, 0), square([0, 1, 2, 3]));
        assert_eq!(oriented(true, 0), square([1, 0, 3, 2]));
        assert_eq!(oriented(false, 1), square([1, 3, 0, 2]));
        assert_eq!(oriented(true, 1), square([0, 2, 1, 3]));
        let wide = Image::filled(2, 1, [7; 3]);
        assert_eq!(wide.clone().oriented(Orientation { mirror: true, quarters: 1 }), wide);
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
