//! Rejects candidates that are copies of training images, that do not look like their class, or that lie outside of it.

use dermagan_base::image::Image;
use dermagan_eval::{Extractor, ImagenetEncoder, LesionEncoder};
use serde::Serialize;

use crate::copies::search::{Closest, CopySearch};
use crate::copies::thresholds::Thresholds;
use crate::error::TrustError;
use crate::images::classes::place_of;
use crate::images::products::Points;
use crate::images::reals::Reals;
use crate::membership::space::Space;
use crate::statistics::quantile;

/// The neighbour that the ball of a real image reaches to, as for precision (Kynkäänniemi et al. 2019).
const NEAREST: usize = 5;
/// The share of a class's held-out images that are recognised less surely than a candidate must be.
const UNSURE: f64 = 0.1;
/// The fewest held-out images that decide how sure is sure enough; with fewer the training images do.
const FEWEST_UNSEEN: usize = 10;

/// Why a candidate was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// It is closer to one training image than held-out photographs are.
    Copy,
    /// The lesion encoder is less sure of its class than it is of nine tenths of the held-out images.
    NotRecognised,
    /// It lies in the neighbourhood of no training image of its class.
    Outside,
}

/// Numbers of candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Tally {
    /// Candidates that were made.
    pub made: usize,
    /// Those that were kept.
    pub kept: usize,
    /// Those that were copies.
    pub copies: usize,
    /// Those that do not look like their class.
    pub not_recognised: usize,
    /// Those that lie outside of their class.
    pub outside: usize,
    /// Places that stayed empty, because no candidate was kept.
    pub empty: usize,
}

impl Tally {
    /// Counts a candidate.
    pub(crate) fn count(&mut self, rejection: Option<Rejection>) {
        self.made += 1;
        match rejection {
            None => self.kept += 1,
            Some(Rejection::Copy) => self.copies += 1,
            Some(Rejection::NotRecognised) => self.not_recognised += 1,
            Some(Rejection::Outside) => self.outside += 1,
        }
    }

    /// Adds the numbers of another shard.
    pub(crate) fn add(&mut self, other: &Self) {
        self.made += other.made;
        self.kept += other.kept;
        self.copies += other.copies;
        self.not_recognised += other.not_recognised;
        self.outside += other.outside;
        self.empty += other.empty;
    }
}

/// The filter of one class.
pub(crate) struct Filter<'a> {
    class: usize,
    code: String,
    search: &'a CopySearch,
    thresholds: &'a Thresholds,
    imagenet: &'a ImagenetEncoder,
    lesion: &'a LesionEncoder,
    /// The encoder's index of the class, and the least probability; `None` if the encoder does not know the class.
    surely: Option<(usize, f64)>,
    /// The class's training images, and the squared radius of each one's ball.
    real: Points,
    radii: Vec<f32>,
}

/// What all filters share.
pub(crate) struct Judges<'a> {
    pub search: &'a CopySearch,
    pub thresholds: &'a Thresholds,
    pub imagenet: &'a ImagenetEncoder,
    pub lesion: &'a LesionEncoder,
}

impl<'a> Filter<'a> {
    /// The filter of a class.
    pub fn new(
        class: usize,
        reals: &Reals,
        space: &Space<'_>,
        judges: &Judges<'a>,
    ) -> Result<Self, TrustError> {
        let images = reals.of_class(&reals.train, Some(class));
        let side = space.side(&images);
        let ball = |i: usize, squares: &[f32]| {
            let mut others: Vec<f32> = squares
                .iter()
                .zip(&side.lesion)
                .filter(|(_, lesion)| **lesion != side.lesion[i])
                .map(|(squared, _)| *squared)
                .collect();
            let place = NEAREST.min(others.len());
            match place {
                0 => 0.0,
                place => *others.select_nth_unstable_by(place - 1, f32::total_cmp).1,
            }
        };
        let radii = side.points.distances(&side.points, ball);
        let code = &reals.classes()[class];
        let surely = match place_of(&judges.lesion.card().classes, code) {
            None => None,
            Some(index) => {
                // The encoder is too sure of the images that it learnt from. With few held-out ones there is no other.
                let held = reals.of_class(&reals.held, Some(class));
                let judged = if held.len() >= FEWEST_UNSEEN { &held } else { &images };
                let images: Vec<Image> =
                    judged.iter().map(|image| reals.cache.image(*image as usize)).collect();
                let sure = probabilities(judges.lesion, &images, index)?;
                Some((index, quantile(&sure, UNSURE)))
            }
        };
        let Judges { search, thresholds, imagenet, lesion } = *judges;
        Ok(Self {
            class,
            code: code.clone(),
            search,
            thresholds,
            imagenet,
            lesion,
            surely,
            real: side.points,
            radii,
        })
    }

    /// The code of the class.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Why each image is rejected; `None` for those that are kept. An image's answer depends on it alone.
    pub fn judge(&self, images: &[Image]) -> Result<Vec<Option<Rejection>>, TrustError> {
        let sure = match self.surely {
            Some((index, least)) => {
                let sure = probabilities(self.lesion, images, index)?;
                sure.into_iter().map(|sure| sure >= least).collect()
            }
            None => vec![true; images.len()],
        };
        let features = Points::new(self.imagenet.extract(images)?, ImagenetEncoder::DIMS);
        let inside = self.real.distances(&features, |_, squares| {
            squares.iter().zip(&self.radii).any(|(squared, radius)| squared < radius)
        });
        let closest = self.search.closest(images);
        let verdict = |((closest, sure), inside): ((&Closest, bool), bool)| match () {
            () if self.thresholds.is_copy(closest, Some(self.class)) => Some(Rejection::Copy),
            () if !sure => Some(Rejection::NotRecognised),
            () if !inside => Some(Rejection::Outside),
            () => None,
        };
        Ok(closest.iter().zip(sure).zip(inside).map(verdict).collect())
    }
}

/// The probability of a class for each image.
fn probabilities(
    encoder: &LesionEncoder,
    images: &[Image],
    class: usize,
) -> Result<Vec<f64>, TrustError> {
    let (_, logits) = encoder.look(images)?;
    let of = |row: &[f32]| {
        let largest = row.iter().copied().fold(f32::MIN, f32::max);
        let sum: f64 = row.iter().map(|v| f64::from(v - largest).exp()).sum();
        f64::from(row[class] - largest).exp() / sum
    };
    Ok(logits.chunks_exact(encoder.card().classes.len()).map(of).collect())
}
