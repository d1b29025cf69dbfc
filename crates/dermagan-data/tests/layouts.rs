//! The forms in which people have their images: each is read as what it is, or refused with what was seen. The names in
//! brackets are those of the cases that other people reported.

mod common;

use std::collections::BTreeMap;

use common::*;
use dermagan_data::ProblemKind::*;
use dermagan_data::split::{self, Side};
use dermagan_data::{DataError, Kind, ProblemKind, Reading, Report, Source, UNLABELLED};
use image::{ImageFormat, Rgb, RgbImage};

const CODES: [&str; 7] = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"];

/// A disc in white on black, as a PNG.
fn mask() -> Vec<u8> {
    let image = RgbImage::from_fn(40, 30, |x, y| {
        Rgb([if (x as i32 - 20).pow(2) + (y as i32 - 15).pow(2) < 80 { 255 } else { 0 }; 3])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A table of HAM10000's columns with the images `from` to `to`, whose classes are in turn the seven.
fn ham_rows(from: usize, to: usize) -> String {
    let rows: Vec<String> = (from..to).map(|n| row(n, CODES[n % 7])).collect();
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn photos(folder: &Folder, at: &str, from: usize, to: usize) {
    (from..to).for_each(|n| folder.put(&format!("{at}/{}.jpg", id(n)), &jpeg(n as u8)));
}

/// Number of findings by kind.
fn counts(report: &Report) -> BTreeMap<ProblemKind, usize> {
    report.problems.iter().map(|(kind, tally)| (*kind, tally.count)).collect()
}

/// Number of images of each side, in the order train, val, test.
fn sides(folder: &Folder) -> [usize; 3] {
    let (prepared, _out) = folder.prepare();
    split::facts(prepared.cache.header()).images
}

fn error(folder: &Folder) -> String {
    folder.open().map(|_| ()).unwrap_err().to_string()
}

fn says(text: &str, words: &[&str]) {
    words.iter().for_each(|word| assert!(text.contains(word), "expected '{word}' in: {text}"));
}

/// The images of each class that has any.
fn by_class(source: &Source) -> BTreeMap<&str, usize> {
    let mut count = BTreeMap::new();
    for record in &source.records {
        *count.entry(source.classes[record.class].as_str()).or_default() += 1;
    }
    count
}

fn strict(folder: &Folder) -> Result<(), DataError> {
    let out = tempfile::tempdir().unwrap();
    prepare_to(&folder.open()?, &out.path().join("c"), true).map(|_| ())
}

/// Every image and every table is in exactly one line of the account.
fn accounts_for_all(report: &Report, images: usize, tables: usize) {
    let of_images = |kind: &ProblemKind| {
        !kind.is_of_a_row()
            && !matches!(
                kind.severity(),
                dermagan_data::Severity::Note | dermagan_data::Severity::Warning
            )
            && *kind != NotAnImage
    };
    let out: usize = report
        .problems
        .iter()
        .filter(|(kind, _)| of_images(kind))
        .map(|(_, tally)| tally.count)
        .sum();
    assert_eq!((report.kept + out, report.tables.len()), (images, tables), "{report}");
}

#[test]
fn the_parts_of_an_author_are_kept_apart_and_synthetic_images_are_left_out() {
    // [D01]
    let folder = Folder::new();
    folder.put("HAM10000_metadata_train.csv", ham_rows(0, 42).as_bytes());
    folder.put("HAM10000_metadata_test.csv", ham_rows(42, 56).as_bytes());
    photos(&folder, "HAM10000_images_train", 0, 42);
    photos(&folder, "HAM10000_images_test", 42, 56);
    for n in 0..42 {
        folder.put(&format!("HAM10000_segmentations_lesion/{}_segmentation.png", id(n)), &mask());
    }
    let made: Vec<String> = (0..14)
        .map(|n| format!("SYN_{n},syn_{n:05},{},histo,45,male,back", CODES[n % 7]))
        .collect();
    folder
        .put("synthetic_metadata_train.csv", format!("{HEADER}\n{}\n", made.join("\n")).as_bytes());
    for n in 0..14 {
        folder.put(
            &format!("HAM10000_augmented_images/syn_{n:05}.png"),
            &encoded(100 + n, ImageFormat::Png),
        );
        folder
            .put(&format!("HAM10000_augmented_segmentations/syn_{n:05}_segmentation.png"), &mask());
    }
    let report = folder.report();
    assert_eq!(report.kept, 56);
    assert_eq!(counts(&report), [(Synthetic, 14), (Mask, 56)].into(), "{report}");
    accounts_for_all(&report, 126, 3);
    assert_eq!(sides(&folder)[2], 14, "the author's test images are the test side");
    assert!(matches!(strict(&folder), Err(DataError::Strict(_))), "synthetic images are left out");
    let text = report.to_string();
    says(
        &text,
        &[
            "synthetic_metadata_train.csv (14 rows): describes images that a generator made",
            "the test part",
        ],
    );
    // A user may keep them.
    let reading = Reading { keep_synthetic: true, ..Reading::default() };
    let source = Source::open_with(&folder.path().to_string_lossy(), reading).unwrap();
    assert_eq!(source.records.len(), 70);
}

#[test]
fn tables_named_train_and_test_give_the_split_and_the_user_may_merge_them() {
    // [D01b]
    let folder = Folder::new();
    folder.put("HAM10000_train.csv", ham_rows(0, 42).as_bytes());
    folder.put("HAM10000_test.csv", ham_rows(42, 56).as_bytes());
    photos(&folder, "train_images", 0, 42);
    photos(&folder, "test_images", 42, 56);
    let (prepared, _out) = folder.prepare();
    let facts = split::facts(prepared.cache.header());
    assert_eq!((facts.images[2], facts.parts), (14, [42, 0, 14, 0]));
    says(
        &facts.to_string(),
        &[
            "split as the data names its parts",
            "14 test",
            "it names no val part, so that is drawn from its train part",
        ],
    );
    let reading = Reading { split: dermagan_data::SplitBy::Lesion, ..Reading::default() };
    let source = Source::open_with(&folder.path().to_string_lossy(), reading).unwrap();
    let out = tempfile::tempdir().unwrap();
    let cache = prepare_to(&source, &out.path().join("c"), false).unwrap().cache;
    says(
        &split::facts(cache.header()).to_string(),
        &["split by lesion", "the parts that the data names (42 train, 0 val, 14 test) are merged"],
    );
}

#[test]
fn the_official_split_is_refused_where_there_is_none() {
    let folder = Folder::ham(8);
    let reading = Reading { split: dermagan_data::SplitBy::Official, ..Reading::default() };
    let source = Source::open_with(&folder.path().to_string_lossy(), reading).unwrap();
    let out = tempfile::tempdir().unwrap();
    let error = prepare_to(&source, &out.path().join("c"), false).unwrap_err().to_string();
    says(&error, &["`split` = official", "names no training part"]);
}

#[test]
fn diagnoses_are_read_by_their_full_names_and_the_unknown_one_is_named_with_its_count() {
    // [D02, D02b]
    let long = [
        "Actinic keratoses",
        "Basal cell carcinoma",
        "Benign keratosis-like lesions",
        "Dermatofibroma",
        "Melanoma",
        "Melanomaanocytic nevi",
        "Vascular lesions",
    ];
    let folder = Folder::new();
    let rows: Vec<String> = (0..28).map(|n| row(n, long[n % 7])).collect();
    folder.put("HAM10000_metadata.csv", format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes());
    photos(&folder, "images", 0, 28);
    let source = folder.open().unwrap();
    assert_eq!(
        by_class(&source),
        CODES.into_iter().filter(|c| *c != "nv").map(|c| (c, 4)).collect()
    );
    let report = folder.report();
    assert_eq!(counts(&report), [(UnknownClass, 4)].into());
    says(
        &report.to_string(),
        &["4 rows have 'Melanomaanocytic nevi'", "akiec, bcc, bkl, df, mel, nv, vasc"],
    );
    // [D02c] Numbers are no names.
    let rows: Vec<String> = (0..28).map(|n| row(n, &(n % 7).to_string())).collect();
    folder.put("HAM10000_metadata.csv", format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes());
    says(&error(&folder), &["HAM10000_metadata.csv", "akiec", "(4"]);
}

#[test]
fn a_table_without_lesion_ids_is_split_by_the_ids_in_the_names_and_says_so() {
    // [D03]
    let folder = Folder::new();
    let rows: Vec<String> = (0..20).map(|n| format!("{};nv;histo;45,0;male;back", id(n))).collect();
    let text = format!("sep=;\nimage_id;dx;dx_type;age;sex;localization\n{}\n", rows.join("\n"));
    folder.put("HAM10000_metadata.csv", text.as_bytes());
    photos(&folder, "images", 0, 20);
    let source = folder.open().unwrap();
    assert_eq!((source.records.len(), source.records[3].age), (20, Some(45.0)));
    let (prepared, _out) = folder.prepare();
    says(
        &split::facts(prepared.cache.header()).to_string(),
        &["split by the ISIC id in the file name, without lesion ids"],
    );
}

#[test]
fn a_table_that_names_the_images_and_is_not_understood_ends_the_guess() {
    // [D04]
    let folder = Folder::new();
    let mut text = String::from("id,ClassId, ImagePath,x\n");
    for n in 0..28 {
        let code = CODES[n % 7];
        folder.put(&format!("train_dir/{code}/{code} ({n}).jpg"), &jpeg(n as u8));
        text += &format!("HAM_{n},{},train_dir/{code}/{code} ({n}).jpg,1\n", n % 7);
    }
    folder.put("HAM10000_metadata.csv", text.as_bytes());
    says(&error(&folder), &["HAM10000_metadata.csv", "`classes_from_folders`"]);
    let reading = Reading { classes_from_folders: true, ..Reading::default() };
    let source = Source::open_with(&folder.path().to_string_lossy(), reading).unwrap();
    assert_eq!((source.kind, source.records.len()), (Kind::ClassFolders, 28));
    // Unknown columns, and a JSON that is no table.
    let other = Folder::new();
    (0..6).for_each(|n| other.put(&format!("one/{n}.jpg"), &jpeg(n)));
    (6..12).for_each(|n| other.put(&format!("two/{n}.jpg"), &jpeg(n)));
    assert_eq!(other.open().unwrap().classes, ["one", "two"]);
    let rows: Vec<String> = (0..12).map(|n| format!("{n}.jpg,{n}",)).collect();
    other.put("marks.csv", format!("file_name,grade of wear\n{}\n", rows.join("\n")).as_bytes());
    says(&error(&other), &["marks.csv", "grade of wear"]);
    std::fs::remove_file(other.path().join("marks.csv")).unwrap();
    other.put("marks.json", br#"{"annotations": {"first": {"of": "3.jpg"}}}"#);
    says(&error(&other), &["marks.json"]);
    // A table of other things does not.
    std::fs::remove_file(other.path().join("marks.json")).unwrap();
    other.put("prices.csv", b"thing,price\nbread,3\nmilk,1\n");
    assert_eq!(other.open().unwrap().classes, ["one", "two"]);
}

#[test]
fn file_names_and_paths_of_any_system_are_ids() {
    // [D05, D05b, D05c, D05d]
    for (table, header, path) in [
        ("labels.csv", "filename,label", "{}.jpg"),
        ("train.csv", "image_path,label", "images/{}.jpg"),
        ("metadata.csv", "image_id,dx", "images\\{}.jpg"),
        ("metadata.csv", "image_id,dx", "C:\\data\\raw\\{}.jpg"),
        ("metadata.tsv", "Image ID\tDiagnosis", "{}"),
    ] {
        let folder = Folder::new();
        let sep = if header.contains('\t') { "\t" } else { "," };
        let rows: Vec<String> = (0..14)
            .map(|n| format!("{}{sep}{}", path.replace("{}", &id(n)), CODES[n % 7]))
            .collect();
        folder.put(table, format!("{header}\n{}\n", rows.join("\n")).as_bytes());
        photos(&folder, "images", 0, 14);
        let source = folder.open().unwrap();
        assert_eq!(by_class(&source), CODES.into_iter().map(|c| (c, 2)).collect(), "{path}");
        assert!(source.problems.is_empty(), "{:?}", source.problems);
    }
}

#[test]
fn equal_rows_are_a_note_and_contradicting_ones_leave_the_image_out() {
    // [D06] The same rows in four tables: the parts are the author's.
    let folder = Folder::new();
    folder.put("processed/ham10000_metadata.csv", ham_rows(0, 20).as_bytes());
    for (name, from, to) in [("train", 0, 14), ("val", 14, 17), ("test", 17, 20)] {
        folder.put(&format!("splits/{name}.csv"), ham_rows(from, to).as_bytes());
    }
    photos(&folder, "raw/HAM10000_images_part_1", 0, 20);
    let report = folder.report();
    assert_eq!((report.kept, report.left_out()), (20, 0), "{report}");
    assert!(strict(&folder).is_ok());
    assert_eq!(sides(&folder), [14, 3, 3]);
    accounts_for_all(&report, 20, 4);
    says(
        &report.to_string(),
        &["splits/val.csv (3 rows): repeats rows of another table; gives the val part"],
    );
    // [D18] The same row six times.
    let folder = Folder::ham(3);
    let text = format!("{}{}", table(3), format!("{}\n", row(1, "nv")).repeat(5));
    folder.put("HAM10000_metadata.csv", text.as_bytes());
    let report = folder.report();
    assert_eq!((report.kept, report.left_out(), counts(&report)), (3, 0, [(EqualRows, 5)].into()));
    says(&report.to_string(), &["`balanced`"]);
    assert!(strict(&folder).is_ok());
    // Two classes for one image.
    let text = format!("{}{}\n", table(3), row(1, "mel"));
    folder.put("HAM10000_metadata.csv", text.as_bytes());
    let report = folder.report();
    assert_eq!((report.kept, counts(&report)), (2, [(ContradictingRows, 1)].into()));
    says(&report.to_string(), &["line 3", "line 5"]);
    assert!(matches!(strict(&folder), Err(DataError::Strict(_))));
}

#[test]
fn stylegans_dataset_json_gives_the_labels() {
    // [D07, D07b]
    let files: Vec<(String, Vec<u8>)> = (0..28)
        .map(|n| (format!("{:05}/img{n:08}.png", n / 10), encoded(n as u8, ImageFormat::Png)))
        .collect();
    let labels: Vec<String> = (0..28).map(|n| format!("[\"{}\", {}]", files[n].0, n % 7)).collect();
    let json = format!("{{\"labels\": [{}]}}", labels.join(", "));
    let folder = Folder::new();
    files.iter().for_each(|(name, bytes)| folder.put(name, bytes));
    folder.put("dataset.json", json.as_bytes());
    let source = folder.open().unwrap();
    assert_eq!((source.kind, source.classes.len()), (Kind::StyleGan, 7));
    assert_eq!(by_class(&source).values().copied().collect::<Vec<_>>(), [4; 7]);
    let mut all: Vec<(&str, &[u8])> =
        files.iter().map(|(n, b)| (n.as_str(), b.as_slice())).collect();
    all.push(("dataset.json", json.as_bytes()));
    let zipped = Folder::new();
    zipped.put("ham-64x64.zip", &zip_of(&all, zip::CompressionMethod::Stored));
    let source = Source::open(&zipped.path().join("ham-64x64.zip").to_string_lossy()).unwrap();
    assert_eq!((source.kind, source.records.len()), (Kind::StyleGan, 28));
    // Without labels.
    let folder = Folder::new();
    files.iter().for_each(|(name, bytes)| folder.put(name, bytes));
    folder.put("dataset.json", b"{\"labels\": null}");
    let source = folder.open().unwrap();
    assert_eq!(
        (source.kind, source.classes.as_slice()),
        (Kind::Unlabelled, &[UNLABELLED.to_owned()][..])
    );
}

#[test]
fn pad_ufes_20_has_six_classes_by_lesion() {
    // [D08]
    let folder = Folder::new();
    let mut text =
        String::from("patient_id,lesion_id,age,gender,region,diagnostic,img_id,biopsied\n");
    for n in 0..36usize {
        let image = format!("PAT_{}_{}_{}.png", n / 2, n / 2, 820 + n);
        let dx = ["BCC", "SCC", "ACK", "SEK", "MEL", "NEV"][n / 2 % 6];
        text += &format!("PAT_{},{},55,FEMALE,NECK,{dx},{image},True\n", n / 2, n / 2);
        folder
            .put(&format!("imgs_part_{}/{image}", n % 3 + 1), &encoded(n as u8, ImageFormat::Png));
    }
    folder.put("metadata.csv", text.as_bytes());
    let source = folder.open().unwrap();
    assert_eq!(source.kind, Kind::PadUfes20);
    let names: Vec<&str> = by_class(&source).into_keys().collect();
    assert_eq!(names, ["ack", "bcc", "mel", "nev", "scc", "sek"]);
    assert!(
        source.records.iter().all(|r| r.lesion_id.is_some() && r.sex == dermagan_data::Sex::Female)
    );
    // Without the table, the pieces of the archive are no classes.
    std::fs::remove_file(folder.path().join("metadata.csv")).unwrap();
    says(&error(&folder), &["imgs_part_1", "`classes_from_folders`"]);
}

#[test]
fn isic_2019_keeps_its_eight_classes_apart() {
    // [D09]
    let folder = Folder::new();
    let heads = ["MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"];
    let mut truth = format!("image,{}\n", heads.join(","));
    let mut more = String::from("image,age_approx,anatom_site_general,lesion_id,sex\n");
    for n in 0..24usize {
        let name = format!("{}{}", id(n), if n % 4 == 0 { "_downsampled" } else { "" });
        let cells: Vec<&str> = (0..9).map(|c| if c == n % 8 { "1.0" } else { "0.0" }).collect();
        truth += &format!("{name},{}\n", cells.join(","));
        more += &format!("{name},60,anterior torso,L{},female\n", n / 2);
        folder.put(
            &format!("ISIC_2019_Training_Input/ISIC_2019_Training_Input/{name}.jpg"),
            &jpeg(n as u8),
        );
    }
    folder.put("ISIC_2019_Training_GroundTruth.csv", truth.as_bytes());
    folder.put("ISIC_2019_Training_Metadata.csv", more.as_bytes());
    let source = folder.open().unwrap();
    assert_eq!(source.kind, Kind::Isic2019);
    let with_images = by_class(&source);
    assert_eq!(with_images.len(), 8, "{with_images:?}");
    assert!(with_images.contains_key("ak") && with_images.contains_key("scc"));
    assert!(source.records.iter().all(|r| r.lesion_id.is_some() && r.age == Some(60.0)));
    assert!(source.problems.is_empty(), "{:?}", source.problems);
    assert_eq!(source.tables.iter().filter(|table| table.used).count(), 2);
}

#[test]
fn isic_2018_as_it_is_downloaded_keeps_training_validation_and_test_apart() {
    // [D10]
    let folder = Folder::new();
    let heads = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"];
    let mut groups = String::from("image,lesion_id,diagnosis_confirm_type\n");
    for (part, from) in [("Training", 0), ("Validation", 28), ("Test", 56)] {
        let name = format!("ISIC2018_Task3_{part}_GroundTruth");
        let mut truth = format!("image,{}\n", heads.join(","));
        for n in from..from + 28 {
            let cells: Vec<&str> = (0..7).map(|c| if c == n % 7 { "1.0" } else { "0.0" }).collect();
            truth += &format!("{},{}\n", id(n), cells.join(","));
            if part == "Training" {
                groups += &format!("{},L{},histopathology\n", id(n), n);
            }
        }
        let csv = format!("{name}/{name}.csv");
        let licence = format!("{name}/LICENSE.txt");
        let files: [(&str, &[u8]); 2] = [(&csv, truth.as_bytes()), (&licence, b"CC BY-NC 4.0\n")];
        folder.put(&format!("{name}.zip"), &zip_of(&files, zip::CompressionMethod::Deflated));
        photos(&folder, &format!("ISIC2018_Task3_{part}_Input"), from, from + 28);
        folder.put(&format!("ISIC2018_Task3_{part}_Input/ATTRIBUTION.txt"), b"cite\n");
    }
    folder.put("ISIC2018_Task3_Training_LesionGroupings.csv", groups.as_bytes());
    photos(&folder, "ISIC2018_Task1-2_Training_Input", 0, 8);
    for n in 0..8 {
        folder.put(
            &format!("ISIC2018_Task1_Training_GroundTruth/{}_segmentation.png", id(n)),
            &mask(),
        );
        folder.put(
            &format!("ISIC2018_Task2_Training_GroundTruth_v3/{}_attribute_globules.png", id(n)),
            &mask(),
        );
        folder.put(&format!("ISIC2018_Task1-2_Training_Input/{}_superpixels.png", id(n)), &mask());
    }
    let report = folder.report();
    assert_eq!(report.kept, 84, "{report}");
    assert_eq!(counts(&report), [(Mask, 24), (SameFile, 8)].into(), "{report}");
    accounts_for_all(&report, 84 + 8 + 24, 4);
    assert!(strict(&folder).is_ok(), "known companions are no reason to refuse");
    assert_eq!(sides(&folder), [28, 28, 28]);
    let (prepared, _out) = folder.prepare();
    let facts = split::facts(prepared.cache.header());
    assert_eq!((facts.by_lesion, facts.by_isic_id), (28, 56));
}

#[test]
fn an_export_of_the_isic_archive_is_read_by_its_own_words() {
    // [D11]
    let folder = Folder::new();
    let words: [(&str, [&str; 3]); 8] = [
        (
            "akiec",
            [
                "Indeterminate",
                "Indeterminate epidermal proliferations",
                "Solar or actinic keratosis",
            ],
        ),
        (
            "akiec",
            ["Malignant", "Malignant epidermal proliferations", "\"Squamous cell carcinoma, NOS\""],
        ),
        (
            "bcc",
            [
                "Malignant",
                "Malignant adnexal epithelial proliferations - Follicular",
                "Basal cell carcinoma",
            ],
        ),
        ("bkl", ["Benign", "Benign epidermal proliferations", "Pigmented benign keratosis"]),
        (
            "df",
            ["Benign", "Benign soft tissue proliferations - Fibro-histiocytic", "Dermatofibroma"],
        ),
        (
            "mel",
            ["Malignant", "Malignant melanocytic proliferations (Melanoma)", "\"Melanoma, NOS\""],
        ),
        ("nv", ["Benign", "Benign melanocytic proliferations", "Nevus"]),
        ("vasc", ["Benign", "Benign soft tissue proliferations - Vascular", ""]),
    ];
    let mut text = String::from(
        "isic_id,attribution,copyright_license,age_approx,anatom_site_general,diagnosis_1,diagnosis_2,diagnosis_3,\
         diagnosis_confirm_type,image_type,lesion_id,sex\n",
    );
    for n in 0..16usize {
        let [one, two, three] = words[n % 8].1;
        text += &format!(
            "{},\"ViDIR Group, Vienna\",CC-BY-NC,50,anterior torso,{one},{two},{three},single image expert consensus,\
             dermoscopic,IL_{n},male\n",
            id(n)
        );
    }
    folder.put("metadata.csv", text.as_bytes());
    (0..16).for_each(|n| folder.put(&format!("{}.jpg", id(n)), &jpeg(n as u8)));
    folder.put("attribution.txt", b"cite\n");
    folder.put("licenses/CC-BY-NC.txt", b"licence\n");
    let source = folder.open().unwrap();
    assert_eq!((source.kind, source.records.len()), (Kind::IsicArchive, 16));
    for record in &source.records {
        let n: usize = record.image_id[5..].parse().unwrap();
        assert_eq!(source.classes[record.class], words[n % 8].0);
        assert_eq!(record.dx_type, dermagan_data::DxType::Consensus);
        assert!(record.lesion_id.is_some());
    }
    assert!(source.problems.is_empty(), "{:?}", source.problems);
}

#[test]
fn siim_isic_2020_is_read_and_its_unlabelled_test_images_are_left_out() {
    // [D11b]
    let folder = Folder::new();
    let mut text = String::from(
        "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target\n",
    );
    for n in 0..20 {
        let (dx, kind, target) = match n % 4 {
            0 => ("melanoma", "malignant", 1),
            1 => ("unknown", "benign", 0),
            _ => ("nevus", "benign", 0),
        };
        text += &format!("{},IP_{n},male,45,torso,{dx},{kind},{target}\n", id(n));
    }
    folder.put("train.csv", text.as_bytes());
    let test = "image_name,patient_id,sex,age_approx,anatom_site_general_challenge\nISIC_0052060,IP_3,male,70,\n";
    folder.put("test.csv", test.as_bytes());
    photos(&folder, "jpeg/train", 0, 20);
    photos(&folder, "jpeg/test", 50, 51);
    let source = folder.open().unwrap();
    assert_eq!(source.kind, Kind::Isic2020);
    assert_eq!(by_class(&source), [("mel", 5), ("nv", 10)].into());
    let report = folder.report();
    assert_eq!(counts(&report), [(NoDiagnosis, 5), (ImageWithoutRow, 1)].into(), "{report}");
    accounts_for_all(&report, 21, 2);
}

#[test]
fn folders_that_are_no_classes_are_refused_with_what_was_seen() {
    // [D12] PH2.
    let folder = Folder::new();
    for n in 0..12 {
        let name = format!("IMD{n:03}");
        let at = format!("PH2 Dataset images/{name}");
        folder.put(
            &format!("{at}/{name}_Dermoscopic_Image/{name}.png"),
            &encoded(n, ImageFormat::Png),
        );
        folder.put(&format!("{at}/{name}_lesion/{name}_lesion.png"), &mask());
        folder.put(&format!("{at}/{name}_roi/{name}_R1_Label4.png"), &mask());
    }
    says(&error(&folder), &["12 images in 12 folders", "IMD000_Dermoscopic_Image", "24 more"]);
    // [D12c] A set for segmentation.
    let folder = Folder::new();
    photos(&folder, "images", 0, 28);
    (0..28).for_each(|n| folder.put(&format!("masks/{}.png", id(n)), &mask()));
    says(&error(&folder), &["images/ (28)", "masks/ (28)", "no table"]);
    // Masks in a folder whose name says nothing.
    let folder = Folder::new();
    (0..9).for_each(|n| folder.put(&format!("skin/{n}.png"), &encoded(n, ImageFormat::Png)));
    (0..9).for_each(|n| folder.put(&format!("shapes/{n}_x.png"), &mask()));
    says(&error(&folder), &["shapes", "two colours"]);
    // One folder per person.
    let folder = Folder::new();
    for (n, name) in ["Anna", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hal", "Ida", "Jan"]
        .iter()
        .enumerate()
    {
        folder.put(&format!("{name}/a{n}.png"), &encoded(n as u8, ImageFormat::Png));
    }
    says(&error(&folder), &["10 images in 10 folders"]);
    let reading = Reading { classes_from_folders: true, ..Reading::default() };
    let source = Source::open_with(&folder.path().to_string_lossy(), reading).unwrap();
    assert_eq!(source.classes.len(), 10);
}

#[test]
fn parquet_is_named_with_the_way_out_and_json_lines_are_read() {
    // [D13]
    let folder = Folder::new();
    let parquet = [&b"PAR1"[..], &[7; 500], b"\x10\0\0\0PAR1"].concat();
    folder.put("data/train-00000-of-00005-2bd50e2e.parquet", &parquet);
    folder.put("README.md", b"---\ndataset_info:\n---\n");
    says(&error(&folder), &["Parquet", "load_dataset"]);
    let file = folder.path().join("data/train-00000-of-00005-2bd50e2e.parquet");
    let alone = Source::open(&file.to_string_lossy()).map(|_| ()).unwrap_err().to_string();
    says(&alone, &["Parquet"]);
    // [D13b, D13c]
    let folder = Folder::new();
    let lines: Vec<String> = (0..14)
        .map(|n| format!("{{\"file_name\": \"{}.jpg\", \"dx\": \"{}\"}}", id(n), CODES[n % 7]))
        .collect();
    folder.put("train/metadata.jsonl", lines.join("\n").as_bytes());
    photos(&folder, "train", 0, 14);
    let source = folder.open().unwrap();
    assert_eq!(by_class(&source), CODES.into_iter().map(|c| (c, 2)).collect());
}

#[test]
fn images_in_one_folder_without_labels_are_read_as_such() {
    // [D14, D14b]
    let folder = Folder::new();
    (0..24).for_each(|n| folder.put(&format!("{}.jpg", id(n)), &jpeg(n as u8)));
    let source = folder.open().unwrap();
    assert_eq!((source.kind, source.records.len()), (Kind::Unlabelled, 24));
    let numbers = Folder::new();
    (0..24).for_each(|n| numbers.put(&format!("{n}.jpg"), &jpeg(n)));
    let (prepared, _out) = numbers.prepare();
    says(
        &split::facts(prepared.cache.header()).to_string(),
        &["split by image, without lesion ids", "views of one lesion may be on two sides"],
    );
}

#[test]
fn train_and_test_above_the_classes_are_the_split() {
    // [D15]
    let folder = Folder::new();
    let names = [
        "actinic keratosis",
        "basal cell carcinoma",
        "dermatofibroma",
        "melanoma",
        "nevus",
        "pigmented benign keratosis",
        "seborrheic keratosis",
        "squamous cell carcinoma",
        "vascular lesion",
    ];
    for (c, name) in names.iter().enumerate() {
        for n in 0..5 {
            let part = if n < 4 { "Train" } else { "Test" };
            let image = c * 5 + n;
            folder.put(
                &format!("Skin cancer ISIC/{part}/{name}/{}.jpg", id(image)),
                &jpeg(image as u8),
            );
        }
    }
    let source = folder.open().unwrap();
    assert_eq!(
        by_class(&source).values().copied().collect::<Vec<_>>(),
        [5; 9],
        "nothing is merged in silence"
    );
    assert_eq!(source.records.iter().filter(|r| r.part == Some(Side::Test)).count(), 9);
    assert_eq!(sides(&folder)[2], 9);
}

#[test]
fn names_of_classes_are_trimmed_and_mapped_one_by_one() {
    // [D16b]
    let folder = Folder::new();
    let names = [
        "Actinic keratoses",
        "Basal cell carcinoma",
        "Benign keratosis-like lesions ",
        "Dermatofibroma",
        "Melanoma",
        "Nevus",
        "Vascular lesions",
    ];
    for (c, name) in names.iter().enumerate() {
        (0..4).for_each(|n| {
            folder.put(&format!("{name}/{}.jpg", id(4 * c + n)), &jpeg((4 * c + n) as u8))
        });
    }
    let source = folder.open().unwrap();
    assert_eq!(source.classes, CODES);
    // One other class does not make all of them strangers.
    (0..4).for_each(|n| folder.put(&format!("Eczema/{}.jpg", id(50 + n)), &jpeg(50 + n as u8)));
    let source = folder.open().unwrap();
    let names: Vec<&str> = by_class(&source).into_keys().collect();
    assert_eq!(names, ["Eczema", "akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]);
    // [D16] Long names of one's own, in folders and in a table.
    let own = [
        "1. Eczema 1677",
        "10. Warts Molluscum and other Viral Infections - 2103",
        "3. Atopic Dermatitis - 1.25k",
    ];
    let folder = Folder::new();
    let mut text = String::from("image_id,dx\n");
    for (c, name) in own.iter().enumerate() {
        for n in 0..4 {
            folder.put(&format!("IMG_CLASSES/{name}/x{}.jpg", 4 * c + n), &jpeg((4 * c + n) as u8));
            text += &format!("x{},{name}\n", 4 * c + n);
        }
    }
    assert_eq!(folder.open().unwrap().classes.len(), 3);
    folder.put("metadata.csv", text.as_bytes());
    let source = folder.open().unwrap();
    assert_eq!((source.kind, source.classes.len()), (Kind::Table, 3));
}

#[test]
fn of_two_files_with_one_id_the_photograph_is_taken_or_the_reader_stops() {
    // [D17]
    let folder = Folder::ham(6);
    for n in 0..6 {
        folder.put(&format!("Cleaned/{}.png", id(n)), &encoded(100 + n as u8, ImageFormat::Png));
    }
    folder.put(&format!("assets/p{}.jpg", id(0)), &jpeg(0));
    let report = folder.report();
    assert_eq!(report.kept, 6);
    assert_eq!(counts(&report), [(ImageWithoutRow, 1), (DuplicateFile, 6)].into(), "{report}");
    let (prepared, _out) = folder.prepare();
    let (plain, _plain) = Folder::ham(6).prepare();
    assert_eq!(
        prepared.cache.pixels(0),
        plain.cache.pixels(0),
        "the photograph, not the processed copy"
    );
    says(
        &report.to_string(),
        &["Cleaned/ISIC_0000000.png (not HAM10000_images_part_1/ISIC_0000000.jpg)"],
    );
    // Masks under the name of their image.
    let folder = Folder::ham(4);
    (0..4).for_each(|n| folder.put(&format!("a_shapes/{}.png", id(n)), &mask()));
    assert_eq!(counts(&folder.report()), [(Mask, 4)].into());
    // Nothing says which is right.
    let folder = Folder::new();
    folder.put("m.csv", ham_rows(0, 2).as_bytes());
    for n in 0..2 {
        folder.put(&format!("left/{}.jpg", id(n)), &jpeg(n as u8));
        folder.put(&format!("right/{}.jpg", id(n)), &jpeg(100 + n as u8));
    }
    says(&error(&folder), &["left/ISIC_0000000.jpg and right/ISIC_0000000.jpg", "remove one"]);
    // The path in the table does.
    let rows: Vec<String> = (0..2).map(|n| format!("right/{}.jpg,nv", id(n))).collect();
    folder.put("m.csv", format!("image_path,dx\n{}\n", rows.join("\n")).as_bytes());
    assert_eq!(folder.report().kept, 2);
}

#[test]
fn augmented_copies_of_one_photograph_are_on_one_side() {
    // [D17c]
    let folder = Folder::new();
    for n in 0..30usize {
        for k in 0..5 {
            folder
                .put(&format!("{}/{}_aug_{k}.jpg", CODES[n % 3], id(n)), &jpeg((n * 5 + k) as u8));
        }
    }
    let (prepared, _out) = folder.prepare();
    let header = prepared.cache.header();
    let mut of: BTreeMap<String, Vec<Side>> = BTreeMap::new();
    for (record, side) in header.records.iter().zip(split::of_header(header)) {
        of.entry(record.image_id[..12].to_owned()).or_default().push(side);
    }
    assert_eq!(of.len(), 30);
    assert!(of.values().all(|sides| sides.iter().all(|side| *side == sides[0])), "{of:?}");
    assert_eq!(split::facts(header).on_two_sides, 0);
}

#[test]
fn a_table_of_pixels_is_named_beside_images_and_alone() {
    // [D18b]
    let head: Vec<String> = (0..2352).map(|n| format!("pixel{n:04}")).collect();
    let cells = vec!["128"; 2352].join(",");
    let text = format!("{},label\n{cells},5\n{cells},0\n", head.join(","));
    let folder = Folder::ham(3);
    folder.put("hmnist_28_28_RGB.csv", text.as_bytes());
    let report = folder.report();
    assert_eq!((report.kept, report.left_out()), (3, 0));
    says(&report.to_string(), &["hmnist_28_28_RGB.csv", "pixels"]);
    let alone = folder.path().join("hmnist_28_28_RGB.csv");
    says(
        &Source::open(&alone.to_string_lossy()).map(|_| ()).unwrap_err().to_string(),
        &["table of pixels"],
    );
}

#[test]
fn files_of_systems_and_second_downloads_are_counted_and_not_read() {
    // [I5]
    let folder = Folder::ham(3);
    let at = "HAM10000_images_part_1";
    for name in ["Thumbs.db", "desktop.ini", ".DS_Store"] {
        folder.put(&format!("{at}/{name}"), b"x");
    }
    folder.put(&format!("{at}/._{}.jpg", id(0)), b"x");
    folder.put(&format!("{at}/@eaDir/{}.jpg/SYNOFILE_THUMB_M.jpg", id(0)), &jpeg(0));
    folder.put(&format!("{at}/.ipynb_checkpoints/{}-checkpoint.jpg", id(0)), &jpeg(0));
    folder.put(&format!("{at}/{} (1).jpg", id(0)), &jpeg(0));
    let report = folder.report();
    assert_eq!(counts(&report), [(SystemFile, 3), (SameFile, 1)].into(), "{report}");
    assert!(strict(&folder).is_ok());
}

#[test]
fn medmnist_saved_as_images_has_the_seven_classes_and_its_own_parts() {
    let folder = Folder::new();
    let mut text = String::new();
    for (part, file, from) in
        [("TRAINING", "train", 0), ("VALIDATION", "val", 21), ("TEST", "test", 28)]
    {
        for n in 0..7 {
            text += &format!("{part},{file}{n}_{n}.png,{n}\n");
            folder.put(
                &format!("dermamnist/{file}{n}_{n}.png"),
                &encoded(from + n, ImageFormat::Png),
            );
        }
    }
    folder.put("dermamnist.csv", text.as_bytes());
    let source = folder.open().unwrap();
    assert_eq!(
        (source.kind, source.classes.as_slice()),
        (Kind::MedMnist, &CODES.map(str::to_owned)[..])
    );
    assert_eq!(sides(&folder), [7, 7, 7]);
}

#[test]
fn generated_images_are_known_by_their_table() {
    // [S6]
    let folder = Folder::ham(6);
    let rows: Vec<String> =
        (0..5).map(|n| format!("s{n},seed{n:04},nv,synthetic,,unknown,unknown")).collect();
    folder.put("more/metadata.csv", format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes());
    (0..5).for_each(|n| {
        folder.put(&format!("more/seed{n:04}.png"), &encoded(80 + n, ImageFormat::Png))
    });
    let report = folder.report();
    assert_eq!((report.kept, counts(&report)), (6, [(Synthetic, 5)].into()), "{report}");
    accounts_for_all(&report, 11, 2);
    let alone = Source::open(&folder.path().join("more").to_string_lossy())
        .map(|_| ())
        .unwrap_err()
        .to_string();
    says(&alone, &["a generator made its 5 images", "`keep_synthetic`"]);
}

#[test]
fn thumbnails_among_large_images_are_left_out_and_a_set_of_small_images_is_enlarged() {
    // [I6]
    let png = |width, height, n: u8| {
        let image = RgbImage::from_fn(width, height, |x, y| Rgb([n, (x * 7) as u8, (y * 9) as u8]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let folder = Folder::new();
    (0..6).for_each(|n| folder.put(&format!("nv/{n}.png"), &png(20, 20, n)));
    folder.put("nv/6.png", &png(5, 200, 6));
    folder.put("nv/7.png", &png(1, 1, 7));
    let report = folder.report();
    assert_eq!((report.kept, counts(&report)), (6, [(TooSmall, 2)].into()), "{report}");
    says(&report.to_string(), &["5x200 pixels, 16 needed"]);
    let small = Folder::new();
    (0..6).for_each(|n| small.put(&format!("nv/{n}.png"), &png(9, 9, n)));
    small.put("nv/9.png", &png(90, 3, 9));
    let report = small.report();
    assert_eq!(
        (report.kept, counts(&report)),
        (6, [(TooSmall, 1), (Enlarged, 6)].into()),
        "{report}"
    );
}

#[test]
fn other_layouts_of_the_same_kinds() {
    // Numbered folders, and folders of patients, dates and days, are no classes.
    for name in ["{}", "patient_{}", "2021-0{}-01", "case {}"] {
        let folder = Folder::new();
        (1..9).for_each(|n| {
            (0..4).for_each(|k| {
                folder.put(
                    &format!("{}/x{n}{k}.jpg", name.replace("{}", &n.to_string())),
                    &jpeg(n * 9 + k),
                )
            });
        });
        says(
            &error(&folder),
            &["the names of the folders are no classes", "`classes_from_folders`"],
        );
    }
    // COCO's annotations name the images.
    let folder = Folder::new();
    (0..6).for_each(|n| folder.put(&format!("one/{n}.jpg"), &jpeg(n)));
    (6..12).for_each(|n| folder.put(&format!("two/{n}.jpg"), &jpeg(n)));
    let coco = br#"{"images": [{"id": 1, "file_name": "3.jpg"}], "annotations": [{"image_id": 1, "category_id": 2}]}"#;
    folder.put("annotations.json", coco);
    says(&error(&folder), &["annotations.json"]);
    // A page in the place of the table.
    let folder = Folder::new();
    photos(&folder, "images", 0, 8);
    folder.put("HAM10000_metadata.csv", b"<!DOCTYPE html><html>Sign in</html>");
    says(&error(&folder), &["HAM10000_metadata.csv is no table: it begins with"]);
    // Lists of files name the parts; ids may be spelt in small letters.
    let folder = Folder::new();
    let rows: Vec<String> =
        (0..21).map(|n| format!("{},{}", id(n).to_lowercase(), CODES[n % 7])).collect();
    folder.put("labels.csv", format!("image,dx\n{}\n", rows.join("\n")).as_bytes());
    for (name, from, to) in [("train", 0, 14), ("test", 14, 21)] {
        let lines: Vec<String> = (from..to).map(|n| format!("images/{}.jpg", id(n))).collect();
        folder.put(&format!("{name}.txt"), lines.join("\n").as_bytes());
    }
    photos(&folder, "images", 0, 21);
    assert_eq!(sides(&folder)[2], 7);
    assert_eq!(folder.open().unwrap().records[0].image_id, id(0));
    // Two columns of 0 and 1.
    let folder = Folder::new();
    let rows: Vec<String> =
        (0..12).map(|n| format!("{},{},{}", id(n), n % 3 / 2, 1 - n % 3 / 2)).collect();
    folder.put("m.csv", format!("filename,malignant,benign\n{}\n", rows.join("\n")).as_bytes());
    photos(&folder, "x", 0, 12);
    assert_eq!(by_class(&folder.open().unwrap()), [("benign", 8), ("malignant", 4)].into());
}

#[test]
fn a_map_of_labels_among_photographs_is_no_photograph() {
    let folder = Folder::new();
    (0..6).for_each(|n| folder.put(&format!("nv/{n}.png"), &encoded(n, ImageFormat::Png)));
    let map = RgbImage::from_fn(40, 40, |x, _| Rgb([(x / 8) as u8 * 20; 3]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    map.write_to(&mut bytes, ImageFormat::Png).unwrap();
    folder.put("nv/6.png", &bytes.into_inner());
    let report = folder.report();
    assert_eq!((report.kept, counts(&report)), (6, [(Mask, 1)].into()), "{report}");
    let reading = Reading { keep_odd: true, ..Reading::default() };
    let source = Source::open_with(&folder.path().to_string_lossy(), reading).unwrap();
    let out = tempfile::tempdir().unwrap();
    assert_eq!(prepare_to(&source, &out.path().join("c"), false).unwrap().cache.len(), 7);
}

#[test]
fn a_diagnosis_above_wins_over_any_folder_below_and_copies_are_no_class() {
    // Sides, patients and cameras inside a diagnosis.
    for below in ["left", "Smith_{}", "Canon"] {
        let folder = Folder::new();
        for n in 0..8u8 {
            let class = if n < 4 { "mel" } else { "nv" };
            folder
                .put(&format!("{class}/{}/{n}.jpg", below.replace("{}", &n.to_string())), &jpeg(n));
        }
        let source = folder.open().unwrap();
        assert_eq!(by_class(&source), [("mel", 4), ("nv", 4)].into(), "{below}");
    }
    // Sides alone are no classes.
    let folder = Folder::new();
    (0..8u8).for_each(|n| {
        folder.put(&format!("{}/{n}.jpg", ["left", "right"][n as usize % 2]), &jpeg(n))
    });
    says(&error(&folder), &["the names of the folders are no classes"]);
    // Parts beside the diagnosis in one name, and a zip per class.
    let folder = Folder::new();
    for n in 0..16u8 {
        let part = ["train", "test"][usize::from(n % 4 == 3)];
        folder.put(&format!("{}_{part}/{n}.jpg", ["mel", "nv"][n as usize / 8]), &jpeg(n));
    }
    assert_eq!(by_class(&folder.open().unwrap()), [("mel", 8), ("nv", 8)].into());
    assert_eq!(sides(&folder)[2], 4);
    // Heat maps and crops beside the photographs.
    let folder = Folder::new();
    for n in 0..6u8 {
        folder.put(&format!("mel/{n}.jpg"), &jpeg(n));
        folder.put(&format!("nv/x{n}.jpg"), &jpeg(n + 20));
        folder.put(&format!("mel/heatmaps/{n}.jpg"), &jpeg(n + 40));
        folder.put(&format!("crops/nv/x{n}.jpg"), &jpeg(n + 60));
    }
    let report = folder.report();
    assert_eq!((report.kept, counts(&report)), (12, [(Derived, 12)].into()), "{report}");
    // Unless that is all there is.
    let folder = Folder::new();
    (0..6u8).for_each(|n| {
        folder.put(&format!("cropped/{}/{n}.jpg", ["mel", "nv"][n as usize % 2]), &jpeg(n))
    });
    assert_eq!(folder.report().kept, 6);
}

#[test]
fn a_test_list_alone_keeps_its_images_from_training() {
    let folder = Folder::new();
    folder.put("all.csv", ham_rows(0, 28).as_bytes());
    let ids: Vec<String> = (21..28).map(id).collect();
    folder.put("test.csv", format!("image_id\n{}\n", ids.join("\n")).as_bytes());
    photos(&folder, "images", 0, 28);
    assert_eq!(sides(&folder)[2], 7);
    let (prepared, _out) = folder.prepare();
    let facts = split::facts(prepared.cache.header()).to_string();
    says(&facts, &["21 images in no part are in train"]);
}

#[test]
fn words_of_structure_are_no_diagnoses_in_tables_either() {
    let folder = Folder::new();
    let rows: Vec<String> =
        (0..12).map(|n| format!("{},{}", id(n), ["train", "test"][n % 2])).collect();
    folder.put("m.csv", format!("image,class\n{}\n", rows.join("\n")).as_bytes());
    photos(&folder, "images", 0, 12);
    says(&error(&folder), &["m.csv", "test"]);
    // Classes of one's own are read, and it is said that none is a known diagnosis.
    let rows: Vec<String> =
        (0..12).map(|n| format!("{},{}", id(n), ["acne", "eczema"][n % 2])).collect();
    folder.put("m.csv", format!("image,class\n{}\n", rows.join("\n")).as_bytes());
    let report = folder.report();
    assert_eq!((report.kept, counts(&report)), (12, [(OwnClasses, 1)].into()), "{report}");
}

#[test]
fn copies_without_an_isic_id_are_grouped_by_their_common_name() {
    let folder = Folder::new();
    for n in 0..20u8 {
        for (k, name) in
            ["a{}", "a{}_aug_1", "aug_3_a{}", "a{}_rot90", "a{}-flip"].into_iter().enumerate()
        {
            folder.put(
                &format!("nv/{}.jpg", name.replace("{}", &n.to_string())),
                &jpeg(n * 5 + k as u8),
            );
        }
    }
    let (prepared, _out) = folder.prepare();
    let header = prepared.cache.header();
    let mut of: BTreeMap<String, Vec<Side>> = BTreeMap::new();
    for (record, side) in header.records.iter().zip(split::of_header(header)) {
        let name = record
            .image_id
            .split(['_', '-'])
            .find(|word| word.starts_with('a') && *word != "aug")
            .unwrap();
        of.entry(name.to_owned()).or_default().push(side);
    }
    assert_eq!(of.len(), 20);
    assert!(
        of.values().all(|sides| sides.len() == 5 && sides.iter().all(|side| *side == sides[0])),
        "{of:?}"
    );
}

#[test]
fn archives_and_leftovers_are_in_the_account() {
    let folder = Folder::new();
    (0..6).for_each(|n| folder.put(&format!("nv/{n}.jpg"), &jpeg(n)));
    folder.put("more.tar.gz", b"\x1f\x8b not opened");
    let one = zip_of(&[("x.jpg", &jpeg(9))], zip::CompressionMethod::Stored);
    let two = zip_of(&[("c.zip", &one)], zip::CompressionMethod::Stored);
    let three = zip_of(&[("b.zip", &two)], zip::CompressionMethod::Stored);
    folder.put("a.zip", &three);
    folder.put("nv/0.jpg.crdownload", &jpeg(0));
    folder.put("nv/1.jpg~", &jpeg(1));
    let report = folder.report();
    assert_eq!(report.kept, 6, "{report}");
    assert_eq!(report.problems[&UnreadArchive].count, 2, "{report}");
}
