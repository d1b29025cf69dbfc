//! The files that a set is divided into.

use std::path::{Path, PathBuf};

use crate::set::Set;

/// Where an image is in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The index of its part.
    pub(crate) part: usize,
    /// Its number in the part, from 0.
    pub(crate) in_part: u64,
    /// Its number in the set, from 0.
    pub(crate) in_set: u64,
}

/// How a set is divided into files.
#[derive(Clone, Debug)]
pub(crate) enum Shards {
    /// All images in one file.
    One(PathBuf),
    /// Each part in files of at most `most` images, in a folder.
    Many {
        /// The folder.
        folder: PathBuf,
        /// The largest number of images of a file.
        most: u64,
        /// The path of a file in the folder: of its part, its number and the number of files of the part.
        name: fn(&str, u64, u64) -> String,
    },
}

impl Shards {
    /// The file that begins with this image; `None` if the image belongs into the file of the one before it.
    pub(crate) fn begins(&self, set: &Set, place: Place) -> Option<PathBuf> {
        match self {
            Self::One(file) => (place.in_set == 0).then(|| file.clone()),
            Self::Many { folder, most, name } => {
                let part = set.parts.get(place.part)?;
                let begins = place.in_part.is_multiple_of(*most);
                let (number, files) = (place.in_part / most, part.images.div_ceil(*most));
                begins.then(|| folder.join(name(&part.name, number, files)))
            }
        }
    }

    /// Whether the set has a file or a folder of this path, relative to its folder.
    pub(crate) fn has(&self, set: &Set, path: &str) -> bool {
        let Self::Many { most, name, .. } = self else { return false };
        set.parts.iter().any(|part| {
            let files = part.images.div_ceil(*most);
            let folder = name(&part.name, 0, files);
            let is_folder = folder.split_once('/').is_some_and(|(folder, _)| folder == path);
            is_folder || (0..files).any(|number| name(&part.name, number, files) == path)
        })
    }

    /// The folder, if there is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::One(_) => None,
            Self::Many { folder, .. } => Some(folder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::set;

    #[test]
    fn a_part_begins_a_new_file_and_so_does_every_nth_image() {
        let name = |part: &str, number, files| format!("data/{part}-{number}-of-{files}");
        let shards = Shards::Many { folder: "f".into(), most: 2, name };
        let begins = |part, in_part, in_set| {
            let path = shards.begins(&set(), Place { part, in_part, in_set });
            path.map(|path| path.to_string_lossy().into_owned())
        };
        assert_eq!(begins(0, 0, 0).as_deref(), Some("f/data/train-0-of-2"));
        assert_eq!(begins(0, 1, 1), None);
        assert_eq!(begins(0, 2, 2).as_deref(), Some("f/data/train-1-of-2"));
        assert_eq!(begins(1, 0, 3).as_deref(), Some("f/data/validation-0-of-1"));
        let has = |path| shards.has(&set(), path);
        assert!(has("data") && has("data/train-1-of-2") && has("data/validation-0-of-1"));
        assert!(!has("data/train-2-of-2") && !has("more") && !has("train-0-of-2"));
    }
}
