//! `sample --interpolate` as a library call: a walk from image to image, as an animation.

use std::path::PathBuf;

use dermagan_base::atomic::Pending;
use dermagan_base::image::Image;
use dermagan_base::name::start_of;
use dermagan_base::orientation::Orientation;
use dermagan_model::latent::latent;
use dermagan_model::{ModelConfig, ModelError, ModelFile, Selected};

use crate::animation::{Format, write_gif, write_png};
use crate::arc::{lerp, slerp};
use crate::error::TrainError;
use crate::sampler::{Sampler, Shot};
use crate::sampling;

/// How long a walk shows a frame, in milliseconds: 25 frames a second.
pub const FRAME_MS: u32 = 40;
/// The most frames from one seed to the next, and of a walk.
const MAX_FRAMES: usize = 240;
const MAX_TOTAL: u64 = 5000;
/// The largest square for a pixel.
const MAX_SCALE: usize = 16;
/// The shortest and the longest time for a frame: a GIF counts in hundredths of a second, a PNG in 16
/// bits.
const MS: [u32; 2] = [10, 60_000];

/// What to make.
#[derive(Clone, Debug)]
pub struct WalkRequest {
    /// The seeds that it comes by, before it goes back to the first. One may come again.
    pub seeds: Vec<u64>,
    /// Classes, by code: one for each seed, or one for the whole walk; empty for the seeds' own. From
    /// class to class it goes straight.
    pub classes: Vec<String>,
    /// Frames from a seed to the next; the first of them is that seed's own image, laid as the walk's
    /// first.
    pub frames: usize,
    /// Side of the square that each pixel is shown as.
    pub scale: usize,
    /// How long a frame is shown, in milliseconds; a GIF knows hundredths of a second only.
    pub ms: u32,
    /// A `.gif`, which has 256 colours a frame, or a `.png` or `.apng`, which has all.
    pub out: PathBuf,
    /// Truncation.
    pub psi: f64,
    /// Images at a time.
    pub batch: usize,
}

impl WalkRequest {
    /// How many frames.
    pub fn count(&self) -> u64 {
        (self.seeds.len() as u64).saturating_mul(self.frames as u64)
    }
}

/// Reads `0,5,9` or `0-7`: the seeds of a walk, in its order.
///
/// # Errors
/// Says what such a list looks like.
pub fn parse_seeds(text: &str) -> Result<Vec<u64>, TrainError> {
    let ranges = sampling::ranges(text).unwrap_or_default();
    let count = ranges.iter().fold(0, |sum: u64, r| sum.saturating_add(r.end - r.start));
    match (2..=MAX_TOTAL).contains(&count) {
        true => Ok(ranges.into_iter().flatten().collect()),
        false => Err(TrainError::Option(format!(
            "--interpolate {}: expected 2 to {MAX_TOTAL} seeds below {}, such as 0,5,9 or 0-7",
            start_of(text, sampling::SHOWN),
            u64::MAX
        ))),
    }
}

/// Makes the animation; `progress` hears how many frames are done. Returns how many.
///
/// # Errors
/// When an option makes no sense, or the place cannot be written.
pub fn run(
    model: &ModelFile,
    device: Selected,
    request: &WalkRequest,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, TrainError> {
    let format = Format::of(&request.out).ok_or_else(|| {
        TrainError::Option(format!(
            "--out {}: a walk is a .gif (256 colours a frame), a .png or an .apng (every \
             colour), such as --out walk.gif",
            request.out.display()
        ))
    })?;
    check(request)?;
    let shots = shots(model, request)?;
    let sampler = Sampler::new(model, device)?;
    let classes: Option<Vec<String>> =
        shots.iter().map(|shot| sampling::class_code(model, &sampler, *shot)).collect();
    let seeds: Vec<String> = request.seeds.iter().map(u64::to_string).collect();
    let classes = classes.map(|codes| codes.join(","));
    let text = sampling::text(model, seeds.join(","), classes, request.psi);
    let walk = Walk {
        sampler: &sampler,
        model: &model.config,
        classes: shots.iter().map(|shot| sampler.rows(&[sampler.class_of(*shot)])).collect(),
        orientation: sampler.orientation_of(request.seeds[0]),
        request,
    };
    // An image that is none comes through the writer, but is no fault of the file.
    let bad = || {
        |error: std::io::Error| match error.downcast::<ModelError>() {
            Ok(error) => TrainError::Model(error),
            Err(error) => TrainError::io(&request.out)(error),
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

fn check(request: &WalkRequest) -> Result<(), TrainError> {
    sampling::check(request.psi, request.batch)?;
    let seeds = request.seeds.len();
    let what = if seeds < 2 {
        format!("--interpolate: {seeds} seeds, expected at least 2, such as 0,5,9")
    } else if !(1..=MAX_FRAMES).contains(&request.frames) {
        format!("--frames {}: expected 1 to {MAX_FRAMES} from one seed to the next", request.frames)
    } else if request.count() > MAX_TOTAL {
        let most = MAX_TOTAL / request.frames as u64;
        let fewer = match MAX_TOTAL / seeds as u64 {
            0 => String::new(),
            frames => format!(", or ask for --frames {frames}"),
        };
        format!(
            "a walk of {} frames, up to {MAX_TOTAL} are possible; name at most {most} seeds{fewer}",
            request.count()
        )
    } else if !(1..=MAX_SCALE).contains(&request.scale) {
        format!("--scale {}: expected 1 to {MAX_SCALE}", request.scale)
    } else if !(MS[0]..=MS[1]).contains(&request.ms) {
        format!("{} ms a frame: {} to {} are possible", request.ms, MS[0], MS[1])
    } else {
        return Ok(());
    };
    Err(TrainError::Option(what))
}

/// The images that the walk comes by.
fn shots(model: &ModelFile, request: &WalkRequest) -> Result<Vec<Shot>, TrainError> {
    let places = sampling::each_place(model, &sampling::spelt_out(model, &request.classes))?;
    let seeds = &request.seeds;
    let shot = |(seed, class): (&u64, Option<usize>)| Shot { seed: *seed, class };
    match places.as_slice() {
        [] => Ok(seeds.iter().map(|seed| Shot::from(*seed)).collect()),
        [only] => Ok(seeds.iter().map(|seed| shot((seed, Some(*only)))).collect()),
        each if each.len() == seeds.len() => {
            Ok(seeds.iter().zip(each.iter().copied().map(Some)).map(shot).collect())
        }
        each => Err(TrainError::Option(format!(
            "--class: {} classes for {} seeds; name one for the whole walk or one for each seed (a \
             seed or a class may be named again)",
            each.len(),
            seeds.len()
        ))),
    }
}

/// The images of a walk.
struct Walk<'a> {
    sampler: &'a Sampler,
    model: &'a ModelConfig,
    /// What says the class of each; empty for a generator that knows of none.
    classes: Vec<Vec<f32>>,
    /// How all of them are laid: as the first seed's.
    orientation: Orientation,
    request: &'a WalkRequest,
}

impl Walk<'_> {
    /// The frames one by one, a batch made at a time; an error ends them.
    fn frames(&self) -> impl Iterator<Item = Result<Image, ModelError>> {
        let count = self.request.seeds.len() * self.request.frames;
        let batch = self.request.batch.min(count);
        (0..count).step_by(batch).flat_map(move |first| {
            let frames = first..(first + batch).min(count);
            let latents = frames.clone().flat_map(|i| self.latent(i));
            let classes: Vec<f32> = frames.clone().flat_map(|i| self.class(i)).collect();
            let (images, error) = match self.sampler.make(latents.collect(), &classes, batch) {
                Ok(images) => (images, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            let laid = |image: Image| image.turned(self.orientation);
            let frames = images.into_iter().map(move |p| laid(p).enlarged(self.request.scale));
            frames.map(Ok).chain(error.map(Err))
        })
    }

    /// What frame `i` is made of. The noise has an arc of its own: beside its thousands of numbers the
    /// latent's would not count, and its length would not be kept.
    fn latent(&self, i: usize) -> Vec<f32> {
        let at = |key: usize| latent(self.request.seeds[key], self.model, self.request.psi);
        self.between(i, at, |a, b, t| {
            let ((a, a_noise), (b, b_noise)) =
                (a.split_at(self.model.z_dim), b.split_at(self.model.z_dim));
            [slerp(a, b, t), slerp(a_noise, b_noise, t)].concat()
        })
    }

    /// What says the class of frame `i`.
    fn class(&self, i: usize) -> Vec<f32> {
        self.between(i, |key| self.classes[key].clone(), lerp)
    }

    /// Where frame `i` is on the closed way from seed to seed.
    fn between(
        &self,
        i: usize,
        at: impl Fn(usize) -> Vec<f32>,
        way: impl Fn(&[f32], &[f32], f64) -> Vec<f32>,
    ) -> Vec<f32> {
        let frames = self.request.frames;
        let (key, step) = (i / frames, i % frames);
        match step {
            0 => at(key),
            _ => {
                let next = (key + 1) % self.request.seeds.len();
                way(&at(key), &at(next), step as f64 / frames as f64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use dermagan_model::model_file::FORMAT;
    use dermagan_model::named::Network;
    use dermagan_model::{Backbone, Card, Init};
    use image::codecs::gif::GifDecoder;
    use image::codecs::png::PngDecoder;
    use image::{AnimationDecoder, Frame};
    use tempfile::TempDir;

    use super::*;

    /// A generator of 32 pixels, four channels wide, that begins; with classes it is a residual one.
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
        };
        let generator = init.generator(&config, 1, &Selected::cpu().device);
        let card = Card {
            format: FORMAT,
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
        ModelFile { weights: generator.to_weights(), config, card: Some(card), hash }
    }

    fn request(folder: &TempDir, name: &str) -> WalkRequest {
        WalkRequest {
            seeds: vec![0, 5, 9],
            classes: Vec::new(),
            frames: 4,
            scale: 1,
            ms: FRAME_MS,
            out: folder.path().join(name),
            psi: 1.0,
            batch: 5,
        }
    }

    fn codes(codes: &[&str]) -> Vec<String> {
        codes.iter().map(|code| (*code).to_owned()).collect()
    }

    /// Runs a request and opens what it wrote: the frames' pixels, and the time of the first.
    fn frames(model: &ModelFile, request: &WalkRequest) -> (Vec<Image>, u32) {
        let mut heard = 0;
        let made = run(model, Selected::cpu(), request, &mut |done| heard = done).unwrap();
        assert_eq!((made, heard), (request.count(), request.count()));
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
    fn a_walk_comes_by_the_seeds_own_images_whatever_the_batch() {
        let (folder, model) = (tempfile::tempdir().unwrap(), model(&[]));
        let (walk, ms) = frames(&model, &WalkRequest { psi: 0.7, ..request(&folder, "a.png") });
        assert_eq!((walk.len(), ms), (12, FRAME_MS));
        let own = Sampler::new(&model, Selected::cpu()).unwrap().images([0, 5, 9], 0.7, 2).unwrap();
        assert_eq!([&walk[0], &walk[4], &walk[8]], [&own[0], &own[1], &own[2]]);
        assert!((1..12).all(|i| walk[i] != walk[i - 1]) && walk[11] != walk[0]);
        let large = WalkRequest { psi: 0.7, batch: 64, scale: 2, ..request(&folder, "b.apng") };
        let enlarged: Vec<Image> = walk.iter().map(|image| image.enlarged(2)).collect();
        assert_eq!(frames(&model, &large).0, enlarged);
    }

    #[test]
    fn a_latent_and_its_noise_go_their_own_ways() {
        let (folder, model) = (tempfile::tempdir().unwrap(), model(&["mel", "nv"]));
        let sampler = Sampler::new(&model, Selected::cpu()).unwrap();
        let request = WalkRequest { psi: 0.7, ..request(&folder, "a.png") };
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
    fn a_walk_is_laid_as_its_first_image() {
        let (folder, plain) = (tempfile::tempdir().unwrap(), model(&[]));
        let mut turning = plain.clone();
        turning.card.as_mut().unwrap().turns = true;
        let sampler = Sampler::new(&turning, Selected::cpu()).unwrap();
        let first = (0..).find(|seed| sampler.orientation_of(*seed).quarters == 1).unwrap();
        let request = WalkRequest { seeds: vec![first, 99], ..request(&folder, "a.png") };
        let laid = sampler.orientation_of(first);
        let straight: Vec<Image> =
            frames(&plain, &request).0.into_iter().map(|frame| frame.turned(laid)).collect();
        let walk = frames(&turning, &request).0;
        assert_eq!(walk, straight);
        assert_eq!(walk[0], sampler.images([first], 1.0, 1).unwrap()[0]);
    }

    #[test]
    fn a_gif_opens_again_and_both_forms_say_that_they_are_synthetic() {
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
        assert_eq!(left, 2, "no half file is left");
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
        let sampler = Sampler::new(&model, Selected::cpu()).unwrap();
        let df = Shot { seed: 7, class: Some(2) };
        assert_eq!(moving[3], sampler.images([df], 1.0, 1).unwrap()[0]);
    }

    #[test]
    fn a_walk_without_classes_goes_by_the_classes_that_the_seeds_decide() {
        let (folder, model) = (tempfile::tempdir().unwrap(), model(&["mel", "nv", "df"]));
        let (walk, _) = frames(&model, &request(&folder, "a.png"));
        let sampler = Sampler::new(&model, Selected::cpu()).unwrap();
        let own = sampler.images([0, 5, 9], 1.0, 3).unwrap();
        assert_eq!([&walk[0], &walk[4], &walk[8]], [&own[0], &own[1], &own[2]]);
    }

    #[test]
    fn a_list_of_seeds_has_two_at_least_and_may_name_one_again() {
        assert_eq!(parse_seeds("0,5,9").unwrap(), [0, 5, 9]);
        assert_eq!(parse_seeds("7,7,2-4").unwrap(), [7, 7, 2, 3, 4]);
        for wrong in ["", "3", "a,b", "5-1", "0-5000", "0-18446744073709551614,1"] {
            let error = parse_seeds(wrong).unwrap_err().to_string();
            assert!(error.contains("such as 0,5,9"), "{error}");
        }
    }

    #[test]
    fn bad_requests_are_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, classes) = (model(&[]), model(&["mel", "nv", "df"]));
        let refused = |model: &ModelFile, request: WalkRequest, words: &str| {
            let error = run(model, Selected::cpu(), &request, &mut |_| ()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        let good = || request(&folder, "a.gif");
        refused(&plain, WalkRequest { seeds: vec![], ..good() }, "at least 2");
        refused(&plain, WalkRequest { seeds: vec![1], ..good() }, "at least 2");
        refused(&plain, WalkRequest { frames: 0, ..good() }, "--frames 0: expected 1 to 240");
        refused(&plain, WalkRequest { frames: 241, ..good() }, "--frames 241");
        let many = WalkRequest { seeds: (0..100).collect(), frames: 51, ..good() };
        refused(&plain, many, "at most 98 seeds, or ask for --frames 50");
        let many = WalkRequest { seeds: (0..5001).collect(), frames: 1, ..good() };
        refused(&plain, many, "name at most 5000 seeds");
        refused(&plain, WalkRequest { scale: 0, ..good() }, "--scale 0: expected 1 to 16");
        refused(&plain, WalkRequest { scale: usize::MAX, ..good() }, "--scale");
        refused(&plain, WalkRequest { ms: 0, ..good() }, "10 to 60000");
        refused(&plain, WalkRequest { batch: 0, ..good() }, "--batch 0");
        refused(&plain, WalkRequest { psi: f64::NAN, ..good() }, "--trunc NaN");
        for name in ["walk.mp4", "walk", ".gif", "gif"] {
            refused(&plain, request(&folder, name), "such as --out walk.gif");
        }
        refused(&plain, WalkRequest { classes: codes(&["mel"]), ..good() }, "no class on demand");
        let asked = |names: &[&str]| WalkRequest { classes: codes(names), ..good() };
        refused(&classes, asked(&["mel", "nv"]), "2 classes for 3 seeds");
        refused(&classes, asked(&["mel", "nv", "xy"]), "no class 'xy'");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        run(&classes, Selected::cpu(), &asked(&["all"]), &mut |_| ()).unwrap();
    }
}
