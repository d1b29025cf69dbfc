//! The names that tables give to their columns, by meaning. They are compared by [`plain`].

use crate::source::entry::is_image_name;

/// A name in lower case with letters and digits only: `Image ID`, `image_id` and ` ImageId` are equal.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The column with the image's id, file name or path, the most usual name first.
pub(super) const IMAGE: [&str; 37] = [
    "imageid",
    "isicid",
    "imgid",
    "imagename",
    "imgname",
    "image",
    "img",
    "filename",
    "file",
    "imagepath",
    "imgpath",
    "imagefile",
    "imgfile",
    "imagefilename",
    "imagefilepath",
    "filepath",
    "path",
    "fullpath",
    "relativepath",
    "fname",
    "images",
    "imageids",
    "imagenames",
    "imageurl",
    "gcsuri",
    "photo",
    "photoid",
    "picture",
    "dermoscopicimage",
    "dermoscopyimage",
    "dermoscopic",
    "derm",
    "bcnfilename",
    "ddifile",
    "md5hash",
    "isic",
    "jpg",
];

/// Names of the image's column that mean other things as often: the cells must be file names.
pub(super) const MAYBE_IMAGE: [&str; 5] = ["id", "name", "key", "url", "uid"];

/// The column with the diagnosis, the most usual name first.
pub(super) const DIAGNOSIS: [&str; 15] = [
    "dx",
    "diagnosis",
    "diagnostic",
    "diagnoses",
    "diagnose",
    "diag",
    "dxname",
    "diagnosisname",
    "disease",
    "diseasename",
    "diagnosisfull",
    "fulldiagnosis",
    "iddxfull",
    "lesiondiagnosis",
    "clinicaldiagnosis",
];

/// The column with the class, under a name that says less.
pub(super) const CLASS: [&str; 20] = [
    "lesiontype",
    "celltype",
    "cancertype",
    "tumortype",
    "tumourtype",
    "lesionclass",
    "skindisease",
    "condition",
    "class",
    "classname",
    "category",
    "categoryname",
    "label",
    "labelname",
    "labels",
    "target",
    "targetname",
    "groundtruth",
    "gt",
    "y",
];

/// The column with the number of the class.
pub(super) const CLASS_NUMBER: [&str; 10] = [
    "classid",
    "classidx",
    "classindex",
    "labelid",
    "labelidx",
    "labelindex",
    "categoryid",
    "targetid",
    "celltypeidx",
    "dxid",
];

/// The column that tells only benign from malignant.
pub(super) const MALIGNANCY: [&str; 4] =
    ["benignmalignant", "malignancy", "malignant", "diagnosis1"];

/// The five levels of the ISIC archive's diagnosis, in its export and in ISIC 2024.
pub(super) const ARCHIVE: [[&str; 2]; 5] = [
    ["diagnosis1", "iddx1"],
    ["diagnosis2", "iddx2"],
    ["diagnosis3", "iddx3"],
    ["diagnosis4", "iddx4"],
    ["diagnosis5", "iddx5"],
];

/// The column with the lesion.
pub(super) const LESION: [&str; 4] = ["lesionid", "lesion", "lesionname", "lesionnumber"];

/// The column that says how the diagnosis was confirmed.
pub(super) const DX_TYPE: [&str; 5] =
    ["dxtype", "diagnosisconfirmtype", "confirmtype", "diagnosistype", "confirmation"];

/// The column with the patient's age.
pub(super) const AGE: [&str; 6] =
    ["age", "ageapprox", "patientage", "ageyears", "ageinyears", "ageatdiagnosis"];

/// The column with the patient's sex.
pub(super) const SEX: [&str; 4] = ["sex", "gender", "patientsex", "patientgender"];

/// The column with the body site.
pub(super) const SITE: [&str; 15] = [
    "localization",
    "localisation",
    "anatomsitegeneral",
    "anatomsitegeneralchallenge",
    "anatomsite",
    "anatomicsite",
    "anatomicalsite",
    "anatomsite1",
    "bodysite",
    "bodypart",
    "bodylocation",
    "site",
    "region",
    "location",
    "anatomsitespecial",
];

/// The column with the part of the split.
pub(super) const PART: [&str; 11] = [
    "split",
    "set",
    "partition",
    "subset",
    "part",
    "datasetsplit",
    "dataset",
    "fold",
    "usage",
    "mluse",
    "phase",
];

/// The column with the patient.
pub(super) const PATIENT: [&str; 6] =
    ["patientid", "patient", "patientname", "subjectid", "subject", "personid"];

/// Whether a name is one that means the image and nothing else.
pub(super) fn means_image(name: &str) -> bool {
    IMAGE.contains(&plain(name).as_str())
}

/// The last component of a path, whose separators are those of any system.
pub(super) fn last_component(cell: &str) -> &str {
    let cell = cell.trim().trim_end_matches(['/', '\\']);
    cell.rsplit(['/', '\\']).next().unwrap_or(cell).trim()
}

/// Whether a cell is the name of an image beyond doubt: it has the extension of an image, or is an id of the ISIC
/// archive.
pub(super) fn names_image(cell: &str) -> bool {
    let name = last_component(cell);
    let isic = || {
        let digits = name.get(..5).filter(|start| start.eq_ignore_ascii_case("ISIC_"));
        digits.is_some() && name.as_bytes().get(5).is_some_and(u8::is_ascii_digit)
    };
    // `.jpg` alone names no image.
    name.len() <= 255 && ((has_image_extension(name) && name.rfind('.') > Some(0)) || isic())
}

/// Whether a name has the extension of an image format, of those that the decoder reads or of another.
pub(super) fn has_image_extension(name: &str) -> bool {
    let other = ["dcm", "jp2", "heic", "avif", "ppm", "tga"];
    is_image_name(name)
        || name
            .rsplit_once('.')
            .is_some_and(|(_, e)| other.iter().any(|o| e.eq_ignore_ascii_case(o)))
}
