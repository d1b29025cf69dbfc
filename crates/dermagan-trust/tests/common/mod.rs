//! Sources for tests.

#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "a test stops at the first surprise, and each uses some"
)]

use std::path::{Path, PathBuf};

use dermagan_base::image::Image;
use dermagan_base::rng::Keyed;
use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, Filter, Fit, Options, open_or_prepare};

pub const OPTIONS: Options = Options { size: 64, fit: Fit::Crop, filter: Filter::Lanczos };

pub fn cache(source: &str) -> Cache {
    open_or_prepare(source, OPTIONS, &mut |_, _| ()).unwrap()
}

/// The indices of the images on the training side, or on the others.
pub fn on(cache: &Cache, train: bool) -> Vec<usize> {
    let sides = split::of_header(cache.header());
    (0..cache.len()).filter(|i| (sides[*i] == Side::Train) == train).collect()
}

/// Writes a source of images that are as different as photographs: four waves in random directions, in two classes.
pub fn waves(at: &Path, count: u64) -> String {
    for i in 0..count {
        let mut random = Keyed::new(i, "test waves", 0);
        let waves: Vec<[f64; 6]> = (0..4)
            .map(|_| {
                let mut unit = || random.range(-1.0, 1.0);
                [0.25 * unit(), 0.25 * unit(), 3.0 * unit(), unit(), unit(), unit()]
            })
            .collect();
        let value = |x: f64, y: f64, channel: usize| {
            let of = |w: &[f64; 6]| (w[0] * x + w[1] * y + w[2]).sin() * w[3 + channel];
            (128.0 + 40.0 * waves.iter().map(of).sum::<f64>()).clamp(0.0, 255.0) as u8
        };
        let pixels = (0..64 * 64).flat_map(|at| {
            let (x, y) = (f64::from(at % 64), f64::from(at / 64));
            [0, 1, 2].map(|channel| value(x, y, channel))
        });
        let image = Image { width: 64, height: 64, pixels: pixels.collect() };
        let folder = at.join(if i % 4 == 0 { "mel" } else { "nv" });
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("w{i:05}.png")), image.to_png(&[]).unwrap()).unwrap();
    }
    at.to_string_lossy().into_owned()
}

/// A file of the real archive, if this machine has it.
pub fn real_data(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DERMAGAN_TEST_DATA").map_or(beside, PathBuf::from);
    let path = folder.join(name);
    if !path.is_file() {
        println!("{name} is not on this machine: this test compared nothing with the real data");
        return None;
    }
    Some(path)
}
