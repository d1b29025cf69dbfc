//! Features made by hand, in the language of dermatology's ABCD rule, so that a report can say *what*
//! is off about generated images: asymmetry, border, colour, size and texture.
//!
//! No network is involved and nothing is learnt. Every image is first brought to 64×64, its sides
//! scaled apart if need be; lengths are in pixels of that size, colours in CIELAB.
//!
//! The rule: W. Stolz et al., "ABCD rule of dermatoscopy: a new practical method for early
//! recognition of malignant melanoma", European Journal of Dermatology 4 (1994).

mod border;
mod colour;
mod compare;
mod grid;
pub mod lab;
mod lesion_colour;
pub mod mask;
mod plane;
mod shape;
mod standard;
mod texture;

use std::sync::LazyLock;

use dermagan_base::image::Image;
use rayon::prelude::*;
use serde::Serialize;

pub use compare::{Off, what_is_off};
pub use standard::Standard;

use crate::error::EvalError;
use crate::extractor::Extractor;

/// What a feature is about: the letters of the ABCD rule, with D read as size and texture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Colours of the image and of the lesion.
    Colour,
    /// How far the lesion is from its mirror image, in shape and in colour.
    Asymmetry,
    /// The lesion's outline: how irregular and how sharp.
    Border,
    /// Whether there is a lesion, how large, where and how long.
    Size,
    /// Fine structure, and the grids that upsampling networks leave.
    Texture,
}

/// One number of a row, in words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Feature {
    /// A short name for tables, such as `lightness_mean`.
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// One plain phrase, such as "mean lightness L*".
    pub what: &'static str,
    /// Added to deviations before their ratio is taken, which below it stays near 1.
    #[serde(skip)]
    grain: f64,
}

impl Feature {
    /// A feature; the tables of this module are made of these.
    const fn of(name: &'static str, group: Group, what: &'static str) -> Self {
        Self { name, group, what, grain: 0.0 }
    }

    /// The same, with a `grain` below which deviations are alike.
    const fn with_grain(self, grain: f64) -> Self {
        Self { grain, ..self }
    }

    /// The share of pixels that have a colour. Most images have none of the rarer ones, so that
    /// their deviations are minute and the ratio of two of them is chance.
    const fn share(name: &'static str, what: &'static str) -> Self {
        Self::of(name, Group::Colour, what).with_grain(0.05)
    }
}

/// The features, in the order of a row.
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

/// The extractor of [`features`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Handmade;

impl Extractor for Handmade {
    fn name(&self) -> &'static str {
        "handmade"
    }

    /// The number grows whenever any feature's value changes for some image.
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

/// All features of one image.
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
