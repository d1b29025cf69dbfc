//! What the name of a folder or of a file says: structure, a mask, a derived or a generated image.

use crate::source::tables::vocabulary::{Diagnosis, diagnosis, part_of};

/// Words of which the names of folders for structure are made. A folder whose name has no other word is not a class.
const STRUCTURE: [&str; 121] = [
    "after",
    "all",
    "android",
    "archive",
    "archives",
    "arm",
    "arms",
    "bad",
    "batch",
    "before",
    "blurry",
    "camera",
    "canon",
    "case",
    "cases",
    "center",
    "centre",
    "chunk",
    "clinic",
    "cropped",
    "data",
    "dataset",
    "datasets",
    "day",
    "derm",
    "dermoscopic",
    "dermoscopy",
    "dir",
    "download",
    "downloads",
    "exam",
    "face",
    "feet",
    "female",
    "files",
    "fold",
    "folder",
    "foot",
    "full",
    "good",
    "ham",
    "hand",
    "hands",
    "high",
    "hospital",
    "image",
    "images",
    "img",
    "imgs",
    "input",
    "inputs",
    "iphone",
    "isic",
    "jpeg",
    "jpegs",
    "jpg",
    "labeled",
    "labelled",
    "left",
    "leg",
    "legs",
    "low",
    "magnification",
    "main",
    "male",
    "men",
    "misc",
    "month",
    "new",
    "nikon",
    "old",
    "original",
    "originals",
    "part",
    "parts",
    "pat",
    "patient",
    "patients",
    "person",
    "phone",
    "photo",
    "photographs",
    "photos",
    "pics",
    "picture",
    "pictures",
    "png",
    "pngs",
    "quality",
    "raw",
    "real",
    "resized",
    "right",
    "samsung",
    "series",
    "session",
    "set",
    "shard",
    "sharp",
    "smartphone",
    "source",
    "split",
    "splits",
    "study",
    "subject",
    "subset",
    "task",
    "tiff",
    "tiles",
    "trunk",
    "unlabeled",
    "unlabelled",
    "unused",
    "used",
    "user",
    "visit",
    "visits",
    "women",
    "x",
    "y",
    "year",
];

/// Words that say that a folder holds masks, outlines or other drawings of photographs.
const MASKS: [&str; 20] = [
    "annotation",
    "annotations",
    "attribute",
    "attributes",
    "contour",
    "contours",
    "groundtruth",
    "groundtruths",
    "gt",
    "mask",
    "masks",
    "outline",
    "outlines",
    "roi",
    "rois",
    "seg",
    "segmentation",
    "segmentations",
    "segs",
    "superpixels",
];

/// Words that say that a folder holds processed copies of photographs.
const DERIVED: [&str; 57] = [
    "assets",
    "attention",
    "aug",
    "augmentation",
    "augmentations",
    "augmented",
    "blurred",
    "cam",
    "clean",
    "cleaned",
    "crop",
    "cropped",
    "crops",
    "denoised",
    "depth",
    "dullrazor",
    "edges",
    "enhanced",
    "explanation",
    "explanations",
    "filtered",
    "gradcam",
    "gradient",
    "gradients",
    "gray",
    "grayscale",
    "grey",
    "hairless",
    "heatmap",
    "heatmaps",
    "inpainted",
    "norm",
    "normalised",
    "normalized",
    "output",
    "outputs",
    "overlay",
    "overlays",
    "patch",
    "patches",
    "preprocessed",
    "processed",
    "removed",
    "resized",
    "saliency",
    "segmented",
    "sketch",
    "sketches",
    "small",
    "thumb",
    "thumbnail",
    "thumbnails",
    "thumbs",
    "visualisation",
    "visualisations",
    "visualization",
    "visualizations",
];

/// Words that say that a generator made the images or the table.
const SYNTHETIC: [&str; 9] =
    ["dcgan", "fake", "fakes", "gan", "generated", "stylegan", "syn", "synth", "synthetic"];

/// The words of a name in lower case: runs of letters, cut also where a small letter precedes a capital one. Digits
/// and all other characters separate words.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        if !c.is_alphabetic() || before.is_lowercase() && c.is_uppercase() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphabetic(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn has(name: &str, list: &[&str]) -> bool {
    words(name).iter().any(|word| list.contains(&word.as_str()))
}

/// Whether a folder's name describes structure, such as `images`, `train`, `part_2`, `00000` or
/// `ISIC_2019_Training_Input`, and so cannot be a class.
pub(crate) fn is_structure(folder: &str) -> bool {
    // A zip inside a folder is a folder of its files.
    let folder = folder.strip_suffix(".zip").unwrap_or(folder);
    let is_known = |word: &String| STRUCTURE.contains(&word.as_str()) || part_of(word).is_some();
    is_mask_folder(folder) || words(folder).iter().all(is_known)
}

/// The class of HAM10000 that a folder's name gives: by the whole name, or by what is left without words of structure, as
/// in `mel_train`, `nv.zip` and `Melanoma - Copy`.
pub(super) fn known_class(folder: &str) -> Option<usize> {
    let class = |name: &str| match diagnosis(name) {
        Diagnosis::Ham(class) => Some(class),
        _ => None,
    };
    let folder = folder.strip_suffix(".zip").unwrap_or(folder);
    class(folder).or_else(|| {
        let is_structure = |word: &String| {
            STRUCTURE.contains(&word.as_str()) || part_of(word).is_some() || word == "copy"
        };
        let words = words(folder);
        let rest: Vec<String> = words.iter().filter(|word| !is_structure(word)).cloned().collect();
        (rest.len() < words.len()).then(|| class(&rest.join(" "))).flatten()
    })
}

/// Whether a folder's name says that it holds masks.
pub(super) fn is_mask_folder(folder: &str) -> bool {
    let words = words(folder);
    has(folder, &MASKS) || words.windows(2).any(|pair| pair == ["ground", "truth"])
}

/// Whether a folder's name says that it holds processed copies.
pub(super) fn is_derived(folder: &str) -> bool {
    has(folder, &DERIVED)
}

/// Whether the name of a table or of a folder says that its images are generated.
pub(super) fn is_synthetic(name: &str) -> bool {
    has(name, &SYNTHETIC)
}

/// The id of the photograph that a file with this stem is a mask, superpixel or attribute image of, by the names that
/// ISIC, PH2 and common tools give: `ISIC_0000001_segmentation`, `IMD002_lesion`, `IMD002_R1_Label4`.
pub(super) fn masked(stem: &str) -> Option<&str> {
    const ENDINGS: [&str; 17] = [
        "annotation",
        "annotated",
        "contour",
        "expert",
        "groundtruth",
        "gt",
        "label",
        "lesion",
        "mask",
        "masks",
        "outline",
        "pred",
        "roi",
        "seg",
        "segmentation",
        "superpixels",
        "truth",
    ];
    let mut at = stem.len();
    // The base may itself contain the separator, so the shortest ending is tried first.
    while let Some(found) = stem[..at].rfind(['_', '-', ' ']) {
        at = found;
        let ending = stem[at + 1..].to_lowercase();
        let is_roi = ending.strip_prefix('r').is_some_and(|rest| {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            rest.starts_with("_label")
        });
        if at > 0
            && (ENDINGS.contains(&ending.as_str()) || is_roi || ending.starts_with("attribute_"))
        {
            return Some(&stem[..at]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_structure_are_told_from_names_of_classes() {
        for name in [
            "train",
            "Train",
            "training",
            "train_dir",
            "val_dir",
            "validation",
            "TEST",
            "test set",
            "images",
            "imgs_part_1",
            "HAM10000_images_part_2",
            "masks",
            "Segmentation",
            "ground truth",
            "GroundTruth",
            "batch3",
            "fold_2",
            "00000",
            "2024-01-03",
            "ISIC_2019_Training_Input",
            "ISIC2018_Task3_Test_Input",
            "jpeg",
            "data",
            "all",
            "fold-1",
            "trainset",
            "img",
            "Dataset",
            "PNGs",
            "images.zip",
            "part1",
            "split_0",
        ] {
            assert!(is_structure(name), "{name}");
        }
        for name in [
            "nv",
            "mel",
            "Melanoma",
            "lesions",
            "benign",
            "malignant",
            "cats",
            "1. Eczema 1677",
            "other",
            "vasc",
            "grade 3",
            "class A lesion",
            "trainers",
            "vascular lesion",
            "MEL",
            "bkl",
        ] {
            assert!(!is_structure(name), "{name}");
        }
    }

    #[test]
    fn a_diagnosis_beside_words_of_structure_is_a_class() {
        for (name, class) in [
            ("mel_train", Some(4)),
            ("nv.zip", Some(5)),
            ("Melanoma - Copy", Some(4)),
            ("melanoma images", Some(4)),
        ] {
            assert_eq!(known_class(name), class, "{name}");
        }
        assert_eq!(known_class("not melanoma"), None);
        assert_eq!(known_class("train"), None);
    }

    #[test]
    fn masks_are_known_by_the_endings_of_isic_and_ph2() {
        assert_eq!(masked("ISIC_0024306_segmentation"), Some("ISIC_0024306"));
        assert_eq!(masked("ISIC_0024306_attribute_milia_like_cyst"), Some("ISIC_0024306"));
        assert_eq!(masked("ISIC_0024306_superpixels"), Some("ISIC_0024306"));
        assert_eq!(masked("IMD002_lesion"), Some("IMD002"));
        assert_eq!(masked("IMD002_R1_Label4"), Some("IMD002"));
        assert_eq!(masked("ISIC_0024306"), None);
        assert_eq!(masked("_mask"), None);
    }
}
