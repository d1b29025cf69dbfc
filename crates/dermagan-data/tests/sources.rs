//! Every form of the data is recognised by its content.

mod common;

use common::*;
use dermagan_data::ProblemKind::{Mask, OtherSet};
use dermagan_data::{DataError, Kind, Sex, Source};
use zip::CompressionMethod::{Deflated, Stored};

#[test]
fn kaggles_folder_is_recognised_with_its_two_image_parts() {
    let source = Folder::ham(4).open().unwrap();
    assert_eq!((source.kind, source.records.len()), (Kind::Ham10000, 4));
    assert_eq!(source.records[0].sex, Sex::Male);
    assert!(source.problems.is_empty());
}

#[test]
fn all_images_in_one_folder_beside_the_table_are_recognised() {
    let folder = Folder::new();
    folder.put("metadata.csv", table(3).as_bytes());
    (0..3).for_each(|i| folder.put(&format!("{}.jpg", id(i)), &jpeg(i as u8)));
    assert_eq!(folder.open().unwrap().records.len(), 3);
    // The path of the table opens the folder that contains it.
    let table = folder.path().join("metadata.csv");
    assert_eq!(Source::open(&table.to_string_lossy()).unwrap().records.len(), 3);
}

#[test]
fn dataverses_tab_table_beside_its_zips_is_read_without_unpacking() {
    let folder = Folder::new();
    folder.put("HAM10000_metadata.tab", table(4).replace(',', "\t").as_bytes());
    let parts = [jpeg(0), jpeg(1), jpeg(2), jpeg(3)];
    let name = |i: usize| format!("{}.jpg", id(i));
    let first = zip_of(&[(&name(0), &parts[0]), (&name(1), &parts[1])], Deflated);
    let second = zip_of(&[(&name(2), &parts[2]), (&name(3), &parts[3])], Stored);
    folder.put("HAM10000_images_part_1.zip", &first);
    folder.put("HAM10000_images_part_2.zip", &second);
    // On Dataverse, the test set of ISIC 2018 and the masks are beside the table; they are not problems.
    folder.put(
        "ISIC2018_Task3_Test_GroundTruth.tab",
        format!("{HEADER}\n{}\n", row(9, "df")).replace(',', "\t").as_bytes(),
    );
    folder.put("ISIC2018_Task3_Test_Images.zip", &zip_of(&[(&name(9), &jpeg(9))], Stored));
    let mask = format!("{}_segmentation.png", id(0));
    folder.put("masks.zip", &zip_of(&[(&mask, &encoded(0, image::ImageFormat::Png))], Stored));
    let source = folder.open().unwrap();
    assert_eq!(source.records.len(), 4);
    let kinds: Vec<_> = source.problems.iter().map(|p| p.kind).collect();
    assert_eq!(kinds, [OtherSet, Mask], "{:?}", source.problems);
    let (prepared, _out) = folder.prepare();
    assert_eq!(prepared.cache.len(), 4);
}

#[test]
fn a_zip_of_the_folder_is_read_and_so_is_a_zip_stored_in_a_zip() {
    let table = table(2);
    let (a, b) = (jpeg(0), jpeg(1));
    let files: [(&str, &[u8]); 3] = [
        ("ham/HAM10000_metadata.csv", table.as_bytes()),
        ("ham/HAM10000_images_part_1/ISIC_0000000.jpg", &a),
        ("ham/HAM10000_images_part_2/ISIC_0000001.jpg", &b),
    ];
    for method in [Stored, Deflated] {
        let folder = Folder::new();
        folder.put("ham.zip", &zip_of(&files, method));
        let source = Source::open(&folder.path().join("ham.zip").to_string_lossy()).unwrap();
        assert_eq!((source.records.len(), source.name.as_str()), (2, "ham"));
    }
    let inner = zip_of(&files[1..], Deflated);
    let outer =
        zip_of(&[("HAM10000_metadata.csv", table.as_bytes()), ("images.zip", &inner)], Stored);
    let folder = Folder::new();
    folder.put("dataverse_files.zip", &outer);
    let source =
        Source::open(&folder.path().join("dataverse_files.zip").to_string_lossy()).unwrap();
    assert_eq!(source.records.len(), 2);
    assert!(source.problems.is_empty(), "{:?}", source.problems);
}

#[test]
fn isic_2018_is_recognised_by_its_one_hot_table_and_takes_its_lesion_groups() {
    let folder = Folder::new();
    let truth = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\nISIC_0000000,1.0,0.0,0.0,0.0,0.0,0.0,0.0\nISIC_0000001,0.0,0.0,0.0,0.0,0.0,0.0,1.0\n";
    folder.put(
        "ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv",
        truth.as_bytes(),
    );
    let groups = "image,lesion_id,diagnosis_confirm_type\nISIC_0000000,L1,histopathology\nISIC_0000001,L1,single image expert consensus\n";
    folder.put("ISIC2018_Task3_Training_LesionGroupings.csv", groups.as_bytes());
    folder.put("ISIC2018_Task3_Training_Input/ATTRIBUTION.txt", b"words");
    (0..2).for_each(|i| {
        folder.put(&format!("ISIC2018_Task3_Training_Input/{}.jpg", id(i)), &jpeg(i as u8))
    });
    let source = folder.open().unwrap();
    assert_eq!(source.kind, Kind::Isic2018);
    let codes: Vec<&str> =
        source.records.iter().map(|r| source.classes[r.class].as_str()).collect();
    assert_eq!(codes, ["mel", "vasc"]);
    assert!(source.records.iter().all(|r| r.lesion_id.as_deref() == Some("L1")));
    assert!(source.problems.is_empty(), "{:?}", source.problems);
}

#[test]
fn one_folder_per_class_takes_known_codes_full_names_or_any_names() {
    let known = Folder::new();
    known.put("train/nv/a.jpg", &jpeg(0));
    known.put("train/Melanoma/b.png", &encoded(1, image::ImageFormat::Png));
    let source = known.open().unwrap();
    assert_eq!((source.kind, source.classes.len()), (Kind::ClassFolders, 7));
    let mut codes: Vec<&str> =
        source.records.iter().map(|r| source.classes[r.class].as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["mel", "nv"]);
    let other = Folder::new();
    other.put("cats/a.jpg", &jpeg(0));
    other.put("dogs/a.jpg", &jpeg(1));
    let source = other.open().unwrap();
    assert_eq!(source.classes, ["cats", "dogs"]);
    // Equal names in two folders are two images.
    assert_eq!(
        source.records.iter().map(|r| r.image_id.as_str()).collect::<Vec<_>>(),
        ["cats_a.jpg", "dogs_a.jpg"]
    );
}

#[test]
fn a_folder_whose_name_is_not_a_valid_file_name_everywhere_cannot_be_a_class() {
    let folder = Folder::new();
    folder.put("nevi/a.jpg", &jpeg(0));
    folder.put(&format!("{}/a.jpg", "long".repeat(30)), &jpeg(1));
    let error = folder.open().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("longlong") && error.contains("rename it"), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn two_folders_that_differ_only_in_case_cannot_be_two_classes() {
    let folder = Folder::new();
    folder.put("Spots/a.jpg", &jpeg(0));
    folder.put("spots/b.jpg", &jpeg(1));
    let error = folder.open().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("two folders are called spots"), "{error}");
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn medmnist_is_read_row_by_row_stored_or_deflated() {
    let side = 28;
    let each = side * side * 3;
    let images = |n: usize, from: usize| -> Vec<u8> {
        (0..n * each).map(|i| (i / each * 40 + from + i % 7) as u8).collect()
    };
    let train = npy("|u1", "(3, 28, 28, 3)", &images(3, 0));
    let val = npy("|u1", "(1, 28, 28, 3)", &images(1, 9));
    let test = npy("|u1", "(1, 28, 28, 3)", &images(1, 99));
    let labels = npy("|u1", "(3, 1)", &[5, 7, 0]);
    let one = npy("<i8", "(1, 1)", &[3, 0, 0, 0, 0, 0, 0, 0]);
    let files: [(&str, &[u8]); 6] = [
        ("train_images.npy", &train),
        ("train_labels.npy", &labels),
        ("val_images.npy", &val),
        ("val_labels.npy", &one),
        ("test_images.npy", &test),
        ("test_labels.npy", &one),
    ];
    for method in [Stored, Deflated] {
        let folder = Folder::new();
        folder.put("dermamnist.npz", &zip_of(&files, method));
        let source = Source::open(&folder.path().join("dermamnist.npz").to_string_lossy()).unwrap();
        assert_eq!(source.kind, Kind::MedMnist);
        let found: Vec<(&str, usize)> =
            source.records.iter().map(|r| (r.image_id.as_str(), r.class)).collect();
        // Row 1 has an unknown label: it is counted, and the later rows keep their own labels.
        assert_eq!(
            found,
            [("train_00000", 5), ("train_00002", 0), ("val_00000", 3), ("test_00000", 3)]
        );
        assert_eq!(source.problems.len(), 1);
        let out = tempfile::tempdir().unwrap();
        let cache = prepare_to(&source, &out.path().join("c"), false).unwrap().cache;
        assert!(
            cache.pixels(1)[0].abs_diff(80 + 3) < 8,
            "the third row's pixels, not the second's"
        );
        assert_eq!(summary(&source).sizes["28x28"], 4);
    }
    let cut = npy("|u1", "(3, 28, 28, 3)", &images(2, 0));
    let folder = Folder::new();
    folder.put(
        "dermamnist_64.npz",
        &zip_of(&[("train_images.npy", &cut), ("train_labels.npy", &labels)], Stored),
    );
    let source = Source::open(&folder.path().join("dermamnist_64.npz").to_string_lossy()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let error = prepare_to(&source, &out.path().join("c"), false).unwrap_err().to_string();
    assert!(error.contains("train_images.npy") && error.contains("row 2"), "{error}");
}

#[test]
fn an_error_about_an_unrecognised_source_says_what_was_expected_and_what_to_do() {
    let refused = |folder: &Folder, words: &[&str]| {
        let error = folder.open().map(|_| ()).unwrap_err().to_string();
        words
            .iter()
            .for_each(|word| assert!(error.contains(word), "expected '{word}' in: {error}"));
    };
    refused(&Folder::new(), &["no image among its 0 files", "HAM10000_metadata.csv"]);
    let no_table = Folder::new();
    no_table.put("HAM10000_images_part_1/ISIC_0000000.jpg", &jpeg(0));
    refused(&no_table, &["no table with the columns image_id and dx", "fetch-ham10000"]);
    let loose = Folder::new();
    loose.put("a.jpg", &jpeg(0));
    loose.put("images/b.jpg", &jpeg(1));
    refused(&loose, &["one folder per class"]);
    assert!(matches!(Source::open("/no/such/place"), Err(DataError::NotFound(_))));
    let text = Folder::new();
    text.put("notes.bin", b"hello");
    assert!(matches!(
        Source::open(&text.path().join("notes.bin").to_string_lossy()),
        Err(DataError::Unrecognised { .. })
    ));
    assert!(Source::open("phantom:0").is_err() && Source::open("phantom:x").is_err());
}

#[test]
fn a_named_table_is_the_one_that_is_used() {
    let folder = Folder::ham(4);
    folder.put("subset.csv", table(2).as_bytes());
    assert_eq!(folder.open().unwrap().records.len(), 4);
    let subset = folder.path().join("subset.csv");
    let source = Source::open(&subset.to_string_lossy()).unwrap();
    assert_eq!(source.records.len(), 2);
    assert!(source.problems.iter().all(|p| p.kind == OtherSet), "{:?}", source.problems);
}

#[test]
fn a_table_in_utf_16_or_without_an_extension_is_read() {
    let utf16 = |n: usize| -> Vec<u8> {
        std::iter::once(0xfeff).chain(table(n).encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let folder = Folder::new();
    folder.put("HAM10000_metadata", &utf16(2));
    (0..2).for_each(|i| folder.put(&format!("images/{}.jpg", id(i)), &jpeg(i as u8)));
    let source = folder.open().unwrap();
    assert_eq!((source.kind, source.records.len()), (Kind::Ham10000, 2));
}

#[test]
fn a_zip_whose_paths_begin_with_a_dot_is_read() {
    let text = table(1);
    let files: [(&str, &[u8]); 2] =
        [("./ham/m.csv", text.as_bytes()), ("./ham//i/ISIC_0000000.jpg", &jpeg(0))];
    let folder = Folder::new();
    folder.put("h.zip", &zip_of(&files, Stored));
    let source = Source::open(&folder.path().join("h.zip").to_string_lossy()).unwrap();
    assert_eq!(source.records.len(), 1);
}

#[test]
fn runs_and_caches_inside_a_source_are_neither_images_nor_changes() {
    let folder = Folder::new();
    folder.put("nv/a.jpg", &jpeg(0));
    folder.put("mel/b.jpg", &jpeg(1));
    let before = folder.open().unwrap();
    folder.put("runs/00000-x-tiny/training_options.json", b"{}");
    folder.put("runs/00000-x-tiny/reals.png", &encoded(3, image::ImageFormat::Png));
    folder.put("c.dermagan", b"a cache");
    let after = folder.open().unwrap();
    assert_eq!((after.records.len(), &after.fingerprint), (2, &before.fingerprint));
}

#[test]
#[cfg(unix)]
fn circular_links_do_not_multiply_the_images() {
    let folder = Folder::ham(3);
    std::os::unix::fs::symlink(".", folder.path().join("again")).unwrap();
    std::os::unix::fs::symlink("..", folder.path().join("HAM10000_images_part_1/up")).unwrap();
    let source = folder.open().unwrap();
    let found: Vec<_> =
        source.problems.iter().map(|problem| (problem.kind, problem.place.as_str())).collect();
    let kind = dermagan_data::ProblemKind::UnfollowedLink;
    assert_eq!(found, [(kind, "HAM10000_images_part_1/up/"), (kind, "again/")]);
    assert_eq!(source.records.len(), 3);
}

#[test]
fn isic_images_in_one_folder_without_their_table_are_not_taken_for_a_class() {
    let folder = Folder::new();
    (0..3).for_each(|i| folder.put(&format!("images/{}.jpg", id(i)), &jpeg(i as u8)));
    let error = folder.open().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("no table with the columns"), "{error}");
}

#[test]
fn in_a_class_folder_images_are_recognised_by_content_and_other_files_are_counted() {
    let folder = Folder::new();
    folder.put("nv/a.jpg", &jpeg(0));
    folder.put("nv/no_extension", &jpeg(1));
    folder.put("nv/image.dat", &jpeg(2));
    folder.put("nv/image.heic", b"not decodable here");
    let source = folder.open().unwrap();
    assert_eq!(source.records.len(), 3);
    assert_eq!(source.problems.len(), 1);
    let report = folder.report();
    assert_eq!((report.kept, report.left_out()), (3, 1));
}

#[test]
fn another_medmnist_set_is_not_taken_for_dermamnist() {
    let images = npy("|u1", "(1, 28, 28, 3)", &[7; 28 * 28 * 3]);
    let labels = npy("|u1", "(1, 1)", &[2]);
    let folder = Folder::new();
    let files: [(&str, &[u8]); 2] = [("train_images.npy", &images), ("train_labels.npy", &labels)];
    folder.put("bloodmnist.npz", &zip_of(&files, Stored));
    let path = folder.path().join("bloodmnist.npz");
    assert!(matches!(Source::open(&path.to_string_lossy()), Err(DataError::Unrecognised { .. })));
}
