//! All metrics of one comparison: generated against real images, with the same metrics of real against other
//! real images as a yardstick.

use serde::Serialize;

use super::fid::fid;
use super::kid::kid_by_lesion;
use super::mmd::{FEWEST, distinct};
use super::prdc::{NEAREST, count_inside, prdc};
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
    /// The standard error of `fake - real`, as if images were independent; `None` for FID.
    pub error: Option<f64>,
}

impl Figure {
    pub(super) fn of(fake: f64, real: f64) -> Self {
        Self { fake, real, ratio: (real > 0.0).then(|| fake / real), error: None }
    }

    /// Two means with their standard errors.
    pub(super) fn of_means([fake, fake_error]: [f64; 2], [real, real_error]: [f64; 2]) -> Self {
        Self { error: Some(fake_error.hypot(real_error)), ..Self::of(fake, real) }
    }

    /// Two shares, 0 to 1, each with its number of images. A share of 0 or 1 of few images is uncertain too, so two
    /// images of either kind are added for the error (Agresti and Coull 1998).
    pub(super) fn of_shares(fake: (f64, usize), real: (f64, usize)) -> Self {
        let variance = |(share, n): (f64, usize)| {
            let n = n as f64;
            let share = (share * n + 2.0) / (n + 4.0);
            share * (1.0 - share) / (n + 4.0)
        };
        let error = (variance(fake) + variance(real)).sqrt();
        Self { error: Some(error), ..Self::of(fake.0, real.0) }
    }
}

/// How many of a few generated images lie among all real images of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Inside {
    /// Number of generated images that lie among the reference.
    pub inside: usize,
    /// Number of generated images.
    pub of: usize,
    /// The share of other real images that lie among the reference, 0 to 1.
    pub real: f64,
    /// Number of those other real images.
    pub real_of: usize,
}

impl Inside {
    /// Compares `fake`, of any number of images, with a larger reference. `None` if the reference or the yardstick is too
    /// small, or there is no generated image.
    ///
    /// # Errors
    /// If the sets differ in the number of features, or a value is not finite.
    pub fn of(
        reference: &Features,
        yardstick: &Features,
        fake: &Features,
    ) -> Result<Option<Self>, EvalError> {
        if reference.count() <= NEAREST || yardstick.count() == 0 || fake.count() == 0 {
            return Ok(None);
        }
        let real = count_inside(reference, yardstick, NEAREST)?;
        Ok(Some(Self {
            inside: count_inside(reference, fake, NEAREST)?,
            of: fake.count(),
            real: real as f64 / yardstick.count() as f64,
            real_of: yardstick.count(),
        }))
    }
}

/// Which images of a comparison are equal, pixel by pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Repeats {
    /// Number of different images among the generated ones.
    pub distinct: usize,
    /// Number of different images among as many real ones.
    pub distinct_real: usize,
    /// Number of generated images that are equal to an image of the real data; `None` if the sizes differ, so that they
    /// cannot be compared.
    pub equal_to_real: Option<usize>,
}

/// A figure of the generated images beside that of as many real ones, with standard errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimates {
    /// The figure of generated images against the reference.
    pub fake: f64,
    /// The standard error of `fake`.
    pub fake_se: f64,
    /// The figure of other real images against the reference. A KID of real images is near zero and may be negative.
    pub real: f64,
    /// The standard error of `real`.
    pub real_se: f64,
}

impl Estimates {
    /// By how many standard errors of their difference `fake` exceeds `real`. (A ratio of KIDs would make no sense,
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
    pub kid: Option<Estimates>,
    /// Fréchet inception distance; `None` with fewer images than features.
    pub fid: Option<Figure>,
    /// How well a classifier tells generated images from the reference: the area under its ROC curve, 0.5 for chance and
    /// 1 for always ([`two_sample()`](crate::two_sample())). `None` if there are too few lesions, or it was not computed.
    pub auc: Option<Estimates>,
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
    /// How many of a few generated images lie among all real ones; `None` for many images.
    pub inside: Option<Inside>,
    /// Which images are equal; `None` if only their features are known.
    pub repeats: Option<Repeats>,
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
/// size. A metric for which the sets are too small is `None`, with a note that says so; [`Comparison::auc`],
/// [`Comparison::inside`] and [`Comparison::repeats`] are `None`.
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
    let of_reference =
        |fake, real| Figure::of_shares((fake, reference.count()), (real, reference.count()));
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
        auc: None,
        precision: Some(Figure::of_shares(
            (p.precision, fake.count()),
            (p_real.precision, yardstick.count()),
        )),
        recall: Some(of_reference(p.recall, p_real.recall)),
        density: Some(Figure::of_means(
            [p.density, p.density_error],
            [p_real.density, p_real.density_error],
        )),
        coverage: Some(of_reference(p.coverage, p_real.coverage)),
        inside: None,
        repeats: None,
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
) -> Result<Option<Estimates>, EvalError> {
    if lesions.iter().all(|lesions| distinct(lesions) >= FEWEST) {
        let own: Vec<usize> = (0..fake.count()).collect();
        let k = kid_by_lesion([reference, fake], [lesions[0], &own])?;
        let k_real = kid_by_lesion([reference, yardstick], lesions)?;
        Ok(Some(Estimates {
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
