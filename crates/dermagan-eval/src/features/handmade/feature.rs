//! The description of one hand-made feature.

use serde::Serialize;

/// What a feature measures: one of the criteria of the ABCD rule, where D stands for size and texture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Colours of the image and of the lesion.
    Colour,
    /// How much the lesion differs from its mirror image, in shape and in colour.
    Asymmetry,
    /// How irregular and how sharp the lesion's outline is.
    Border,
    /// Whether there is a lesion, how large and how elongated it is, and where it lies.
    Size,
    /// Fine structure, and the grids that upsampling networks leave in images.
    Texture,
}

/// The description of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Feature {
    /// A short name for tables, such as `lightness_mean`.
    pub name: &'static str,
    /// What the feature measures.
    pub group: Group,
    /// The feature in a plain phrase, such as "mean lightness L*".
    pub what: &'static str,
    /// Added to standard deviations before their ratio is taken, so that the ratio of deviations far
    /// below it stays near 1.
    #[serde(skip)]
    pub(super) grain: f64,
}

impl Feature {
    /// A feature with a `grain` of 0.
    pub(super) const fn of(name: &'static str, group: Group, what: &'static str) -> Self {
        Self { name, group, what, grain: 0.0 }
    }

    /// The same feature with a `grain`, below which deviations count as alike.
    pub(super) const fn with_grain(self, grain: f64) -> Self {
        Self { grain, ..self }
    }

    /// A feature that is the share of the pixels of one colour. Most images have no pixel of the rarer
    /// colours, so the deviations of these features are minute and the ratio of two of them is
    /// determined by chance.
    pub(super) const fn share(name: &'static str, what: &'static str) -> Self {
        Self::of(name, Group::Colour, what).with_grain(0.05)
    }
}
