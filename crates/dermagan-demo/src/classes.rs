//! The names of diagnoses in words that a reader without the codes knows.

use serde::Serialize;

/// A class of a generator, as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Class {
    /// The code in the names of files, such as `mel`; `None` for images without a label.
    pub code: Option<String>,
    /// The name on a button.
    pub name: String,
    /// One sentence about it; empty if this crate does not know the code.
    pub about: &'static str,
    /// Number of training images. They are the proportions in which a seed draws its class.
    pub images: u64,
}

/// The code, the name and one sentence of the diagnoses in HAM10000 and the ISIC challenges.
const KNOWN: [(&str, &str, &str); 9] = [
    (
        "akiec",
        "Actinic keratosis",
        "Actinic keratosis, a precursor of squamous cell carcinoma, and Bowen's disease, one in situ",
    ),
    ("ak", "Actinic keratosis", "A rough patch of sun-damaged skin that may become cancer"),
    ("bcc", "Basal cell carcinoma", "A common skin cancer that grows slowly and rarely spreads"),
    (
        "bkl",
        "Benign keratosis",
        "Seborrhoeic keratosis, solar lentigo and lichen-planus-like keratosis: harmless",
    ),
    ("df", "Dermatofibroma", "A firm, harmless nodule of connective tissue"),
    ("mel", "Melanoma", "A skin cancer of pigment cells that spreads early"),
    ("nv", "Naevus (mole)", "Melanocytic naevus: a harmless growth of pigment cells"),
    ("scc", "Squamous cell carcinoma", "A skin cancer of the outer layer of the skin"),
    ("vasc", "Vascular lesion", "Angioma, angiokeratoma, pyogenic granuloma or haemorrhage"),
];

/// The class with this code and number of training images.
pub(crate) fn class(code: &str, images: u64) -> Class {
    let known = KNOWN.iter().find(|(known, ..)| code.eq_ignore_ascii_case(known));
    let (name, about) = known.map_or((code, ""), |(_, name, about)| (*name, *about));
    let labelled = code != dermagan_base::name::UNLABELLED;
    Class { code: labelled.then(|| code.to_owned()), name: name.to_owned(), about, images }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_diagnoses_of_ham10000_have_names() {
        let codes =
            dermagan_datasets::HAM10000.lines().filter_map(|line| line.strip_prefix("code = \""));
        let codes: Vec<&str> = codes.map(|code| code.trim_end_matches('"')).collect();
        assert_eq!(codes.len(), 7);
        for code in codes {
            let class = class(code, 1);
            assert!(class.name != code && !class.about.is_empty(), "{code}");
        }
        assert_eq!(class("xy", 3).name, "xy");
        assert_eq!(class("unlabelled", 3).code, None);
    }
}
