//! What an image file holds decides whether it is trained on: whole images are kept, and what is no photograph, or
//! no image at all, is left out with its reason.

mod common;

use common::*;
use dermagan_data::ProblemKind::{self, *};
use dermagan_data::Report;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// The report on a folder with one good image and this file.
fn report_with(bytes: &[u8]) -> Report {
    let folder = Folder::ham(2);
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", bytes);
    folder.report()
}

/// Number of images kept, the kinds of problems, and their examples in one string.
fn outcome(bytes: &[u8]) -> (usize, Vec<ProblemKind>, String) {
    let report = report_with(bytes);
    let kinds = report.problems.keys().copied().filter(|&kind| kind != WrongExtension).collect();
    let examples = report.problems.values().flat_map(|tally| tally.examples.clone());
    (report.kept, kinds, examples.collect())
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn an_image_of_which_only_the_end_marker_is_missing_is_kept_with_a_note() {
    let whole = jpeg(0);
    for missing in [1, 2] {
        let (kept, kinds, example) = outcome(&whole[..whole.len() - missing]);
        assert_eq!((kept, kinds), (2, vec![NoEndMarker]), "{missing} bytes missing");
        assert_eq!(example, "HAM10000_images_part_1/ISIC_0000000.jpg");
    }
    // The same pixels are prepared as of the whole file.
    let folder = Folder::ham(2);
    let expected = folder.prepare().0.cache.pixels(0).to_vec();
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", &whole[..whole.len() - 2]);
    assert_eq!(folder.prepare().0.cache.pixels(0), expected);
}

#[test]
fn an_image_with_missing_rows_is_left_out_even_if_it_has_an_end_marker() {
    let whole = jpeg(0);
    let half = whole.len() - 200;
    for end in [&[][..], &[0xff, 0xd9]] {
        let (kept, kinds, example) = outcome(&[&whole[..half], end].concat());
        assert_eq!((kept, kinds), (1, vec![Truncated]));
        assert!(example.contains("image data end at pixel row"), "{example}");
    }
}

#[test]
fn answers_of_servers_and_pointers_are_not_called_damaged_images() {
    for (bytes, what) in [
        (&b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"[..], "an XML answer"),
        (b"<!DOCTYPE html><html>Quota exceeded</html>", "an HTML page"),
        (b"{\"error\": 403}", "a JSON answer"),
        (b"Access denied", "text (\u{201c}Access denied\u{201d})"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 2\n", "git lfs pull"),
    ] {
        let (kept, kinds, example) = outcome(bytes);
        assert_eq!((kept, kinds), (1, vec![NotDownloaded]), "{example}");
        assert!(example.contains(what), "{example}");
    }
}

#[test]
fn what_is_no_photograph_is_left_out_with_its_reason() {
    let flat = png(RgbImage::from_pixel(40, 30, Rgb([200, 150, 120])));
    let mask = png(RgbImage::from_fn(40, 30, |x, _| Rgb([255 * u8::from(x > 15); 3])));
    let clear = png(RgbaImage::from_fn(40, 30, |x, y| Rgba([x as u8 * 6, y as u8 * 8, 9, 0])));
    for (bytes, kind) in [(flat, OneColour), (mask, TwoColours), (clear, Transparent)] {
        let (kept, kinds, _) = outcome(&bytes);
        assert_eq!((kept, kinds), (1, vec![kind]));
    }
    let mut made = Vec::new();
    let mut encoder = png::Encoder::new(&mut made, 2, 2);
    encoder.add_text_chunk("Software".into(), "dermagan 0.1.0".into()).unwrap();
    encoder.write_header().unwrap().write_image_data(&[1, 2, 3, 4]).unwrap();
    let (kept, kinds, example) = outcome(&made);
    assert_eq!((kept, kinds), (1, vec![Synthetic]));
    assert!(example.contains("names dermagan"), "{example}");
}

#[test]
fn a_cut_out_photograph_is_composited_on_white_and_kept_with_a_note() {
    let cut_out = RgbaImage::from_fn(40, 30, |x, y| {
        let inside = (8..32).contains(&x);
        Rgba([x as u8 * 6, y as u8 * 8, 9, 255 * u8::from(inside)])
    });
    let folder = Folder::ham(2);
    folder.put("HAM10000_images_part_1/ISIC_0000000.jpg", &png(cut_out));
    let (prepared, _out) = folder.prepare();
    let report = &prepared.cache.header().report;
    assert_eq!((report.kept, report.problems[&Composited].count), (2, 1), "{report}");
    // The left edge of the central square is white; its middle is not.
    assert!(prepared.cache.pixels(0)[..3].iter().all(|&level| level > 230));
    assert!(prepared.cache.pixels(0)[8 * 3 + 2] < 60);
}
