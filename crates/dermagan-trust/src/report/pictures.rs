//! The images of a page, small enough for a single file.

use dermagan_base::image::Image;
use dermagan_data::{Cache, Filter, Window, resized};
use dermagan_eval::GeneratedImages;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::audit::{Pair, sheet};
use crate::error::TrustError;

/// JPEG quality of the images in the page.
const QUALITY: u8 = 88;
/// Images per side of the grid.
const GRID: usize = 8;
/// Generated, and real, images per class.
const PER_CLASS: usize = 6;
/// Seeds, or images of a folder, that are searched for images of a class.
const SEARCHED: usize = 20_000;
/// The largest side of an image in pixels: a page of larger ones would be too long.
const MOST_SIDE: u32 = 128;
/// Closest pairs per row.
const PAIRS_PER_ROW: usize = 4;
/// Pixels between generated and real images.
const GAP: usize = 12;

/// An image of the page: a data address, and what it shows.
pub(super) struct Picture {
    pub address: String,
    pub size: [usize; 2],
    /// For readers who do not see it.
    pub words: String,
}

impl Picture {
    fn new(image: &Image, words: String) -> Result<Self, TrustError> {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
            .encode(&image.pixels, image.width as u32, image.height as u32, ExtendedColorType::Rgb8)
            .map_err(|error| {
                TrustError::Input(format!("an image of the page cannot be encoded: {error}"))
            })?;
        Ok(Self {
            address: data_address("image/jpeg", &jpeg),
            size: [image.width, image.height],
            words,
        })
    }
}

/// The content of a file as an address.
pub(super) fn data_address(kind: &str, bytes: &[u8]) -> String {
    use base64::Engine;
    format!("data:{kind};base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// An image of at most [`MOST_SIDE`] pixels.
fn small(image: Image) -> Image {
    let side = image.width as u32;
    if side <= MOST_SIDE || image.height != image.width {
        return image;
    }
    let window = Window { left: 0, top: 0, width: side, height: side };
    let pixels = resized(&image.pixels, [side; 2], window, [MOST_SIDE; 2], Filter::Lanczos);
    let to = MOST_SIDE as usize;
    pixels.map_or(image, |pixels| Image { width: to, height: to, pixels })
}

/// The first images as a grid.
pub(super) fn grid(fakes: &GeneratedImages) -> Result<Picture, TrustError> {
    let count = fakes.count().unwrap_or(GRID * GRID).min(GRID * GRID);
    let wanted: Vec<usize> = (0..count).collect();
    let images: Vec<Image> = fakes.images(&wanted)?.into_iter().flatten().map(small).collect();
    let words = format!("the first {} generated images", images.len());
    Picture::new(&Image::grid(&images, GRID), words)
}

/// A row per class: generated images, and real ones on their right if `real` is given. With the codes of the rows.
pub(super) fn classes(
    fakes: &GeneratedImages,
    real: Option<(&Cache, &[u32])>,
    codes: &[String],
) -> Result<Option<(Picture, Vec<String>)>, TrustError> {
    let most = fakes.count().unwrap_or(SEARCHED).min(SEARCHED);
    let mut rows: Vec<(String, Vec<Image>, Vec<Image>)> = Vec::new();
    for (class, code) in codes.iter().enumerate() {
        let is = |i: &usize| fakes.class(*i).is_some_and(|found| found.eq_ignore_ascii_case(code));
        let wanted: Vec<usize> = (0..most).filter(is).take(PER_CLASS).collect();
        let made: Vec<Image> = fakes.images(&wanted)?.into_iter().flatten().map(small).collect();
        let photographs = real.map_or_else(Vec::new, |(cache, images)| {
            let of = images.iter().filter(|i| cache.header().records[**i as usize].class == class);
            of.take(PER_CLASS).map(|i| small(cache.image(*i as usize))).collect()
        });
        if !made.is_empty() {
            rows.push((code.clone(), made, photographs));
        }
    }
    let Some(side) = rows.first().map(|(_, made, _)| made[0].width) else { return Ok(None) };
    let columns = if real.is_some() { 2 * PER_CLASS } else { PER_CLASS };
    let gap = if real.is_some() { GAP } else { 0 };
    let mut sheet = Image::filled(columns * side + gap, rows.len() * side, [255; 3]);
    for (row, (_, made, photographs)) in rows.iter().enumerate() {
        for (column, image) in made.iter().enumerate() {
            sheet.paste(image, column * side, row * side);
        }
        for (column, image) in photographs.iter().enumerate() {
            sheet.paste(image, (PER_CLASS + column) * side + gap, row * side);
        }
    }
    let names: Vec<String> = rows.into_iter().map(|(code, ..)| code).collect();
    let words = format!("images by class, one row for each of {}", names.join(", "));
    Ok(Some((Picture::new(&sheet, words)?, names)))
}

/// The closest pairs.
pub(super) fn pairs(pairs: &[Pair]) -> Result<Option<Picture>, TrustError> {
    if pairs.is_empty() {
        return Ok(None);
    }
    let images: Vec<[Image; 2]> = pairs
        .iter()
        .map(|pair| [&pair.fake, &pair.real].map(|image| small(image.clone())))
        .collect();
    let sheet = sheet(images.iter().map(|pair| pair.each_ref()), PAIRS_PER_ROW, GAP);
    let words = "generated images, each with the closest training image on its right".to_owned();
    Picture::new(&sheet, words).map(Some)
}
