//! One table's worth of figures: generated against real, beside real against real.

use serde::Serialize;

use crate::error::EvalError;
use crate::features::Features;
use crate::fid;
use crate::kid::kid_by_lesion;
use crate::mmd::{FEWEST, distinct};
use crate::prdc::prdc;

/// Neighbours that make the radius of precision, recall, density and coverage: Naeem et al. 2020
/// use 5.
pub const NEAREST: usize = 5;

/// A figure of the generated pictures beside that of as many real ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Generated against the reference.
    pub fake: f64,
    /// Other real pictures against the reference.
    pub real: f64,
    /// `fake / real`; absent where `real` is not above zero.
    pub ratio: Option<f64>,
}

impl Figure {
    fn of(fake: f64, real: f64) -> Self {
        Self { fake, real, ratio: (real > 0.0).then(|| fake / real) }
    }
}

/// KID, with the standard errors of both figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KidFigure {
    /// Generated against the reference.
    pub fake: f64,
    /// Its standard error.
    pub fake_se: f64,
    /// Other real pictures against the reference: around zero, above or below.
    pub real: f64,
    /// Its standard error.
    pub real_se: f64,
    /// `fake` as a multiple of `real`, or of its standard error where that is larger: a figure
    /// that may be below zero is nothing to divide by.
    pub ratio: f64,
}

/// How a set of generated pictures compares.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Pictures in each of the three sets.
    pub n: usize,
    /// Kernel inception distance, the main figure: unbiased at every size.
    pub kid: Option<KidFigure>,
    /// Fréchet distance; absent below as many pictures as features.
    pub fid: Option<Figure>,
    /// Share of generated pictures that lie among the real ones: fidelity.
    pub precision: Option<Figure>,
    /// Share of real pictures that lie among the generated ones: diversity.
    pub recall: Option<Figure>,
    /// As precision, counting how many: above 1 where generated pictures crowd.
    pub density: Option<Figure>,
    /// Share of real pictures with a generated one nearby: diversity, without recall's weakness for
    /// outliers.
    pub coverage: Option<Figure>,
    /// Why a figure is absent, and what to be careful about.
    pub notes: Vec<String>,
}

/// Below so many pictures a feature, FID's bias is larger than what it measures in good pictures.
const FID_STEADY: usize = 5;
/// Fewer pictures than these make precision and its like jump about.
const FEW: usize = 200;

/// Compares three sets of features of one size; `lesions`: those of the rows of the reference and of the
/// yardstick, as [`kid_by_lesion`] takes them. A figure that the sets are too small for is left
/// out, with a note.
///
/// # Errors
/// When the sets are not of one width, or hold a number that is not finite, or a real picture has no lesion.
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
                "sets of {} and {} features a picture cannot be compared",
                reference.dims, other.dims
            )));
        }
    }
    let mut notes = Vec::new();
    if [reference, yardstick, fake].iter().any(|set| set.count() <= NEAREST) {
        let (real, other) = (reference.count(), yardstick.count());
        notes.push(format!(
            "too few pictures to compare: {real} and {other} real, {} generated; at least {} of \
             each are needed",
            fake.count(),
            NEAREST + 1
        ));
        return Ok(Comparison { n, notes, ..Comparison::default() });
    }
    let kid = if lesions.iter().all(|lesions| distinct(lesions) >= FEWEST) {
        let own: Vec<usize> = (0..fake.count()).collect();
        let k = kid_by_lesion([reference, fake], [lesions[0], &own])?;
        let k_real = kid_by_lesion([reference, yardstick], lesions)?;
        Some(KidFigure {
            fake: k.value,
            fake_se: k.standard_error,
            real: k_real.value,
            real_se: k_real.standard_error,
            ratio: k.value / k_real.value.max(k_real.standard_error).max(f64::MIN_POSITIVE),
        })
    } else {
        notes.push(format!("no KID: fewer than {FEWEST} lesions in a set"));
        None
    };
    let fid = if n < reference.dims {
        notes.push(format!(
            "no FID: {n} pictures are fewer than the {} features, so it would measure the sample \
             size",
            reference.dims
        ));
        None
    } else {
        if n < FID_STEADY * reference.dims {
            notes.push(format!(
                "FID of {n} pictures and {} features is high by what the sample lacks: read it \
                 beside the real figure only",
                reference.dims
            ));
        }
        Some(Figure::of(fid::fid(reference, fake)?, fid::fid(reference, yardstick)?))
    };
    let (p, p_real) = (prdc(reference, fake, NEAREST)?, prdc(reference, yardstick, NEAREST)?);
    if n < FEW {
        notes.push(format!(
            "{n} pictures are few: read precision, recall, density and coverage beside the real \
             figures only"
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

/// Standard errors beyond which a difference is called one.
const CERTAIN: f64 = 2.0;

impl Comparison {
    /// What the figures mean, in a sentence.
    pub fn words(&self) -> String {
        let Some(kid) = self.kid else { return "too few pictures to say anything".into() };
        let n = self.n;
        let apart = (kid.fake - kid.real) / kid.fake_se.hypot(kid.real_se).max(f64::MIN_POSITIVE);
        if apart < CERTAIN {
            return format!("indistinguishable from real at this sample size ({n} pictures)");
        }
        let mut words = format!(
            "distinguishable from real: KID {:.4} ± {:.4}, where real pictures differ by {:.4} ± {:.4}",
            kid.fake, kid.fake_se, kid.real, kid.real_se
        );
        let low = |f: Option<Figure>| f.and_then(|f| f.ratio).is_some_and(|r| r < 0.5);
        match (low(self.precision), low(self.coverage) || low(self.recall)) {
            (true, true) => words.push_str("; many are unlike any real picture, and much of what real pictures show is missing"),
            (true, false) => words.push_str("; many are unlike any real picture"),
            (false, true) => words.push_str("; they lie among the real ones, but much of what real pictures show is missing"),
            (false, false) => {}
        }
        words
    }
}
