//! The dataset descriptions in `datasets/`: classes in the order of their labels, expected
//! counts, licence.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::source::Kind;

/// One class of a dataset.
#[derive(Clone, Debug, Deserialize)]
pub struct ClassDescription {
    /// The code in the table, such as `nv`.
    pub code: String,
    /// The full name.
    pub name: String,
    /// Images of it in a complete copy.
    pub images: usize,
    /// Lesions of it in a complete copy.
    pub lesions: usize,
}

/// What a complete copy of a dataset holds.
#[derive(Clone, Debug, Deserialize)]
pub struct Description {
    /// Short name.
    pub name: String,
    /// Licence of the images.
    pub licence: String,
    /// DOI of the data.
    pub doi: String,
    /// How to get it.
    pub get: String,
    /// Images in a complete copy.
    pub images: usize,
    /// Lesions in a complete copy.
    pub lesions: usize,
    /// Known pairs of identical images.
    pub identical: Vec<Vec<String>>,
    /// The classes, in label order.
    #[serde(rename = "class")]
    pub classes: Vec<ClassDescription>,
}

/// HAM10000, from `datasets/ham10000.toml`.
#[expect(clippy::expect_used, reason = "the file is part of the program, and a test reads it")]
pub static HAM10000: LazyLock<Description> = LazyLock::new(|| {
    toml::from_str(include_str!("../../../datasets/ham10000.toml"))
        .expect("datasets/ham10000.toml is well formed")
});

/// Licence of the images of each kind of source, from the descriptions in `datasets/`.
pub fn licence(kind: Kind) -> String {
    #[derive(Deserialize)]
    struct Licence {
        licence: String,
    }
    let text = match kind {
        Kind::Ham10000 => return HAM10000.licence.clone(),
        Kind::ClassFolders => return "that of the training images".into(),
        Kind::Isic2018 => include_str!("../../../datasets/isic2018.toml"),
        Kind::MedMnist => include_str!("../../../datasets/dermamnist.toml"),
        Kind::Phantom => include_str!("../../../datasets/phantom.toml"),
    };
    toml::from_str::<Licence>(text).map_or_else(|_| "unknown".into(), |l| l.licence)
}

/// The seven class codes, in label order.
pub fn ham_codes() -> Vec<String> {
    HAM10000.classes.iter().map(|c| c.code.clone()).collect()
}

/// The label of a HAM10000 code, whatever its case.
pub fn ham_class(code: &str) -> Option<usize> {
    HAM10000.classes.iter().position(|c| c.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_of_ham10000_adds_up() {
        assert_eq!(HAM10000.classes.iter().map(|c| c.images).sum::<usize>(), HAM10000.images);
        assert_eq!(HAM10000.classes.iter().map(|c| c.lesions).sum::<usize>(), HAM10000.lesions);
        assert_eq!(ham_class("NV"), Some(5));
        assert_eq!(licence(Kind::MedMnist), "CC BY-NC 4.0");
        assert!(licence(Kind::Phantom).contains("not medical data"));
    }
}
