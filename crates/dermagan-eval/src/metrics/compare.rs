//! All metrics of one comparison: generated against real images, with the same metrics of real against other
//! real images as a yardstick.

use serde::Serialize;

use super::fid::fid;
use super::kid::kid_by_lesion;
use super::mmd::{FEWEST, distinct};
use super::prdc::{NEAREST, prdc};
use crate::error::EvalError;
use crate::features::Features;

/// A metric of the generated images, with the same metric of an equal number of real images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The metric of generated images against the reference.
    pub fake: f64,
    /// The metric of other real images against the reference.
    pub real: f64,
    /// `fake / real`; `None` where `real` is not above zero.
    pub ratio: Option<f64>,
}

impl Figure {
    pub(super) fn of(fake: f64, real: f64) -> Self {
        Self { fake, real, ratio: (real > 0.0).then(|| fake / real) }
    }
}

/// The KID of the generated and of real images, with standard errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KidFigure {
    /// The KID of generated images against the reference.
    pub fake: f64,
    /// The standard error of `fake`.
    pub fake_se: f64,
    /// The KID of other real images against the reference, which is near zero and may be negative.
    pub real: f64,
    /// The standard error of `real`.
    pub real_se: f64,
}

impl KidFigure {
    /// By how many standard errors of their difference `fake` exceeds `real`. (A ratio would make no sense,
    /// because `real` may be negative.)
    pub fn apart(&self) -> f64 {
        (self.fake - self.real) / self.fake_se.hypot(self.real_se).max(f64::MIN_POSITIVE)
    }
}

/// The metrics of a set of generated images.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Number of images: that of the reference or of the generated images, whichever is smaller.
    pub n: usize,
    /// Kernel inception distance, the main metric, unbiased at every sample size; `None` with fewer than
    /// [`FEWEST`] lesions in a set of real images.
    pub kid: Option<KidFigure>,
    /// Fréchet inception distance; `None` with fewer images than features.
    pub fid: Option<Figure>,
    /// Share of generated images that lie among real images: fidelity.
    pub precision: Option<Figure>,
    /// Share of real images that lie among generated images: diversity.
    pub recall: Option<Figure>,
    /// Like precision, but counts the balls that a generated image lies in: above 1 where generated images
    /// crowd together.
    pub density: Option<Figure>,
    /// Share of real images with a generated image nearby: diversity, without the sensitivity of recall to
    /// outliers.
    pub coverage: Option<Figure>,
    /// Why a metric is missing, and which metrics to read with care.
    pub notes: Vec<String>,
}

/// With fewer images per feature than this, the bias of FID is larger than the FID of good images.
const FID_STEADY: usize = 5;
/// With fewer images than this, precision, recall, density and coverage vary strongly.
const FEW: usize = 200;

/// Computes all metrics of the generated images `fake` and of the real images `yardstick` against the real
/// images `reference`. `lesions` has one number per row of the reference and of the yardstick, as in
/// [`kid_by_lesion`]; every generated image counts as a lesion of its own. The sets should have the same
/// size. A metric for which the sets are too small is `None`, with a note that says so.
///
/// # Errors
/// When the sets differ in the number of features, a value is not finite, or `lesions` does not have one
/// number per row.
pub fn compare(
    reference: &Features,
    yardstick: &Features,
    fake: &Features,
    lesions: [&[usize]; 2],
) -> Result<Comparison, EvalError> {
    let n = reference.count().min(fake.count());
    for other in [yardstick, fake] {
        if other.dims != reference.dims {
            return Err(EvalError::Input(format!(
                "cannot compare sets of {} and {} features per image: take all from one extractor",
                reference.dims, other.dims
            )));
        }
    }
    let mut notes = Vec::new();
    if [reference, yardstick, fake].iter().any(|set| set.count() <= NEAREST) {
        let (real, other) = (reference.count(), yardstick.count());
        notes.push(format!(
            "too few images to compare: {real} and {other} real, {} generated; expected at least {} \
             of each",
            fake.count(),
            NEAREST + 1
        ));
        return Ok(Comparison { n, notes, ..Comparison::default() });
    }
    let kid = kid_figure(reference, yardstick, fake, lesions, &mut notes)?;
    let fid = fid_figure(reference, yardstick, fake, &mut notes)?;
    let (p, p_real) = (prdc(reference, fake, NEAREST)?, prdc(reference, yardstick, NEAREST)?);
    if n < FEW {
        notes.push(format!(
            "{n} images are few: compare precision, recall, density and coverage only with those of \
             the real images"
        ));
    }
    Ok(Comparison {
        n,
        kid,
        fid,
        precision: Some(Figure::of(p.precision, p_real.precision)),
        recall: Some(Figure::of(p.recall, p_real.recall)),
        density: Some(Figure::of(p.density, p_real.density)),
        coverage: Some(Figure::of(p.coverage, p_real.coverage)),
        notes,
    })
}

/// The KID of the generated images beside that of the yardstick.
fn kid_figure(
    reference: &Features,
    yardstick: &Features,
    fake: &Features,
    lesions: [&[usize]; 2],
    notes: &mut Vec<String>,
) -> Result<Option<KidFigure>, EvalError> {
    if lesions.iter().all(|lesions| distinct(lesions) >= FEWEST) {
        let own: Vec<usize> = (0..fake.count()).collect();
        let k = kid_by_lesion([reference, fake], [lesions[0], &own])?;
        let k_real = kid_by_lesion([reference, yardstick], lesions)?;
        Ok(Some(KidFigure {
            fake: k.value,
            fake_se: k.standard_error,
            real: k_real.value,
            real_se: k_real.standard_error,
        }))
    } else {
        notes.push(format!("no KID: fewer than {FEWEST} lesions in a set"));
        Ok(None)
    }
}

/// The FID of the generated images beside that of the yardstick.
fn fid_figure(
    reference: &Features,
    yardstick: &Features,
    fake: &Features,
    notes: &mut Vec<String>,
) -> Result<Option<Figure>, EvalError> {
    let n = reference.count().min(fake.count());
    if n < reference.dims {
        notes.push(format!(
            "no FID: with fewer images ({n}) than features ({}) it would measure the sample size",
            reference.dims
        ));
        return Ok(None);
    }
    if n < FID_STEADY * reference.dims {
        notes.push(format!(
            "FID of {n} images and {} features is biased upwards: compare it only with that of the \
             real images",
            reference.dims
        ));
    }
    Ok(Some(Figure::of(fid(reference, fake)?, fid(reference, yardstick)?)))
}
