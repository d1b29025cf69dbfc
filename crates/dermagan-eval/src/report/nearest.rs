//! A first check for memorisation: generated images beside the nearest real training image.

use dermagan_base::SettingError;
use dermagan_base::image::Image;
use dermagan_base::orientation::Orientation;
use dermagan_data::Cache;
use dermagan_data::split::Side;

use crate::handmade::Standard;
use crate::report::draw;
use crate::report::extraction::{Extractors, features_of};
use crate::report::generated::GeneratedImages;
use crate::report::scope::{Scope, Sink};
use crate::report::selection::{of_side, same_class};
use crate::{EvalError, Extractor, Features, prdc};

/// Number of generated images per row.
const SHOWN: usize = 4;
/// The most generated images that are searched for images of each class.
const SEARCHED: usize = 512;
/// Pixels between pairs.
const GAP: usize = 4;

/// Generated images beside the nearest real ones.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// Pairs of a generated image and, on its right, the nearest real image; one row per class, up to 4 pairs per row.
    pub image: Image,
    /// The code of each row's class.
    pub rows: Vec<String>,
}

/// A generated image in one orientation, and the nearest real image.
struct Pair {
    fake: Image,
    /// Index of the real image in the cache.
    real: u32,
    distance: f64,
}

/// Finds the nearest real training image of up to 4 generated images per class. A generated image is shown in the one of
/// its 8 orientations that is closest to a real image by the features of the first extractor. Without labels the class is the one that the lesion encoder
/// predicts. If no image is of a class of the data, the first images form a single row.
///
/// # Errors
/// [`SettingError`] if the data has no training image; otherwise the errors of reading images and of the extractors.
pub fn nearest(
    cache: &Cache,
    fakes: &GeneratedImages,
    extractors: &Extractors<'_>,
    scope: &Scope,
    sink: Sink<'_>,
) -> Result<Nearest, EvalError> {
    let training = of_side(cache, Some(Side::Train));
    if training.is_empty() {
        return Err(SettingError::new("nearest", "this data has no training image").into());
    }
    let extractor = nearest_by(extractors)?;
    let one = Extractors { compared: vec![extractor], encoder: extractors.encoder, joined: None };
    let real = features_of(cache, &training, &one, sink)?.remove(0);
    let n = SEARCHED.min(scope.n.max(1));
    let mut drawn = draw::order(fakes, scope.seed).unwrap_or_else(|| (0..n).collect());
    drawn.truncate(n);
    drawn.sort_unstable();
    // An image that cannot be read is left out here too; the report has counted it.
    let read = drawn.iter().zip(fakes.images(&drawn)?);
    let (indices, images): (Vec<usize>, Vec<Image>) =
        read.filter_map(|(i, image)| Some((*i, image.ok()?))).unzip();
    let (rows, chosen) = images_by_class(cache, fakes, extractors, &indices, &images)?;
    let shown: Vec<&Image> = chosen.iter().flatten().map(|i| &images[*i]).collect();
    let pairs = nearest_pairs(&shown, &training, &real, extractor)?;
    let columns: Vec<usize> = chosen.iter().map(Vec::len).collect();
    Ok(Nearest { image: draw(cache, &pairs, &columns), rows })
}

/// The extractor whose features say what is near: the first.
fn nearest_by<'a>(extractors: &Extractors<'a>) -> Result<&'a dyn Extractor, EvalError> {
    let none = || EvalError::Input("no features to find the nearest images by".into());
    extractors.compared.first().copied().ok_or_else(none)
}

/// Up to [`SHOWN`] images of each class that has generated images: the codes of the classes, and for each the positions of
/// its images in `images`.
fn images_by_class(
    cache: &Cache,
    fakes: &GeneratedImages,
    extractors: &Extractors<'_>,
    indices: &[usize],
    images: &[Image],
) -> Result<(Vec<String>, Vec<Vec<usize>>), EvalError> {
    let predicted = extractors.encoder.classify(images)?;
    let encoder_classes = &extractors.encoder.card().classes;
    let class_of = |i: usize| -> Option<&str> {
        let label = fakes.class(indices[i]);
        label.or_else(|| encoder_classes.get(predicted[i]).map(String::as_str))
    };
    let of_class = |code: &String| -> Vec<usize> {
        let is = |i: &usize| class_of(*i).is_some_and(|class| same_class(code, class));
        (0..images.len()).filter(is).take(SHOWN).collect()
    };
    let classes = cache.header().classes.iter().map(|code| (code.clone(), of_class(code)));
    let (rows, chosen): (Vec<_>, Vec<_>) = classes.filter(|(_, found)| !found.is_empty()).unzip();
    match rows.is_empty() {
        true => Ok((vec!["unknown".into()], vec![(0..images.len().min(SHOWN)).collect()])),
        false => Ok((rows, chosen)),
    }
}

/// Each image in the orientation that is closest to a real image, with that image. `real` are the features of the real
/// images with the indices `training`.
fn nearest_pairs(
    images: &[&Image],
    training: &[u32],
    real: &Features,
    extractor: &dyn Extractor,
) -> Result<Vec<Pair>, EvalError> {
    // A copy of a photograph is a copy in any orientation.
    let orientations = Orientation::all();
    let oriented: Vec<Image> = images
        .iter()
        .flat_map(|image| orientations.iter().map(|o| (*image).clone().oriented(*o)))
        .collect();
    let mut fake = Features { dims: extractor.dims(), values: Vec::new() };
    for chunk in oriented.chunks(extractor.batch().max(1)) {
        fake.values.extend(extractor.extract(chunk)?);
    }
    let found = match extractor.name() {
        // The units of hand-made features differ, so they are standardised: no feature dominates the distance.
        "handmade" => {
            let standard = Standard::of(real);
            prdc::nearest(&standard.apply(&fake), &standard.apply(real))?
        }
        _ => prdc::nearest(&fake, real)?,
    };
    let mut pairs = found.into_iter().zip(oriented).map(|((row, distance), fake)| Pair {
        fake,
        real: training[row],
        distance,
    });
    let closest = |_| {
        let of_image = pairs.by_ref().take(orientations.len());
        of_image.min_by(|a, b| a.distance.total_cmp(&b.distance))
    };
    Ok(images.iter().filter_map(closest).collect())
}

/// Draws the pairs row by row on white; `columns` are the numbers of pairs per row.
fn draw(cache: &Cache, pairs: &[Pair], columns: &[usize]) -> Image {
    let side = cache.size();
    let (width, height) = (2 * side + GAP, side + GAP);
    let mut grid =
        Image::filled(width * SHOWN - GAP, height * columns.len().max(1) - GAP, [255; 3]);
    let mut pairs = pairs.iter();
    for (row, columns) in columns.iter().enumerate() {
        for (column, pair) in pairs.by_ref().take(*columns).enumerate() {
            let (x, y) = (column * width, row * height);
            grid.paste(&subsampled(&pair.fake, side), x, y);
            grid.paste(&cache.image(pair.real as usize), x + side, y);
        }
    }
    grid
}

/// The image with at most `side` pixels in width and height. A larger image is reduced to every n-th pixel, which is good
/// enough for viewing.
fn subsampled(image: &Image, side: usize) -> Image {
    let step = image.width.max(image.height).div_ceil(side.max(1)).max(1);
    if step == 1 {
        return image.clone();
    }
    let (width, height) = (image.width.div_ceil(step), image.height.div_ceil(step));
    let pixels = (0..height)
        .flat_map(|y| (0..width).map(move |x| (y * step * image.width + x * step) * 3))
        .flat_map(|at| image.pixels[at..at + 3].iter().copied())
        .collect();
    Image { width, height, pixels }
}
