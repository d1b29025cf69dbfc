//! 8-bit RGB pictures, grids of them, and their PNG form with text that says what they are.

/// An RGB picture: `height` rows of `width` pixels of three bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// A picture of one colour.
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        Self { width, height, pixels: colour.repeat(width * height) }
    }

    /// Copies `other` into this picture with its top left corner at (`x`, `y`); what lies outside
    /// is cut off.
    pub fn paste(&mut self, other: &Picture, x: usize, y: usize) {
        let columns = other.width.min(self.width.saturating_sub(x));
        for row in 0..other.height.min(self.height.saturating_sub(y)) {
            let from = row * other.width * 3;
            let to = ((y + row) * self.width + x) * 3;
            self.pixels[to..to + columns * 3]
                .copy_from_slice(&other.pixels[from..from + columns * 3]);
        }
    }

    /// Lays pictures of one size out in rows of `columns`, left to right and top to bottom,
    /// without gaps, as StyleGAN's snapshot grids do. Missing cells are black.
    pub fn grid(cells: &[Picture], columns: usize) -> Picture {
        let columns = columns.max(1);
        let (width, height) = cells.first().map_or((0, 0), |c| (c.width, c.height));
        let rows = cells.len().div_ceil(columns);
        let mut grid = Picture::filled(width * columns, height * rows, [0; 3]);
        for (i, cell) in cells.iter().enumerate() {
            grid.paste(cell, i % columns * width, i / columns * height);
        }
        grid
    }

    /// The PNG file of this picture, with `text` as its (keyword, value) chunks. Latin-1 values
    /// go to `tEXt`, others to `iTXt`.
    ///
    /// # Errors
    /// When a keyword is longer than PNG allows (79 bytes), or a side is 0.
    pub fn to_png(&self, text: &[(&str, String)]) -> Result<Vec<u8>, png::EncodingError> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        for (keyword, value) in text {
            if value.is_ascii() {
                encoder.add_text_chunk((*keyword).to_owned(), value.clone())?;
            } else {
                encoder.add_itxt_chunk((*keyword).to_owned(), value.clone())?;
            }
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_runs_left_to_right_and_top_to_bottom() {
        let cells: Vec<_> = (0..3u8).map(|v| Picture::filled(2, 1, [v; 3])).collect();
        let grid = Picture::grid(&cells, 2);
        assert_eq!((grid.width, grid.height), (4, 2));
        let first: Vec<u8> = grid.pixels.chunks(3).map(|p| p[0]).collect();
        assert_eq!(first, [0, 0, 1, 1, 2, 2, 0, 0]);
    }

    #[test]
    fn a_png_carries_its_text() {
        let png =
            Picture::filled(3, 2, [9, 8, 7]).to_png(&[("Source", "dermagan".into())]).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let text = &reader.info().uncompressed_latin1_text;
        assert_eq!((text[0].keyword.as_str(), text[0].text.as_str()), ("Source", "dermagan"));
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels[..3], [9, 8, 7]);
    }
}
