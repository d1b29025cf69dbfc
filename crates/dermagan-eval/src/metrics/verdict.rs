//! The verdict on a set of generated images, as a value and as a sentence.

use super::compare::{Comparison, Figure};
use super::mmd::Discrepancy;

/// Number of standard errors from which a difference counts as real.
const CERTAIN: f64 = 2.0;
/// The same for few images, whose standard error is itself uncertain.
const CERTAIN_OF_FEW: f64 = 4.0;
/// With fewer images than this, the sets cannot be called alike.
const TOO_FEW: usize = 100;
/// Number of standard errors from which a lower share counts as a real difference. Images share neighbours,
/// so the shares vary more than those of independent images would.
const SURELY: f64 = 4.0;

/// The verdict of KID on a set of generated images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// KID finds no difference from real images; a larger sample might show one.
    NoDifference,
    /// KID distinguishes generated from real images.
    Different,
    /// There is no KID, or there are too few images to call the sets alike.
    None,
}

impl Comparison {
    /// The verdict by KID and, where it is given, by `by_all`: the KID from all real images together.
    pub fn verdict(&self, by_all: Option<Discrepancy>) -> Verdict {
        let Some(kid) = self.kid else { return Verdict::None };
        let few = self.n < TOO_FEW;
        let bound = if few { CERTAIN_OF_FEW } else { CERTAIN };
        if kid.apart() >= bound || by_all.is_some_and(|all| all.above_zero(bound)) {
            return Verdict::Different;
        }
        if few { Verdict::None } else { Verdict::NoDifference }
    }

    /// The verdict as a sentence, without its full stop, with the shares of real images that are missing.
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
            .filter(|(_, figure)| lacks(*figure, n))
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

/// Whether the share of `n` generated images is lower than that of real images by more than chance.
fn lacks(figure: Figure, n: usize) -> bool {
    let variance = |share: f64| share * (1.0 - share) / n.max(1) as f64;
    figure.real - figure.fake > SURELY * (variance(figure.fake) + variance(figure.real)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::compare::KidFigure;
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
        assert!(
            !comparison(200, 0.009, 0.90).words(None).contains("missing"),
            "not certain with 200"
        );
        let far = comparison(2048, 12.0, 0.0);
        assert_eq!(far.verdict(None), Verdict::Different);
        assert!(far.words(None).contains("much of what"), "{}", far.words(None));
        let few = comparison(14, 0.0, 0.9);
        assert_eq!(few.verdict(None), Verdict::None);
        assert!(few.words(None).contains("14 images are too few"));
        // A large difference is certain even with few images.
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
