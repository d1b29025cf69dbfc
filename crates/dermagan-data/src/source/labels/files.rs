//! Finds the photograph among files of one image id, and accounts for the images that nothing uses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use crate::error::DataError;
use crate::source::entry::Entry;
use crate::source::labels::ledger::Ledger;
use crate::source::labels::names::{is_derived, is_mask_folder, is_structure, masked};
use crate::source::labels::survey::Survey;
use crate::source::pixels::decode_entry;
use crate::source::problem::ProblemKind;
use crate::source::record::Record;
use crate::source::tree::Tree;

/// Number of images of a folder that are looked at to see whether the folder holds masks.
const LOOKED_AT: usize = 4;

/// Number of bytes by which two files are compared, besides their sizes.
const COMPARED: u64 = 64 << 10;

/// The photographs of the ids that have several files.
pub(super) struct Files<'s, 'a> {
    survey: &'s Survey<'a>,
    chosen: BTreeMap<usize, usize>,
}

impl<'s, 'a> Files<'s, 'a> {
    pub fn new(survey: &'s Survey<'a>) -> Self {
        Self { survey, chosen: BTreeMap::new() }
    }

    /// The photograph among images of one id. The others are left out: copies, masks, and processed copies.
    ///
    /// # Errors
    /// [`DataError::Bad`] if two different photographs are left: neither is taken by chance.
    pub fn photograph(
        &mut self,
        images: &[usize],
        ledger: &mut Ledger,
    ) -> Result<usize, DataError> {
        let &[first, ref others @ ..] = images else {
            return Err(DataError::bad(self.survey.tree.root.display().to_string(), "no image"));
        };
        if others.is_empty() {
            return Ok(first);
        }
        if let Some(&known) = self.chosen.get(&first) {
            return Ok(known);
        }
        let photograph = self.choose(images, ledger)?;
        self.chosen.insert(first, photograph);
        Ok(photograph)
    }

    fn choose(&self, images: &[usize], ledger: &mut Ledger) -> Result<usize, DataError> {
        let tree = self.survey.tree;
        let entry = |i: usize| &tree.entries[i];
        let under = |i: usize, test: fn(&str) -> bool| entry(i).path.rsplit('/').skip(1).any(test);
        // Originals come first, so that of equal files the original is the one that is used.
        let mut sorted = images.to_vec();
        sorted.sort_by_key(|&i| (under(i, is_derived), entry(i).path.clone()));
        let mut left: Vec<usize> = Vec::new();
        for image in sorted {
            match left.iter().find(|&&other| same_file(tree, entry(other), entry(image))) {
                Some(&same) => {
                    let details = format!("as {}", entry(same).path);
                    ledger.leave_out_with(tree, image, ProblemKind::SameFile, &details);
                }
                None => left.push(image),
            }
        }
        let mut drop = |left: &mut Vec<usize>, is_worse: &dyn Fn(usize) -> Option<ProblemKind>| {
            if left.len() < 2 {
                return;
            }
            let (worse, better): (Vec<_>, Vec<_>) = left
                .iter()
                .copied()
                .map(|i| (i, is_worse(i)))
                .partition(|(_, kind)| kind.is_some());
            let Some(&(best, _)) = better.first() else { return };
            for (image, kind) in worse {
                let details = format!("not {}", entry(best).path);
                let kind = kind.unwrap_or(ProblemKind::DuplicateFile);
                ledger.leave_out_with(tree, image, kind, &details);
            }
            *left = better.into_iter().map(|(image, _)| image).collect();
        };
        drop(&mut left, &|i| under(i, is_mask_folder).then_some(ProblemKind::Mask));
        if left.len() > 1 {
            let looks: BTreeMap<usize, Option<ProblemKind>> =
                left.iter().map(|&i| (i, look(tree, entry(i)))).collect();
            drop(&mut left, &|i| match looks.get(&i).copied().flatten() {
                Some(ProblemKind::TwoColours) => Some(ProblemKind::Mask),
                kind => kind,
            });
        }
        drop(&mut left, &|i| under(i, is_derived).then_some(ProblemKind::DuplicateFile));
        let unstructured = |i: usize| !entry(i).folder().is_some_and(is_structure);
        drop(&mut left, &|i| unstructured(i).then_some(ProblemKind::DuplicateFile));
        match left[..] {
            [photograph] => Ok(photograph),
            _ => {
                let paths: Vec<&str> =
                    left.iter().take(3).map(|&i| entry(i).path.as_str()).collect();
                Err(DataError::bad(
                    tree.root.display().to_string(),
                    format!(
                        "{} are different images with one id, and nothing says which is the photograph; remove one of \
                         them, or give the path of the right one in the table",
                        paths.join(" and ")
                    ),
                ))
            }
        }
    }

    /// Accounts for every image that no record uses.
    pub fn account(&self, records: &[(Record, usize)], ledger: &mut Ledger) {
        let used: BTreeSet<usize> = records.iter().map(|(_, image)| *image).collect();
        let tree = self.survey.tree;
        let mut rest: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for &image in &self.survey.images {
            if used.contains(&image) || ledger.is_out(image) || ledger.settle(image) {
                continue;
            }
            let entry = &tree.entries[image];
            let of_a_photograph =
                masked(entry.stem()).is_some_and(|base| self.survey.by_stem.contains_key(base));
            if of_a_photograph || entry.path.rsplit('/').skip(1).any(is_mask_folder) {
                ledger.leave_out(tree, image, ProblemKind::Mask);
            } else if let Some(first) = self.copied(entry) {
                let details = format!("as {}", tree.entries[first].path);
                ledger.leave_out_with(tree, image, ProblemKind::SameFile, &details);
            } else {
                rest.entry(super::survey::folder_of(entry)).or_default().push(image);
            }
        }
        for images in rest.into_values() {
            let kind = match are_masks(tree, &images) {
                true => ProblemKind::Mask,
                false => ProblemKind::ImageWithoutRow,
            };
            images.iter().for_each(|&image| ledger.leave_out(tree, image, kind));
        }
    }

    /// The image of which a file is a second download or a copy, by its name and its content.
    fn copied(&self, entry: &Entry) -> Option<usize> {
        let stem = copied_stem(entry.stem())?;
        let tree = self.survey.tree;
        self.survey
            .by_stem
            .get(stem)?
            .iter()
            .copied()
            .find(|&i| same_file(tree, &tree.entries[i], entry))
    }
}

/// The name without what browsers and file managers add to that of a copy: `a (1)`, `a - Copy`, `a copy 2`.
fn copied_stem(stem: &str) -> Option<&str> {
    let numbered = stem.strip_suffix(')').and_then(|s| {
        let (base, number) = s.rsplit_once('(')?;
        number.bytes().all(|b| b.is_ascii_digit()).then(|| base.trim_end())
    });
    let plain = numbered.unwrap_or(stem).trim_end_matches(|c: char| c.is_ascii_digit()).trim_end();
    let ending = [" - copy", " copy", "_copy", "-copy"].iter().find(|ending| {
        plain.len() > ending.len()
            && plain.is_char_boundary(plain.len() - ending.len())
            && plain[plain.len() - ending.len()..].eq_ignore_ascii_case(ending)
    });
    ending.map(|ending| &plain[..plain.len() - ending.len()]).or(numbered)
}

/// Whether images have two colours each, by the first ones.
pub(super) fn are_masks(tree: &Tree, images: &[usize]) -> bool {
    let step = images.len().div_ceil(LOOKED_AT).max(1);
    let mut looked = images.iter().step_by(step).map(|&i| look(tree, &tree.entries[i]));
    !images.is_empty()
        && looked.all(|kind| matches!(kind, Some(ProblemKind::TwoColours | ProblemKind::Mask)))
}

/// Why an image is no photograph, if it is none or cannot be decoded.
pub(super) fn look(tree: &Tree, entry: &Entry) -> Option<ProblemKind> {
    match decode_entry(tree, entry, &Mutex::new(())) {
        Ok(decoded) => decoded.odd.map(|problem| problem.kind),
        Err(problem) => Some(problem.kind),
    }
}

/// Whether two files have equal sizes and equal first 64 KB, which counts as the same file. Kaggle's archive contains
/// both image folders twice, in two spellings.
fn same_file(tree: &Tree, a: &Entry, b: &Entry) -> bool {
    let head = |entry| tree.read_some(entry, COMPARED).map(|(bytes, _)| bytes).ok();
    a.size == b.size && head(a).is_some() && head(a) == head(b)
}
