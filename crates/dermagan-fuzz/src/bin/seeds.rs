//! Writes the first inputs of every target to FOLDER/TARGET: `seeds FOLDER`. All are made here, or are the test images
//! of `dermagan-data`.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use dermagan_base::image::Image;
use dermagan_base::rng::Keyed;
use dermagan_data::{Filter, Fit, Options, Source, prepare};
use dermagan_eval::encoder::{EncoderCard, FORMAT, KIND, LesionNet, SIDE, Score, dims};
use dermagan_eval::{Features, LesionEncoder, npz};
use dermagan_model::weights::{Array, Weights};
use dermagan_model::{Backbone, Card, ComputeDevice, Init, ModelConfig, ModelFile, Network};
use dermagan_train::{Checkpoint, Preset, TrainConfig, stats::Tally};
use image::{ImageFormat, RgbImage};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Words of the tables.
const HAM: &str = "lesion_id,image_id,dx,dx_type,age,sex,localization\n\
    HAM_0000118,ISIC_0024306,bkl,histo,80.0,male,scalp\nHAM_0000119,ISIC_0024307,nv,follow_up,,female,back\n\
    HAM_0000119,img3,nv,consensus,45,unknown,unknown\n";
const ISIC_EXPORT: &str = "isic_id,attribution,diagnosis_1,diagnosis_2,diagnosis_3,diagnosis_confirm_type,lesion_id,sex,\
    age_approx,anatom_site_general\nISIC_0024306,\"ViDIR, Vienna\",Benign,,Nevus,histopathology,IL_1,male,45,torso\n\
    ISIC_0024307,x,Malignant,,\"Melanoma, NOS\",single image expert consensus,IL_2,female,,\n";
const PAD_UFES: &str = "patient_id,lesion_id,smoke,img_id,diagnostic\nPAT_1,2,False,ISIC_0024306.png,NEV\n\
    PAT_2,3,,ISIC_0024307.png,SEK\nPAT_3,4,,img3.png,ACK\n";
const ONE_HOT: &str = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK\nISIC_0024306,0.0,1.0,0,0,0,0,0,0,0\n\
    ISIC_0024307,1.0,0.0,0,0,0,0,0,0,0\nimg3,0,0,0,1,0,0,0,0,0\n";
const ISIC_2018: &str = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\nISIC_0024306,0.0,1.0,0.0,0.0,0.0,0.0,0.0\n\
    ISIC_0024307,0.0,0.0,0.0,0.0,1.0,0.0,0.0\n";
const HEADERLESS: &str = "TRAIN,train0_0.png,0\nVALIDATION,train1_5.png,5\nTEST,img3.png,6\n";
const DATASET_JSON: &str = r#"{"labels": [["00000/img00000000.png", 6], ["img3.png", 1]]}"#;
const JSONL: &str = "{\"file_name\": \"ISIC_0024306.png\", \"label\": \"nv\"}\n\
    {\"file_name\": \"img3.png\", \"dx\": \"mel\", \"lesion_id\": \"a\", \"text\": \"x\"}\n";

fn main() -> Outcome<()> {
    let out = std::env::args_os().nth(1).ok_or("which folder?")?;
    let seeds = Seeds(PathBuf::from(out));
    images(&seeds)?;
    tables(&seeds)?;
    archives(&seeds)?;
    weights(&seeds)?;
    runs(&seeds)
}

struct Seeds(PathBuf);

impl Seeds {
    fn put(&self, target: &str, name: &str, bytes: impl AsRef<[u8]>) -> Outcome<()> {
        let folder = self.0.join(target);
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(folder.join(name), bytes)?)
    }
}

/// A small image of noise.
fn noise(seed: u64, side: usize) -> Image {
    let values = Keyed::new(seed, "seeds", 0).uniforms(side * side * 3, 0.0, 256.0);
    Image { width: side, height: side, pixels: values.iter().map(|value| *value as u8).collect() }
}

fn png(seed: u64) -> Outcome<Vec<u8>> {
    Ok(noise(seed, 8).to_png(&[])?)
}

fn images(seeds: &Seeds) -> Outcome<()> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dermagan-data/tests/data");
    for name in
        ["cmyk.jpg", "grey.jpg", "plain.jpg", "progressive.jpg", "turned.jpg", "sixteen.png"]
    {
        seeds.put("image", name, std::fs::read(tests.join(name))?)?;
    }
    let pixels = RgbImage::from_raw(8, 8, noise(3, 8).pixels).ok_or("8 by 8 pixels")?;
    let forms = [
        ("png", ImageFormat::Png),
        ("bmp", ImageFormat::Bmp),
        ("gif", ImageFormat::Gif),
        ("webp", ImageFormat::WebP),
        ("tiff", ImageFormat::Tiff),
        ("jpg", ImageFormat::Jpeg),
    ];
    for (name, format) in forms {
        let mut bytes = Cursor::new(Vec::new());
        pixels.write_to(&mut bytes, format)?;
        seeds.put("image", &format!("noise.{name}"), bytes.into_inner())?;
    }
    let alpha = image::DynamicImage::ImageRgb8(pixels).into_rgba16();
    let mut bytes = Cursor::new(Vec::new());
    alpha.write_to(&mut bytes, ImageFormat::Png)?;
    seeds.put("image", "alpha.png", bytes.into_inner())?;
    for page in [
        "<?xml version='1.0'?><Error/>",
        "<!DOCTYPE html>",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
    ] {
        seeds.put("image", &format!("page{}", page.len()), page)?;
    }
    let text = [
        ("Software", dermagan_base::producer()),
        ("Description", "SYNTHETIC image made by a generative model".to_owned()),
        ("dermagan:model", "0123".repeat(16)),
        ("dermagan:seed", "5".to_owned()),
        ("dermagan:class", "mél".to_owned()),
    ];
    seeds.put("png_text", "synthetic.png", noise(4, 4).to_png(&text)?)?;
    seeds.put("png_text", "bare.png", noise(5, 4).to_png(&[])?)
}

fn tables(seeds: &Seeds) -> Outcome<()> {
    let tabs = HAM.replace(',', "\t");
    let wide = |text: &str| {
        [0xff, 0xfe]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect::<Vec<u8>>()
    };
    let forms: [(&str, Vec<u8>); 7] = [
        ("ham.csv", HAM.into()),
        ("sep.csv", format!("sep=;\r\n{}", HAM.replace(',', ";").replace('\n', "\r\n")).into()),
        ("tabs.tsv", tabs.clone().into()),
        ("utf16.txt", wide(&tabs)),
        ("bom.csv", format!("\u{feff}{HAM}").into()),
        ("isic.csv", ISIC_EXPORT.into()),
        ("pad.csv", PAD_UFES.into()),
    ];
    for (name, bytes) in forms {
        seeds.put("csv", name, bytes)?;
    }
    seeds.put("one_hot", "isic2019.csv", ONE_HOT)?;
    seeds.put("one_hot", "isic2018.csv", ISIC_2018)?;
    seeds.put("headerless", "medmnist.csv", HEADERLESS)?;
    seeds.put("dataset_json", "labels.json", DATASET_JSON)?;
    seeds.put("dataset_json", "null.json", r#"{"labels": null}"#)?;
    seeds.put("jsonl", "metadata.jsonl", JSONL)
}

fn zipped(files: &[(&str, &[u8])], method: zip::CompressionMethod) -> Outcome<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method))?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// A numpy array.
fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), values].concat()
}

#[allow(clippy::too_many_lines, reason = "a list of files")]
fn archives(seeds: &Seeds) -> Outcome<()> {
    use zip::CompressionMethod::{Deflated, Stored};
    let (a, b) = (png(1)?, png(2)?);
    let plain = zipped(
        &[
            ("HAM10000_metadata.csv", HAM.as_bytes()),
            ("images/ISIC_0024306.png", &a),
            ("images/ISIC_0024307.png", &b),
            ("readme.txt", b"x"),
        ],
        Deflated,
    )?;
    seeds.put("zip", "ham.zip", &plain)?;
    seeds.put(
        "zip",
        "nested.zip",
        zipped(&[("part_1.zip", &plain), ("masks/ISIC_0024306_segmentation.png", &a)], Stored)?,
    )?;
    seeds.put(
        "zip",
        "folders.zip",
        zipped(
            &[
                ("all/train/mel/1.png", &a),
                ("all/train/mel/3.png", &png(3)?),
                ("all/test/nv/2.png", &b),
                ("all/test/nv/4.png", &png(4)?),
                ("__MACOSX/._1.png", b"x"),
            ],
            Deflated,
        )?,
    )?;
    seeds.put(
        "zip",
        "stylegan.zip",
        zipped(
            &[
                ("00000/img00000000.png", &a),
                ("00000/img00000001.png", &b),
                (
                    "dataset.json",
                    br#"{"labels": [["00000/img00000000.png", 0], ["00000/img00000001.png", 1]]}"#,
                ),
            ],
            Stored,
        )?,
    )?;
    seeds.put(
        "zip",
        "hugging.zip",
        zipped(
            &[
                ("train/a.png", &a),
                ("train/metadata.jsonl", br#"{"file_name": "a.png", "label": 1}"#),
                ("train/b.png", &b),
            ],
            Stored,
        )?,
    )?;
    seeds.put(
        "zip",
        "samples.zip",
        zipped(
            &[
                ("samples/metadata.csv", b"image_id,dx\nseed0000,mel\n"),
                ("samples/seed0000.png", &a),
            ],
            Deflated,
        )?,
    )?;
    let pixels = noise(5, 4).pixels;
    let two = [&pixels[..], &pixels[..]].concat();
    let images = npy("|u1", "(2, 4, 4, 3)", &two);
    let grey = npy("|u1", "(2, 4, 4)", &two[..32]);
    let labels = npy("|u1", "(2, 1)", &[0, 6]);
    seeds.put(
        "medmnist_npz",
        "rgb.npz",
        zipped(
            &[
                ("train_images.npy", &images),
                ("train_labels.npy", &labels),
                ("test_images.npy", &images),
                ("test_labels.npy", &labels),
            ],
            Deflated,
        )?,
    )?;
    seeds.put(
        "medmnist_npz",
        "grey.npz",
        zipped(
            &[
                ("val_images.npy", &grey),
                (
                    "val_labels.npy",
                    &npy("<i8", "(2,)", &[0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]),
                ),
            ],
            Stored,
        )?,
    )?;
    seeds.put(
        "sample_npz",
        "images.npz",
        zipped(&[("arr_0.npy", &images), ("arr_1.npy", &labels)], Deflated)?,
    )?;
    seeds.put(
        "sample_npz",
        "stats.npz",
        zipped(
            &[
                ("mu.npy", &npy("<f8", "(1,)", &[0; 8])),
                ("sigma.npy", &npy("<f8", "(1, 1)", &[0; 8])),
            ],
            Stored,
        )?,
    )?;
    let file = std::env::temp_dir().join(format!("seeds-{}.npz", std::process::id()));
    npz::write(&file, &[("real", &Features { dims: 2, values: vec![1.0, 2.0, 3.0, 4.0] })])?;
    let features = std::fs::read(&file)?;
    std::fs::remove_file(file)?;
    seeds.put("sample_npz", "features.npz", features)
}

/// The two smallest generators: a DCGAN, and a residual one with noise and classes.
fn generators() -> [(Weights, Card); 2] {
    let dcgan =
        ModelConfig { resolution: 32, z_dim: 1, g_width: 1, d_width: 1, ..ModelConfig::default() };
    let residual = ModelConfig {
        backbone: Backbone::Residual,
        classes: 2,
        noise: true,
        g_width: 2,
        d_width: 2,
        ..dcgan
    };
    [dcgan, residual].map(|model| {
        let generator = Init::He.generator(&model, 1, &ComputeDevice::cpu().handle);
        let card = Card {
            format: Card::FORMAT,
            kind: "generator".into(),
            producer: dermagan_base::producer(),
            model,
            data: "phantom".into(),
            licence: "CC0".into(),
            classes: vec!["mel".into(), "nv".into()],
            class_images: if model.classes > 0 { vec![3, 5] } else { vec![] },
            condition: 1.0,
            turns: true,
            preset: "tiny".into(),
            nimg: 1000,
        };
        (generator.to_weights(), card)
    })
}

fn weights(seeds: &Seeds) -> Outcome<()> {
    for (i, (weights, card)) in generators().into_iter().enumerate() {
        seeds.put("safetensors", &format!("full{i}"), ModelFile::to_bytes(&weights, &card)?)?;
        seeds.put(
            "safetensors",
            &format!("half{i}"),
            ModelFile::to_bytes_half(&weights, &card)?,
        )?;
        if i == 0 {
            seeds.put("pth", "plain.pth", pth(&weights, "")?)?;
            seeds.put("pth", "nested.pth", pth(&weights, "netG")?)?;
            let parallel = weights.iter().map(|(name, a)| (format!("module.{name}"), a.clone()));
            seeds.put("pth", "parallel.pth", pth(&parallel.collect(), "state_dict")?)?;
        }
    }
    let device = ComputeDevice::cpu().handle;
    let network = LesionNet::new(1, SIDE, 2, &device);
    let card = EncoderCard {
        format: FORMAT,
        kind: KIND.into(),
        producer: dermagan_base::producer(),
        width: 1,
        side: SIDE,
        classes: vec!["mel".into(), "nv".into()],
        data: "phantom".into(),
        fingerprint: "0".into(),
        licence: "CC0".into(),
        trained_on: 10,
        kimg: 1.0,
        seed: 0,
        test: Score {
            images: 4,
            balanced_accuracy: 0.5,
            interval: [0.1, 0.9],
            recall: vec![Some(0.5), None],
        },
    };
    let moments = [vec![0.0; dims(1, SIDE)], vec![1.0; dims(1, SIDE)]];
    seeds.put("encoder", "encoder", LesionEncoder::to_bytes(&network, moments, &card)?)
}

/// Weights as `torch.save` writes them, under `key` if it is not empty.
fn pth(weights: &Weights, key: &str) -> Outcome<Vec<u8>> {
    let text = |text: &str| {
        let mut out = b"X".to_vec();
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(text.as_bytes());
        out
    };
    let number = |n: usize| [&b"J"[..], &(n as u32).to_le_bytes()].concat();
    let tuple = |items: Vec<Vec<u8>>| [b"(".to_vec(), items.concat(), b"t".to_vec()].concat();
    let empty = b"ccollections\nOrderedDict\n)R".to_vec();
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut items = Vec::new();
    for (i, (name, array)) in weights.iter().enumerate() {
        let Array { shape, values } = array;
        let stride: Vec<usize> =
            (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        let storage = [
            text("storage"),
            b"ctorch\nFloatStorage\n".to_vec(),
            text(&i.to_string()),
            text("cpu"),
            number(values.len()),
        ];
        let storage = [tuple(storage.into()), b"Q".to_vec()].concat();
        let numbers = |of: &[usize]| tuple(of.iter().map(|n| number(*n)).collect());
        let arguments = tuple(vec![
            storage,
            number(0),
            numbers(shape),
            numbers(&stride),
            b"\x89".to_vec(),
            empty.clone(),
        ]);
        items.extend(
            [text(name), b"ctorch._utils\n_rebuild_tensor_v2\n".to_vec(), arguments, b"R".to_vec()]
                .concat(),
        );
        files.push((format!("g/data/{i}"), values.iter().flat_map(|v| v.to_le_bytes()).collect()));
    }
    let state = [empty.clone(), b"(".to_vec(), items, b"u".to_vec()].concat();
    let whole = match key {
        "" => state,
        key => [b"}(".to_vec(), text("epoch"), number(3), text(key), state, b"u".to_vec()].concat(),
    };
    let pickle = [b"\x80\x02".to_vec(), whole, b".".to_vec()].concat();
    files.insert(0, ("g/data.pkl".into(), pickle));
    files.push(("g/version".into(), b"3\n".to_vec()));
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    zipped(&files, zip::CompressionMethod::Stored)
}

fn runs(seeds: &Seeds) -> Outcome<()> {
    let folder = std::env::temp_dir().join(format!("seeds-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("checkpoint-000000.safetensors");
    for (name, config) in
        [("tiny", TrainConfig::of_preset("tiny", 1)?), ("rare", TrainConfig::of_preset("rare", 2)?)]
    {
        let array = Array { shape: vec![2], values: vec![1.0, 2.0] };
        let tensors = Weights::from([("G.main.0.weight".to_owned(), array)]);
        Checkpoint::new(config.clone(), 0, 0, 0, Tally::default(), tensors).save(&file)?;
        seeds.put("checkpoint", name, std::fs::read(&file)?)?;
        let mut options = serde_json::to_value(&config)?;
        options["metrics"] = serde_json::json!(["kid"]);
        let stats = r#"{"Progress/tick":{"num":1,"mean":0,"std":0},"Progress/kimg":{"num":1,"mean":0.5,"std":0},"Loss/G/loss":{"num":1,"mean":0.5,"std":0},"Status":"healthy","timestamp":1}"#;
        let metric = r#"{"Progress/kimg":0.5,"metric":"kid","results":{"kid":1.5}}"#;
        let run = format!(
            "{}\n--next--\n{stats}\n{stats}\n\n--next--\n{metric}\n",
            serde_json::to_string(&options)?
        );
        seeds.put("run", name, run)?;
    }
    // A checkpoint with a generator in it.
    let [(weights, card), _] = generators();
    let mut config = TrainConfig::of_preset("tiny", 1)?;
    config.model = card.model;
    let tensors =
        weights.into_iter().map(|(name, array)| (format!("G_ema.{name}"), array)).collect();
    Checkpoint::new(config, 0, 0, 0, Tally::default(), tensors).save(&file)?;
    seeds.put("checkpoint", "generator", std::fs::read(&file)?)?;

    let source = folder.join("source");
    std::fs::create_dir_all(&source)?;
    for (name, seed) in [("ISIC_0024306.png", 1), ("ISIC_0024307.png", 2)] {
        std::fs::write(source.join(name), png(seed)?)?;
    }
    std::fs::write(source.join("HAM10000_metadata.csv"), HAM)?;
    let source = Source::open(&source.display().to_string())?;
    let options = Options { size: 4, fit: Fit::Pad, filter: Filter::Bilinear };
    let cache = folder.join("some.dermagan");
    prepare(&source, options, &cache, false, &mut |_, _| ())?;
    seeds.put("cache", "ham", std::fs::read(cache)?)?;
    std::fs::remove_dir_all(folder)?;

    for name in Preset::names() {
        let text = dermagan_models::PRESETS
            .iter()
            .find(|(known, _)| *known == name)
            .map_or("", |(_, text)| text);
        seeds.put("preset", name, text)?;
    }
    let (_, tiny) = dermagan_models::PRESETS.last().ok_or("no preset")?;
    seeds.put(
        "preset",
        "set",
        format!("{tiny}\n--next--\nobjective.r1=0.1\naugment.target=0.6\nmodel.z_dim = 7"),
    )
}
