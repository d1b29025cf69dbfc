//! The verdict on a set of generated images, as a value and as a sentence. It uses every figure of a comparison.

use super::compare::{Comparison, Estimates, Figure, Inside};
use super::mmd::Discrepancy;

/// Number of standard errors from which a difference in KID counts as real.
const CERTAIN: f64 = 2.0;
/// The same for few images, whose standard error is itself uncertain.
const CERTAIN_OF_FEW: f64 = 4.0;
/// With fewer images than this, the sets cannot be called alike.
pub(crate) const TOO_FEW: usize = 100;
/// Number of standard errors from which a lower share counts as a real difference. Images share neighbours,
/// so the shares vary more than those of independent images would.
const SURELY: f64 = 4.0;
/// A share below this part of that of real images is called low.
const LOW: f64 = 0.5;
/// A precision of at least this part of that of real images lets each image be called real.
const LOOKS_REAL: f64 = 0.8;
/// The probability below which so few images among the real ones are no chance.
const BY_CHANCE: f64 = 1e-3;

/// The verdict on a set of generated images. The variants are in the order from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No figure finds a difference from real images; a larger sample might show one.
    NoDifference,
    /// No figure decides, and there are too few images to call the sets alike.
    None,
    /// The images look real, but the set shows only a part of the variety of real images.
    Incomplete,
    /// KID, AUC, precision or density distinguishes generated from real images.
    Different,
}

/// What the figures say with certainty.
struct Findings {
    /// KID distinguishes generated from real images.
    kid: bool,
    /// Figures that say that images are unlike real ones.
    unlike: Vec<String>,
    /// Whether most images are unlike real ones.
    mostly_unlike: bool,
    /// Figures that say that a part of what real images show is missing.
    missing: Vec<String>,
    /// Whether more than half is missing.
    much_missing: bool,
}

impl Comparison {
    /// The verdict by all figures and, where it is given, by `by_all`: the KID from all real images together.
    pub fn verdict(&self, by_all: Option<Discrepancy>) -> Verdict {
        let found = self.findings(by_all);
        if found.kid || !found.unlike.is_empty() {
            return Verdict::Different;
        }
        if !found.missing.is_empty() {
            return Verdict::Incomplete;
        }
        match self.kid {
            Some(_) if self.n >= TOO_FEW => Verdict::NoDifference,
            _ => Verdict::None,
        }
    }

    /// The verdict as a sentence, without its full stop, with the figures that it rests on.
    pub fn words(&self, by_all: Option<Discrepancy>) -> String {
        let found = self.findings(by_all);
        let verdict = match self.verdict(by_all) {
            Verdict::None => self.undecided(),
            Verdict::NoDifference => format!(
                "{} cannot tell them from real ones at this sample size ({} images)",
                self.figures(),
                self.n
            ),
            Verdict::Incomplete => {
                let lead = match (self.looks_real(), self.precision) {
                    (Some(_), _) => {
                        "each image looks real, but the set copies only a part of the real images: "
                            .to_owned()
                    }
                    (None, Some(low)) => format!("{} does not decide; ", shown("precision", low)),
                    (None, None) => String::new(),
                };
                format!("{lead}{}{}", found.missing_words(), self.undecided_kid())
            }
            Verdict::Different => self.difference(&found, by_all),
        };
        self.equal_images().into_iter().chain([verdict]).collect::<Vec<_>>().join("; ")
    }

    fn findings(&self, by_all: Option<Discrepancy>) -> Findings {
        let bound = if self.n < TOO_FEW { CERTAIN_OF_FEW } else { CERTAIN };
        let by_kid = self.kid.is_some_and(|kid| kid.apart() >= bound);
        let by_all = self.kid.is_some() && by_all.is_some_and(|all| all.above_zero(bound));
        let certain = |figures: [(&str, Option<Figure>); 2]| -> Vec<String> {
            let figures = figures.into_iter().filter_map(|(name, figure)| Some((name, figure?)));
            figures.filter(|(_, figure)| lacks(*figure)).map(|(name, f)| shown(name, f)).collect()
        };
        let low = |figure: Option<Figure>| {
            figure.is_some_and(|f| lacks(f) && f.ratio.is_some_and(|ratio| ratio < LOW))
        };
        let mut unlike = certain([("precision", self.precision), ("density", self.density)]);
        let mut mostly_unlike = low(self.precision);
        unlike.extend(self.auc.filter(|auc| auc.apart() > SURELY).map(auc_words));
        if let Some(inside) = self.inside.filter(|inside| inside.is_low()) {
            unlike.push(inside.words());
            mostly_unlike |= (inside.inside as f64) < LOW * inside.real * inside.of as f64;
        }
        // A precision with a large error does not decide alone, but beside a KID that does it says how far away they are.
        let low_precision = self.precision.and_then(|p| p.ratio).is_some_and(|ratio| ratio < LOW);
        mostly_unlike |= (by_kid || by_all) && low_precision;
        let mut missing = certain([("recall", self.recall), ("coverage", self.coverage)]);
        let mut much_missing = low(self.recall) || low(self.coverage);
        let repeated = self.repeats.filter(|r| 2 * r.distinct <= r.distinct_real);
        if let Some(repeats) = repeated {
            missing.push(format!("{} of {} images distinct", repeats.distinct, self.n));
            much_missing = true;
        }
        Findings { kid: by_kid || by_all, unlike, mostly_unlike, missing, much_missing }
    }

    /// The precision, if it is near enough to that of real images for each image to be called real.
    fn looks_real(&self) -> Option<Figure> {
        self.precision.filter(|p| p.ratio.is_some_and(|ratio| ratio >= LOOKS_REAL))
    }

    /// The sentence on a difference.
    fn difference(&self, found: &Findings, by_all: Option<Discrepancy>) -> String {
        let mut reasons = Vec::new();
        if found.kid {
            let alone = self.kid.filter(|kid| {
                kid.apart() >= if self.n < TOO_FEW { CERTAIN_OF_FEW } else { CERTAIN }
            });
            reasons.extend(alone.map(kid_words).or_else(|| {
                by_all.map(|all| {
                    format!(
                        "KID {:.4} ± {:.4} by all real images together",
                        all.value, all.standard_error
                    )
                })
            }));
        }
        if !found.unlike.is_empty() {
            reasons.push(found.unlike.join(", "));
        }
        let lead =
            if found.mostly_unlike { "unlike the real ones" } else { "distinguishable from real" };
        let mut words = format!("{lead}: {}", reasons.join("; "));
        if !found.kid {
            words.push_str(&self.undecided_kid());
        }
        if !found.missing.is_empty() {
            let looks_real = self.looks_real().filter(|_| found.unlike.is_empty());
            words.push_str(&match looks_real {
                Some(precision) => format!(
                    "; each image looks real ({}), but the set copies only a part of the real images: {}",
                    shown("precision", precision),
                    found.missing_words()
                ),
                None => format!("; {}", found.missing_words()),
            });
        }
        words
    }

    /// The sentence that no figure decides.
    fn undecided(&self) -> String {
        let n = self.n;
        if self.precision.is_none() {
            let why = self.notes.first().map_or("too few images to compare", String::as_str);
            return match self.inside {
                Some(inside) => format!("{}: too few to tell", inside.words()),
                None => format!("no verdict: {why}"),
            };
        }
        match self.kid {
            None if n >= TOO_FEW => {
                format!("no KID of {n} images, and {} do not decide, so no verdict", self.figures())
            }
            _ => format!("{n} images are too few to tell"),
        }
    }

    /// That KID does not decide, after the figures that do; empty if there is none.
    fn undecided_kid(&self) -> String {
        let words = |kid: Estimates| {
            format!("; KID does not decide ({:.4} ± {:.4})", kid.fake, kid.fake_se)
        };
        self.kid.map(words).unwrap_or_default()
    }

    /// The names of the figures of the verdict that were computed.
    fn figures(&self) -> String {
        let figures = [
            ("KID", self.kid.is_some()),
            ("AUC", self.auc.is_some()),
            ("precision", self.precision.is_some()),
            ("recall", self.recall.is_some()),
            ("density", self.density.is_some()),
            ("coverage", self.coverage.is_some()),
        ];
        let names: Vec<&str> =
            figures.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => names.concat(),
        }
    }

    /// What is said about images that are equal to each other or to real ones.
    fn equal_images(&self) -> Vec<String> {
        let Some(repeats) = self.repeats else { return Vec::new() };
        let n = self.n;
        let mut words = Vec::new();
        if repeats.distinct == 1 && n > 1 {
            words.push(format!("all {n} images are the same"));
        }
        match repeats.equal_to_real {
            Some(equal) if equal == n && n > 0 => words.push(format!(
                "all {n} images are equal to a real one, pixel by pixel, so the figures compare real images with each other"
            )),
            Some(equal) if equal > 0 => {
                words.push(format!("{equal} of the {n} images are equal to a real one, pixel by pixel"));
            }
            _ => {}
        }
        words
    }
}

impl Findings {
    /// How much is missing, and by which figures.
    fn missing_words(&self) -> String {
        let share = if self.much_missing { "much" } else { "some" };
        format!("{share} of what real images show is missing ({})", self.missing.join(", "))
    }
}

impl Inside {
    /// Whether fewer generated images than chance allows lie among the real ones.
    fn is_low(&self) -> bool {
        // The share of real images is uncertain too: take one that is two standard errors lower.
        let n = self.real_of.max(1) as f64;
        let share = (self.real - 2.0 * (self.real * (1.0 - self.real) / n).sqrt()).clamp(0.0, 1.0);
        binomial_up_to(self.inside, self.of, share) < BY_CHANCE
    }

    fn words(&self) -> String {
        let lie = if self.of == 1 { "image lies" } else { "images lie" };
        format!(
            "{} of {} {lie} among the real ones, where {:.0} % of other real images do",
            self.inside,
            self.of,
            100.0 * self.real
        )
    }
}

/// The probability of at most `most` hits in `n` independent draws with the probability `share` each.
fn binomial_up_to(most: usize, n: usize, share: f64) -> f64 {
    let mut term = (1.0 - share).powi(i32::try_from(n).unwrap_or(i32::MAX));
    if share >= 1.0 {
        return if most >= n { 1.0 } else { 0.0 };
    }
    let mut sum = 0.0;
    for hits in 0..=most.min(n) {
        sum += term;
        term *= (n - hits) as f64 / (hits + 1) as f64 * share / (1.0 - share);
    }
    sum
}

fn kid_words(kid: Estimates) -> String {
    format!(
        "KID {:.4} ± {:.4}, where real images differ by {:.4} ± {:.4}",
        kid.fake, kid.fake_se, kid.real, kid.real_se
    )
}

fn auc_words(auc: Estimates) -> String {
    format!(
        "a classifier finds the generated image in {:.0} % of pairs (AUC {:.3} ± {:.3}, real {:.3})",
        100.0 * auc.fake,
        auc.fake,
        auc.fake_se,
        auc.real
    )
}

fn shown(name: &str, figure: Figure) -> String {
    format!("{name} {:.2} of {:.2}", figure.fake, figure.real)
}

/// Whether a figure of generated images is lower than that of real images by more than chance.
fn lacks(figure: Figure) -> bool {
    figure.error.is_some_and(|error| figure.real - figure.fake > SURELY * error)
}

#[cfg(test)]
mod tests {
    use super::super::compare::Repeats;
    use super::*;

    /// A comparison of `n` images: KID with its error, precision, and recall; the yardstick has 0, 0.95 and 0.95.
    fn comparison(n: usize, [kid, error]: [f64; 2], precision: f64, recall: f64) -> Comparison {
        let share = |fake| Some(Figure::of_shares((fake, n), (0.95, n)));
        Comparison {
            n,
            kid: Some(Estimates { fake: kid, fake_se: error, real: 0.0, real_se: 0.004 }),
            precision: share(precision),
            recall: share(recall),
            coverage: share(0.94),
            ..Comparison::default()
        }
    }

    const SMALL: [f64; 2] = [0.004, 0.003];

    fn repeats(distinct: usize, distinct_real: usize, equal: usize) -> Option<Repeats> {
        Some(Repeats { distinct, distinct_real, equal_to_real: Some(equal) })
    }

    #[track_caller]
    fn says(found: &Comparison, verdict: Verdict, parts: &[&str], never: &[&str]) {
        let words = found.words(None);
        assert_eq!(found.verdict(None), verdict, "{words}");
        for part in parts {
            assert!(words.contains(part), "{part:?} is not in {words:?}");
        }
        for part in never {
            assert!(!words.contains(part), "{part:?} is in {words:?}");
        }
    }

    #[test]
    fn alike_sets_are_called_alike_by_the_figures_that_were_computed() {
        let alike = comparison(2048, SMALL, 0.95, 0.94);
        let sentence = "KID, precision, recall and coverage cannot tell them from real ones at this sample size (2048 images)";
        assert_eq!(alike.words(None), sentence);
        assert_eq!(alike.verdict(None), Verdict::NoDifference);
        let without = Comparison { recall: None, coverage: None, ..alike };
        says(&without, Verdict::NoDifference, &["KID and precision cannot"], &["recall"]);
    }

    #[test]
    fn an_uncertain_kid_leaves_the_decision_to_the_other_figures() {
        // Noise: the error of KID is large.
        let noise = comparison(60, [45_900.0, 22_778.0], 0.02, 0.93);
        let parts = [
            "unlike the real ones: precision 0.02 of 0.95",
            "KID does not decide (45900.0000 ± 22778",
        ];
        says(&noise, Verdict::Different, &parts, &["too few"]);
        let better = comparison(60, [45_900.0, 22_778.0], 0.93, 0.93);
        says(&better, Verdict::None, &["60 images are too few to tell"], &["unlike"]);
        // Less realistic than real ones, but not unlike them.
        let mild = comparison(2048, SMALL, 0.8, 0.94);
        let parts = ["distinguishable from real: precision 0.80 of 0.95"];
        says(&mild, Verdict::Different, &parts, &["unlike", "missing"]);
    }

    #[test]
    fn density_below_that_of_real_images_decides_and_above_it_does_not() {
        let density = |fake| Comparison {
            density: Some(Figure::of_means([fake, 0.02], [1.0, 0.02])),
            ..comparison(2048, SMALL, 0.95, 0.94)
        };
        says(&density(0.5), Verdict::Different, &["density 0.50 of 1.00"], &["precision 0"]);
        says(&density(1.5), Verdict::NoDifference, &["density and coverage cannot"], &[]);
        says(&density(0.95), Verdict::NoDifference, &[], &["density 0.95"]);
    }

    #[test]
    fn a_classifier_that_tells_the_sets_apart_decides() {
        let auc = |fake| Comparison {
            auc: Some(Estimates { fake, fake_se: 0.008, real: 0.5, real_se: 0.009 }),
            ..comparison(2048, SMALL, 0.95, 0.94)
        };
        let parts = [
            "distinguishable from real: a classifier finds the generated image in 94 % of pairs (AUC 0.940 ± 0.008, real 0.500)",
        ];
        says(&auc(0.94), Verdict::Different, &parts, &["looks real"]);
        says(&auc(0.53), Verdict::NoDifference, &["KID, AUC, precision"], &["0.53"]);
        says(&auc(0.06), Verdict::NoDifference, &[], &[]);
    }

    #[test]
    fn good_precision_and_bad_recall_is_a_copy_of_a_part() {
        let narrow = comparison(2048, SMALL, 0.95, 0.2);
        let parts = [
            "each image looks real, but the set copies only a part",
            "much of what",
            "recall 0.20 of 0.95",
        ];
        says(&narrow, Verdict::Incomplete, &parts, &["distinguishable", "coverage"]);
        let some = comparison(2048, SMALL, 0.95, 0.87);
        says(&some, Verdict::Incomplete, &["some of what", "recall 0.87 of 0.95"], &["much"]);
        says(&comparison(200, SMALL, 0.95, 0.90), Verdict::NoDifference, &[], &["missing"]);
        // KID sees it too.
        let seen = comparison(2048, [12.0, 0.003], 0.94, 0.2);
        let parts = [
            "distinguishable from real: KID 12.0000",
            "each image looks real (precision 0.94 of 0.95)",
            "copies only a part",
        ];
        says(&seen, Verdict::Different, &parts, &["does not decide"]);
        // Neither real nor diverse.
        let bad = comparison(2048, [12.0, 0.003], 0.0, 0.0);
        let parts = [
            "unlike the real ones: KID 12.0000 ± 0.0030",
            "precision 0.00 of 0.95",
            "much of what",
        ];
        says(&bad, Verdict::Different, &parts, &["looks real"]);
    }

    #[test]
    fn few_images_are_too_few_only_if_no_figure_decides() {
        says(&comparison(14, SMALL, 0.93, 0.9), Verdict::None, &["14 images are too few"], &[]);
        says(
            &comparison(14, [12.0, 0.003], 0.93, 0.9),
            Verdict::Different,
            &["KID 12"],
            &["too few"],
        );
        says(&comparison(8, [63.0, 65.0], 0.0, 1.0), Verdict::Different, &["unlike"], &["too few"]);
        let without = Comparison { kid: None, ..comparison(300, SMALL, 0.94, 0.94) };
        says(
            &without,
            Verdict::None,
            &["no KID of 300", "precision, recall and coverage do not"],
            &[],
        );
        let without = Comparison { kid: None, ..comparison(300, SMALL, 0.1, 0.94) };
        says(&without, Verdict::Different, &["unlike the real ones: precision 0.10"], &["KID"]);
    }

    #[test]
    fn one_to_five_images_are_compared_with_all_real_ones() {
        let of = |inside, of, real| Comparison {
            n: of,
            inside: Some(Inside { inside, of, real, real_of: 200 }),
            notes: vec!["too few images to compare: 1 and 1 real".into()],
            ..Comparison::default()
        };
        let one = of(0, 1, 0.92);
        says(&one, Verdict::None, &["0 of 1 image lies among", "92 %", "too few to tell"], &[]);
        says(
            &of(0, 5, 0.92),
            Verdict::Different,
            &["unlike the real ones: 0 of 5 images lie"],
            &[],
        );
        says(&of(4, 5, 0.92), Verdict::None, &["4 of 5 images lie", "too few"], &["unlike"]);
        says(&of(0, 5, 0.4), Verdict::None, &["40 %"], &["unlike"]);
        let none = Comparison { inside: None, ..one };
        says(&none, Verdict::None, &["no verdict: too few images to compare: 1 and 1 real"], &[]);
    }

    #[test]
    fn equal_images_are_said() {
        let same = |n| Comparison { repeats: repeats(1, n, 0), ..comparison(n, SMALL, 0.95, 0.9) };
        says(
            &same(64),
            Verdict::Incomplete,
            &["all 64 images are the same; ", "1 of 64 images distinct"],
            &[],
        );
        let fewer = Comparison { repeats: repeats(40, 64, 0), ..same(64) };
        says(&fewer, Verdict::None, &["too few"], &["the same", "distinct"]);
        // Real images that repeat excuse generated ones that do.
        let real_too = Comparison { repeats: repeats(20, 30, 0), ..same(64) };
        says(&real_too, Verdict::None, &[], &["distinct"]);
        let copies = |equal| Comparison {
            repeats: repeats(200, 200, equal),
            ..comparison(200, SMALL, 0.95, 0.95)
        };
        says(
            &copies(12),
            Verdict::NoDifference,
            &["12 of the 200 images are equal to a real one"],
            &[],
        );
        says(&copies(200), Verdict::NoDifference, &["all 200 images are equal to a real one"], &[]);
        says(&copies(0), Verdict::NoDifference, &[], &["equal to"]);
    }

    #[test]
    fn both_halves_of_the_real_images_may_decide() {
        let alike = comparison(2048, [0.009, 0.003], 0.95, 0.94);
        let all = Discrepancy { value: 0.03, standard_error: 0.01 };
        assert_eq!(alike.verdict(None), Verdict::NoDifference);
        assert_eq!(alike.verdict(Some(all)), Verdict::Different);
        let words = alike.words(Some(all));
        assert!(words.contains("distinguishable from real: KID 0.0300 ± 0.0100 by all"), "{words}");
        assert!((alike.kid.unwrap().apart() - 1.8).abs() < 1e-9);
    }

    #[test]
    fn the_binomial_tail_is_that_of_the_definition() {
        assert!((binomial_up_to(0, 3, 0.5) - 0.125).abs() < 1e-12);
        assert!((binomial_up_to(1, 3, 0.5) - 0.5).abs() < 1e-12);
        assert!((binomial_up_to(3, 3, 0.5) - 1.0).abs() < 1e-12);
        assert_eq!((binomial_up_to(2, 3, 1.0), binomial_up_to(3, 3, 1.0)), (0.0, 1.0));
    }
}
