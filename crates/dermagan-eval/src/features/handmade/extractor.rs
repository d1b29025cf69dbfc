//! The list of all hand-made features, and the extractor that computes them.

use std::sync::LazyLock;

use dermagan_base::image::Image;
use rayon::prelude::*;

use super::feature::Feature;
use super::{border, colour, grid, lab, lesion_colour, mask, shape, texture};
use crate::error::EvalError;
use crate::features::extractor::Extractor;

/// All features, in the order of a row.
pub fn features() -> &'static [Feature] {
    static ALL: LazyLock<Vec<Feature>> = LazyLock::new(|| {
        let parts: [&[Feature]; 7] = [
            &colour::FEATURES,
            &lesion_colour::FEATURES,
            &shape::ASYMMETRY,
            &border::FEATURES,
            &shape::SIZE,
            &texture::FEATURES,
            &grid::FEATURES,
        ];
        parts.concat()
    });
    &ALL
}

/// The extractor that computes [`features`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Handmade;

impl Extractor for Handmade {
    fn name(&self) -> &'static str {
        "handmade"
    }

    /// The number grows with every change of the code that changes a feature of some image.
    fn id(&self) -> String {
        "handmade-1".to_owned()
    }

    fn dims(&self) -> usize {
        features().len()
    }

    fn batch(&self) -> usize {
        256
    }

    fn extract(&self, images: &[Image]) -> Result<Vec<f32>, EvalError> {
        let rows: Result<Vec<_>, _> = images.par_iter().map(row).collect();
        Ok(rows?.concat())
    }
}

/// Computes all features of one image.
fn row(image: &Image) -> Result<Vec<f32>, EvalError> {
    let lab = lab::of_image(image)?;
    let smooth = mask::smooth(&lab);
    let found = mask::find(&smooth);
    let shape = found.as_ref().map(shape::Shape::of);
    let mut row = Vec::with_capacity(features().len());
    row.extend(colour::row(&lab));
    row.extend(lesion_colour::row(&lab, found.as_ref()));
    row.extend(shape::asymmetry(&smooth, found.as_ref().zip(shape.as_ref())));
    row.extend(border::row(found.as_ref().zip(shape.as_ref())));
    row.extend(shape::size(shape.as_ref()));
    row.extend(texture::row(&lab[0]));
    row.extend(grid::row(&lab[0]));
    Ok(row)
}
