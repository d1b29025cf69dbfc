//! The generated images that are closest to a training image, each beside it.

use dermagan_base::image::Image;
use dermagan_eval::GeneratedImages;

use crate::audit::fakes::Fakes;
use crate::error::TrustError;
use crate::images::reals::Reals;

/// Number of pairs.
const SHOWN: usize = 20;

/// A generated image and the training image that it is closest to.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The index of the generated image in its set.
    pub index: usize,
    /// The generated image, in the orientation in which it is closest.
    pub fake: Image,
    /// The training image, a real photograph.
    pub real: Image,
    /// The name of the training image.
    pub real_id: String,
}

/// The pairs as one image: each generated image with the training image on its right, `columns` pairs in a row, `gap` white
/// pixels between pairs. All images have the size of the first.
pub fn sheet<'a>(
    pairs: impl ExactSizeIterator<Item = [&'a Image; 2]> + Clone,
    columns: usize,
    gap: usize,
) -> Image {
    let side = pairs.clone().next().map_or(1, |[_, real]| real.width);
    let (width, height) = (2 * side + gap, side + gap);
    let rows = pairs.len().div_ceil(columns).max(1);
    let mut sheet = Image::filled(width * columns - gap, height * rows - gap, [255; 3]);
    for (i, [fake, real]) in pairs.enumerate() {
        let (x, y) = (i % columns * width, i / columns * height);
        sheet.paste(fake, x, y);
        sheet.paste(real, x + side, y);
    }
    sheet
}

/// The closest pairs, the closest first.
pub(crate) fn pairs(
    reals: &Reals,
    fakes: &GeneratedImages,
    found: &Fakes,
) -> Result<Vec<Pair>, TrustError> {
    let mut order: Vec<usize> = (0..found.images.len()).collect();
    order.sort_by(|a, b| found.closest[*a].ratio().total_cmp(&found.closest[*b].ratio()));
    order.truncate(SHOWN);
    let wanted: Vec<usize> = order.iter().map(|i| found.images[*i]).collect();
    let images = order.iter().zip(fakes.images(&wanted)?);
    let pair = |(i, image): (&usize, Result<Image, _>)| {
        let closest = &found.closest[*i];
        let real = closest.image as usize;
        let fake = image.ok()?.oriented(closest.orientation);
        let real_id = reals.cache.header().records[real].image_id.clone();
        Some(Pair { index: found.images[*i], fake, real: reals.cache.image(real), real_id })
    };
    Ok(images.filter_map(pair).collect())
}
