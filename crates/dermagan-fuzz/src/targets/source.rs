//! Readers of images, tables and archives.

use std::path::Path;

use dermagan_base::image::Image;
use dermagan_base::rng::Keyed;
use dermagan_data::{
    Cache, Filter, Fit, ImageFolder, Options, Source, Summary, examine, prepare, split,
};
use dermagan_eval::GeneratedImages;

use super::device::device;
use crate::scratch::Scratch;

/// The images beside a table, with names that tables of several data sets use.
const NAMES: [&str; 5] =
    ["ISIC_0024306.png", "ISIC_0024307.png", "img3.png", "train0_0.png", "00000/img00000000.png"];
/// The most images of a source that are decoded.
const DECODED: usize = 16;

/// A small image of noise, which no check takes for a mask.
fn photograph(seed: u64) -> Vec<u8> {
    let side = 8;
    let values = Keyed::new(seed, "fuzz", 0).uniforms(side * side * 3, 0.0, 256.0);
    let pixels = values.iter().map(|value| *value as u8).collect();
    Image { width: side, height: side, pixels }.to_png(&[]).unwrap_or_default()
}

/// Does with a source what `data info` and `prepare` do. Images are decoded if `decode` is set.
fn open(scratch: &Scratch, path: &Path, decode: bool) {
    let Ok(source) = Source::open(&path.display().to_string()) else { return };
    if !decode || source.records.len() > DECODED {
        return;
    }
    let options = Options { size: 8, fit: Fit::Crop, filter: Filter::Bilinear };
    if let Ok(examination) = examine(&source, options, &mut |_, _| ()) {
        let _ = Summary::of(&source, &examination);
    }
    let target = scratch.output("prepared.dermagan");
    if let Ok(prepared) = prepare(&source, options, &target, false, &mut |_, _| ()) {
        assert!(prepared.cache.verify().is_empty(), "a new cache is damaged");
        let _ = split::of_header(prepared.cache.header());
    }
    let _ = std::fs::remove_file(target);
}

/// Does with a folder, a zip or an npz what `eval` does with generated images.
pub(super) fn open_generated(path: &Path) {
    let Ok(images) = GeneratedImages::open(path, device(), 0, 64) else { return };
    let _ = (images.notes(), images.describe(), images.sizes(), images.stored_grey());
    for i in 0..images.count().unwrap_or(0).min(DECODED) {
        let _ = images.class(i);
        let _ = images.images(&[i]);
    }
}

/// An image file.
pub fn image(scratch: &Scratch, bytes: &[u8]) {
    scratch.keep("image/b.png", || photograph(1));
    scratch.keep("image/metadata.csv", || b"image_id,dx\na,nv\nb,mel\n".to_vec());
    scratch.put("image/a.jpg", bytes);
    let folder = scratch.path("image");
    open_generated(&folder);
    open(scratch, &folder, true);
}

/// A PNG file with dermagan's text, which says that it is synthetic. One of two images, without a table.
pub fn png_text(scratch: &Scratch, bytes: &[u8]) {
    scratch.keep("png/b.png", || photograph(1));
    scratch.put("png/a.png", bytes);
    let folder = scratch.path("png");
    open_generated(&folder);
    open(scratch, &folder, true);
}

/// A zip with images, tables and zips in it.
pub fn zip(scratch: &Scratch, bytes: &[u8]) {
    let path = scratch.put("source.zip", bytes);
    open_generated(&path);
    open(scratch, &path, true);
}

/// MedMNIST's arrays.
pub fn medmnist_npz(scratch: &Scratch, bytes: &[u8]) {
    let path = scratch.put("dermamnist.npz", bytes);
    open(scratch, &path, true);
}

/// A table of the name `name` beside images. It is found in the folder, and named by the user.
fn table(scratch: &Scratch, name: &str, bytes: &[u8]) {
    for (seed, image) in (0..).zip(NAMES) {
        scratch.keep(&format!("table/{image}"), || photograph(seed));
    }
    let path = scratch.put(&format!("table/{name}"), bytes);
    let folder = scratch.path("table");
    open(scratch, &folder, false);
    open(scratch, &path, false);
}

/// Delimited text: with commas, semicolons or tabs, Excel's `sep=`, UTF-8 or UTF-16.
pub fn csv(scratch: &Scratch, bytes: &[u8]) {
    table(scratch, "metadata.csv", bytes);
    // The labels of generated images are read too.
    let _ = ImageFolder::open(&scratch.path("table"));
}

/// One JSON object per line, as Hugging Face's image folders have it.
pub fn jsonl(scratch: &Scratch, bytes: &[u8]) {
    table(scratch, "metadata.jsonl", bytes);
}

/// StyleGAN's `dataset.json`.
pub fn dataset_json(scratch: &Scratch, bytes: &[u8]) {
    table(scratch, "dataset.json", bytes);
}

/// A column of zeros and ones for each class, as the ISIC challenges have it.
pub fn one_hot(scratch: &Scratch, bytes: &[u8]) {
    table(scratch, "ISIC_2019_Training_GroundTruth.csv", bytes);
}

/// A table without names of columns, as MedMNIST writes it beside its images.
pub fn headerless(scratch: &Scratch, bytes: &[u8]) {
    table(scratch, "dermamnist.csv", bytes);
}

/// A file of prepared images.
pub fn cache(scratch: &Scratch, bytes: &[u8]) {
    let path = scratch.put("some.dermagan", bytes);
    if let Ok(cache) = Cache::open(&path) {
        let _ = cache.verify();
        let _ = split::of_header(cache.header());
        let _ = cache.image(cache.len() - 1);
    }
    let _ = dermagan_train::describe(&path, None);
    // A file that begins like a cache is refused as a source with a hint.
    open(scratch, &path, false);
}
