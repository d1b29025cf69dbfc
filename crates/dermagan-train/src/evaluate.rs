//! `eval` as a library call: generated images against real ones, overall and by class, each figure
//! beside that of real images against other real ones.

use dermagan_data::Cache;
use dermagan_data::split::{self, Side};
use dermagan_eval::compare::Verdict;
use dermagan_eval::handmade::{Off, Standard, what_is_off};
use dermagan_eval::kid::kid_by_lesion;
use dermagan_eval::mmd::{Discrepancy, FEWEST, Kernel, distinct, median_distance, mmd_by_lesion};
use dermagan_eval::{Comparison, Extractor, Features, compare};
use serde::Serialize;

use crate::checkpoint::producer;
pub use crate::drawn::of_side;
use crate::drawn::{Drawn, Labels, labels, same};
use crate::error::TrainError;
use crate::fakes::Fakes;
pub use crate::looking::{Eyes, features_of};
use crate::looking::{Set, fake_set, real_set};

/// What to measure.
#[derive(Clone, Debug)]
pub struct EvalRequest {
    /// Images in each set, where there are so many.
    pub n: usize,
    /// Which side of the split by lesion the real images are from; `None` for all of them.
    pub side: Option<Side>,
    /// These images instead of a side's.
    pub images: Option<Vec<u32>>,
    /// Also by class.
    pub per_class: bool,
    /// Seed of the choice of real images.
    pub seed: u64,
    /// Also say what is off in hand-made features.
    pub explain: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum EvalEvent {
    /// Features of real images.
    Real {
        /// So many are done.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// Features of generated images.
    Fake {
        /// So many are done.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// The sets are being compared.
    Comparing,
}

/// Who hears how far it is.
pub type Sink<'a> = &'a mut dyn FnMut(EvalEvent);

/// How an image's class is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The generated images say what they are of.
    Labels,
    /// They do not: real and generated images alike are of the class that the lesion encoder takes
    /// them for.
    Encoder,
}

/// One class's figures.
#[derive(Clone, Debug, Serialize)]
pub struct ClassReport {
    /// Its code.
    pub class: String,
    /// How its images are known.
    pub basis: Basis,
    /// The figures.
    pub comparison: Comparison,
    /// What they mean, in a sentence.
    pub words: String,
    /// Both halves together; `None` where they are too few, or images have no labels.
    pub of_all: Option<OfAll>,
    /// Share of its generated images that the lesion encoder takes for it, and the same of real
    /// ones; where images have labels.
    pub recognised: Option<[f64; 2]>,
}

impl ClassReport {
    /// What KID says of it, by one half of the real images and by both.
    pub fn verdict(&self) -> Verdict {
        self.comparison.verdict(self.of_all.map(|of_all| of_all.kid))
    }
}

/// Both halves of a class's real images together, at most twice those asked for, against as many generated
/// ones or more. There is no yardstick beside it, but zero is what real images have on average, and of
/// classes of a hundred images these are the surer figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OfAll {
    /// As [`kid_by_lesion`] has it.
    pub kid: Discrepancy,
    /// By a Gaussian kernel of [`EvalReport::width`], which no class's unusual images outweigh: to
    /// compare classes with each other. `None` where there is no such width.
    pub mmd: Option<Discrepancy>,
    /// Real images.
    pub real: usize,
    /// Generated images.
    pub fake: usize,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct EvalReport {
    /// Program and version.
    pub producer: String,
    /// What was measured: a folder, or a model with its hash.
    pub fake: String,
    /// Name of the real data.
    pub real: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Side of the split, or `all`.
    pub split: String,
    /// What the features are: extractor, version and weights.
    pub features: String,
    /// The encoder that tells classes.
    pub encoder: String,
    /// Features an image.
    pub dims: usize,
    /// Seed of the choice of real images.
    pub seed: u64,
    /// Width of the Gaussian kernel of every class, the median distance between images of the reference;
    /// `None` where all of them are equal, or no class was asked for.
    pub width: Option<f64>,
    /// All classes together.
    pub overall: Comparison,
    /// By class.
    pub classes: Vec<ClassReport>,
    /// Hand-made features in which generated images differ more than real ones do among
    /// themselves, the worst first.
    pub off: Vec<Off>,
    /// What to be careful about.
    pub notes: Vec<String>,
    /// What the figures mean, in a sentence.
    pub words: String,
}

/// Measures. The features of real images are kept in the cache folder, by what they were made of.
/// Returns the report, and the features of the reference and of the generated images.
///
/// # Errors
/// When there are too few images to compare anything, or one cannot be read.
pub fn evaluate(
    cache: &Cache,
    fakes: &Fakes,
    eyes: &Eyes<'_>,
    request: &EvalRequest,
    sink: Sink<'_>,
) -> Result<(EvalReport, [Features; 2]), TrainError> {
    let header = cache.header();
    let drawn = Drawn::new(cache, fakes, request);
    let real = real_set(cache, &drawn.images, eyes, request, sink)?;
    let fake = fake_set(fakes, &drawn.fakes, eyes, request, sink)?;
    sink(EvalEvent::Comparing);
    let n = drawn.n;
    let rows = [
        drawn.places(&drawn.overall.reference[..n]),
        drawn.places(&drawn.overall.yardstick[..n]),
        (0..n).collect(),
    ];
    let by_unit = eyes.extractor.name() == "handmade";
    let standard = by_unit.then(|| Standard::of(&real.features.select(&rows[0])));
    let known = eyes.encoder.card().classes.iter();
    let known = known.map(|c| header.classes.iter().position(|code| same(code, c))).collect();
    let groups = split::groups(&header.records, &header.hashes);
    let lesions = drawn.images.iter().map(|image| groups[*image as usize]).collect();
    let mut sets = Sets { real, fake, drawn, lesions, standard, known, width: None };
    if request.per_class {
        sets.width = median_distance(&sets.take(&sets.real, &rows[0]));
    }
    let overall = sets.compare(&rows)?;
    let mut notes = notes(cache, fakes, eyes, request, &sets.drawn);
    let mut classes = Vec::new();
    if request.per_class {
        for (class, code) in header.classes.iter().enumerate() {
            classes.extend(sets.of_class(class, code, fakes, &rows)?);
        }
        if sets.drawn.classes.is_none() && !sets.known.iter().flatten().any(|_| true) {
            notes.push(
                "by class nothing can be said: the lesion encoder knows none of this data's \
                 classes; make one that does: `dermagan encoder train --data SOURCE`"
                    .into(),
            );
        }
    }
    let report = EvalReport {
        producer: producer(),
        fake: fakes.describe(),
        real: header.name.clone(),
        fingerprint: header.fingerprint.clone(),
        split: request.side.map_or("all".to_owned(), |side| side.to_string()),
        features: eyes.extractor.id(),
        encoder: eyes.encoder.id(),
        dims: eyes.extractor.dims(),
        seed: request.seed,
        width: sets.width,
        words: overall.words(None),
        overall,
        classes,
        off: off(&sets.real.handmade, &sets.fake.handmade, &rows),
        notes,
    };
    let features = [sets.take(&sets.real, &rows[0]), sets.take(&sets.fake, &rows[2])];
    Ok((report, features))
}

/// Both sides, looked at.
struct Sets {
    real: Set,
    fake: Set,
    drawn: Drawn,
    /// The lesion of every real image, or the image that it equals.
    lesions: Vec<usize>,
    /// Units, where features are numbers of unlike ones, none of which may rule the distance.
    standard: Option<Standard>,
    /// Of each of the encoder's classes, which class of the data it is.
    known: Vec<Option<usize>>,
    /// As [`EvalReport::width`].
    width: Option<f64>,
}

/// Rows of the reference, of the yardstick and of the generated images.
type Rows = [Vec<usize>; 3];

impl Sets {
    /// The features of some rows as they are compared.
    fn take(&self, set: &Set, rows: &[usize]) -> Features {
        let features = set.features.select(rows);
        self.standard.as_ref().map_or_else(|| features.clone(), |s| s.apply(&features))
    }

    fn compare(&self, [r, y, f]: &Rows) -> Result<Comparison, TrainError> {
        Ok(compare(
            &self.take(&self.real, r),
            &self.take(&self.real, y),
            &self.take(&self.fake, f),
            [&self.lesions_of(r), &self.lesions_of(y)],
        )?)
    }

    fn lesions_of(&self, real: &[usize]) -> Vec<usize> {
        real.iter().map(|row| self.lesions[*row]).collect()
    }

    /// Whether the encoder takes a row for a class of the data.
    fn seen_as(&self, set: &Set, row: usize, class: usize) -> bool {
        set.seen_as.get(row).and_then(|seen| self.known[*seen]) == Some(class)
    }

    /// A class's figures; `None` where neither real nor generated images are of it.
    fn of_class(
        &self,
        class: usize,
        code: &str,
        fakes: &Fakes,
        [reference, yardstick, all_fakes]: &Rows,
    ) -> Result<Option<ClassReport>, TrainError> {
        let (basis, [r, y, f]) = match self.drawn.classes.as_ref().and_then(|c| c.get(&class)) {
            Some(choice) => {
                let label = |at: &usize| fakes.class(self.drawn.fakes[*at]);
                let is = |at: &usize| label(at).is_some_and(|c| same(code, c));
                let rows = (0..self.drawn.fakes.len()).filter(is).collect();
                let [r, y] = [&choice.reference, &choice.yardstick].map(|i| self.drawn.places(i));
                (Basis::Labels, [r, y, rows])
            }
            None => {
                let seen = |set: &Set, rows: &[usize]| -> Vec<usize> {
                    rows.iter().filter(|i| self.seen_as(set, **i, class)).copied().collect()
                };
                let [r, y] = [reference, yardstick].map(|rows| seen(&self.real, rows));
                (Basis::Encoder, [r, y, seen(&self.fake, all_fakes)])
            }
        };
        if r.is_empty() && y.is_empty() && f.is_empty() {
            return Ok(None);
        }
        let share = |set: &Set, rows: &[usize]| {
            let hits = rows.iter().filter(|i| self.seen_as(set, **i, class)).count();
            hits as f64 / rows.len().max(1) as f64
        };
        let n = r.len().min(y.len()).min(f.len());
        let asked = basis == Basis::Labels && n > 0 && self.known.contains(&Some(class));
        let recognised = asked.then(|| [share(&self.fake, &f), share(&self.real, &y)]);
        let of_all = match basis {
            Basis::Labels => self.of_all(&[r.clone(), y.clone()].concat(), &f)?,
            Basis::Encoder => None,
        };
        let rows = [r, y, f].map(|rows| rows[..n].to_vec());
        let comparison = self.compare(&rows)?;
        let class = code.to_owned();
        let words = comparison.words(of_all.map(|of_all| of_all.kid));
        Ok(Some(ClassReport { class, basis, comparison, words, of_all, recognised }))
    }

    /// As [`OfAll`] says; `None` where there are too few to say anything.
    fn of_all(&self, real: &[usize], fake: &[usize]) -> Result<Option<OfAll>, TrainError> {
        let lesions = [self.lesions_of(real), (0..fake.len()).collect()];
        if lesions.iter().any(|lesions| distinct(lesions) < FEWEST) {
            return Ok(None);
        }
        let sets = [self.take(&self.real, real), self.take(&self.fake, fake)];
        let (sets, lesions) = (sets.each_ref(), lesions.each_ref().map(Vec::as_slice));
        let kid = kid_by_lesion(sets, lesions)?;
        let mmd = self.width.map(|width| mmd_by_lesion(sets, lesions, Kernel::Gaussian { width }));
        Ok(Some(OfAll { kid, mmd: mmd.transpose()?, real: real.len(), fake: fake.len() }))
    }
}

fn notes(
    cache: &Cache,
    fakes: &Fakes,
    eyes: &Eyes<'_>,
    request: &EvalRequest,
    drawn: &Drawn,
) -> Vec<String> {
    let n = drawn.n;
    let mut notes = fakes.notes();
    if fakes.count() == Some(n) && n < request.n {
        notes.push(format!("{n} generated images instead of {}: there are no more", request.n));
    } else if n < request.n {
        notes.push(format!(
            "{n} images in each set instead of {}: real images are needed twice over, and the \
             two halves share no lesion",
            request.n
        ));
    }
    if let Some(side) = fakes.side().filter(|side| *side != cache.size()) {
        notes.push(format!(
            "the real images have {} pixels a side, the generated ones {side}: part of what is \
             measured is the resolution",
            cache.size()
        ));
    }
    let codes = &cache.header().classes;
    let labels = labels(fakes, codes, n);
    if labels == Labels::All
        && let Some((code, made, there)) = other_shares(cache, fakes, drawn)
    {
        notes.push(format!(
            "the generated images are of other classes than the real ones ({code}: {:.0} % for {:.0} %), \
             and the figures of all together measure that too{}",
            100.0 * made,
            100.0 * there,
            if request.per_class { "" } else { ": --per-class compares like with like" }
        ));
    }
    match labels {
        Labels::All if request.per_class && request.side == Some(Side::Train) => notes.push(
            "the lesion encoder learnt from the training side: the share of real images that it \
             takes for their class is too high there; --split test has lesions that it never saw"
                .into(),
        ),
        Labels::Lacking(lacking) if request.per_class => notes.push(format!(
            "{lacking} generated images name no class of this data, so no label was used: {}",
            by_encoder(eyes)
        )),
        Labels::None if request.per_class => {
            notes.push(format!("the generated images have no labels: {}", by_encoder(eyes)));
        }
        _ => {}
    }
    notes
}

/// Where classes come in quite other shares among generated images than among the reference: the one that
/// differs most, and its two shares.
fn other_shares<'a>(
    cache: &'a Cache,
    fakes: &Fakes,
    drawn: &Drawn,
) -> Option<(&'a String, f64, f64)> {
    let (n, header) = (drawn.n, cache.header());
    let share = |count: usize| count as f64 / n.max(1) as f64;
    let shares = header.classes.iter().enumerate().map(|(class, code)| {
        let is = |i: &&usize| fakes.class(**i).is_some_and(|found| same(found, code));
        let made = drawn.fakes[..n].iter().filter(is).count();
        let real = drawn.overall.reference[..n].iter();
        let there = real.filter(|i| header.records[**i as usize].class == class).count();
        (code, share(made), share(there))
    });
    let shares: Vec<_> = shares.collect();
    let apart = |(_, made, there): &(_, f64, f64)| (made - there).abs();
    // Half the sum is 0 for equal shares, 1 for no class in common; small samples differ by chance, each class
    // by so much.
    let total: f64 = shares.iter().map(apart).sum::<f64>() / 2.0;
    let chance = |(_, made, there): &(_, f64, f64)| {
        let share = (made + there) / 2.0;
        (2.0 * share * (1.0 - share) / n.max(1) as f64).sqrt()
    };
    let chance: f64 = shares.iter().map(chance).sum::<f64>() / 2.0;
    let most = shares.into_iter().max_by(|a, b| apart(a).total_cmp(&apart(b)));
    most.filter(|_| total > 0.2 + chance)
}

fn by_encoder(eyes: &Eyes<'_>) -> String {
    format!(
        "real and generated ones alike are counted to the class that the lesion encoder takes them \
         for (it knows {})",
        eyes.encoder.card().classes.join(", ")
    )
}

/// A difference smaller than this many standard deviations is nothing to speak of.
const SMALL: f64 = 0.2;

/// Where generated images differ from the reference by more than other real ones do in any
/// feature.
fn off(real: &Features, fake: &Features, [r, y, f]: &Rows) -> Vec<Off> {
    if real.count() == 0 || r.is_empty() {
        return Vec::new();
    }
    let size = |off: &Off| off.effect.abs().max(off.spread.abs());
    let reference = real.select(r);
    let among = what_is_off(&reference, &real.select(y));
    let least = among.iter().map(size).fold(SMALL, f64::max);
    what_is_off(&reference, &fake.select(f)).into_iter().filter(|off| size(off) > least).collect()
}
