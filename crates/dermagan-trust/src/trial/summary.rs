//! The report of a trial, from the logits of every fold, arm and seed.

use dermagan_data::{Cache, split};

use super::arms::{Arm, RATIOS};
use super::compare::{Paired, corrected_t};
use super::folds::Fold;
use super::report::{ArmReport, TrialReport};
use super::score::{Predictions, Scores, mean};
use super::settings::TrialJob;
use super::state::Logits;
use super::words::words;
use crate::images::classes::place_of;
use crate::statistics::holm;

/// A trial whose classifiers are all finished.
pub(crate) struct Finished<'a> {
    job: &'a TrialJob,
    cache: &'a Cache,
    parts: &'a [Fold],
    arms: Vec<Arm>,
    /// By fold, arm and seed.
    runs: Vec<Vec<Vec<Logits>>>,
}

/// What the pooled test images are, and what each arm predicts of them, by seed.
struct Pooled {
    truth: Vec<usize>,
    lesion: Vec<usize>,
    predictions: Vec<Vec<Predictions>>,
    found: Vec<Vec<Vec<usize>>>,
}

impl<'a> Finished<'a> {
    /// A trial whose arms `trained` have the logits `runs`, by fold, arm and seed. It has the arm of adjusted logits too.
    pub fn new(
        job: &'a TrialJob,
        cache: &'a Cache,
        parts: &'a [Fold],
        trained: Vec<Arm>,
        mut runs: Vec<Vec<Vec<Logits>>>,
    ) -> Self {
        let mut arms = trained;
        if let Some(plain) = arms.iter().position(|arm| *arm == Arm::Augmented) {
            for (run, part) in runs.iter_mut().zip(parts) {
                let priors = log_shares(cache, &part.train);
                let adjusted = run[plain].iter().map(|logits| logits.less(&priors)).collect();
                run.push(adjusted);
            }
            arms.push(Arm::Adjusted);
        }
        Self { job, cache, parts, arms, runs }
    }

    /// The report. `generator` names the generators.
    pub fn report(&self, generator: &str, notes: Vec<String>) -> TrialReport {
        let header = self.cache.header();
        let pooled = self.pooled();
        let by_fold = self.validation();
        let base = self.base(&by_fold);
        let mut arms: Vec<ArmReport> =
            (0..self.arms.len()).map(|arm| self.arm(arm, base, &pooled, &by_fold)).collect();
        let generated = self.generated();
        let p: Vec<f64> =
            generated.iter().filter_map(|arm| Some(arms[*arm].difference.as_ref()?.p)).collect();
        for (arm, p) in generated.iter().zip(holm(&p)) {
            if let Some(difference) = &mut arms[*arm].difference {
                difference.p_corrected = p;
            }
        }
        // Each fold chooses by its own validation images, which judge in other folds only.
        let choose = |fold: &Vec<f64>| {
            generated.iter().copied().max_by(|a, b| fold[*a].total_cmp(&fold[*b])).unwrap_or(base)
        };
        let chosen: Vec<usize> = by_fold.iter().map(choose).collect();
        let ratio = |arm: &usize| match self.arms[*arm] {
            Arm::Generated(ratio) => ratio,
            _ => RATIOS[0],
        };
        let ratios: Vec<f64> = chosen.iter().map(ratio).collect();
        let of_chosen: Vec<Vec<usize>> = (0..self.job.seeds as usize)
            .map(|seed| self.predictions(|fold| chosen[fold], seed).most_likely())
            .collect();
        let primary = Paired { better: &of_chosen, ..self.paired(base, base, &pooled) }
            .difference(self.job.margin, self.job.seed);
        let permuted = self.arms.iter().position(|arm| matches!(arm, Arm::Permuted(_)));
        let permuted = permuted.and_then(|arm| Some(arms[arm].difference.as_ref()?.answer));
        let mut lesions = pooled.lesion.clone();
        lesions.sort_unstable();
        lesions.dedup();
        TrialReport {
            data: format!("{} {}", header.name, header.fingerprint),
            generator: generator.to_owned(),
            folds: self.parts.len(),
            seeds: self.job.seeds,
            kimg: self.job.kimg,
            test_images: pooled.truth.len(),
            test_lesions: lesions.len(),
            margin: self.job.margin,
            classes: header.classes.clone(),
            words: words(&ratios, &self.arms[base], &primary, permuted, self.job.margin),
            base: self.arms[base].to_string(),
            arms,
            chosen: ratios,
            primary,
            notes,
        }
    }

    /// The number of the arm that others are compared with: of the two that correct for the classes' sizes, the one that the
    /// validation images find better.
    fn base(&self, by_fold: &[Vec<f64>]) -> usize {
        let accuracy =
            |arm: &usize| mean(&by_fold.iter().map(|fold| fold[*arm]).collect::<Vec<_>>());
        let corrects = |arm: &usize| matches!(self.arms[*arm], Arm::Rebalanced | Arm::Adjusted);
        let arms = (0..self.arms.len()).filter(corrects);
        arms.max_by(|a, b| accuracy(a).total_cmp(&accuracy(b))).unwrap_or(0)
    }

    /// The numbers of the arms with generated images.
    fn generated(&self) -> Vec<usize> {
        (0..self.arms.len()).filter(|arm| matches!(self.arms[*arm], Arm::Generated(_))).collect()
    }

    fn classes(&self) -> usize {
        self.cache.header().classes.len()
    }

    fn truth_of(&self, images: &[u32]) -> Vec<usize> {
        images.iter().map(|image| self.cache.header().records[*image as usize].class).collect()
    }

    /// The predictions of one seed for the test images of all folds, each by the arm that `arm` gives for the fold.
    fn predictions(&self, arm: impl Fn(usize) -> usize, seed: usize) -> Predictions {
        let folds = self.runs.iter().enumerate();
        let logits: Vec<f32> =
            folds.flat_map(|(fold, run)| run[arm(fold)][seed].test.iter().copied()).collect();
        Predictions::of_logits(&logits, self.classes())
    }

    fn pooled(&self) -> Pooled {
        let header = self.cache.header();
        let test: Vec<u32> = self.parts.iter().flat_map(|fold| fold.test.iter().copied()).collect();
        let groups = split::groups(&header.records, &header.hashes);
        let of_arm = |arm: usize| -> Vec<Predictions> {
            (0..self.job.seeds as usize).map(|seed| self.predictions(|_| arm, seed)).collect()
        };
        let predictions: Vec<Vec<Predictions>> = (0..self.arms.len()).map(of_arm).collect();
        let found =
            |of_arm: &Vec<Predictions>| of_arm.iter().map(Predictions::most_likely).collect();
        Pooled {
            truth: self.truth_of(&test),
            lesion: test.iter().map(|image| groups[*image as usize]).collect(),
            found: predictions.iter().map(found).collect(),
            predictions,
        }
    }

    /// The balanced accuracy on the validation images, by fold and arm.
    fn validation(&self) -> Vec<Vec<f64>> {
        let of_fold = |(run, part): (&Vec<Vec<Logits>>, &Fold)| {
            let truth = self.truth_of(&part.val);
            run.iter().map(|seeds| self.accuracy(seeds.iter().map(|of| &of.val), &truth)).collect()
        };
        self.runs.iter().zip(self.parts).map(of_fold).collect()
    }

    /// The mean balanced accuracy of some logits for the same images.
    fn accuracy<'b>(&self, logits: impl Iterator<Item = &'b Vec<f32>>, truth: &[usize]) -> f64 {
        let one = |logits: &Vec<f32>| {
            Predictions::of_logits(logits, self.classes()).scores(truth, None).balanced_accuracy
        };
        mean(&logits.map(one).collect::<Vec<_>>())
    }

    fn paired<'b>(&self, arm: usize, base: usize, pooled: &'b Pooled) -> Paired<'b> {
        Paired {
            better: &pooled.found[arm],
            base: &pooled.found[base],
            truth: &pooled.truth,
            lesion: &pooled.lesion,
            classes: self.classes(),
        }
    }

    fn arm(&self, arm: usize, base: usize, pooled: &Pooled, by_fold: &[Vec<f64>]) -> ArmReport {
        let codes = &self.cache.header().classes;
        let melanoma = place_of(codes, "mel");
        let scores: Vec<Scores> =
            pooled.predictions[arm].iter().map(|one| one.scores(&pooled.truth, melanoma)).collect();
        let difference = (arm != base).then(|| {
            let paired = self.paired(arm, base, pooled);
            let mut difference = paired.difference(self.job.margin, self.job.seed);
            difference.interval_t = self.by_folds(arm, base);
            difference
        });
        ArmReport {
            arm: self.arms[arm].to_string(),
            deviation: deviation(&scores),
            scores: mean_scores(&scores),
            validation: mean(&by_fold.iter().map(|fold| fold[arm]).collect::<Vec<_>>()),
            difference,
        }
    }

    /// The interval of an arm's difference over folds.
    fn by_folds(&self, arm: usize, base: usize) -> Option<[f64; 2]> {
        let difference = |(run, part): (&Vec<Vec<Logits>>, &Fold)| {
            let truth = self.truth_of(&part.test);
            let of = |arm: usize| self.accuracy(run[arm].iter().map(|of| &of.test), &truth);
            of(arm) - of(base)
        };
        let differences: Vec<f64> = self.runs.iter().zip(self.parts).map(difference).collect();
        let images = |of: &dyn Fn(&Fold) -> usize| self.parts.iter().map(of).sum::<usize>() as f64;
        corrected_t(
            &differences,
            images(&|fold| fold.test.len()) / images(&|fold| fold.train.len()),
        )
    }
}

/// The logarithm of each class's share of the training images; that of one image for a class without any.
fn log_shares(cache: &Cache, train: &[u32]) -> Vec<f32> {
    let header = cache.header();
    let mut counts = vec![0usize; header.classes.len()];
    train.iter().for_each(|image| counts[header.records[*image as usize].class] += 1);
    let share = |count: &usize| ((*count).max(1) as f32 / train.len().max(1) as f32).ln();
    counts.iter().map(share).collect()
}

fn deviation(scores: &[Scores]) -> f64 {
    let values: Vec<f64> = scores.iter().map(|one| one.balanced_accuracy).collect();
    let middle = mean(&values);
    let squares: f64 = values.iter().map(|v| (v - middle).powi(2)).sum();
    if values.len() < 2 { 0.0 } else { (squares / (values.len() - 1) as f64).sqrt() }
}

/// The mean of every score.
fn mean_scores(scores: &[Scores]) -> Scores {
    let of = |value: &dyn Fn(&Scores) -> f64| mean(&scores.iter().map(value).collect::<Vec<_>>());
    let classes = scores.first().map_or(0, |one| one.recall.len());
    Scores {
        balanced_accuracy: of(&|one| one.balanced_accuracy),
        macro_auc: of(&|one| one.macro_auc),
        melanoma_auc: of(&|one| one.melanoma_auc),
        recall: (0..classes).map(|class| of(&|one| one.recall[class])).collect(),
        calibration_error: of(&|one| one.calibration_error),
    }
}
