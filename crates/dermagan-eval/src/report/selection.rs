//! Selects the real and the generated images of an evaluation.

use std::collections::{BTreeMap, BTreeSet};

use dermagan_base::name::UNLABELLED;
use dermagan_data::Cache;
use dermagan_data::split::{self, Side};

use crate::RealChoice;
use crate::mmd::FEWEST;
use crate::report::draw::{self, DrawnImages};
use crate::report::generated::GeneratedImages;
use crate::report::rows::Rows;
use crate::report::scope::Scope;

/// Largest number of seeds that are searched for images of a rare class.
const MAX_SEEDS: usize = 1_000_000;
/// Number of generated images of a class with fewer real images.
const OF_SMALL_CLASS: usize = 512;

/// Smallest number of real images in each set that is drawn. If fewer images are compared, all real ones show whether these lie
/// among them.
const BESIDE_FEW: usize = 200;

/// The indices of the images on a side of the split by lesion; of all images for `None`.
pub fn of_side(cache: &Cache, side: Option<Side>) -> Vec<u32> {
    let sides = split::of_header(cache.header());
    let wanted = |i: &usize| side.is_none_or(|side| sides[*i] == side);
    (0..cache.len()).filter(wanted).map(|i| i as u32).collect()
}

/// The images of an evaluation.
pub(crate) struct ImageSelection {
    /// Number of images in each set of the overall figures.
    pub n: usize,
    /// The real images of the overall figures.
    pub overall: RealChoice,
    /// The real images of each class, drawn separately so that rare classes have enough images. `None` without figures
    /// by class, or if the generated images are not all labelled.
    pub classes: Option<BTreeMap<usize, RealChoice>>,
    /// The indices of all real images that are needed, sorted.
    pub real: Vec<u32>,
}

impl ImageSelection {
    /// Selects the real images, and the generated images to read.
    pub fn new(cache: &Cache, fakes: &GeneratedImages, scope: &Scope) -> (Self, DrawnImages) {
        let header = cache.header();
        let images = scope.images.clone().unwrap_or_else(|| of_side(cache, scope.side));
        let draw = |images: &[u32], n| RealChoice::draw(header, images, n, scope.seed);
        let overall = draw(&images, scope.n.max(BESIDE_FEW));
        let n = overall.reference.len().min(fakes.count().unwrap_or(usize::MAX)).min(scope.n);
        let unlabelled = is_unlabelled(&header.classes);
        let labelled = || !unlabelled && labels(fakes, &header.classes, n) == Labels::All;
        let classes = (scope.per_class && labelled()).then(|| {
            let of_class = |class: usize| -> Vec<u32> {
                let is = |i: &&u32| header.records[**i as usize].class == class;
                images.iter().filter(is).copied().collect()
            };
            (0..header.classes.len())
                .map(|class| (class, draw(&of_class(class), scope.n)))
                .collect()
        });
        let choices = std::iter::once(&overall).chain(classes.iter().flat_map(BTreeMap::values));
        let mut real: Vec<u32> =
            choices.flat_map(|c| c.reference.iter().chain(&c.yardstick).copied()).collect();
        real.sort_unstable();
        real.dedup();
        let drawn = draw_fakes(fakes, classes.as_ref(), n, &header.classes, scope.seed);
        (Self { n, overall, classes, real }, drawn)
    }

    /// The rows of real images, given by their indices, in the features of [`ImageSelection::real`].
    pub fn rows_of(&self, images: &[u32]) -> Vec<usize> {
        images.iter().filter_map(|i| self.real.binary_search(i).ok()).collect()
    }

    /// The rows of the overall figures.
    pub fn overall_rows(&self) -> Rows {
        Rows {
            reference: self.rows_of(&self.overall.reference[..self.n]),
            yardstick: self.rows_of(&self.overall.yardstick[..self.n]),
            fake: (0..self.n).collect(),
        }
    }
}

/// Whether data with the classes `codes` has no labels.
pub(crate) fn is_unlabelled(codes: &[String]) -> bool {
    matches!(codes, [only] if only == UNLABELLED)
}

/// Whether generated images are labelled with classes of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Labels {
    /// All images are.
    All,
    /// This number of images is not.
    Missing(usize),
    /// No image is.
    None,
}

/// Checks the labels of generated images; of a model, the labels of its first `n` images. `codes` are the classes of the
/// data.
pub(crate) fn labels(fakes: &GeneratedImages, codes: &[String], n: usize) -> Labels {
    let total = fakes.count().unwrap_or(n);
    let known = |i: &usize| {
        fakes.class(*i).is_some_and(|label| codes.iter().any(|code| same_class(code, label)))
    };
    let labelled = (0..total).filter(known).count();
    match total - labelled {
        0 => Labels::All,
        _ if labelled == 0 => Labels::None,
        missing => Labels::Missing(missing),
    }
}

/// Whether two codes name the same class. The case of letters does not matter.
pub(crate) fn same_class(code: &str, other: &str) -> bool {
    code.eq_ignore_ascii_case(other)
}

/// The generated images that are needed: `n` at random for the overall figures, with each class in its share of all
/// images, then more of each class until the class has [`OF_SMALL_CLASS`] images or the number of its real images,
/// whichever is larger, but at most `n`.
fn draw_fakes(
    fakes: &GeneratedImages,
    choices: Option<&BTreeMap<usize, RealChoice>>,
    n: usize,
    codes: &[String],
    seed: u64,
) -> DrawnImages {
    let order = draw::order(fakes, seed);
    let (mut overall, reserve) = match &order {
        Some(order) => (order[..n.min(order.len())].to_vec(), order[n.min(order.len())..].to_vec()),
        None => ((0..n).collect(), Vec::new()),
    };
    // The order of the rows changes the last bits of a sum, so it is that of the names.
    overall.sort_unstable();
    let mut taken: BTreeSet<usize> = overall.iter().copied().collect();
    let mut of_classes = Vec::new();
    for (class, choice) in choices.into_iter().flatten() {
        let Some(code) = codes.get(*class) else { continue };
        let is = |i: usize| fakes.class(i).is_some_and(|label| same_class(code, label));
        let real = choice.reference.len() + choice.yardstick.len();
        let mut missing = match real < FEWEST {
            true => choice.reference.len(),
            false => real.max(OF_SMALL_CLASS).min(n),
        };
        missing -= taken.iter().filter(|i| is(**i)).count().min(missing);
        // A generator makes images until every class has enough.
        let mut candidates: Box<dyn Iterator<Item = usize>> = match &order {
            Some(order) => Box::new(order.iter().copied()),
            None => Box::new(0..MAX_SEEDS.max(n)),
        };
        while missing > 0
            && let Some(i) = candidates.next()
        {
            if is(i) && taken.insert(i) {
                of_classes.push(i);
                missing -= 1;
            }
        }
    }
    DrawnImages { overall, reserve, of_classes }
}
