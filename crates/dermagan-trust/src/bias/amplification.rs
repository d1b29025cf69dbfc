//! Whether generated images of a class show other people than real ones: a classifier answers a question about the person in
//! the image, on real and on generated images alike, and its errors are taken out.

use dermagan_base::rng::Keyed;
use dermagan_eval::{Features, Labelled, Logistic};
use rayon::prelude::*;
use serde::Serialize;

use crate::statistics::{auc, drawn, interval, quantile, two_sided};

/// The area under the ROC curve from which an answer counts as measurable.
const MEASURABLE: f64 = 0.7;
/// How much more often a classifier says yes within a class where it is true than where it is not, at least.
const INFORMATIVE: f64 = 0.2;
/// The fewest held-out lesions of either answer, and generated images, of a class.
const FEWEST: usize = 10;
/// The weight of the L2 penalty of the classifier, as in the two-sample test.
const PENALTY: f64 = 0.03;
/// Draws of an interval.
const DRAWS: u64 = 4000;

/// How a question is answered on real and on generated images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Amplification {
    /// The question, such as `female`.
    pub question: String,
    /// The area under the ROC curve of the classifier on held-out lesions.
    pub auc: f64,
    /// Whether the area is large enough for the rest to mean something.
    pub measurable: bool,
    /// The share of each class; empty unless measurable.
    pub classes: Vec<ClassShift>,
    /// The mean over the classes of how much more generated images show what their class shows more often anyway (directional
    /// bias amplification from class to attribute, Wang and Russakovsky 2021, arXiv:2102.12594); `None` unless measurable.
    pub directional: Option<f64>,
}

/// The share of the images of a class for which the answer is yes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassShift {
    /// The class.
    pub class: String,
    /// Held-out lesions of the class.
    pub lesions: usize,
    /// The share by the table.
    pub by_table: f64,
    /// The share that the classifier finds in held-out images, without its errors.
    pub held_out: f64,
    /// The share that it finds in generated images, without its errors.
    pub fake: f64,
    /// The difference.
    pub difference: f64,
    /// The 95 % interval of the difference.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The two-sided p of no difference by the draws of the interval.
    pub p: f64,
    /// Whether there is a difference after Holm's correction for all questions and classes.
    pub differs: bool,
}

/// Images with a class, and the answer of the table.
pub(crate) struct Asked {
    /// `[n, dims]`.
    pub features: Features,
    pub class: Vec<usize>,
    /// The answer of the table; empty for generated images.
    pub answer: Vec<bool>,
}

/// A held-out lesion: its class, the answer of the table, and that of the classifier.
#[derive(Clone, Copy)]
struct Answered {
    class: usize,
    truth: bool,
    found: bool,
}

/// Answers a question on three sets. The classifier learns from `train`; its errors are those on `held`.
pub(crate) fn amplification(
    question: &str,
    [train, held, fake]: [&Asked; 3],
    classes: &[String],
    seed: u64,
) -> Amplification {
    let standard = Standard::of(&train.features);
    let learnt = standard.apply(&train.features);
    let rows: Vec<usize> = (0..learnt.count()).collect();
    let data = Labelled { features: &learnt, rows: &rows, labels: &train.answer };
    let classifier = Logistic::fit(&data, PENALTY);
    let scores = |set: &Asked| -> Vec<f64> {
        let features = standard.apply(&set.features);
        (0..features.count()).map(|i| classifier.score(features.row(i))).collect()
    };
    let (of_held, of_fake) = (scores(held), scores(fake));
    let with = |answer: bool| -> Vec<f64> {
        let here = of_held.iter().zip(&held.answer).filter(|(_, truth)| **truth == answer);
        here.map(|(score, _)| *score).collect()
    };
    let area = auc(&with(true), &with(false));
    if area < MEASURABLE || of_fake.is_empty() {
        let (measurable, classes) = (false, Vec::new());
        return Amplification {
            question: question.to_owned(),
            auc: area,
            measurable,
            classes,
            directional: None,
        };
    }
    // The classifier says yes as often as the table does.
    let yes =
        held.answer.iter().filter(|answer| **answer).count() as f64 / held.answer.len() as f64;
    let threshold = quantile(&of_held, 1.0 - yes);
    let answered: Vec<Answered> = held
        .class
        .iter()
        .zip(&held.answer)
        .zip(&of_held)
        .map(|((class, truth), score)| Answered {
            class: *class,
            truth: *truth,
            found: *score > threshold,
        })
        .collect();
    let fakes: Vec<(usize, bool)> = fake
        .class
        .iter()
        .zip(&of_fake)
        .map(|(class, score)| (*class, *score > threshold))
        .collect();
    let shifts: Vec<ClassShift> = (0..classes.len())
        .filter_map(|class| shift(class, &classes[class], &answered, &fakes, seed))
        .collect();
    let of_table: Vec<(f64, f64)> =
        shifts.iter().map(|shift| (shift.by_table, shift.difference)).collect();
    let directional = directional(&of_table, yes);
    Amplification {
        question: question.to_owned(),
        auc: area,
        measurable: true,
        classes: shifts,
        directional,
    }
}

/// The shares of a class; `None` with too few lesions of either answer, too few images, or a classifier that cannot answer
/// within the class.
fn shift(
    class: usize,
    code: &str,
    held: &[Answered],
    fakes: &[(usize, bool)],
    seed: u64,
) -> Option<ClassShift> {
    let of_class: Vec<Answered> = held.iter().copied().filter(|one| one.class == class).collect();
    let made: Vec<bool> =
        fakes.iter().filter(|(of, _)| *of == class).map(|(_, found)| *found).collect();
    let with = |truth: bool| of_class.iter().filter(|one| one.truth == truth).count();
    if with(true).min(with(false)).min(made.len()) < FEWEST {
        return None;
    }
    // The errors are those within the class: over all classes, a classifier answers mostly by the class.
    let figures = |of_class: &[Answered], made: &[bool]| {
        let rate = |truth: bool| {
            share(of_class.iter().filter(|one| one.truth == truth).map(|one| one.found))
        };
        let (sensitivity, specificity) = (rate(true), 1.0 - rate(false));
        let real = share(of_class.iter().map(|one| one.found));
        let informative = sensitivity + specificity - 1.0;
        let [real, fake] = [real, share(made.iter().copied())]
            .map(|found| corrected(found, sensitivity, specificity));
        (informative, real, fake)
    };
    let (informative, held_out, fake) = figures(&of_class, &made);
    if informative < INFORMATIVE {
        return None;
    }
    let draw = |number: u64| {
        let mut random = Keyed::new(seed, "bias shift", class as u64 * DRAWS + number);
        let mut pick = |n: usize| drawn(&mut random, n, n);
        let some: Vec<Answered> = pick(of_class.len()).into_iter().map(|i| of_class[i]).collect();
        let made: Vec<bool> = pick(made.len()).into_iter().map(|i| made[i]).collect();
        let (_, real, fake) = figures(&some, &made);
        fake - real
    };
    let draws: Vec<f64> = (0..DRAWS).into_par_iter().map(draw).collect();
    let [low, high] = interval(&draws);
    Some(ClassShift {
        class: code.to_owned(),
        lesions: of_class.len(),
        by_table: share(of_class.iter().map(|one| one.truth)),
        held_out,
        fake,
        difference: fake - held_out,
        low,
        high,
        p: two_sided(&draws),
        differs: false,
    })
}

/// The share of yes.
fn share(answers: impl Iterator<Item = bool>) -> f64 {
    let (yes, all) = answers.fold((0, 0usize), |(yes, all), one| (yes + usize::from(one), all + 1));
    yes as f64 / all.max(1) as f64
}

/// A share that a classifier finds, without its errors (Rogan and Gladen 1978; for generators: Teo et al. 2023).
fn corrected(found: f64, sensitivity: f64, specificity: f64) -> f64 {
    let informative = (sensitivity + specificity - 1.0).max(INFORMATIVE / 2.0);
    ((found + specificity - 1.0) / informative).clamp(0.0, 1.0)
}

/// The directional amplification: a shift counts as positive where it goes the way in which the class differs from all
/// images already. `shifts` has the share of each class and its shift; `overall` is the share of all lesions.
pub(crate) fn directional(shifts: &[(f64, f64)], overall: f64) -> Option<f64> {
    let one = |(share, shift): &(f64, f64)| if *share > overall { *shift } else { -shift };
    (!shifts.is_empty()).then(|| shifts.iter().map(one).sum::<f64>() / shifts.len() as f64)
}

/// Mean and standard deviation of each feature.
struct Standard {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Standard {
    fn of(features: &Features) -> Self {
        let n = features.count().max(1) as f64;
        let (mut mean, mut squares) = (vec![0.0; features.dims], vec![0.0; features.dims]);
        for i in 0..features.count() {
            for ((v, mean), square) in features.row(i).iter().zip(&mut mean).zip(&mut squares) {
                *mean += f64::from(*v) / n;
                *square += f64::from(*v).powi(2) / n;
            }
        }
        let deviation = squares.iter().zip(&mean).map(|(square, mean): (&f64, &f64)| {
            let deviation = (square - mean * mean).max(0.0).sqrt();
            if deviation > 1e-6 { deviation } else { 1.0 }
        });
        let deviation = deviation.collect();
        Self { mean, deviation }
    }

    fn apply(&self, features: &Features) -> Features {
        let values = features.values.chunks_exact(features.dims).flat_map(|row| {
            let moments = self.mean.iter().zip(&self.deviation);
            row.iter()
                .zip(moments)
                .map(|(v, (mean, deviation))| ((f64::from(*v) - mean) / deviation) as f32)
        });
        Features { dims: features.dims, values: values.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images whose first feature is high where the answer is yes; `yes` is the share of yes in each of two classes.
    fn asked(n: usize, seed: u64, yes: [f64; 2], clear: f64) -> Asked {
        let mut random = Keyed::new(seed, "test", 0);
        let (mut values, mut class, mut answer) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..n {
            let is = random.unit() < yes[i % 2];
            values.extend([
                (random.normal() + if is { clear } else { 0.0 }) as f32,
                random.normal() as f32,
            ]);
            class.push(i % 2);
            answer.push(is);
        }
        Asked { features: Features { dims: 2, values }, class, answer }
    }

    fn found(fake: [f64; 2], clear: f64) -> Amplification {
        let [train, held] = [1, 2].map(|seed| asked(2000, seed, [0.3, 0.7], clear));
        let codes = ["a".to_owned(), "b".to_owned()];
        amplification("female", [&train, &held, &asked(1500, 3, fake, clear)], &codes, 0)
    }

    #[test]
    fn shares_are_found_in_spite_of_the_classifiers_errors() {
        let same = found([0.3, 0.7], 2.0);
        assert!(same.measurable && same.auc > 0.85, "{same:?}");
        // The interval of one class in twenty excludes 0 by chance, so the size decides here.
        let near = |a: f64, b: f64| (a - b).abs() < 0.1;
        assert!(same.classes.iter().all(|shift| near(shift.held_out, shift.by_table)), "{same:?}");
        assert!(same.classes.iter().all(|shift| near(shift.fake, shift.held_out)), "{same:?}");
        let none = found([0.0, 0.7], 2.0);
        assert!(none.classes[0].p < 0.001 && none.classes[0].fake < 0.1, "{none:?}");
        assert!(near(none.classes[1].fake, none.classes[1].held_out), "{none:?}");
        // Class a has few anyway, so fewer still is an amplification.
        assert!(none.directional > Some(0.1), "{none:?}");
        assert!(found([0.5, 0.5], 2.0).directional < Some(-0.1));
    }

    #[test]
    fn what_the_classifier_cannot_see_is_not_measurable() {
        let found = found([0.0, 0.0], 0.2);
        assert!(
            !found.measurable && found.classes.is_empty() && found.directional.is_none(),
            "{found:?}"
        );
    }
}
