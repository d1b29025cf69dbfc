//! Weights are exchanged with PyTorch's files in both directions, and hostile files are errors.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_model::weights::{from_safetensors, to_safetensors};
use dermagan_model::{Backbone, Card, Discriminator, Generator, Init, ModelConfig, ModelFile};
use dermagan_model::{Network, tensor::to_vec};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

const SMALL: ModelConfig = ModelConfig {
    backbone: Backbone::Dcgan,
    classes: 0,
    resolution: 64,
    z_dim: 16,
    noise: false,
    g_width: 4,
    d_width: 4,
    projected: false,
};

fn card(model: ModelConfig) -> Card {
    Card {
        format: Card::FORMAT,
        kind: "generator".into(),
        producer: "test".into(),
        model,
        data: "phantom".into(),
        licence: "none".into(),
        classes: vec!["nv".into()],
        class_images: Vec::new(),
        condition: 1.0,
        turns: false,
        preset: "tiny".into(),
        nimg: 0,
    }
}

#[test]
fn a_generator_saved_by_pytorch_makes_the_same_images_here() {
    let model = ModelFile::open(&data("generator.pth")).unwrap();
    assert_eq!(model.config, SMALL);
    let fixture = std::fs::read(data("pictures.safetensors")).unwrap();
    let fixture = from_safetensors("images", &fixture).unwrap().weights;
    let device = Device::flex();
    let z: Tensor<2> =
        Tensor::from_data(TensorData::new(fixture["z"].values.clone(), [4, 16]), &device);
    let drawn = model.generator(&device).unwrap().forward(z, None);
    let n = drawn.shape().num_elements();
    let drawn = to_vec(drawn.reshape([n]));
    let expected = &fixture["pictures"].values;
    let worst = drawn.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "largest difference of a pixel: {worst}");
}

#[test]
fn layers_have_the_names_of_pytorchs_dcgan_example() {
    let device = Device::flex();
    let names = |parameters: Vec<dermagan_model::Parameter>| -> Vec<String> {
        parameters.into_iter().filter(|p| p.shape.len() == 4).map(|p| p.name).collect()
    };
    let weights = |n: &[usize]| n.iter().map(|i| format!("main.{i}.weight")).collect::<Vec<_>>();
    let generator = Generator::new(&SMALL, &device);
    assert_eq!(names(generator.parameters()), weights(&[0, 3, 6, 9, 12]));
    let discriminator = Discriminator::new(&SMALL, &device);
    assert_eq!(names(discriminator.parameters()), weights(&[0, 2, 5, 8, 11]));
    let norms: Vec<String> = discriminator.parameters().into_iter().map(|p| p.name).collect();
    assert!(
        norms.contains(&"main.3.running_var".to_owned())
            && norms.contains(&"main.9.bias".to_owned())
    );
}

#[test]
fn a_generator_file_has_the_same_bytes_every_time_and_reads_back_equal() {
    let device = Device::flex();
    for resolution in [32, 64, 128, 256] {
        let config = ModelConfig { resolution, ..SMALL };
        let weights = Init::Dcgan.generator(&config, 7, &device).to_weights();
        let bytes = ModelFile::to_bytes(&weights, &card(config)).unwrap();
        assert_eq!(bytes, ModelFile::to_bytes(&weights, &card(config)).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("g.safetensors");
        std::fs::write(&path, bytes).unwrap();
        let model = ModelFile::open(&path).unwrap();
        assert_eq!((model.config, model.weights), (config, weights));
    }
}

#[test]
fn a_residual_generator_without_its_card_is_refused_and_the_error_says_what_is_missing() {
    let config = ModelConfig { backbone: Backbone::Residual, noise: true, resolution: 32, ..SMALL };
    let weights = Init::He.generator(&config, 7, &Device::flex()).to_weights();
    let bytes = to_safetensors(&weights, "{}".into()).unwrap();
    let key = b"\"dermagan\"";
    let at = bytes.windows(key.len()).position(|w| w == key).unwrap();
    let mut foreign = bytes;
    foreign[at..at + key.len()].copy_from_slice(b"\"another_\"");
    let error = ModelFile::from_bytes("g", &foreign).unwrap_err().to_string();
    assert!(error.contains("read with its card only"), "{error}");
    assert!(error.contains("metadata=safe_open(\"ORIGINAL\", \"pt\").metadata())"), "{error}");
}

#[test]
fn a_card_says_whether_images_get_random_orientations_and_the_default_is_no() {
    let weights = Init::Dcgan.generator(&SMALL, 7, &Device::flex()).to_weights();
    for turns in [false, true] {
        let bytes = ModelFile::to_bytes(&weights, &Card { turns, ..card(SMALL) }).unwrap();
        assert_eq!(bytes.windows(5).any(|word| word == b"turns"), turns);
        let model = ModelFile::from_bytes("g", &bytes).unwrap();
        assert_eq!(model.card.unwrap().turns, turns);
    }
}

#[test]
fn any_prefix_and_any_layer_numbers_are_accepted() {
    let weights = Init::Pytorch.generator(&SMALL, 7, &Device::flex()).to_weights();
    let renamed = weights.iter().map(|(name, array)| {
        let (_, rest) = name.split_once('.').unwrap();
        let (index, leaf) = rest.split_once('.').unwrap();
        (format!("module.net.{}.{leaf}", index.parse::<usize>().unwrap() + 5), array.clone())
    });
    let bytes = to_safetensors(&renamed.collect(), "{}".into()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("g.safetensors");
    // As another program would write the file: without our metadata.
    let key = b"{\"__metadata__\":{\"dermagan\":\"{}\"}";
    let at = bytes.windows(key.len()).position(|w| w == key).unwrap();
    let mut foreign = bytes.clone();
    foreign[at..at + key.len()].copy_from_slice(b"{\"__metadata__\":{\"another_\":\"{}\"}");
    std::fs::write(&path, foreign).unwrap();
    let model = ModelFile::open(&path).unwrap();
    assert_eq!((model.config, model.weights), (SMALL, weights));
    assert!(model.card.is_none());
}

#[test]
fn a_broken_foreign_or_hostile_weights_file_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("g.safetensors");
    let weights = Init::Dcgan.generator(&SMALL, 7, &Device::flex()).to_weights();
    let good = ModelFile::to_bytes(&weights, &card(SMALL)).unwrap();
    let refused = |bytes: &[u8], why: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = ModelFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("g.safetensors"), "{error}");
        assert!(error.contains(why), "expected '{why}' in: {error}");
    };
    refused(b"", "found an empty file");
    refused(&good[..good.len() / 2], &format!("cut off: it has {} bytes", good.len() / 2));
    refused(b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "not a whole safetensors file");
    refused(b"PK\x03\x04 but nothing behind it", "the file is cut off: it has 26 bytes");
    let newer = Card { format: 99, ..card(SMALL) };
    refused(&ModelFile::to_bytes(&weights, &newer).unwrap(), "newer dermagan");
    let checkpoint = Card { kind: "checkpoint".into(), ..card(SMALL) };
    refused(&ModelFile::to_bytes(&weights, &checkpoint).unwrap(), "not a generator");
    let other = Card { kind: "x".repeat(100_000), ..card(SMALL) };
    refused(&ModelFile::to_bytes(&weights, &other).unwrap(), "xx…', not a generator");
    let twice = Card { classes: vec!["mel".into(), "Mel".into()], ..card(SMALL) };
    refused(&ModelFile::to_bytes(&weights, &twice).unwrap(), "names class Mel twice");
    let huge = ModelConfig { g_width: 1 << 40, ..SMALL };
    refused(&ModelFile::to_bytes(&weights, &card(huge)).unwrap(), "width");
    let mut beyond = card(SMALL);
    beyond.condition = 1e300;
    refused(&ModelFile::to_bytes(&weights, &beyond).unwrap(), "condition");
    let mut classes = card(ModelConfig { backbone: Backbone::Residual, classes: 9, ..SMALL });
    classes.classes = vec!["mel".into()];
    refused(&ModelFile::to_bytes(&weights, &classes).unwrap(), "9 classes");
    for name in ["", "/etc/x", "a/../../b", "a\\b", "\x1b[2J", &"x".repeat(300)] {
        let named = Card { classes: vec![name.into()], ..card(SMALL) };
        refused(&ModelFile::to_bytes(&weights, &named).unwrap(), "names a class");
    }
    let conditional = ModelConfig { backbone: Backbone::Residual, classes: 2, ..SMALL };
    for images in [vec![1], vec![0, 0], vec![u64::MAX, 1]] {
        let two = vec!["mel".into(), "nv".into()];
        let counted = Card { classes: two, class_images: images, ..card(conditional) };
        refused(&ModelFile::to_bytes(&weights, &counted).unwrap(), "counts the images");
    }
    let long = Card { licence: "x".repeat(5000), ..card(SMALL) };
    refused(&ModelFile::to_bytes(&weights, &long).unwrap(), "5000 bytes");
    let mut negative = weights.clone();
    let variance = negative.iter_mut().find(|(name, _)| name.ends_with("running_var")).unwrap();
    variance.1.values[0] = -1.0;
    refused(&ModelFile::to_bytes(&negative, &card(SMALL)).unwrap(), "negative variance");
    let noisy = ModelConfig { noise: true, ..SMALL };
    refused(&ModelFile::to_bytes(&weights, &card(noisy)).unwrap(), "takes no noise");
    let noisy = ModelConfig { backbone: Backbone::Residual, ..noisy };
    let mut without = Init::He.generator(&noisy, 7, &Device::flex()).to_weights();
    without.remove("noise.2");
    refused(&ModelFile::to_bytes(&without, &card(noisy)).unwrap(), "noise.2");
    let mut missing = weights.clone();
    missing.remove("main.3.weight");
    refused(&ModelFile::to_bytes(&missing, &card(SMALL)).unwrap(), "main.3.weight");
    let discriminator = Init::Dcgan.discriminator(&SMALL, 7, &Device::flex()).to_weights();
    let bytes = ModelFile::to_bytes(&discriminator, &card(SMALL)).unwrap();
    refused(&bytes, "tensor 'main.0.weight' has shape [4, 3, 4, 4]");
}

/// The file with another card before the same weights.
fn with_card(bytes: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let file = from_safetensors("g", bytes).unwrap();
    to_safetensors(&file.weights, change(&file.metadata.unwrap())).unwrap()
}

#[test]
fn a_card_belongs_to_its_weights_and_to_the_order_of_its_classes() {
    let config = ModelConfig { backbone: Backbone::Residual, classes: 2, resolution: 32, ..SMALL };
    let weights = |seed| Init::He.generator(&config, seed, &Device::flex()).to_weights();
    let classes = vec!["mel".to_owned(), "nv".to_owned()];
    let card = Card { classes, class_images: vec![1, 9], ..card(config) };
    let bytes = ModelFile::to_bytes(&weights(1), &card).unwrap();
    let digest = ModelFile::from_bytes("g", &bytes).unwrap().digest.unwrap();
    assert_eq!(digest.len(), 64);
    let refused = |bytes: &[u8]| {
        let error = ModelFile::from_bytes("g", bytes).unwrap_err().to_string();
        assert!(error.contains("its card does not belong to its weights"), "{error}");
        assert!(!error.contains("  "), "{error}");
    };
    // The unchanged card is accepted in another layout, so it is the change that is refused.
    let pretty = |json: &str| {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    };
    ModelFile::from_bytes("g", &with_card(&bytes, pretty)).unwrap();
    for (this, other) in [
        (r#"["mel","nv"]"#, r#"["nv","mel"]"#),
        (r#"["mel","nv"]"#, r#"["mel","bcc"]"#),
        ("[1,9]", "[9,1]"),
    ] {
        refused(&with_card(&bytes, |json| json.replace(this, other)));
    }
    let others = from_safetensors("g", &bytes).unwrap().metadata.unwrap();
    refused(&to_safetensors(&weights(2), others).unwrap());
    // A file from before cards had a digest opens.
    let without = with_card(&bytes, |json| json.replace(&format!(r#","digest":"{digest}""#), ""));
    assert_eq!(ModelFile::from_bytes("g", &without).unwrap().digest, None);
    // Half precision has its own, and keeps it if another program saves it in single precision.
    let half = ModelFile::to_bytes_half(&weights(1), &card).unwrap();
    assert_ne!(ModelFile::from_bytes("g", &half).unwrap().digest, Some(digest));
    ModelFile::from_bytes("g", &with_card(&half, str::to_owned)).unwrap();
}

/// The pickle would run `os.system("touch …")` if it were executed.
#[test]
fn a_pickle_that_wants_to_run_a_program_is_refused_and_runs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (path, proof) = (dir.path().join("evil.pth"), dir.path().join("ran"));
    let pickle = format!("cos\nsystem\n(S'touch {}'\ntR.", proof.display());
    let mut evil = b"\x80\x02".to_vec();
    evil.extend(pickle.as_bytes());
    std::fs::write(&path, evil).unwrap();
    assert!(ModelFile::open(&path).is_err());
    assert!(!proof.exists());
}
