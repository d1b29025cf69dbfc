//! Runs `dermagan eval` on the sources of generated images that people have: thumbnails among samples, grids of a run,
//! noise, few, grey or equal images, labels in a cycle, zips and npz files under any name.

mod common;

use std::io::Write;
use std::path::Path;

use common::*;
use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::Value;

/// A number below 256 that depends on the seed and the place alone.
fn noise(seed: u64, at: u64) -> u8 {
    let mut z = (seed << 32 | at).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((z ^ (z >> 27)) >> 40) as u8
}

/// An image of noise.
fn rgb(side: u32, seed: u64) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        let at = u64::from(3 * (y * side + x));
        Rgb([0, 1, 2].map(|channel| noise(seed, at + channel)))
    })
}

/// Writes `count` images of noise of 64 pixels into a folder of the desk.
fn noise_folder(desk: &Desk, name: &str, count: u64) {
    std::fs::create_dir_all(desk.join(name)).unwrap();
    for i in 0..count {
        rgb(64, i).save(desk.join(&format!("{name}/{i:03}.png"))).unwrap();
    }
}

/// A cache of real images, made once, so that each evaluation is quick.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.ok(&["prepare", "phantom:200", "--size", "64", "--out", "real.dermagan"]);
    desk
}

const QUICK: [&str; 8] =
    ["--real", "real.dermagan", "--split", "all", "--features", "handmade", "--device", "cpu"];

/// The report of an evaluation by hand-made features.
fn report(desk: &Desk, fake: &str, more: &[&str]) -> Value {
    let out = desk.ok(&[&["eval", "--json", "--fake", fake], &QUICK[..], more].concat());
    serde_json::from_str(&out).unwrap()
}

fn words(report: &Value) -> &str {
    report["words"].as_str().unwrap()
}

/// The entry of what was left out whose reason contains `part`.
fn left_out<'a>(report: &'a Value, part: &str) -> &'a Value {
    let entries = report["images"]["left_out"].as_array().unwrap();
    let is = |entry: &&Value| entry["reason"].as_str().unwrap().contains(part);
    entries.iter().find(is).unwrap_or_else(|| panic!("no {part:?} in {entries:?}"))
}

fn zip_of(path: &Path, files: &[(String, Vec<u8>)]) {
    let mut writer = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in files {
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        writer.start_file(name.as_str(), stored).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
}

/// A numpy array with a header of version 1.
fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out.extend(values);
    out
}

#[test]
fn a_thumbnail_and_a_broken_last_file_are_left_out_and_change_no_figure() {
    let desk = desk();
    noise_folder(&desk, "fakes", 30);
    let clean = report(&desk, "fakes", &["-n", "20"]);
    rgb(20, 99).save(desk.join("fakes/000_thumb.png")).unwrap();
    let with = report(&desk, "fakes", &["-n", "20"]);
    assert_eq!(clean["features"][0]["overall"], with["features"][0]["overall"]);
    assert_eq!(with["images"]["found"], 31);
    let thumb = left_out(&with, "another size than 64×64");
    assert_eq!(
        (&thumb["count"], &thumb["examples"][0]),
        (&1.into(), &"000_thumb.png (20×20)".into())
    );
    assert_eq!(with["images"]["sizes"][0]["count"], 30);
    // One file has no header, another only its header.
    std::fs::write(desk.join("fakes/zz0.png"), b"no image").unwrap();
    let whole = std::fs::read(desk.join("fakes/029.png")).unwrap();
    std::fs::write(desk.join("fakes/zz1.png"), &whole[..2000]).unwrap();
    let all = report(&desk, "fakes", &["-n", "100"]);
    let notes = all["notes"].to_string();
    assert!(notes.contains("30 generated images instead of 100: no others can be read"), "{notes}");
    assert_eq!(
        (&all["features"][0]["overall"]["n"], &all["images"]["found"]),
        (&30.into(), &33.into())
    );
    let examples = all["images"]["left_out"].to_string();
    assert!(examples.contains("zz0.png") && examples.contains("zz1.png"), "{examples}");
    let table = desk.ok(&[&["eval", "--fake", "fakes", "-n", "20"], &QUICK[..]].concat());
    assert!(table.starts_with("20 of 33 generated images (fakes) against"), "{table}");
    assert!(table.contains("left out of the generated images:\n"), "{table}");
    assert!(
        table.contains("1 × image of another size than 64×64, the most common one: 000_thumb.png"),
        "{table}"
    );
}

#[test]
fn the_grids_of_a_run_are_no_samples_and_a_run_is_its_generator() {
    let desk = desk();
    desk.train(&["--outdir", "runs", "--kimg", "0.02"]);
    let run = desk.run_folder("runs");
    let found = report(&desk, run.to_str().unwrap(), &["-n", "12"]);
    assert!(found["fake"].as_str().unwrap().contains("generator.safetensors"), "{}", found["fake"]);
    noise_folder(&desk, "copied", 12);
    for name in ["fakes_init.png", "fakes000000.020.png", "reals.png", "losses.png"] {
        rgb(64, 1).save(desk.join(&format!("copied/{name}"))).unwrap();
    }
    let found = report(&desk, "copied", &[]);
    assert_eq!(found["images"]["measured"], 12);
    assert_eq!(left_out(&found, "grid or plot of a training run")["count"], 4);
}

#[test]
fn noise_is_unlike_the_real_images_at_any_number() {
    let desk = desk();
    noise_folder(&desk, "fakes", 60);
    for n in ["8", "60"] {
        let found = report(&desk, "fakes", &["-n", n]);
        assert!(words(&found).contains("unlike the real ones: "), "{}", words(&found));
        assert!(!words(&found).contains("too few"), "{}", words(&found));
    }
    // Five images have no precision of their own, but all of them lie outside the real ones.
    noise_folder(&desk, "five", 5);
    let found = report(&desk, "five", &[]);
    assert!(
        words(&found).contains("unlike the real ones: 0 of 5 images lie among"),
        "{}",
        words(&found)
    );
    noise_folder(&desk, "one", 1);
    let found = report(&desk, "one", &[]);
    let expected = " of 1 image lies among the real ones, where ";
    assert!(
        words(&found).contains(expected) && words(&found).contains("too few"),
        "{}",
        words(&found)
    );
    let error = desk.fails(&[&["eval", "--fake", "one/000.png"], &QUICK[..]].concat(), 1);
    assert!(error.contains("--fake one/000.png: it is a single image; give the folder"), "{error}");
}

#[test]
fn equal_and_grey_images_and_copies_are_said() {
    let desk = desk();
    std::fs::create_dir(desk.join("same")).unwrap();
    std::fs::create_dir(desk.join("grey")).unwrap();
    for i in 0..24u32 {
        rgb(64, 7).save(desk.join(&format!("same/{i}.png"))).unwrap();
        let grey =
            GrayImage::from_fn(64, 64, |x, y| Luma([noise(u64::from(i), u64::from(64 * y + x))]));
        grey.save(desk.join(&format!("grey/{i}.png"))).unwrap();
    }
    let same = report(&desk, "same", &[]);
    assert!(words(&same).starts_with("all 24 images are the same; "), "{}", words(&same));
    assert_eq!(same["images"]["distinct"], 1);
    let grey = report(&desk, "grey", &["-n", "10"]);
    let notes = grey["notes"].to_string();
    assert!(notes.contains("all 24 generated images are grey"), "{notes}");
    assert!(notes.contains("has a colour; 0 of "), "{notes}");
    // Half of this folder repeats, and one is coloured.
    std::fs::copy(desk.join("grey/0.png"), desk.join("grey/00.png")).unwrap();
    rgb(64, 3).save(desk.join("grey/colour.png")).unwrap();
    let notes = report(&desk, "grey", &[])["notes"].to_string();
    assert!(notes.contains("25 of 26 generated images are grey"), "{notes}");
    // Of the others only the pixels say that they are grey.
    noise_folder(&desk, "pixels", 2);
    for i in 0..4 {
        let shade = RgbImage::from_fn(64, 64, |x, y| Rgb([noise(i, u64::from(64 * y + x)); 3]));
        shade.save(desk.join(&format!("pixels/grey{i}.png"))).unwrap();
    }
    let grey = report(&desk, "pixels", &[])["notes"].to_string();
    assert!(grey.contains("4 of 6 generated images are grey"), "{grey}");
    assert!(notes.contains("25 of the 26 generated images are distinct"), "{notes}");
    // One folder as both sides.
    std::fs::create_dir_all(desk.join("real/nv")).unwrap();
    std::fs::create_dir_all(desk.join("real/mel")).unwrap();
    for i in 0..40 {
        let class = if i % 2 == 0 { "nv" } else { "mel" };
        rgb(64, 100 + i).save(desk.join(&format!("real/{class}/{i}.png"))).unwrap();
    }
    let args = ["--split", "all", "--features", "handmade", "--device", "cpu"];
    let out = desk.ok(&[&["eval", "--real", "real", "--fake", "real"], &args[..]].concat());
    assert!(out.contains("--real and --fake are the same images, so"), "{out}");
    assert!(out.contains("all 20 images are equal to a real one"), "{out}");
    // Six copies among twelve images.
    noise_folder(&desk, "mixed", 6);
    for i in 0..6 {
        let copy = desk.join(&format!("mixed/copy{i}.png"));
        std::fs::copy(desk.join(&format!("real/nv/{}.png", 2 * i)), copy).unwrap();
    }
    let out = desk.ok(&[&["eval", "--real", "real", "--fake", "mixed"], &args[..]].concat());
    assert!(!out.contains("are the same images"), "{out}");
    assert!(out.contains("6 of the 12 images are equal to a real one, pixel by pixel"), "{out}");
}

#[test]
fn real_images_that_are_all_the_same_are_an_error_that_says_so() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.join("real/nv")).unwrap();
    for i in 0..20 {
        rgb(64, 7).save(desk.join(&format!("real/nv/{i}.png"))).unwrap();
    }
    noise_folder(&desk, "fakes", 8);
    let args = ["eval", "--real", "real", "--fake", "fakes", "--split", "all", "--device", "cpu"];
    let error = desk.fails(&args, 1);
    assert!(error.contains("--real real: all 20 real images are the same"), "{error}");
}

#[test]
fn a_subset_has_the_shares_of_the_classes_and_depends_on_the_seed() {
    let desk = desk();
    noise_folder(&desk, "fakes", 60);
    let mut table = "image_id,dx\n".to_owned();
    for i in 0..60 {
        table += &format!("{i:03},{}\n", if i % 2 == 0 { "mel" } else { "nv" });
    }
    std::fs::write(desk.join("fakes/metadata.csv"), &table).unwrap();
    let found = report(&desk, "fakes", &["-n", "30", "--per-class"]);
    let notes = found["notes"].to_string();
    assert!(
        notes.contains(
            "30 of 60 generated images were drawn at random by `seed` 0, with each class"
        ),
        "{notes}"
    );
    let differing = notes.split("mel: ").nth(1).map(|rest| rest.split(" %").next().unwrap());
    assert!(
        differing.is_none_or(|share| (47..=53).contains(&share.parse::<i32>().unwrap())),
        "{notes}"
    );
    let other = report(&desk, "fakes", &["-n", "30", "--seed", "1"]);
    assert_ne!(found["features"][0]["overall"]["precision"], Value::Null);
    assert_ne!(found["features"][0]["overall"]["kid"], other["features"][0]["overall"]["kid"]);
    // Numbers name no class, and the note says so.
    std::fs::write(desk.join("fakes/metadata.csv"), table.replace("mel", "4").replace("nv", "5"))
        .unwrap();
    let notes = report(&desk, "fakes", &["-n", "30"])["notes"].to_string();
    assert!(
        notes.contains("labels were not read") && notes.contains("numbers from 4 to 5"),
        "{notes}"
    );
}

#[test]
fn the_content_of_a_file_says_what_it_is() {
    let desk = desk();
    noise_folder(&desk, "fakes", 12);
    let folder = report(&desk, "fakes", &[]);
    let files: Vec<(String, Vec<u8>)> = (0..12)
        .map(|i| {
            (
                format!("f/{i:03}.png"),
                std::fs::read(desk.join(&format!("fakes/{i:03}.png"))).unwrap(),
            )
        })
        .collect();
    for name in ["fakes.zip", "fakes.pth", "fakes"] {
        let name = if name == "fakes" { "fakes.download" } else { name };
        zip_of(&desk.join(name), &files);
        assert_eq!(
            report(&desk, name, &[])["features"][0]["overall"],
            folder["features"][0]["overall"],
            "{name}"
        );
    }
    // The same pixels in an npz.
    let pixels: Vec<u8> = (0..12).flat_map(|i| rgb(64, i).into_raw()).collect();
    let samples = [("arr_0.npy".to_owned(), npy("|u1", "(12, 64, 64, 3)", &pixels))];
    zip_of(&desk.join("samples.npz"), &samples);
    let found = report(&desk, "samples.npz", &[]);
    assert_eq!(found["features"][0]["overall"], folder["features"][0]["overall"]);
    assert_eq!(found["fake"], "samples.npz arr_0");
    let numbers = ("arr_1.npy".to_owned(), npy("<i4", "(12,)", &[0; 48]));
    zip_of(&desk.join("samples.npz"), &[samples[0].clone(), numbers]);
    let notes = report(&desk, "samples.npz", &[])["notes"].to_string();
    assert!(notes.contains("arr_1: found numbers from 0 to 0 as classes"), "{notes}");
    // Statistics hold no images.
    let statistics = [
        ("mu.npy".to_owned(), npy("<f8", "(4,)", &[0; 32])),
        ("sigma.npy".to_owned(), npy("<f8", "(4, 4)", &[0; 128])),
    ];
    zip_of(&desk.join("stats.npz"), &statistics);
    let error = desk.fails(&[&["eval", "--fake", "stats.npz"], &QUICK[..]].concat(), 1);
    assert!(
        error.contains("stats.npz: it holds the statistics of features (mu and sigma)"),
        "{error}"
    );
    assert!(error.contains("expected images: a folder or a zip of them"), "{error}");
    // A model that is a zip is still a model, and its error is about models.
    zip_of(&desk.join("net.zip"), &[("net/data.pkl".to_owned(), b"\x80\x02N.".to_vec())]);
    let error = desk.fails(&[&["eval", "--fake", "net.zip"], &QUICK[..]].concat(), 1);
    assert!(!error.contains("no images"), "{error}");
}

#[test]
fn images_deeper_than_one_folder_are_said() {
    let desk = desk();
    noise_folder(&desk, "fakes/000000/mel", 6);
    noise_folder(&desk, "fakes/000000/nv", 6);
    let error = desk.fails(&[&["eval", "--fake", "fakes"], &QUICK[..]].concat(), 1);
    assert!(error.contains("12 × image deeper than one folder"), "{error}");
    assert!(error.contains("such as fakes/000000"), "{error}");
    assert_eq!(report(&desk, "fakes/000000", &[])["images"]["measured"], 12);
    noise_folder(&desk, "fakes", 6);
    let found = report(&desk, "fakes", &[]);
    assert_eq!(left_out(&found, "deeper")["count"], 12);
}
