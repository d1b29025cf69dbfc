//! The dataset descriptions of `dermagan-datasets`, parsed: classes in label order, expected counts, licence.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::source::kind::Kind;

/// One class of a dataset.
#[derive(Clone, Debug, Deserialize)]
pub struct ClassDescription {
    /// The code in the table's column `dx`, such as `nv`.
    pub code: String,
    /// The full name.
    pub name: String,
    /// Number of its images in a complete copy.
    pub images: usize,
    /// Number of its lesions in a complete copy.
    pub lesions: usize,
}

/// The description of a dataset.
#[derive(Clone, Debug, Deserialize)]
pub struct Description {
    /// Short name.
    pub name: String,
    /// Licence of the images.
    pub licence: String,
    /// DOI of the data.
    pub doi: String,
    /// Where to obtain the data.
    pub get: String,
    /// Number of images in a complete copy.
    pub images: usize,
    /// Number of lesions in a complete copy.
    pub lesions: usize,
    /// The ids of known pairs of identical images.
    pub identical: Vec<Vec<String>>,
    /// The ids of pairs of images that show one lesion under two lesion ids.
    pub same_lesion: Vec<[String; 2]>,
    /// The classes, in label order.
    #[serde(rename = "class")]
    pub classes: Vec<ClassDescription>,
}

/// The description of HAM10000, from `datasets/ham10000.toml`.
#[expect(clippy::expect_used, reason = "the text is compiled in, and a test parses it")]
pub static HAM10000: LazyLock<Description> = LazyLock::new(|| {
    toml::from_str(dermagan_datasets::HAM10000).expect("datasets/ham10000.toml is well formed")
});

/// Licence of the images of a kind of source, from the dataset's description.
pub fn licence(kind: Kind) -> String {
    #[derive(Deserialize)]
    struct Licence {
        licence: String,
    }
    let text = match kind {
        Kind::Ham10000 => return HAM10000.licence.clone(),
        Kind::ClassFolders | Kind::Table | Kind::StyleGan | Kind::Unlabelled => {
            return "that of the training images".into();
        }
        Kind::Isic2018 => dermagan_datasets::ISIC2018,
        Kind::Isic2019 => dermagan_datasets::ISIC2019,
        Kind::Isic2020 => dermagan_datasets::ISIC2020,
        Kind::IsicArchive => dermagan_datasets::ISIC_ARCHIVE,
        Kind::PadUfes20 => dermagan_datasets::PAD_UFES_20,
        Kind::MedMnist => dermagan_datasets::DERMAMNIST,
        Kind::Phantom => dermagan_datasets::PHANTOM,
    };
    toml::from_str::<Licence>(text).map_or_else(|_| "unknown".into(), |l| l.licence)
}

/// The seven class codes of HAM10000, in label order.
pub fn ham_codes() -> Vec<String> {
    HAM10000.classes.iter().map(|c| c.code.clone()).collect()
}

/// The label (0 to 6) of a HAM10000 class code, in any case.
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
