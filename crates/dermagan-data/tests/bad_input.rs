//! Every kind of bad input is counted or refused. None causes a panic, and nothing is left out silently.

mod common;

use common::*;
use dermagan_data::ProblemKind::{self, *};
use dermagan_data::{Cache, DataError, Source};
use sha2::{Digest, Sha256};
use zip::CompressionMethod::{Deflated, Stored};

/// The report's counts by kind.
fn counts(folder: &Folder) -> Vec<(ProblemKind, usize)> {
    folder.report().problems.iter().map(|(kind, tally)| (*kind, tally.count)).collect()
}

#[test]
fn a_row_without_an_image_is_counted() {
    let folder = Folder::ham(3);
    std::fs::remove_file(folder.path().join("HAM10000_images_part_1/ISIC_0000002.jpg")).unwrap();
    assert_eq!(counts(&folder), [(MissingImage, 1)]);
    assert_eq!(folder.report().kept, 2);
}

#[test]
fn an_image_without_a_row_is_counted() {
    let folder = Folder::ham(2);
    folder.put("HAM10000_images_part_2/ISIC_0000099.jpg", &jpeg(9));
    assert_eq!(counts(&folder), [(ImageWithoutRow, 1)]);
}

#[test]
fn an_unknown_diagnosis_and_a_repeated_id_are_counted_once_each() {
    let folder = Folder::ham(2);
    let text = format!(
        "{HEADER}\n{}\n{}\n{}\n{}\n",
        row(0, "nv"),
        row(1, "mel"),
        row(1, "mel"),
        row(5, "zzz")
    );
    folder.put("HAM10000_metadata.csv", text.as_bytes());
    folder.put("HAM10000_images_part_1/ISIC_0000005.jpg", &jpeg(5));
    assert_eq!(counts(&folder), [(UnknownClass, 1), (EqualRows, 1)]);
}

#[test]
fn a_jpeg_that_is_truncated_anywhere_is_left_out() {
    let good = fixture("progressive.jpg");
    for cut in [1, 10, good.len() / 3, good.len() / 2, good.len() - 5] {
        let folder = Folder::ham(2);
        folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", &good[..cut]);
        let report = folder.report();
        assert_eq!((report.kept, report.left_out()), (1, 1), "cut at {cut}");
    }
    // Only the end marker is missing.
    for cut in [1, 2] {
        let folder = Folder::ham(2);
        folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", &good[..good.len() - cut]);
        assert_eq!(counts(&folder), [(NoEndMarker, 1)]);
    }
    let folder = Folder::ham(2);
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", &jpeg(0)[..600]);
    assert_eq!(counts(&folder), [(Truncated, 1)]);
}

#[test]
fn a_truncated_png_is_left_out() {
    let folder = Folder::ham(2);
    let png = encoded(0, image::ImageFormat::Png);
    std::fs::remove_file(folder.path().join("HAM10000_images_part_1/ISIC_0000000.jpg")).unwrap();
    folder.put("HAM10000_images_part_1/ISIC_0000000.png", &png[..png.len() / 2]);
    assert_eq!(folder.report().left_out(), 1);
}

#[test]
fn an_empty_file_is_counted() {
    let folder = Folder::ham(2);
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", b"");
    assert_eq!(counts(&folder), [(EmptyFile, 1)]);
}

#[test]
fn a_file_that_is_not_an_image_is_counted() {
    let folder = Folder::ham(2);
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", b"<html>404 Not Found</html>");
    assert_eq!(counts(&folder), [(NotDownloaded, 1)]);
}

/// A PNG whose header claims 60,000×60,000 pixels in a few bytes.
fn bomb() -> Vec<u8> {
    let mut bytes = Vec::new();
    {
        let mut encoder = png::Encoder::new(&mut bytes, 60_000, 60_000);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().unwrap();
        writer
            .write_chunk(png::chunk::IDAT, &[0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01])
            .unwrap();
    }
    bytes
}

#[test]
fn a_decompression_bomb_is_refused_before_it_is_unpacked() {
    let folder = Folder::ham(2);
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", &bomb());
    assert_eq!(counts(&folder), [(TooLarge, 1)]);
    // A zip entry of 200 MiB of zeros, which compress to a few hundred kilobytes.
    let zeros = vec![0u8; 200 << 20];
    let text = table(2);
    let files: [(&str, &[u8]); 3] = [
        ("m.csv", text.as_bytes()),
        ("i/ISIC_0000000.jpg", &zeros),
        ("i/ISIC_0000001.jpg", &jpeg(1)),
    ];
    let outer = Folder::new();
    outer.put("h.zip", &zip_of(&files, Deflated));
    let source = Source::open(&outer.path().join("h.zip").to_string_lossy()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let report =
        prepare_to(&source, &out.path().join("c"), false).unwrap().cache.header().report.clone();
    assert_eq!(report.problems.keys().collect::<Vec<_>>(), [&TooLarge]);
}

#[test]
fn a_png_named_jpg_is_read_by_its_content_and_noted() {
    let folder = Folder::ham(2);
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", &encoded(0, image::ImageFormat::Png));
    let report = folder.report();
    assert_eq!(counts(&folder), [(WrongExtension, 1)]);
    assert_eq!((report.kept, report.left_out()), (2, 0));
}

#[test]
fn grey_cmyk_sixteen_bit_and_rotated_images_become_upright_rgb() {
    let folder = Folder::new();
    let names =
        ["plain.jpg", "grey.jpg", "cmyk.jpg", "sixteen.png", "turned.jpg", "progressive.jpg"];
    let rows: Vec<String> = names
        .iter()
        .map(|n| format!("L,{},nv,histo,40,male,back", n.split('.').next().unwrap()))
        .collect();
    folder.put("m.csv", format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes());
    names.iter().for_each(|name| folder.put(&format!("i/{name}"), &fixture(name)));
    let (prepared, _out) = folder.prepare();
    let cache = prepared.cache;
    assert_eq!(
        (cache.len(), cache.header().report.left_out()),
        (6, 0),
        "{}",
        cache.header().report
    );
    let pixel = |name: &str, x: usize, y: usize| -> [i32; 3] {
        let i = cache.header().records.iter().position(|r| r.image_id == name).unwrap();
        let at = (y * 16 + x) * 3;
        [0, 1, 2].map(|c| i32::from(cache.pixels(i)[at + c]))
    };
    let near = |a: [i32; 3], b: [i32; 3], what: &str| {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 24), "{what}: {a:?} and {b:?}");
    };
    near(pixel("cmyk", 3, 12), pixel("plain", 3, 12), "cmyk");
    near(pixel("progressive", 3, 12), pixel("plain", 3, 12), "progressive");
    let grey = pixel("grey", 8, 8);
    assert_eq!((grey[0], grey[1]), (grey[1], grey[2]));
    // The upper 8 of 16 bits are kept: in this image, red increases from left to right.
    assert!(pixel("sixteen", 14, 8)[0] > pixel("sixteen", 1, 8)[0] + 60);
    // EXIF orientation 6 rotates by a quarter turn clockwise: the left edge moves to the top.
    near(pixel("turned", 15 - 12, 3), pixel("plain", 3, 12), "turned");
}

#[test]
fn entries_whose_paths_point_outside_the_archive_are_counted_and_not_unpacked() {
    let text = table(1);
    let files: [(&str, &[u8]); 6] = [
        ("m.csv", text.as_bytes()),
        ("i/ISIC_0000000.jpg", &jpeg(0)),
        ("../../ISIC_0000001.jpg", &jpeg(1)),
        ("/etc/ISIC_0000002.jpg", &jpeg(2)),
        ("C:\\x\\ISIC_0000003.jpg", &jpeg(3)),
        ("__MACOSX/i/._ISIC_0000000.jpg", b"junk"),
    ];
    let folder = Folder::new();
    folder.put("in/h.zip", &zip_of(&files, Stored));
    let source = Source::open(&folder.path().join("in/h.zip").to_string_lossy()).unwrap();
    let odd = source.problems.iter().filter(|p| p.kind == OddPath).count();
    assert_eq!(
        (source.records.len(), odd, source.problems.len()),
        (1, 3, 4),
        "{:?}",
        source.problems
    );
    let inside: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(inside.len(), 1, "nothing was unpacked");
}

#[test]
fn a_truncated_or_invalid_zip_is_an_error_that_names_it() {
    let text = table(1);
    let good = zip_of(&[("m.csv", text.as_bytes()), ("ISIC_0000000.jpg", &jpeg(0))], Deflated);
    let folder = Folder::new();
    for (name, bytes) in
        [("cut.zip", &good[..good.len() - 30]), ("bad.zip", &b"PK\x03\x04garbage"[..])]
    {
        folder.put(name, bytes);
        let error =
            Source::open(&folder.path().join(name).to_string_lossy()).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    // Damage inside: the entry's checksum does not match, so the image is left out.
    let mut damaged = zip_of(&[("m.csv", text.as_bytes()), ("ISIC_0000000.jpg", &jpeg(0))], Stored);
    let at = damaged.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap() + 40;
    damaged[at] ^= 0x55;
    folder.put("damaged.zip", &damaged);
    let source = Source::open(&folder.path().join("damaged.zip").to_string_lossy()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let error = prepare_to(&source, &out.path().join("c"), false).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
}

#[test]
fn kaggles_duplicate_folders_are_accepted_but_two_different_files_are_a_problem() {
    let folder = Folder::ham(2);
    folder.put("ham10000_images_part_1/ISIC_0000000.jpg", &jpeg(0));
    assert_eq!(counts(&folder), [(SameFile, 1)]);
    folder.put("ham10000_images_part_1/ISIC_0000000.jpg", &jpeg(77));
    let error = folder.open().map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("different images with one id") && error.contains("remove one"),
        "{error}"
    );
}

#[test]
fn strict_turns_every_problem_into_an_error_and_leaves_no_cache() {
    let folder = Folder::ham(3);
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("c.dermagan");
    assert!(prepare_to(&folder.open().unwrap(), &target, true).is_ok());
    std::fs::remove_file(&target).unwrap();
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", b"");
    let error = prepare_to(&folder.open().unwrap(), &target, true).unwrap_err();
    assert!(matches!(error, DataError::Strict(_)), "{error}");
    assert!(error.to_string().contains("ISIC_0000000"), "{error}");
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
    // An existing cache that was made without `strict` does not hide the problem.
    prepare_to(&folder.open().unwrap(), &target, false).unwrap();
    assert!(prepare_to(&folder.open().unwrap(), &target, true).is_err());
}

#[test]
fn a_source_without_a_usable_image_is_an_error_with_the_reasons() {
    let folder = Folder::ham(1);
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", b"");
    let out = tempfile::tempdir().unwrap();
    let error = prepare_to(&folder.open().unwrap(), &out.path().join("c"), false).unwrap_err();
    assert!(error.to_string().contains("empty file"), "{error}");
}

#[test]
fn a_truncated_changed_or_newer_cache_is_refused() {
    let (prepared, out) = Folder::ham(3).prepare();
    let path = prepared.cache.path().to_owned();
    drop(prepared);
    let good = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8], why: &str| {
        let bad = out.path().join("bad.dermagan");
        std::fs::write(&bad, bytes).unwrap();
        let error = Cache::open(&bad).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("prepare it again"), "{error}");
    };
    refused(&good[..good.len() - 1], "length");
    refused(&good[..40], "too short");
    refused(
        b"something else, long enough to be looked at for the magic word, really",
        "not a dermagan cache",
    );
    let mut newer = good.clone();
    newer[8] = 9;
    refused(&newer, "format 9");
    let mut changed = good.clone();
    let last = changed.len() - 5;
    changed[last] ^= 1;
    refused(&changed, "checksum");
    // A hostile cache: the names of classes become names of files.
    let mut made = good.clone();
    let word = |at: usize| u64::from_le_bytes(good[at..at + 8].try_into().unwrap()) as usize;
    let header = word(24)..word(24) + word(32);
    let code = br#""akiec""#;
    let at = good[header.clone()].windows(code.len()).position(|here| here == code).unwrap();
    made[header.start + at..][..code.len()].copy_from_slice(br#""/etc/""#);
    let hash = Sha256::digest(&made[header]);
    made[40..48].copy_from_slice(&hash[..8]);
    refused(&made, "/etc/");
    // Changed pixels are found when all are checked, and when some are checked before their use.
    let mut flipped = good.clone();
    flipped[4096 + 5] ^= 1;
    let bad = out.path().join("flipped.dermagan");
    std::fs::write(&bad, flipped).unwrap();
    let flipped = Cache::open(&bad).unwrap();
    assert_eq!(flipped.verify(), [0]);
    assert!(flipped.verified(&[1, 2]).is_ok());
    let error = flipped.verified(&[2, 0]).unwrap_err().to_string();
    assert!(error.contains("ISIC_0000000") && error.contains("flipped.dermagan"), "{error}");
}

#[test]
fn prepare_refuses_to_overwrite_a_file_that_is_not_a_cache() {
    let folder = Folder::ham(1);
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("thesis.docx");
    std::fs::write(&target, b"years of work").unwrap();
    assert!(prepare_to(&folder.open().unwrap(), &target, false).is_err());
    assert_eq!(std::fs::read(&target).unwrap(), b"years of work");
}

#[test]
fn oversized_tables_are_refused_before_they_fill_the_memory() {
    let refused = |text: Vec<u8>, why: &str| {
        let folder = Folder::ham(1);
        folder.put("HAM10000_metadata.csv", &text);
        let error = folder.open().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("HAM10000_metadata.csv"), "{error}");
    };
    let rows = |row: &str, n: usize| format!("{HEADER}\n{}", row.repeat(n)).into_bytes();
    refused(rows("x\n", 2_000_000), "rows");
    refused(rows(",,,,,,,,,,,,,,,", 2 << 20), "MB");
    refused(format!("{HEADER}{}\n", ",x".repeat(100)).into_bytes(), "columns");
    // A row with a million empty cells is skipped.
    let folder = Folder::ham(2);
    folder
        .put("HAM10000_metadata.csv", format!("{}{}\n", table(2), ",".repeat(1 << 20)).as_bytes());
    assert_eq!(counts(&folder), []);
}

#[test]
fn an_image_with_too_many_bytes_is_refused_even_if_its_pixels_are_few_enough() {
    let folder = Folder::ham(2);
    let mut bytes = Vec::new();
    {
        let mut encoder = png::Encoder::new(&mut bytes, 6000, 6000);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Sixteen);
        let mut writer = encoder.write_header().unwrap();
        writer.write_chunk(png::chunk::IDAT, &[0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]).unwrap();
    }
    folder.put("HAM10000_images_part_1/ISIC_0000000.png", &bytes);
    std::fs::remove_file(folder.path().join("HAM10000_images_part_1/ISIC_0000000.jpg")).unwrap();
    assert_eq!(counts(&folder), [(TooLarge, 1)]);
}

#[test]
fn a_jpeg_with_a_wrong_marker_in_its_image_data_is_left_out() {
    let mut bytes = jpeg(0);
    let at = bytes.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap() + 60;
    // A start-of-frame marker where only image data are allowed.
    bytes.splice(at..at, [0xff, 0xc0]);
    let folder = Folder::ham(2);
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", &bytes);
    assert_eq!(counts(&folder), [(Truncated, 1)]);
}

/// The examples of a kind, and the account as text.
fn found(folder: &Folder, kind: ProblemKind) -> (Vec<String>, String) {
    let report = folder.report();
    let examples = report.problems.get(&kind).map(|tally| tally.examples.clone());
    (examples.unwrap_or_default(), report.to_string())
}

fn strictly(folder: &Folder) -> Result<(), DataError> {
    let out = tempfile::tempdir().unwrap();
    prepare_to(&folder.open()?, &out.path().join("c"), true).map(|_| ())
}

/// A folder with two images and a table of this text.
fn with_table(text: &str) -> Folder {
    let folder = Folder::ham(2);
    folder.put("HAM10000_metadata.csv", text.as_bytes());
    folder
}

#[test]
fn of_two_columns_of_diagnoses_the_used_one_is_named_and_rows_that_disagree_are_counted() {
    let folder =
        with_table("image_id,dx,diagnosis\nISIC_0000000,nv,Melanoma\nISIC_0000001,mel,melanoma\n");
    let (examples, text) = found(&folder, DisagreeingColumns);
    assert_eq!(examples, ["HAM10000_metadata.csv line 2: dx 'nv', diagnosis 'Melanoma'"]);
    let used = "its classes are those of column 2 ('dx'), not column 3 ('diagnosis')";
    assert!(text.contains(used) && text.contains("1  warn  row whose columns"), "{text}");
    let error = strictly(&folder).unwrap_err().to_string();
    assert!(error.contains("lines with `out` and `warn`"), "{error}");

    // The same in other words is no contradiction.
    let folder =
        with_table("image_id,dx,diagnosis\nISIC_0000000,nv,Nevus\nISIC_0000001,mel,melanoma\n");
    let (examples, text) = found(&folder, DisagreeingColumns);
    assert!(examples.is_empty() && text.contains(used), "{text}");
    strictly(&folder).unwrap();
}

#[test]
fn of_two_columns_of_one_name_the_used_one_is_named() {
    let folder =
        with_table("image_id,dx,age,dx,age\nISIC_0000000,nv,40,nv,50\nISIC_0000001,mel,40,nv,50\n");
    let (examples, text) = found(&folder, DisagreeingColumns);
    assert_eq!(examples, ["HAM10000_metadata.csv line 3: dx 'mel', dx 'nv'"]);
    assert!(text.contains("column 2 ('dx'), not column 4 ('dx')"), "{text}");
    assert!(text.contains("column 3 ('age') was used, not column 5 ('age')"), "{text}");
}

#[test]
fn identical_images_of_two_classes_are_refused_by_a_strict_preparation() {
    let folder = Folder::ham(3);
    let rows = [row(0, "nv"), row(1, "mel"), row(2, "nv")].join("\n");
    folder.put("HAM10000_metadata.csv", format!("{HEADER}\n{rows}\n").as_bytes());
    folder.put("HAM10000_images_part_2/ISIC_0000001.jpg", &jpeg(0));
    let (examples, text) = found(&folder, TwoClasses);
    assert_eq!(examples, ["ISIC_0000000 (nv) = ISIC_0000001 (mel)"]);
    assert!(text.contains("1  warn  identical images under different classes"), "{text}");
    assert!(matches!(strictly(&folder), Err(DataError::Strict(_))));
    // In one class they are a note.
    folder.put("HAM10000_metadata.csv", table(3).as_bytes());
    assert_eq!(counts(&folder), []);
    strictly(&folder).unwrap();
}

#[test]
fn a_table_that_contradicts_the_folders_of_its_images_is_said() {
    let folder = Folder::new();
    let rows: Vec<String> = (0..6).map(|n| row(n, if n < 4 { "nv" } else { "mel" })).collect();
    folder.put("metadata.csv", format!("{HEADER}\n{}\n", rows.join("\n")).as_bytes());
    for n in 0..6 {
        let class = if n < 3 { "nv" } else { "melanoma" };
        folder.put(&format!("{class}/{}.jpg", id(n)), &jpeg(n as u8));
    }
    let (examples, text) = found(&folder, DisagreeingFolder);
    assert_eq!(examples, ["melanoma/ISIC_0000003.jpg (nv by its table, not melanoma)"]);
    assert!(text.contains("the table counts"), "{text}");
    // The name of a project says nothing about its images.
    let folder = Folder::new();
    folder.put("melanoma-project/metadata.csv", table(2).as_bytes());
    (0..2).for_each(|n| {
        folder.put(&format!("melanoma-project/images/{}.jpg", id(n)), &jpeg(n as u8))
    });
    assert_eq!(counts(&folder), []);
}

#[test]
fn the_line_of_a_broken_row_is_named() {
    let error = |text: &str| with_table(text).open().map(|_| ()).unwrap_err().to_string();
    let quote = error("image_id,dx\n\nISIC_0000000,\"nv\nISIC_0000001,nv\n");
    assert!(quote.contains("line 3: a quote is opened and not closed"), "{quote}");
    let header = error("\nISIC_0000000;1;2\nISIC_0000001;3;4\n");
    assert!(header.contains("HAM10000_metadata.csv"), "{header}");
    let unknown = error("\nname,what\nISIC_0000000,1\nISIC_0000001,2\n");
    assert!(unknown.contains("has the columns name, what in line 2"), "{unknown}");
    let folder = with_table("image_id,dx\nISIC_0000000,nv\nISIC_0000001,nv,left, arm\n");
    let (examples, _) = found(&folder, ExtraCells);
    assert_eq!(examples, ["HAM10000_metadata.csv line 3: found 4 cells, expected 2"]);
}

#[test]
#[cfg(unix)]
fn links_pipes_and_files_of_data_are_counted_by_kind() {
    use std::os::unix::fs::symlink;

    let folder = Folder::ham(2);
    let at = |name: &str| folder.path().join(name);
    symlink(".", at("circle")).unwrap();
    symlink("loop_b", at("loop_a")).unwrap();
    symlink("loop_a", at("loop_b")).unwrap();
    symlink("HAM10000_images_part_1", at("a_link")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    for name in ["x.mat", "x.pkl", "x.npy", "HAM10000_images_part_1/x.npy"] {
        folder.put(name, b"data");
    }
    folder.put("x.heic", b"data");
    folder.put("x.h5", b"\x89HDF\r\n\x1a\n");
    let report = folder.report();
    let found: Vec<(ProblemKind, usize)> =
        report.problems.iter().map(|(kind, tally)| (*kind, tally.count)).collect();
    let expected = [(DataFile, 4), (UnreadImage, 1), (UnfollowedLink, 4), (SpecialFile, 1)];
    assert_eq!(found, expected, "{report}");
    assert_eq!(report.kept, 2);
    assert!(report.tables.iter().any(|table| table.path == "x.h5"), "{report}");
    // Beside the images of a class they are in one line as well.
    let folder = Folder::new();
    (0..4).for_each(|n| folder.put(&format!("{}/{n}.jpg", ["mel", "nv"][n % 2]), &jpeg(n as u8)));
    folder.put("mel/x.npy", b"data");
    folder.put("y.npy", b"data");
    assert_eq!(counts(&folder), [(NotAnImage, 1), (DataFile, 1)]);
}

#[test]
fn the_advice_to_take_folders_for_classes_is_given_only_where_that_gives_classes() {
    let advice = "classes_from_folders";
    let error = |at: &[&str]| {
        let folder = Folder::new();
        for (n, at) in (0..).zip(at.iter().cycle()).take(6) {
            folder.put(&format!("{at}/{}.jpg", id(n)), &jpeg(n as u8));
        }
        folder.put("list.csv", b"name,what\nISIC_0000000,1\nISIC_0000001,2\n");
        folder.open().map(|_| ()).unwrap_err().to_string()
    };
    for only in [&["images"][..], &["HAM10000_images_part_1"]] {
        assert!(!error(only).contains(advice), "{}", error(only));
    }
    for several in [&["mel", "nv"][..], &["one"], &["part_1", "part_2"]] {
        assert!(error(several).contains(advice), "{}", error(several));
    }
}

#[test]
fn a_name_in_the_other_unicode_form_is_named() {
    let folder = Folder::new();
    folder.put("m.csv", "image_id,dx\nn\u{e6}vus-\u{e9}1,nv\nb,mel\nc,nv\n".as_bytes());
    folder.put("n\u{e6}vus-e\u{301}1.jpg", &jpeg(0));
    folder.put("b.jpg", &jpeg(1));
    folder.put("c.jpg", &jpeg(2));
    let (examples, text) = found(&folder, MissingImage);
    assert!(examples[0].contains("the other Unicode form"), "{text}");
}
