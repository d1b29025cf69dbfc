//! Compares the ImageNet encoder with PyTorch's EfficientNet-Lite0, with the published weights in float32
//! (scripts/convert_imagenet_encoder.py).

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

mod formulas;

use std::path::Path;

use dermagan_base::distance::{distance, norm};
use dermagan_base::image::Image;
use dermagan_eval::{Extractor, ImagenetEncoder};
use dermagan_model::weights::from_safetensors;
use formulas::image;

const SIZES: [(usize, usize); 5] = [(64, 64), (128, 96), (160, 160), (420, 310), (300, 40)];

#[test]
fn the_features_are_those_of_pytorch() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/imagenet.safetensors");
    let fixture = from_safetensors("imagenet", &std::fs::read(path).unwrap()).unwrap().weights;
    let encoder = ImagenetEncoder::shipped().unwrap();
    let mut largest = 0.0f64;
    for (width, height) in SIZES {
        let expected = &fixture[&format!("{width}x{height}")].values;
        let found = encoder.extract(&[image(width, height)]).unwrap();
        assert_eq!(found.len(), ImagenetEncoder::DIMS);
        let off = distance(&found, expected) / norm(expected);
        println!("{width}x{height}: {off:.1e}");
        largest = largest.max(off);
    }
    assert!(largest < 1e-3, "off by {largest:.1e} of the norm");
}

#[test]
fn the_row_of_an_image_depends_on_that_image_alone() {
    let encoder = ImagenetEncoder::shipped().unwrap();
    let images: Vec<Image> = (0..35).map(|i| image(20 + i, 40)).collect();
    let rows = encoder.extract(&images).unwrap();
    for i in [0, 31, 34] {
        let alone = encoder.extract(&images[i..=i]).unwrap();
        assert_eq!(rows[i * ImagenetEncoder::DIMS..][..ImagenetEncoder::DIMS], alone);
    }
}

#[test]
fn an_image_without_pixels_is_refused() {
    let encoder = ImagenetEncoder::shipped().unwrap();
    let empty = Image { width: 0, height: 3, pixels: Vec::new() };
    let error = encoder.extract(&[image(64, 64), empty]).unwrap_err().to_string();
    assert!(error.contains("no pixels"), "{error}");
}
