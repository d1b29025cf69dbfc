//! Looks at every image of a source once: which images are kept, and why the others are not.

use std::collections::BTreeMap;

use dermagan_base::stop_requested;

use crate::error::DataError;
use crate::prepare::cache::{Options, pixel_hash};
use crate::prepare::fit::to_square;
use crate::source::decode::Decoded;
use crate::source::open::Source;
use crate::source::problem::{Problem, ProblemKind, Report, Severity};
use crate::source::record::Record;

/// Receives the progress of a preparation: number of images done, and their total number.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// What a look at every image of a source gives.
#[derive(Clone, Debug)]
pub struct Examination {
    /// Indices of the records whose images are kept, in their order.
    pub kept: Vec<usize>,
    /// A hash of each kept image's prepared pixels.
    pub hashes: Vec<u64>,
    /// The account of the source.
    pub report: Report,
}

/// Decodes every image of a source, as [`prepare`](fn@crate::prepare) does, and writes nothing.
///
/// # Errors
/// [`DataError::Bad`] for a damaged npz. An image that cannot be used is a line of the report.
pub fn examine(
    source: &Source,
    options: Options,
    progress: Progress<'_>,
) -> Result<Examination, DataError> {
    examine_each(source, |give| look_at_all(source, options, give), progress, &mut |_| Ok(()))
}

/// What was found about one image.
pub(super) struct Looked {
    /// The prepared pixels and their hash; `None` if the image is left out.
    pub pixels: Option<(Vec<u8>, u64)>,
    /// Why it is left out, or what is only said.
    pub problems: Vec<Problem>,
}

impl From<Problem> for Looked {
    /// An image that is left out.
    fn from(problem: Problem) -> Self {
        Self { pixels: None, problems: vec![problem] }
    }
}

/// As [`examine`], and passes the prepared pixels of each kept image to `sink`, in the order of the records. `look` looks at
/// every image in that order, and passes what it found on.
pub(super) fn examine_each(
    source: &Source,
    look: impl FnOnce(&mut dyn FnMut(Looked) -> Result<(), DataError>) -> Result<(), DataError>,
    progress: Progress<'_>,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), DataError>,
) -> Result<Examination, DataError> {
    let total = source.records.len();
    let mut problems = source.problems.clone();
    let (mut kept, mut hashes) = (Vec::with_capacity(total), Vec::with_capacity(total));
    let mut done = 0;
    look(&mut |looked| {
        if stop_requested() {
            return Err(DataError::Stopped);
        }
        if let Some((pixels, hash)) = &looked.pixels {
            sink(pixels)?;
            kept.push(done);
            hashes.push(*hash);
        }
        problems.extend(looked.problems);
        done += 1;
        progress(done, total);
        Ok(())
    })?;
    let report = account(source, &kept, &hashes, problems);
    Ok(Examination { kept, hashes, report })
}

/// Decodes and fits every image.
pub(super) fn look_at_all(
    source: &Source,
    options: Options,
    give: &mut dyn FnMut(Looked) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let all: Vec<usize> = (0..source.records.len()).collect();
    look_at(source, options, &all, give)
}

/// Decodes and fits the images `wanted` (ascending) on all cores, and passes what was found to `give`, in order.
pub(super) fn look_at(
    source: &Source,
    options: Options,
    wanted: &[usize],
    give: &mut dyn FnMut(Looked) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let small = Small::of(source, options.size);
    source.decode_each(
        wanted,
        |index, decoded| {
            look_at_one(source, options, &small, index, decoded).unwrap_or_else(Looked::from)
        },
        give,
    )
}

/// Looks at a decoded image. The error is the reason to leave it out.
fn look_at_one(
    source: &Source,
    options: Options,
    small: &Small,
    index: usize,
    decoded: Result<Decoded, Problem>,
) -> Result<Looked, Problem> {
    let decoded = decoded?;
    let id = &source.records[index].image_id;
    let mut notes = decoded.notes;
    let size = decoded.image.dimensions();
    let small = small.finding(size).map(|kind| {
        let place = format!("{id} ({}x{} pixels, {} needed)", size.0, size.1, options.size);
        Problem::new(kind, place)
    });
    // That a generator made an image says more than its size, and the size more than its colours.
    let (made, odd) = match decoded.odd {
        Some(odd) if odd.kind == ProblemKind::Synthetic => (Some(odd), None),
        odd => (None, odd),
    };
    for problem in [made, small, odd].into_iter().flatten() {
        let kept = match problem.kind {
            ProblemKind::Synthetic => source.reading.keep_synthetic,
            _ => source.reading.keep_odd,
        };
        match problem.kind.severity() {
            Severity::Note => notes.push(problem),
            _ if kept => {}
            _ => return Err(problem),
        }
    }
    let fitted = to_square(&decoded.image, options.size, options.fit, options.filter);
    let pixels =
        fitted.map_err(|what| Problem::new(ProblemKind::Undecodable, format!("{id} ({what})")))?;
    let hash = pixel_hash(&pixels);
    Ok(Looked { pixels: Some((pixels, hash)), problems: notes })
}

/// The account of a source of which the records `kept` are used. Identical images of different classes are a warning.
fn account(source: &Source, kept: &[usize], hashes: &[u64], mut problems: Vec<Problem>) -> Report {
    let groups: Vec<Vec<&Record>> = identical(hashes)
        .into_iter()
        .map(|group| group.into_iter().map(|i| &source.records[kept[i]]).collect())
        .collect();
    for group in &groups {
        let other = |first: &&Record| group.iter().find(|record| record.class != first.class);
        if let Some((first, other)) = group.first().and_then(|first| Some((first, other(first)?))) {
            let words =
                |record: &Record| format!("{} ({})", record.image_id, source.classes[record.class]);
            let place = format!("{} = {}", words(first), words(other));
            problems.push(Problem::new(ProblemKind::TwoClasses, place));
        }
    }
    let ids = |group: &Vec<&Record>| group.iter().map(|record| record.image_id.clone()).collect();
    let mut report = Report::new(kept.len(), &problems);
    report.tables = source.tables.clone();
    report.identical = groups.iter().map(ids).collect();
    report.identical.sort();
    report
}

/// Images are enlarged at most this many times: 28 pixels of MedMNIST to 128, but no icon and no strip of 3 pixels.
const MOST_ENLARGED: u32 = 5;

/// Which images are too small. If most images of a source are smaller than the prepared square, that is how the source
/// is, and they are enlarged; otherwise the few small ones are thumbnails or faults.
struct Small {
    /// Side of the prepared square, in pixels.
    side: u32,
    /// Whether most images are smaller.
    most: bool,
}

impl Small {
    fn of(source: &Source, side: u32) -> Self {
        let sizes: Vec<(u32, u32)> = source.sizes().into_iter().flatten().collect();
        let small = sizes.iter().filter(|(width, height)| *width.min(height) < side).count();
        Self { side, most: 2 * small > sizes.len() }
    }

    fn finding(&self, (width, height): (u32, u32)) -> Option<ProblemKind> {
        let shorter = width.min(height);
        let enlarged = self.most && shorter.saturating_mul(MOST_ENLARGED) >= self.side;
        (shorter < self.side).then_some(match enlarged {
            true => ProblemKind::Enlarged,
            false => ProblemKind::TooSmall,
        })
    }
}

/// Each group of two or more images with equal pixels, by their places in `hashes`, in the order of the first images.
fn identical(hashes: &[u64]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (i, &hash) in hashes.iter().enumerate() {
        groups.entry(hash).or_default().push(i);
    }
    let mut found: Vec<Vec<usize>> = groups.into_values().filter(|group| group.len() > 1).collect();
    found.sort();
    found
}
