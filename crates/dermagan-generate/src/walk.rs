//! An animated walk through latent space, from image to image.

use std::path::PathBuf;

use dermagan_base::SettingError;
use dermagan_base::atomic::Pending;
use dermagan_base::image::Image;
use dermagan_base::orientation::Orientation;
use dermagan_model::latent;
use dermagan_model::{ModelConfig, ModelError, ModelFile};

use crate::animation::{Format, write_gif, write_png};
use crate::classes;
use crate::error::GenerateError;
use crate::generator::ImageGenerator;
use crate::provenance;
use crate::sampler::{Sampler, Shot};
use crate::seeds::MAX_WALK;
use crate::selection;
use crate::set::earlier::check_file;
use crate::slerp::{lerp, slerp};

/// Default duration of a frame in milliseconds: 25 frames per second.
pub const FRAME_MS: u32 = 40;
/// Largest number of frames from one seed to the next.
const MAX_FRAMES: usize = 240;
/// The largest side of the square that shows a pixel.
const MAX_SCALE: usize = 16;
/// The shortest and the longest duration of a frame in milliseconds. A GIF stores hundredths of a second, a PNG stores
/// 16 bits.
const MS: [u32; 2] = [10, 60_000];

/// An animated walk through latent space.
#[derive(Clone, Debug)]
pub struct WalkRequest {
    /// The seeds that the walk passes, 2 or more. It returns to the first one at the end. A seed may occur more than once.
    pub seeds: Vec<u64>,
    /// Codes of classes: one per seed, or one for the whole walk. Empty: each seed decides its class. Classes are
    /// interpolated linearly.
    pub classes: Vec<String>,
    /// Frames from one seed to the next, 1 to 240. The first of them is the image of the seed, in the orientation of the
    /// walk's first image.
    pub frames: usize,
    /// Side of the square that shows each pixel, 1 to 16.
    pub scale: usize,
    /// Duration of a frame in milliseconds, 10 to 60,000. A GIF rounds it to hundredths of a second.
    pub ms: u32,
    /// The file: a `.gif` with 256 colours per frame, or a `.png` or `.apng` with all colours.
    pub out: PathBuf,
    /// As in [`Selection::truncation`](crate::Selection::truncation).
    pub truncation: f64,
    /// Images per batch, 1 to 4096.
    pub batch: usize,
}

impl WalkRequest {
    /// The number of frames.
    pub fn count(&self) -> u64 {
        (self.seeds.len() as u64).saturating_mul(self.frames as u64)
    }
}

impl ImageGenerator {
    /// Makes an animated walk through latent space and writes it. `progress` receives the number of frames done.
    /// Returns the number of frames.
    ///
    /// # Errors
    /// When a setting is out of range, an image is not finite, or the file is one that dermagan did not write or cannot
    /// be written.
    pub fn write_walk(
        &self,
        request: &WalkRequest,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, GenerateError> {
        let format = Format::of(&request.out).ok_or_else(|| {
            let problem = "a walk is a .gif (256 colours per frame), a .png or an .apng (all colours); name one \
                           such as walk.gif";
            SettingError::value("out", request.out.display(), problem)
        })?;
        check(request)?;
        check_file(&request.out)?;
        let model = self.model();
        let shots = shots(model, request)?;
        let walk = self.path_of(request, &shots);
        let codes: Option<Vec<&str>> = shots.iter().map(|shot| self.class_of(*shot)).collect();
        let seeds: Vec<String> = request.seeds.iter().map(u64::to_string).collect();
        let codes = codes.map(|codes| codes.join(","));
        let text = provenance::text(model, seeds.join(","), codes, request.truncation);
        // The writer passes on the error of an image that is not finite: the file is not at fault.
        let bad = || {
            |error: std::io::Error| match error.downcast::<ModelError>() {
                Ok(error) => GenerateError::Model(error),
                Err(error) => GenerateError::io(&request.out)(error),
            }
        };
        let mut pending = Pending::create(&request.out).map_err(bad())?;
        let frames = walk.frames().zip(1..).map(|(image, made)| {
            progress(made);
            Ok((image.map_err(std::io::Error::other)?, request.ms))
        });
        let size = [model.config.resolution * request.scale, request.count() as usize];
        match format {
            Format::Gif => write_gif(pending.file(), &text, frames),
            Format::Png => write_png(pending.file(), &text, size.map(|n| n as u32), frames),
        }
        .map_err(bad())?;
        pending.commit().map_err(bad())?;
        Ok(request.count())
    }

    /// Makes the frames of a walk in memory; [`WalkRequest::out`] is not used. `progress` receives the number of frames
    /// done.
    ///
    /// # Errors
    /// When a setting is out of range or an image is not finite.
    pub fn walk(
        &self,
        request: &WalkRequest,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Vec<Image>, GenerateError> {
        check(request)?;
        let walk = self.path_of(request, &shots(self.model(), request)?);
        let frames = walk.frames().zip(1..).map(|(image, made)| {
            progress(made);
            Ok(image?)
        });
        frames.collect()
    }

    /// The walk of a checked request, which passes `shots`.
    fn path_of<'a>(&'a self, request: &'a WalkRequest, shots: &[Shot]) -> Walk<'a> {
        let (model, sampler) = (self.model(), self.sampler());
        let class = |shot: &Shot| sampler.class_vectors(&[sampler.class_of(*shot)]);
        Walk {
            sampler,
            model: &model.config,
            classes: shots.iter().map(class).collect(),
            orientation: sampler.orientation_of(request.seeds[0]),
            request,
        }
    }
}

/// Refuses values out of range.
fn check(request: &WalkRequest) -> Result<(), SettingError> {
    selection::check(request.truncation, request.batch)?;
    let bad = |setting, value: &dyn std::fmt::Display, problem: String| {
        Err(SettingError::value(setting, value, problem))
    };
    let seeds = request.seeds.len();
    if seeds < 2 {
        return bad(
            "interpolate",
            &format!("{seeds} seeds"),
            "expected at least 2, such as 0,5,9".into(),
        );
    }
    if !(1..=MAX_FRAMES).contains(&request.frames) {
        let problem = format!("expected 1 to {MAX_FRAMES} from one seed to the next");
        return bad("frames", &request.frames, problem);
    }
    if request.count() > MAX_WALK {
        let most = MAX_WALK / request.frames as u64;
        let fewer = match MAX_WALK / seeds as u64 {
            0 => String::new(),
            frames => format!(", or set `frames` to {frames}"),
        };
        let problem = format!(
            "the walk would have {} frames, expected at most {MAX_WALK}; name at most {most} seeds{fewer}",
            request.count()
        );
        return bad("frames", &request.frames, problem);
    }
    if !(1..=MAX_SCALE).contains(&request.scale) {
        return bad("scale", &request.scale, format!("expected 1 to {MAX_SCALE}"));
    }
    if !(MS[0]..=MS[1]).contains(&request.ms) {
        return bad("ms", &request.ms, format!("expected {} to {} per frame", MS[0], MS[1]));
    }
    Ok(())
}

/// The seeds and classes that the walk passes.
fn shots(model: &ModelFile, request: &WalkRequest) -> Result<Vec<Shot>, SettingError> {
    let indices = classes::indices_repeated(model, &classes::expand_all(model, &request.classes))?;
    let seeds = &request.seeds;
    let shot = |(seed, class): (&u64, Option<usize>)| Shot { seed: *seed, class };
    match indices.as_slice() {
        [] => Ok(seeds.iter().map(|seed| Shot::from(*seed)).collect()),
        [only] => Ok(seeds.iter().map(|seed| shot((seed, Some(*only)))).collect()),
        each if each.len() == seeds.len() => {
            Ok(seeds.iter().zip(each.iter().copied().map(Some)).map(shot).collect())
        }
        each => {
            let problem = format!(
                "{} classes for {} seeds; name one class for the whole walk or one per seed (a seed or a class may \
                 be named again)",
                each.len(),
                seeds.len()
            );
            Err(SettingError::new("class", problem))
        }
    }
}

/// A walk whose request has been checked.
struct Walk<'a> {
    sampler: &'a Sampler,
    model: &'a ModelConfig,
    /// The class vector of each seed; empty for a generator that is not conditioned on classes.
    classes: Vec<Vec<f32>>,
    /// The orientation of every frame: that of the first seed's image.
    orientation: Orientation,
    request: &'a WalkRequest,
}

impl Walk<'_> {
    /// The frames in their order, computed in batches. An error ends them.
    fn frames(&self) -> impl Iterator<Item = Result<Image, ModelError>> {
        let count = self.request.seeds.len() * self.request.frames;
        let batch = self.request.batch.min(count);
        let frames =
            self.sampler.in_batches(0..count, batch, |i| self.latent(*i), |i| self.class(*i));
        frames.map(|made| {
            let (_, image) = made?;
            Ok(image.oriented(self.orientation).enlarged(self.request.scale))
        })
    }

    /// The latent and the noise of frame `i`. They are interpolated on separate arcs: the noise has thousands of numbers,
    /// so on a common arc z would hardly count and its length would not be preserved.
    fn latent(&self, i: usize) -> Vec<f32> {
        let at = |key: usize| latent(self.request.seeds[key], self.model, self.request.truncation);
        self.between(i, at, |a, b, t| {
            let ((a, a_noise), (b, b_noise)) =
                (a.split_at(self.model.z_dim), b.split_at(self.model.z_dim));
            [slerp(a, b, t), slerp(a_noise, b_noise, t)].concat()
        })
    }

    /// The class vector of frame `i`.
    fn class(&self, i: usize) -> Vec<f32> {
        self.between(i, |key| self.classes[key].clone(), lerp)
    }

    /// The values of frame `i` on the closed path: `at` gives those of a seed, and `interpolate` those between two seeds.
    fn between(
        &self,
        i: usize,
        at: impl Fn(usize) -> Vec<f32>,
        interpolate: impl Fn(&[f32], &[f32], f64) -> Vec<f32>,
    ) -> Vec<f32> {
        let frames = self.request.frames;
        let (key, step) = (i / frames, i % frames);
        match step {
            0 => at(key),
            _ => {
                let next = (key + 1) % self.request.seeds.len();
                interpolate(&at(key), &at(next), step as f64 / frames as f64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use dermagan_model::Network;
    use dermagan_model::{Backbone, Card, ComputeDevice, Init};
    use image::codecs::gif::GifDecoder;
    use image::codecs::png::PngDecoder;
    use image::{AnimationDecoder, Frame};
    use tempfile::TempDir;

    use super::*;

    /// An untrained generator of 32 × 32 images with 4 channels. It is residual if it has classes, else a DCGAN.
    fn model(classes: &[&str]) -> ModelFile {
        let (backbone, init) = match classes {
            [] => (Backbone::Dcgan, Init::Pytorch),
            _ => (Backbone::Residual, Init::He),
        };
        let config = ModelConfig {
            backbone,
            classes: classes.len(),
            resolution: 32,
            z_dim: 16,
            noise: !classes.is_empty(),
            g_width: 4,
            d_width: 4,
            projected: false,
        };
        let generator = init.generator(&config, 1, &ComputeDevice::cpu().handle);
        let card = Card {
            format: Card::FORMAT,
            kind: "generator".into(),
            producer: "a test".into(),
            model: config,
            data: "nothing".into(),
            licence: "none".into(),
            classes: classes.iter().map(|code| (*code).to_owned()).collect(),
            class_images: vec![1; classes.len()],
            condition: 1.0,
            turns: false,
            preset: "tiny".into(),
            nimg: 0,
        };
        let hash = "0".repeat(64);
        ModelFile {
            weights: generator.to_weights(),
            config,
            card: Some(card),
            hash,
            digest: None,
            notes: Vec::new(),
        }
    }

    fn ready(model: &ModelFile) -> ImageGenerator {
        ImageGenerator::new(model.clone(), ComputeDevice::cpu()).unwrap()
    }

    fn request(folder: &TempDir, name: &str) -> WalkRequest {
        WalkRequest {
            seeds: vec![0, 5, 9],
            classes: Vec::new(),
            frames: 4,
            scale: 1,
            ms: FRAME_MS,
            out: folder.path().join(name),
            truncation: 1.0,
            batch: 5,
        }
    }

    fn codes(codes: &[&str]) -> Vec<String> {
        codes.iter().map(|code| (*code).to_owned()).collect()
    }

    /// Writes a walk and decodes the file: its frames, and the duration of the first in milliseconds.
    fn frames(model: &ModelFile, request: &WalkRequest) -> (Vec<Image>, u32) {
        let mut reported = 0;
        let made = ready(model).write_walk(request, &mut |done| reported = done).unwrap();
        assert_eq!((made, reported), (request.count(), request.count()));
        let bytes = Cursor::new(std::fs::read(&request.out).unwrap());
        let frames = match Format::of(&request.out).unwrap() {
            Format::Gif => GifDecoder::new(bytes).unwrap().into_frames(),
            Format::Png => PngDecoder::new(bytes).unwrap().apng().unwrap().into_frames(),
        };
        let frames = frames.collect_frames().unwrap();
        let (ms, of) = frames[0].delay().numer_denom_ms();
        let image = |frame: Frame| {
            let rgb = image::DynamicImage::from(frame.into_buffer()).into_rgb8();
            let (width, height) = (rgb.width() as usize, rgb.height() as usize);
            Image { width, height, pixels: rgb.into_raw() }
        };
        (frames.into_iter().map(image).collect(), ms / of)
    }

    #[test]
    fn a_walk_passes_the_images_of_its_seeds_for_any_batch_size() {
        let (folder, model) = (tempfile::tempdir().unwrap(), model(&[]));
        let (walk, ms) =
            frames(&model, &WalkRequest { truncation: 0.7, ..request(&folder, "a.png") });
        assert_eq!((walk.len(), ms), (12, FRAME_MS));
        let own =
            Sampler::new(&model, ComputeDevice::cpu()).unwrap().images([0, 5, 9], 0.7, 2).unwrap();
        assert_eq!([&walk[0], &walk[4], &walk[8]], [&own[0], &own[1], &own[2]]);
        assert!((1..12).all(|i| walk[i] != walk[i - 1]) && walk[11] != walk[0]);
        let large =
            WalkRequest { truncation: 0.7, batch: 64, scale: 2, ..request(&folder, "b.apng") };
        let enlarged: Vec<Image> = walk.iter().map(|image| image.enlarged(2)).collect();
        assert_eq!(frames(&model, &large).0, enlarged);
    }

    #[test]
    fn a_latent_and_its_noise_are_interpolated_separately() {
        let (folder, model) = (tempfile::tempdir().unwrap(), model(&["mel", "nv"]));
        let sampler = Sampler::new(&model, ComputeDevice::cpu()).unwrap();
        let request = WalkRequest { truncation: 0.7, ..request(&folder, "a.png") };
        let walk = Walk {
            sampler: &sampler,
            model: &model.config,
            classes: Vec::new(),
            orientation: Orientation::default(),
            request: &request,
        };
        let [zero, five] = [0, 5].map(|seed| latent(seed, &model.config, 0.7));
        let middle = walk.latent(1);
        assert_eq!(middle.len(), model.config.latents());
        assert_eq!(middle[..16], slerp(&zero[..16], &five[..16], 0.25));
        assert_eq!(middle[16..], slerp(&zero[16..], &five[16..], 0.25));
        assert_eq!(walk.latent(4), five);
    }

    #[test]
    fn a_walk_has_the_orientation_of_its_first_image() {
        let (folder, plain) = (tempfile::tempdir().unwrap(), model(&[]));
        let mut oriented = plain.clone();
        oriented.card.as_mut().unwrap().turns = true;
        let sampler = Sampler::new(&oriented, ComputeDevice::cpu()).unwrap();
        let first = (0..).find(|seed| sampler.orientation_of(*seed).quarters == 1).unwrap();
        let request = WalkRequest { seeds: vec![first, 99], ..request(&folder, "a.png") };
        let orientation = sampler.orientation_of(first);
        let expected: Vec<Image> = frames(&plain, &request)
            .0
            .into_iter()
            .map(|frame| frame.oriented(orientation))
            .collect();
        let walk = frames(&oriented, &request).0;
        assert_eq!(walk, expected);
        assert_eq!(walk[0], sampler.images([first], 1.0, 1).unwrap()[0]);
    }

    #[test]
    fn a_gif_can_be_decoded_and_both_formats_say_that_they_are_synthetic() {
        let (folder, model) = (tempfile::tempdir().unwrap(), model(&[]));
        let gif = WalkRequest { scale: 3, ..request(&folder, "deep/er/walk.GIF") };
        let (walk, ms) = frames(&model, &gif);
        assert_eq!((walk.len(), walk[11].width, ms), (12, 96, FRAME_MS));
        let png = request(&folder, "walk.png");
        frames(&model, &png);
        for file in [&gif.out, &png.out] {
            let bytes = std::fs::read(file).unwrap();
            let has = |word: &str| bytes.windows(word.len()).any(|here| here == word.as_bytes());
            assert!(has("SYNTHETIC") && has("0,5,9"), "{}", file.display());
        }
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "no partial file is left");
    }

    #[test]
    fn a_walk_through_classes_changes_the_image_of_one_latent() {
        let (folder, model) = (tempfile::tempdir().unwrap(), model(&["mel", "nv", "df"]));
        let walk = |classes: &[&str]| {
            let request = WalkRequest {
                seeds: vec![7, 7],
                classes: codes(classes),
                frames: 3,
                ..request(&folder, "a.png")
            };
            frames(&model, &request).0
        };
        let still = walk(&["NV"]);
        assert!(still.iter().all(|image| *image == still[0]));
        let moving = walk(&["nv", "df"]);
        assert_eq!(moving[0], still[0]);
        assert!((1..4).all(|i| moving[i] != moving[i - 1]));
        let sampler = Sampler::new(&model, ComputeDevice::cpu()).unwrap();
        let df = Shot { seed: 7, class: Some(2) };
        assert_eq!(moving[3], sampler.images([df], 1.0, 1).unwrap()[0]);
    }

    #[test]
    fn a_walk_without_classes_uses_the_classes_that_its_seeds_draw() {
        let (folder, model) = (tempfile::tempdir().unwrap(), model(&["mel", "nv", "df"]));
        let (walk, _) = frames(&model, &request(&folder, "a.png"));
        let sampler = Sampler::new(&model, ComputeDevice::cpu()).unwrap();
        let own = sampler.images([0, 5, 9], 1.0, 3).unwrap();
        assert_eq!([&walk[0], &walk[4], &walk[8]], [&own[0], &own[1], &own[2]]);
    }

    #[test]
    fn invalid_requests_are_rejected_before_a_file_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, classes) = (model(&[]), model(&["mel", "nv", "df"]));
        let refused = |model: &ModelFile, request: WalkRequest, words: &str| {
            let error = ready(model).write_walk(&request, &mut |_| ()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        let good = || request(&folder, "a.gif");
        refused(&plain, WalkRequest { seeds: vec![], ..good() }, "at least 2");
        refused(&plain, WalkRequest { seeds: vec![1], ..good() }, "at least 2");
        refused(&plain, WalkRequest { frames: 0, ..good() }, "`frames` = 0: expected 1 to 240");
        refused(&plain, WalkRequest { frames: 241, ..good() }, "`frames` = 241");
        let many = WalkRequest { seeds: (0..100).collect(), frames: 51, ..good() };
        refused(&plain, many, "at most 98 seeds, or set `frames` to 50");
        let many = WalkRequest { seeds: (0..5001).collect(), frames: 1, ..good() };
        refused(&plain, many, "name at most 5000 seeds");
        refused(&plain, WalkRequest { scale: 0, ..good() }, "`scale` = 0: expected 1 to 16");
        refused(&plain, WalkRequest { scale: usize::MAX, ..good() }, "`scale`");
        refused(&plain, WalkRequest { ms: 0, ..good() }, "10 to 60000");
        refused(&plain, WalkRequest { batch: 0, ..good() }, "`batch` = 0");
        refused(&plain, WalkRequest { truncation: f64::NAN, ..good() }, "`truncation` = NaN");
        for name in ["walk.mp4", "walk", ".gif", "gif"] {
            refused(&plain, request(&folder, name), "such as walk.gif");
        }
        refused(&plain, WalkRequest { classes: codes(&["mel"]), ..good() }, "no class on demand");
        let asked = |names: &[&str]| WalkRequest { classes: codes(names), ..good() };
        refused(&classes, asked(&["mel", "nv"]), "2 classes for 3 seeds");
        refused(&classes, asked(&["mel", "nv", "xy"]), "no class 'xy'");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        ready(&classes).write_walk(&asked(&["all"]), &mut |_| ()).unwrap();
    }
}
