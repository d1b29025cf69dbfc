//! Compares Inception with that of pytorch-fid, on weights and images that both sides compute by one formula
//! (scripts/make_inception_fixture.py).

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

mod formulas;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use dermagan_base::image::Image;
use dermagan_eval::{Extractor, Inception};
use dermagan_model::weights::{Array, Weights, from_safetensors, to_safetensors};
use formulas::{image, random_bits};
use safetensors::SafeTensors;

fn fixture() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(folder.join("inception.safetensors")).unwrap()
}

/// The names and shapes of the tensors in PyTorch.
fn shapes() -> BTreeMap<String, Vec<usize>> {
    let bytes = fixture();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    serde_json::from_str(&header.metadata().as_ref().unwrap()["shapes"]).unwrap()
}

fn weight(name: &str, shape: &[usize]) -> Array {
    let count: usize = shape.iter().product();
    let uniform = random_bits(name, count).map(|bits| (bits >> 40) as f32 / 8_388_608.0 - 1.0);
    let values = if shape.len() > 1 {
        let scale = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt() as f32;
        uniform.map(|value| value * scale).collect()
    } else if name.ends_with("bn.weight") || name.ends_with("running_var") {
        uniform.map(|value| 1.0 + 0.2 * value).collect()
    } else {
        uniform.map(|value| 0.1 * value).collect()
    };
    Array { shape: shape.to_vec(), values }
}

fn weights() -> Weights {
    shapes().iter().map(|(name, shape)| (name.clone(), weight(name, shape))).collect()
}

/// A network from `weights`, loaded from a file.
fn open(weights: &Weights) -> Result<Inception, String> {
    open_bytes(&to_safetensors(weights, "{}".into()).unwrap())
}

fn open_bytes(bytes: &[u8]) -> Result<Inception, String> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("weights");
    std::fs::write(&path, bytes).unwrap();
    Inception::open(&path, &Device::flex()).map_err(|error| error.to_string())
}

/// The largest difference relative to the largest feature, and the mean difference relative to the mean
/// feature.
fn differences(ours: &[f32], expected: &[f32]) -> (f32, f32) {
    assert_eq!((ours.len(), expected.len()), (Inception::DIMS, Inception::DIMS));
    let apart: Vec<f32> = ours.iter().zip(expected).map(|(a, b)| (a - b).abs()).collect();
    let largest = |values: &[f32]| values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let sum = |values: &[f32]| values.iter().map(|v| v.abs()).sum::<f32>();
    (largest(&apart) / largest(expected), sum(&apart) / sum(expected))
}

#[test]
fn features_agree_with_pytorch_fid_and_depend_on_one_image_alone() {
    let inception = open(&weights()).unwrap();
    let expected = from_safetensors("fixture", &fixture()).unwrap().weights;
    let sizes = [(64, 64), (128, 96), (299, 299), (420, 310)];
    let images: Vec<_> = sizes.iter().map(|(width, height)| image(*width, *height)).collect();
    let features = inception.extract(&images).unwrap();
    assert_eq!(features.len(), images.len() * inception.dims());
    for ((width, height), row) in sizes.iter().zip(features.chunks(Inception::DIMS)) {
        let expected = &expected[&format!("{width}x{height}")].values;
        let (largest, mean) = differences(row, expected);
        println!("{width}x{height}: {largest:.1e} of the largest, {mean:.1e} of the mean");
        // The last image is reduced first, and its bytes are rounded slightly differently than in
        // Pillow. A wrong pooling, resize or epsilon differs by 0.8 % or more.
        let limit = if *width > 299 { 2e-3 } else { 2e-5 };
        assert!(largest < limit && mean < limit, "{width}x{height}: {largest} {mean}");
    }
    let alone = inception.extract(&images[1..2]).unwrap();
    assert!(alone == features[Inception::DIMS..2 * Inception::DIMS], "the same bits in any batch");

    let mut huge = weights();
    for (name, array) in &mut huge {
        if name.ends_with("conv.weight") {
            array.values.iter_mut().for_each(|v| *v *= 1e30);
        }
    }
    let error = open(&huge).unwrap().extract(&images[..1]).unwrap_err().to_string();
    assert!(error.contains("not finite"), "{error}");

    assert!(inception.extract(&[]).unwrap().is_empty());
    let empty = Image { width: 0, height: 3, pixels: Vec::new() };
    assert!(inception.extract(&[empty]).unwrap_err().to_string().contains("no pixels"));
    assert!(inception.id().starts_with("inception-2-"), "{}", inception.id());
}

#[test]
fn a_missing_misshapen_or_broken_tensor_is_named() {
    let all = weights();
    let name = "Mixed_6c.branch7x7dbl_3.bn.running_var";
    let without = |change: &dyn Fn(&mut Weights)| {
        let mut weights = all.clone();
        change(&mut weights);
        open(&weights).unwrap_err()
    };
    let missing = without(&|weights| {
        weights.remove(name);
    });
    assert!(missing.contains(&format!("no tensor '{name}'")), "{missing}");
    assert!(missing.contains("scripts/fetch-weights inception"), "{missing}");

    let misshapen = without(&|weights| {
        weights.insert(name.into(), weight(name, &[7]));
    });
    assert!(misshapen.contains(&format!("'{name}' has shape [7], expected [160]")), "{misshapen}");

    let broken = without(&|weights| {
        weights.get_mut(name).unwrap().values[3] = -1.0;
    });
    assert!(broken.contains("'Mixed_6c.branch7x7dbl_3.*'"), "{broken}");

    let torchvision = without(&|weights| {
        weights.insert("fc.weight".into(), weight("fc.weight", &[1000, 2048]));
    });
    assert!(torchvision.contains("torchvision's Inception"), "{torchvision}");
}

#[test]
fn a_truncated_file_and_a_file_without_weights_are_refused() {
    let whole = to_safetensors(&weights(), "{}".into()).unwrap();
    for length in [0, 7, 9, 5000, whole.len() / 2, whole.len() - 1] {
        let refused = open_bytes(&whole[..length]).unwrap_err();
        assert!(refused.contains("scripts/fetch-weights inception"), "{length}: {refused}");
    }
    for other in [
        &b"PK\x03\x04 no archive"[..],
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
        b"hello there",
    ] {
        let refused = open_bytes(other).unwrap_err();
        assert!(refused.contains("scripts/fetch-weights inception"), "{refused}");
    }
    let nowhere = Inception::open(Path::new("nowhere.pth"), &Device::flex()).unwrap_err();
    assert!(nowhere.to_string().contains("no such file"), "{nowhere}");
}
