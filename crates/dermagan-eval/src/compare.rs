//! One table's worth of figures: generated against real, beside real against real.

use serde::Serialize;

use crate::error::EvalError;
use crate::features::Features;
use crate::fid;
use crate::kid::kid_by_lesion;
use crate::mmd::{Discrepancy, FEWEST, distinct};
use crate::prdc::prdc;

/// Neighbours that make the radius of precision, recall, density and coverage: Naeem et al. 2020
/// use 5.
pub const NEAREST: usize = 5;

/// A figure of the generated images beside that of as many real ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Generated against the reference.
    pub fake: f64,
    /// Other real images against the reference.
    pub real: f64,
    /// `fake / real`; absent where `real` is not above zero.
    pub ratio: Option<f64>,
}

impl Figure {
    fn of(fake: f64, real: f64) -> Self {
        Self { fake, real, ratio: (real > 0.0).then(|| fake / real) }
    }

    /// Whether a share of `n` images is less than that of real ones by more than chance.
    fn lacks(self, n: usize) -> bool {
        let variance = |share: f64| share * (1.0 - share) / n.max(1) as f64;
        self.real - self.fake > SURELY * (variance(self.fake) + variance(self.real)).sqrt()
    }
}

/// KID, with the standard errors of both figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KidFigure {
    /// Generated against the reference.
    pub fake: f64,
    /// Its standard error.
    pub fake_se: f64,
    /// Other real images against the reference: around zero, above or below.
    pub real: f64,
    /// Its standard error.
    pub real_se: f64,
}

impl KidFigure {
    /// By how many standard errors of both the first is above the second. (A figure that may be below zero is
    /// nothing to divide by.)
    pub fn apart(&self) -> f64 {
        (self.fake - self.real) / self.fake_se.hypot(self.real_se).max(f64::MIN_POSITIVE)
    }
}

/// How a set of generated images compares.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Images in each of the three sets.
    pub n: usize,
    /// Kernel inception distance, the main figure: unbiased at every size.
    pub kid: Option<KidFigure>,
    /// Fréchet distance; absent below as many images as features.
    pub fid: Option<Figure>,
    /// Share of generated images that lie among the real ones: fidelity.
    pub precision: Option<Figure>,
    /// Share of real images that lie among the generated ones: diversity.
    pub recall: Option<Figure>,
    /// As precision, counting how many: above 1 where generated images crowd.
    pub density: Option<Figure>,
    /// Share of real images with a generated one nearby: diversity, without recall's weakness for
    /// outliers.
    pub coverage: Option<Figure>,
    /// Why a figure is absent, and what to be careful about.
    pub notes: Vec<String>,
}

/// Below so many images a feature, FID's bias is larger than what it measures in good images.
const FID_STEADY: usize = 5;
/// Fewer images than these make precision and its like jump about.
const FEW: usize = 200;

/// Compares three sets of features of one size; `lesions`: those of the rows of the reference and of the
/// yardstick, as [`kid_by_lesion`] takes them. A figure that the sets are too small for is left
/// out, with a note.
///
/// # Errors
/// When the sets are not of one width, or hold a number that is not finite, or a real image has no lesion.
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
                "sets of {} and {} features an image cannot be compared",
                reference.dims, other.dims
            )));
        }
    }
    let mut notes = Vec::new();
    if [reference, yardstick, fake].iter().any(|set| set.count() <= NEAREST) {
        let (real, other) = (reference.count(), yardstick.count());
        notes.push(format!(
            "too few images to compare: {real} and {other} real, {} generated; at least {} of \
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
        })
    } else {
        notes.push(format!("no KID: fewer than {FEWEST} lesions in a set"));
        None
    };
    let fid = if n < reference.dims {
        notes.push(format!(
            "no FID: {n} images are fewer than the {} features, so it would measure the sample \
             size",
            reference.dims
        ));
        None
    } else {
        if n < FID_STEADY * reference.dims {
            notes.push(format!(
                "FID of {n} images and {} features is high by what the sample lacks: read it \
                 beside the real figure only",
                reference.dims
            ));
        }
        Some(Figure::of(fid::fid(reference, fake)?, fid::fid(reference, yardstick)?))
    };
    let (p, p_real) = (prdc(reference, fake, NEAREST)?, prdc(reference, yardstick, NEAREST)?);
    if n < FEW {
        notes.push(format!(
            "{n} images are few: read precision, recall, density and coverage beside the real \
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

/// Standard errors beyond which a difference is called one, and beyond which it is also of few images, whose
/// error is itself not sure.
const CERTAIN: f64 = 2.0;
const CERTAIN_OF_FEW: f64 = 4.0;
/// Fewer images than these cannot be called alike.
const TOO_FEW: usize = 100;
/// Standard errors of a share beyond which more than chance is missing: neighbours are shared, so the
/// shares vary more than those of independent images would.
const SURELY: f64 = 4.0;

/// What KID says of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It sees no difference from real images; a larger sample might.
    NoDifference,
    /// It tells generated from real.
    Different,
    /// There is none, or there are too few images for it to call them alike.
    None,
}

impl Comparison {
    /// What KID says, and the KID by all of the real images where there is one.
    pub fn verdict(&self, by_all: Option<Discrepancy>) -> Verdict {
        let Some(kid) = self.kid else { return Verdict::None };
        let few = self.n < TOO_FEW;
        let bound = if few { CERTAIN_OF_FEW } else { CERTAIN };
        if kid.apart() >= bound || by_all.is_some_and(|all| all.above_zero(bound)) {
            return Verdict::Different;
        }
        if few { Verdict::None } else { Verdict::NoDifference }
    }

    /// What the figures mean, in a sentence.
    pub fn words(&self, by_all: Option<Discrepancy>) -> String {
        let n = self.n;
        let Some(kid) = self.kid else { return format!("no KID of {n} images, so no verdict") };
        let mut words = match self.verdict(by_all) {
            Verdict::None => return format!("{n} images are too few to tell"),
            Verdict::NoDifference => {
                format!("KID cannot tell them from real ones at this sample size ({n} images)")
            }
            Verdict::Different => match by_all.filter(|_| self.verdict(None) != Verdict::Different)
            {
                Some(all) => format!(
                    "distinguishable from real: KID {:.4} ± {:.4} by all real images together",
                    all.value, all.standard_error
                ),
                None => format!(
                    "distinguishable from real: KID {:.4} ± {:.4}, where real images differ by {:.4} ± \
                     {:.4}",
                    kid.fake, kid.fake_se, kid.real, kid.real_se
                ),
            },
        };
        let ratio = |f: Option<Figure>| f.and_then(|f| f.ratio);
        if ratio(self.precision).is_some_and(|r| r < 0.5) {
            words.push_str("; many are unlike any real image");
        }
        let missing = [("recall", self.recall), ("coverage", self.coverage)];
        let missing = missing.iter().filter_map(|(name, figure)| Some((name, (*figure)?)));
        let missing: Vec<String> = missing
            .filter(|(_, figure)| figure.lacks(n))
            .map(|(name, figure)| format!("{name} {:.2} of {:.2}", figure.fake, figure.real))
            .collect();
        if !missing.is_empty() {
            let much = [self.recall, self.coverage].map(ratio);
            let much = much.iter().flatten().any(|r| *r < 0.5);
            let share = if much { "much" } else { "some" };
            words.push_str(&format!(
                "; {share} of what real images show is missing ({})",
                missing.join(", ")
            ));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(n: usize, kid: f64, recall: f64) -> Comparison {
        let kid = KidFigure { fake: kid, fake_se: 0.003, real: 0.0, real_se: 0.004 };
        let figure = |fake, real| Some(Figure::of(fake, real));
        Comparison {
            n,
            kid: Some(kid),
            precision: figure(0.95, 0.95),
            recall: figure(recall, 0.95),
            coverage: figure(0.94, 0.95),
            ..Comparison::default()
        }
    }

    #[test]
    fn the_sentence_says_no_more_than_the_figures() {
        let alike = comparison(2048, 0.009, 0.94);
        assert_eq!(alike.verdict(None), Verdict::NoDifference);
        assert!(alike.words(None).ends_with("(2048 images)"), "{}", alike.words(None));
        let narrow = comparison(2048, 0.009, 0.87).words(None);
        assert!(
            narrow.contains("some of what") && narrow.contains("recall 0.87 of 0.95"),
            "{narrow}"
        );
        assert!(!comparison(200, 0.009, 0.90).words(None).contains("missing"), "not sure of 200");
        let far = comparison(2048, 12.0, 0.0);
        assert_eq!(far.verdict(None), Verdict::Different);
        assert!(far.words(None).contains("much of what"), "{}", far.words(None));
        let few = comparison(14, 0.0, 0.9);
        assert_eq!(few.verdict(None), Verdict::None);
        assert!(few.words(None).contains("14 images are too few"));
        // Of few images what is far off can be told all the same.
        assert_eq!(comparison(14, 12.0, 0.0).verdict(None), Verdict::Different);
        let all = Discrepancy { value: 0.03, standard_error: 0.01 };
        assert_eq!(alike.verdict(Some(all)), Verdict::Different);
        assert!(
            alike.words(Some(all)).contains("0.0300 ± 0.0100 by all"),
            "{}",
            alike.words(Some(all))
        );
        let none = Comparison { kid: None, ..comparison(300, 0.0, 0.9) };
        assert!(none.words(None).contains("no KID of 300"));
        assert!((alike.kid.unwrap().apart() - 1.8).abs() < 1e-9);
    }
}
