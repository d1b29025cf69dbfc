//! Which real and which generated images are looked at.

use std::collections::{BTreeMap, BTreeSet};

use dermagan_data::Cache;
use dermagan_data::split::{self, Side};
use dermagan_eval::RealChoice;
use dermagan_eval::mmd::FEWEST;

use crate::evaluate::EvalRequest;
use crate::fakes::Fakes;
use crate::plan::SPLIT_SEED;

/// The images of a side of the split.
pub fn of_side(cache: &Cache, side: Option<Side>) -> Vec<u32> {
    let sides = split::of_header(cache.header(), SPLIT_SEED);
    let wanted = |i: &usize| side.is_none_or(|side| sides[*i] == side);
    (0..cache.len()).filter(wanted).map(|i| i as u32).collect()
}

/// Which images are looked at.
pub(crate) struct Drawn {
    /// Images in each set of the overall figures.
    pub n: usize,
    pub overall: RealChoice,
    /// With labels every class is drawn by itself, so that the rare ones are not a handful.
    pub classes: Option<BTreeMap<usize, RealChoice>>,
    /// Every real image that is needed, in order.
    pub images: Vec<u32>,
    /// Every generated image that is needed; the first `n` are those of the overall figures.
    pub fakes: Vec<usize>,
}

impl Drawn {
    pub fn new(cache: &Cache, fakes: &Fakes, request: &EvalRequest) -> Self {
        let header = cache.header();
        let images = request.images.clone().unwrap_or_else(|| of_side(cache, request.side));
        let draw = |images: &[u32]| RealChoice::draw(header, images, request.n, request.seed);
        let overall = draw(&images);
        let n = overall.reference.len().min(fakes.count().unwrap_or(usize::MAX));
        let classes =
            (request.per_class && labels(fakes, &header.classes, n) == Labels::All).then(|| {
                let of_class = |class: usize| -> Vec<u32> {
                    let is = |i: &&u32| header.records[**i as usize].class == class;
                    images.iter().filter(is).copied().collect()
                };
                (0..header.classes.len()).map(|class| (class, draw(&of_class(class)))).collect()
            });
        let all = std::iter::once(&overall).chain(classes.iter().flat_map(BTreeMap::values));
        let mut wanted: Vec<u32> =
            all.flat_map(|c| c.reference.iter().chain(&c.yardstick).copied()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let fakes = fake_places(fakes, classes.as_ref(), n, &header.classes);
        Self { n, overall, classes, images: wanted, fakes }
    }

    /// Where images are among those that were looked at.
    pub fn places(&self, images: &[u32]) -> Vec<usize> {
        images.iter().filter_map(|i| self.images.binary_search(i).ok()).collect()
    }
}

/// What generated images say of their classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Labels {
    /// Every one names a class of the data.
    All,
    /// So many do not.
    Lacking(usize),
    /// None has a label, or they cannot have any.
    None,
}

/// Looks at the labels of generated images, of a model's at the first `n`.
pub(crate) fn labels(fakes: &Fakes, codes: &[String], n: usize) -> Labels {
    let total = fakes.count().unwrap_or(n);
    let known = |i: &usize| fakes.class(*i).is_some_and(|c| codes.iter().any(|code| same(code, c)));
    let labelled = (0..total).filter(known).count();
    match total - labelled {
        0 => Labels::All,
        _ if labelled == 0 => Labels::None,
        lacking => Labels::Lacking(lacking),
    }
}

/// Whether two spellings are of one class.
pub(crate) fn same(code: &str, other: &str) -> bool {
    code.eq_ignore_ascii_case(other)
}

/// Seeds that are gone through for images of a rare class.
const MOST_SEEDS: usize = 1_000_000;

/// Generated images of a class that are looked at where its real ones are fewer.
const OF_SMALL_CLASS: usize = 512;

/// Which generated images are looked at: the first `n` spread over all, then what is lacking of
/// each class to be as many as its real ones, or [`OF_SMALL_CLASS`], but no more than `n`.
fn fake_places(
    fakes: &Fakes,
    choices: Option<&BTreeMap<usize, RealChoice>>,
    n: usize,
    codes: &[String],
) -> Vec<usize> {
    let total = fakes.count().unwrap_or(n).max(n);
    // A generator makes as many as it takes until every class has enough.
    let most = fakes.count().unwrap_or(MOST_SEEDS).max(n);
    // Evenly over the whole: files are often sorted by class.
    let mut places: Vec<usize> = (0..n).map(|i| i * total / n.max(1)).collect();
    let mut taken: BTreeSet<usize> = places.iter().copied().collect();
    for (class, choice) in choices.into_iter().flatten() {
        let Some(code) = codes.get(*class) else { continue };
        let is = |i: usize| fakes.class(i).is_some_and(|c| same(code, c));
        let halves = choice.reference.len() + choice.yardstick.len();
        let mut lacking = match halves < FEWEST {
            true => choice.reference.len(),
            false => halves.max(OF_SMALL_CLASS).min(n),
        };
        lacking -= places.iter().filter(|i| is(**i)).count().min(lacking);
        for i in 0..most {
            if lacking == 0 {
                break;
            }
            if is(i) && taken.insert(i) {
                places.push(i);
                lacking -= 1;
            }
        }
    }
    places
}
