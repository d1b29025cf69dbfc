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
