//! The words for diagnoses, and their classes in HAM10000.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::source::description::{HAM10000, ham_class};
use crate::source::record::is_unknown;

/// What a cell says about the diagnosis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Diagnosis {
    /// A class of HAM10000, by its label (0 to 6).
    Ham(usize),
    /// No diagnosis: an empty cell, or a word such as `unknown`.
    None,
    /// Another word: a diagnosis outside HAM10000, or one that is not known.
    Other,
}

/// What a word is, in more detail than a caller needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The code or a name of a class of HAM10000.
    Class(usize),
    /// A diagnosis that HAM10000 counts to a class with others, such as solar lentigo.
    Within(usize),
    /// A class of other collections that HAM10000 has not, or not by itself.
    Foreign,
    None,
    Other,
}

/// The diagnosis that a word gives: a code or a full name of HAM10000, in any case, with any separators, in singular
/// or plural, or a word of the ISIC archive. A word that only resembles one of these is [`Diagnosis::Other`].
pub(crate) fn diagnosis(word: &str) -> Diagnosis {
    match meaning(word) {
        Word::Class(class) | Word::Within(class) => Diagnosis::Ham(class),
        Word::None => Diagnosis::None,
        Word::Foreign | Word::Other => Diagnosis::Other,
    }
}

/// Whether a word is a diagnosis, of HAM10000 or of another collection.
pub(crate) fn is_diagnosis(word: &str) -> bool {
    matches!(meaning(word), Word::Class(_) | Word::Within(_) | Word::Foreign)
}

/// The diagnosis in the five columns `diagnosis_1` to `diagnosis_5` of the ISIC archive's export, from the coarsest.
///
/// `diagnosis_3` decides, and those below it where it is empty or says nothing of its own. Vascular lesions have no
/// `diagnosis_3` in HAM10000's part of the archive: there `diagnosis_2` decides.
pub(crate) fn archive_diagnosis(levels: [&str; 5]) -> Diagnosis {
    let mut found = Diagnosis::None;
    for level in &levels[2..] {
        match diagnosis(level) {
            Diagnosis::Ham(class) => return Diagnosis::Ham(class),
            Diagnosis::Other => found = Diagnosis::Other,
            Diagnosis::None => {}
        }
    }
    match diagnosis(levels[1]) {
        // Of these groups every diagnosis belongs to the class.
        Diagnosis::Ham(class) => Diagnosis::Ham(class),
        Diagnosis::Other => Diagnosis::Other,
        Diagnosis::None => found,
    }
}

/// The meaning of a word.
pub(super) fn meaning(word: &str) -> Word {
    if is_nothing(word) {
        return Word::None;
    }
    // ISIC 2024 joins the levels of the archive: `Benign::Benign melanocytic proliferations::Nevus`.
    if word.contains("::") {
        let mut levels = [""; 5];
        for (level, part) in levels.iter_mut().zip(word.split("::")) {
            *level = part;
        }
        return match archive_diagnosis(levels) {
            Diagnosis::Ham(class) => Word::Within(class),
            Diagnosis::None => Word::None,
            Diagnosis::Other => Word::Other,
        };
    }
    let plain = normal(word);
    if plain.is_empty() {
        return Word::Other;
    }
    if let Some(word) = WORDS.get(&plain) {
        return *word;
    }
    both_parts(word).unwrap_or(Word::Other)
}

/// The meaning of `Melanocytic nevi (nv)`, `nv: melanocytic nevi` and `nv - melanocytic nevi`: that of both parts.
fn both_parts(word: &str) -> Option<Word> {
    let word = word.trim();
    let parts = match word.strip_suffix(')') {
        Some(inside) => inside.rsplit_once('('),
        None => word.split_once(": ").or_else(|| word.split_once(" - ")),
    };
    let (first, second) = parts?;
    let [first, second] = [first, second].map(|part| WORDS.get(&normal(part)).copied());
    match (first?, second?) {
        (Word::Class(a), Word::Class(b)) if a == b => Some(Word::Class(a)),
        (Word::Class(a) | Word::Within(a), Word::Class(b) | Word::Within(b)) if a == b => {
            Some(Word::Within(a))
        }
        _ => None,
    }
}

/// Whether a cell gives no diagnosis.
fn is_nothing(word: &str) -> bool {
    let words = [
        "undefined",
        "unspecified",
        "not specified",
        "not reported",
        "not biopsied",
        "no biopsy",
        "no diagnosis",
        "not diagnosed",
        "undiagnosed",
        "indeterminate",
        "unlabeled",
        "unlabelled",
        "no label",
        // Values of `benign_malignant` in former exports of the archive.
        "indeterminate/benign",
        "indeterminate/malignant",
    ];
    is_unknown(word)
        || words.contains(&word.trim().to_lowercase().replace(['_', '-'], " ").as_str())
}

/// A word in lower case, of letters and digits only, in the singular, and in American spelling.
fn normal(word: &str) -> String {
    let word = word.replace(['\'', '’', '`', '´'], "").replace('&', " and ");
    let mut plain = String::new();
    let tokens = split(&word);
    for token in tokens.iter().filter(|token| !["and", "or", "of", "the"].contains(&token.as_str()))
    {
        plain.push_str(token);
    }
    const SPELLINGS: [(&str, &str); 20] = [
        ("keratoses", "keratosis"),
        ("naevi", "nevus"),
        ("nevi", "nevus"),
        ("naevus", "nevus"),
        ("lesions", "lesion"),
        ("carcinomas", "carcinoma"),
        ("carcinomata", "carcinoma"),
        ("melanomas", "melanoma"),
        ("melanomata", "melanoma"),
        ("dermatofibromas", "dermatofibroma"),
        ("dermatofibromata", "dermatofibroma"),
        ("haem", "hem"),
        ("angiomas", "angioma"),
        ("angiokeratomas", "angiokeratoma"),
        ("granulomas", "granuloma"),
        ("lentigines", "lentigo"),
        ("seborrhoeic", "seborrheic"),
        ("bowens", "bowen"),
        ("moles", "mole"),
        ("hemorrhages", "hemorrhage"),
    ];
    for (from, to) in SPELLINGS {
        if plain.contains(from) {
            plain = plain.replace(from, to);
        }
    }
    plain
}

/// The parts of a word in lower case: letters and digits, cut where the case rises.
fn split(word: &str) -> Vec<String> {
    let mut tokens = vec![String::new()];
    let mut before = ' ';
    for c in word.chars() {
        if !c.is_alphanumeric() || (before.is_lowercase() && c.is_uppercase()) {
            tokens.push(String::new());
        }
        if let (true, Some(token)) = (c.is_alphanumeric(), tokens.last_mut()) {
            token.extend(c.to_lowercase());
        }
        before = c;
    }
    tokens
}

/// Every known word in its [`normal`] form.
static WORDS: LazyLock<BTreeMap<String, Word>> = LazyLock::new(|| {
    let mut words = BTreeMap::new();
    let mut add = |list: &[&str], word: Word| {
        for name in list {
            words.insert(normal(name), word);
        }
    };
    add(FOREIGN, Word::Foreign);
    for (code, names, within) in CLASSES {
        if let Some(class) = ham_class(code) {
            add(within, Word::Within(class));
            add(names, Word::Class(class));
            add(&[code, &HAM10000.classes[class].name], Word::Class(class));
        }
    }
    words
});

/// Classes of ISIC 2019 and 2025, PAD-UFES-20 and clinical collections that are none of HAM10000's, or a part of one
/// of them: actinic keratoses are `akiec` together with Bowen's disease. A table with one of them has its own classes.
const FOREIGN: &[&str] = &[
    "ak",
    "ack",
    "scc",
    "sccka",
    "sek",
    "nev",
    "inf",
    "ben_oth",
    "mal_oth",
    "squamous cell carcinoma",
    "cutaneous squamous cell carcinoma",
    "eczema",
    "psoriasis",
    "atopic dermatitis",
    "contact dermatitis",
    "acne",
    "rosacea",
    "vitiligo",
    "healthy",
    "healthy skin",
    "normal",
    "normal skin",
];

/// Per class of HAM10000 its code, further names of the class, and the diagnoses within it.
#[rustfmt::skip]
const CLASSES: [(&str, &[&str], &[&str]); 7] = [
    ("akiec", &[
        "actinic keratosis", "actinic keratoses / intraepithelial carcinoma",
        "actinic keratoses and intraepithelial carcinoma / Bowen's disease",
        "actinic keratoses and intraepithelial carcinoma (Bowen)",
        "Bowen's disease / actinic keratosis", "actinic keratosis / Bowen's disease",
        "actinic keratosis / Bowen's disease (intraepithelial carcinoma)",
        "actinic keratoses and Bowen's disease", "intraepithelial carcinoma / actinic keratoses",
    ], &[
        "solar keratosis", "solar or actinic keratosis", "actinic or solar keratosis", "Bowen's disease", "Bowen",
        "intraepithelial carcinoma", "intraepidermal carcinoma", "squamous cell carcinoma in situ",
        "squamous cell carcinoma in situ, Bowens disease", "squamous cell carcinoma in situ (Bowen's disease)",
        // HAM10000's Bowen's disease carries this name in the ISIC archive.
        "squamous cell carcinoma, NOS",
        "actinic keratosis, lichenoid", "actinic keratosis, pigmented", "actinic keratosis, bowenoid",
        "actinic keratosis, atrophic", "actinic keratosis, hypertrophic", "actinic keratosis, NOS",
        "pigmented actinic keratosis", "lichenoid actinic keratosis",
    ]),
    ("bcc", &["basal cell carcinoma", "basal cell carcinoma (BCC)"], &[
        "basal cell carcinoma, NOS", "basal cell carcinoma, nodular", "basal cell carcinoma, superficial",
        "basal cell carcinoma, infiltrating", "basal cell carcinoma, pigmented", "basal cell carcinoma, micronodular",
        "basal cell carcinoma, morpheaform", "basal cell carcinoma, basosquamous",
        "basal cell carcinoma, fibroepithelial", "basal cell carcinoma, infundibulocystic",
        "basal cell carcinoma, sclerosing",
        "nodular basal cell carcinoma", "superficial basal cell carcinoma", "pigmented basal cell carcinoma",
        "infiltrating basal cell carcinoma", "basalioma", "basal cell epithelioma",
    ]),
    ("bkl", &[
        "benign keratosis-like lesion", "benign keratosis-like", "benign keratosis", "benign keratotic lesion",
        "benign lesion of the keratosis",
        "benign keratosis (solar lentigo / seborrheic keratosis / lichen planus-like keratosis)",
        "benign keratosis-like lesions (solar lentigines / seborrheic keratoses and lichen-planus like keratoses)",
    ], &[
        "pigmented benign keratosis", "seborrheic keratosis", "solar lentigo", "senile lentigo", "actinic lentigo",
        "lentigo NOS", "ink-spot lentigo", "lichen planus like keratosis", "LPLK", "lichenoid keratosis",
        "benign lichenoid keratosis", "seborrheic keratosis / solar lentigo", "solar lentigo / seborrheic keratosis",
        "seborrheic keratosis, NOS", "seborrheic keratosis, pigmented", "seborrheic keratosis, irritated",
        "seborrheic keratosis, clonal", "seborrheic keratosis, macular",
    ]),
    ("df", &["dermatofibroma"], &[
        "benign fibrous histiocytoma", "fibrous histiocytoma", "dermatofibroma, NOS", "dermatofibroma, atrophic",
        "dermatofibroma, hemosiderotic", "dermatofibroma, aneurysmal", "dermatofibroma, cellular",
    ]),
    ("mel", &["melanoma", "malignant melanoma", "cutaneous melanoma"], &[
        "melanoma in situ", "in situ melanoma", "melanoma invasive", "invasive melanoma", "melanoma, NOS",
        "melanoma metastasis", "metastatic melanoma", "malignant melanocytic proliferations (melanoma)",
        "lentigo maligna", "lentigo maligna melanoma", "superficial spreading melanoma", "nodular melanoma",
        "acral lentiginous melanoma", "acral melanoma", "amelanotic melanoma", "desmoplastic melanoma",
        "melanoma in situ, lentigo maligna type", "melanoma in situ, superficial spreading",
        "melanoma in situ, associated with a nevus", "melanoma in situ, NOS", "melanoma in situ, acral",
        "melanoma invasive, superficial spreading", "melanoma invasive, nodular",
        "melanoma invasive, associated with a nevus", "melanoma invasive, acral lentiginous",
        "melanoma invasive, desmoplastic", "melanoma invasive, NOS",
        "melanoma invasive, on chronically sun-exposed skin or lentigo maligna melanoma",
        // The seven-point checklist's data.
        "melanoma (in situ)", "melanoma (less than 0.76 mm)", "melanoma (0.76 to 1.5 mm)",
        "melanoma (more than 1.5 mm)",
    ]),
    ("nv", &[
        "nevus", "melanocytic nevus", "nevus melanocytic", "melanocytic nevus (mole)", "mole", "nevus (mole)", "benign nevus",
        "benign melanocytic nevus",
    ], &[
        "nevus, NOS", "nevus, atypical, dysplastic, or Clark", "nevus, NOS, compound", "nevus, NOS, dermal",
        "nevus, NOS, junctional", "nevus, congenital", "nevus, combined", "nevus, recurrent or persistent",
        "nevus, Spitz", "nevus, Reed", "nevus, acral", "nevus, of special anatomic site", "nevus, balloon cell",
        "nevus, spilus", "nevus, BAP-1 deficient", "nevus, deep penetrating", "nevus, halo", "nevus, agminated",
        "blue nevus", "blue nevus, cellular", "nevus, blue", "nevus, dysplastic", "nevus, atypical",
        "common nevus", "atypical nevus", "dysplastic nevus", "clark nevus", "clark's nevus", "reed nevus",
        "spitz nevus", "reed or spitz nevus", "spitz or reed nevus", "combined nevus", "congenital nevus",
        "dermal nevus", "intradermal nevus", "compound nevus", "junctional nevus", "recurrent nevus", "acral nevus",
        "halo nevus", "nevus spilus", "nevus pigmentosus", "congenital melanocytic nevus",
        "atypical melanocytic nevus", "dysplastic melanocytic nevus", "common melanocytic nevus",
    ]),
    ("vasc", &[
        "vascular", "vascular lesion", "vascular skin lesion",
        "vascular lesions (angiomas, angiokeratomas, pyogenic granulomas and hemorrhage)",
    ], &[
        "benign soft tissue proliferations - vascular", "angioma", "cherry angioma", "hemangioma", "cherry hemangioma",
        "senile angioma", "angiokeratoma", "pyogenic granuloma", "pyogenic granulomas and hemorrhage", "hemorrhage",
        "hemorrhagic lesions", "spider angioma", "vascular spider", "venous lake", "telangiectasia",
        "hemangioma, hobnail", "hemangioma, cherry", "hobnail hemangioma", "vascular malformation",
        "capillary vascular malformation", "venous malformation", "arterio-venous malformation", "verrucous hemangioma",
        "glomeruloid hemangioma", "acquired elastotic hemangioma", "subungual hemorrhage",
    ]),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(code: &str, words: &[&str]) {
        let class = ham_class(code).unwrap();
        for word in words {
            assert_eq!(diagnosis(word), Diagnosis::Ham(class), "{word}");
        }
    }

    #[test]
    fn codes_and_names_are_read_in_any_spelling() {
        of(
            "akiec",
            &[
                "akiec",
                "AKIEC ",
                "Actinic keratoses",
                "actinic_keratoses",
                "Actinic Keratosis",
                "Actinic keratoses / intraepithelial carcinoma",
                "Bowen's disease",
                "Bowen’s Disease",
                "Actinic keratoses and intraepithelial carcinoma (Bowen's disease)",
                "Actinic keratoses and intraepithelial carcinoma / Bowen's disease (akiec)",
                "actinic keratoses & intraepithelial carcinoma / Bowen disease",
            ],
        );
        of(
            "bcc",
            &[
                "bcc",
                "Basal cell carcinoma",
                "basal-cell-carcinoma",
                "BasalCellCarcinoma",
                "Basal Cell Carcinoma (BCC)",
            ],
        );
        of(
            "bkl",
            &[
                "bkl",
                "Benign keratosis-like lesions ",
                "benign_keratosis-like_lesions",
                "Benign Keratosis",
            ],
        );
        of("df", &["DF", "Dermatofibroma", "dermatofibromas", "df - dermatofibroma"]);
        of("mel", &["mel", "Melanoma", "MELANOMA", "malignant melanoma", "melanoma "]);
        of(
            "nv",
            &[
                "nv",
                "Melanocytic nevi",
                "melanocytic_Nevi",
                "Nevus",
                "nevi",
                "Naevus",
                "Melanocytic naevi",
                "NV: Melanocytic Nevi",
                "melanocyticnevi",
            ],
        );
        of(
            "vasc",
            &["vasc", "Vascular lesions", "vascular lesion", "vascular_lesions", "VascularLesions"],
        );
    }

    #[test]
    fn the_words_of_isic_2020_and_the_archive_are_read() {
        of(
            "bkl",
            &[
                "seborrheic keratosis",
                "solar lentigo",
                "lichenoid keratosis",
                "lentigo NOS",
                "Lichen planus like keratosis",
                "Pigmented benign keratosis",
            ],
        );
        of(
            "mel",
            &["Melanoma, NOS", "Melanoma in situ", "Melanoma Invasive", "Melanoma metastasis"],
        );
        of(
            "akiec",
            &[
                "Solar or actinic keratosis",
                "Squamous cell carcinoma, NOS",
                "Squamous cell carcinoma in situ, Bowens disease",
            ],
        );
        of("vasc", &["Hemangioma", "haemangioma", "Angiokeratoma", "Pyogenic granuloma"]);
        of(
            "nv",
            &[
                "Nevus, Spitz",
                "Blue nevus",
                "Benign::Benign melanocytic proliferations::Nevus::Nevus, NOS, Dermal",
            ],
        );
        for word in [
            "atypical melanocytic proliferation",
            "cafe-au-lait macule",
            "Squamous cell carcinoma",
            "Squamous cell carcinoma, Invasive",
            "Scar",
            "Lentigo simplex",
            "Kaposi sarcoma",
            "other",
        ] {
            assert_eq!(diagnosis(word), Diagnosis::Other, "{word}");
        }
    }

    #[test]
    fn a_word_that_only_resembles_a_diagnosis_is_another() {
        for word in [
            "Melanomaanocytic nevi",
            "melan",
            "nevusX",
            "Vascular lesions 2",
            "bccs",
            "n v e",
            "2. Melanoma 15.75k",
            "Melanocytic Nevi (NV) - 7970",
            "Melanoma (nv)",
            "mel: nevus",
            "AK",
            "SCC",
            "ACK",
            "SEK",
            "NEV",
            "0",
            "...x",
        ] {
            assert_eq!(diagnosis(word), Diagnosis::Other, "{word}");
        }
    }

    #[test]
    fn missing_values_are_no_diagnosis() {
        for word in [
            "",
            "  ",
            "unknown",
            "UNK",
            "nan",
            "NaN",
            "None",
            "n/a",
            "not biopsied",
            "?",
            "-",
            "Indeterminate",
        ] {
            assert_eq!(diagnosis(word), Diagnosis::None, "{word}");
        }
    }

    #[test]
    fn the_levels_of_the_archive_agree_with_ham10000() {
        let vascular = "Benign soft tissue proliferations - Vascular";
        let melanoma = "Malignant melanocytic proliferations (Melanoma)";
        let class = |code| Diagnosis::Ham(ham_class(code).unwrap());
        for (levels, expected) in [
            (["Benign", "Benign melanocytic proliferations", "Nevus", "", ""], class("nv")),
            (
                [
                    "Benign",
                    "Benign melanocytic proliferations",
                    "Nevus",
                    "Nevus, Atypical, Dysplastic, or Clark",
                    "",
                ],
                class("nv"),
            ),
            (
                ["Benign", "Benign epidermal proliferations", "Pigmented benign keratosis", "", ""],
                class("bkl"),
            ),
            (["Malignant", melanoma, "Melanoma, NOS", "", ""], class("mel")),
            (["Malignant", melanoma, "", "", ""], class("mel")),
            (["Benign", vascular, "", "", ""], class("vasc")),
            (["Benign", vascular, "Glomus tumor", "", ""], class("vasc")),
            (
                ["Malignant", "Malignant soft tissue proliferations - Vascular", "", "", ""],
                Diagnosis::Other,
            ),
            (
                [
                    "Malignant",
                    "Malignant epidermal proliferations",
                    "Squamous cell carcinoma, Invasive",
                    "",
                    "",
                ],
                Diagnosis::Other,
            ),
            (["Benign", "Benign melanocytic proliferations", "", "", ""], Diagnosis::Other),
            (["Benign", "", "", "", ""], Diagnosis::None),
            (["", "", "", "", ""], Diagnosis::None),
        ] {
            assert_eq!(archive_diagnosis(levels), expected, "{levels:?}");
        }
    }

    #[test]
    fn every_listed_word_has_the_meaning_of_its_list() {
        for (code, names, within) in CLASSES {
            let class = ham_class(code).unwrap();
            for name in names {
                assert_eq!(meaning(name), Word::Class(class), "{name}");
            }
            for name in within {
                assert_eq!(meaning(name), Word::Within(class), "{name}");
            }
        }
        for name in FOREIGN {
            assert_eq!(meaning(name), Word::Foreign, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,64}", levels in prop::array::uniform5(".{0,16}")) {
            diagnosis(&text);
            archive_diagnosis(levels.each_ref().map(String::as_str));
        }
    }
}
