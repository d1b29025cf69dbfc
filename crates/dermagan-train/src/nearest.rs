//! A first look at copying: generated images beside the real training image nearest to them.

use dermagan_base::image::Image;
use dermagan_base::orientation::Orientation;
use dermagan_data::Cache;
use dermagan_data::split::Side;
use dermagan_eval::handmade::Standard;
use dermagan_eval::{Features, prdc};

use crate::drawn::same;
use crate::error::TrainError;
use crate::evaluate::{EvalRequest, Eyes, Sink, features_of, of_side};
use crate::fakes::Fakes;

/// Generated images a class that are shown.
const SHOWN: usize = 4;
/// Generated images that are looked through for those.
const LOOKED_AT: usize = 512;
/// Pixels between pairs.
const GAP: usize = 4;

/// A row a class that has generated images, each image, laid as it comes closest, with the nearest
/// real one of the training side at its right, and the classes of the rows. Without labels the class is
/// what the lesion encoder takes the image for; where that is no class of the data, all are in one row.
///
/// # Errors
/// When an image cannot be read, or there is no training image.
pub fn nearest(
    cache: &Cache,
    fakes: &Fakes,
    eyes: &Eyes<'_>,
    request: &EvalRequest,
    sink: Sink<'_>,
) -> Result<(Image, Vec<String>), TrainError> {
    let images = of_side(cache, Some(Side::Train));
    if images.is_empty() {
        return Err(TrainError::Option("--nearest: this data has no training image".into()));
    }
    let real = features_of(cache, &images, eyes, sink)?;
    let total = fakes.count().unwrap_or(LOOKED_AT);
    let n = total.min(LOOKED_AT).min(request.n.max(1));
    let places: Vec<usize> = (0..n).map(|i| i * total / n.max(1)).collect();
    let generated = fakes.images(&places)?;
    let classes = &cache.header().classes;
    let seen = eyes.encoder.classify(&generated)?;
    let encoder_classes = &eyes.encoder.card().classes;
    let class_of = |i: usize| -> Option<&str> {
        let labelled = fakes.class(places[i]);
        labelled.or_else(|| encoder_classes.get(seen[i]).map(String::as_str))
    };
    let (mut chosen, mut names) = (Vec::new(), Vec::new());
    for class in classes {
        let of_class = (0..n).filter(|i| class_of(*i).is_some_and(|c| same(class, c)));
        let of_class: Vec<usize> = of_class.take(SHOWN).collect();
        if !of_class.is_empty() {
            chosen.push(of_class);
            names.push(class.clone());
        }
    }
    if chosen.is_empty() {
        chosen.push((0..n.min(SHOWN)).collect());
        names.push("unknown".to_owned());
    }
    let shown: Vec<Image> = chosen.iter().flatten().map(|i| generated[*i].clone()).collect();
    // A copy of a photograph is one however it is laid.
    let shown: Vec<Image> = shown
        .into_iter()
        .flat_map(|image| Orientation::all().map(|laid| image.clone().turned(laid)))
        .collect();
    let mut rows = Features { dims: eyes.extractor.dims(), values: Vec::new() };
    for chunk in shown.chunks(eyes.extractor.batch().max(1)) {
        rows.values.extend(eyes.extractor.extract(chunk)?);
    }
    // Hand-made features have units of their own, none of which may rule.
    let (rows, real) = match eyes.extractor.name() {
        "handmade" => {
            let standard = Standard::of(&real);
            (standard.apply(&rows), standard.apply(&real))
        }
        _ => (rows, real),
    };
    let found: Vec<_> = prdc::nearest(&rows, &real)?.into_iter().zip(shown).collect();
    let mut found = found
        .chunks_exact(Orientation::all().len())
        .filter_map(|each| each.iter().min_by(|((_, a), _), ((_, b), _)| a.total_cmp(b)).cloned());
    let side = cache.size();
    let (pair, step) = (2 * side, 2 * side + GAP);
    let mut grid =
        Image::filled(step * SHOWN - GAP, (side + GAP) * chosen.len().max(1) - GAP, [255; 3]);
    for (row, of_class) in chosen.iter().enumerate() {
        for (column, ((at, _), fake)) in found.by_ref().take(of_class.len()).enumerate() {
            let (x, y) = (column * step, row * (side + GAP));
            grid.paste(&fitted(&fake, side), x, y);
            grid.paste(&cache.image(images[at] as usize), x + pair / 2, y);
        }
    }
    Ok((grid, names))
}

/// An image at most `side` wide and high: of a larger one, every n-th pixel, which is enough to
/// look at.
fn fitted(image: &Image, side: usize) -> Image {
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
