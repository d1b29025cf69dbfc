//! What a user should know about the data and the length of a run before its first step, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, Fit};

use crate::recipe::config::{Part, TrainConfig};

/// A crop that discards less than this share of the pixels is usual: it is 0.25 for photographs of 4:3, such as those of
/// HAM10000.
const CROPPED: f64 = 0.3;
/// Smallest share of black bars that is reported.
const PADDED: f64 = 0.05;
/// A generator memorises fewer different images than this.
const FEW: usize = 100;
/// Smallest share of identical images that is reported.
const IDENTICAL: f64 = 0.1;
/// Smallest share of grey images that is reported.
const GREY: f64 = 0.5;
/// Largest difference between the channels of a grey pixel, in levels of 255. JPEG rounds the channels differently.
const GREY_LEVELS: u8 = 4;
/// A run that is longer than was asked for by this factor is reported: it ends only after a whole step.
const LONGER: f64 = 1.5;

/// A fact about a run that its user may not expect. Its text is a sentence without a full stop, which names settings in
/// backticks.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Advice {
    /// The crop to a square discards this share of the average image, 0 to 1.
    Cropped {
        /// The share.
        share: f64,
    },
    /// The black bars that make images square take this share of the average image, 0 to 1.
    Padded {
        /// The share.
        share: f64,
    },
    /// There are so few images that they will be memorised.
    FewImages {
        /// Number of images that the run trains on.
        images: usize,
        /// Number of different images among them.
        different: usize,
    },
    /// There are so few images of some classes, on which the networks are conditioned, that they will be memorised.
    FewOfClasses {
        /// The codes of these classes with their numbers of images.
        classes: Vec<(String, u64)>,
    },
    /// Many images have an identical copy.
    Identical {
        /// Number of images that are identical to another one.
        identical: usize,
        /// Number of images that the run trains on.
        images: usize,
    },
    /// A side of the split has no image, so there is nothing to evaluate on.
    EmptySide {
        /// Number of images for training.
        train: usize,
        /// Number of images for validation.
        val: usize,
        /// Number of images for the test.
        test: usize,
    },
    /// A step sees each image more than once, or the run is much longer than was asked for, because it ends only after a
    /// whole step.
    LargeBatch {
        /// Number of images per step.
        batch: usize,
        /// Number of images that the run trains on.
        images: usize,
        /// Number of steps of the run.
        steps: u64,
        /// Length that was asked for, in thousands of images.
        kimg: f64,
    },
    /// Images are grey, and the generator makes colours.
    Grey {
        /// Number of grey images.
        grey: usize,
        /// Number of images that the run trains on.
        images: usize,
    },
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        match self {
            Self::Cropped { share } => write!(
                f,
                "the crop to a square discards {} of the average image; `fit` = pad or `fit` = squash keeps all of it",
                percent(*share)
            ),
            Self::Padded { share } => write!(
                f,
                "`fit` = pad makes {} of the average image black bars, and the generator learns to draw them",
                percent(*share)
            ),
            Self::FewImages { images, different } => {
                write!(f, "the run trains on {}", counted(*images, "image"))?;
                if different < images {
                    write!(f, " ({different} distinct)")?;
                }
                write!(
                    f,
                    "; fewer than about {FEW} are memorised, so the generated images will be near copies of them"
                )
            }
            Self::FewOfClasses { classes } => {
                let classes: Vec<String> =
                    classes.iter().map(|(code, count)| format!("{code} {count}")).collect();
                write!(
                    f,
                    "classes with few images: {}; fewer than about {FEW} are memorised, so the generated images of these \
                     classes may be near copies",
                    classes.join(", ")
                )
            }
            Self::Identical { identical, images } => {
                write!(f, "{identical} of {images} images are identical to another one")
            }
            Self::EmptySide { train, val, test } => write!(
                f,
                "the split has {} for training, {val} for validation and {test} for the test; there is nothing to evaluate on \
                 an empty side",
                counted(*train, "image")
            ),
            Self::LargeBatch { batch, images, steps, kimg } => {
                let (seen, of) = (*steps as f64 * *batch as f64, *images as f64);
                let per_step = (*batch as f64 / of).round();
                write!(f, "`batch` = {batch} with {}", counted(*images, "image"))?;
                if batch > images {
                    write!(f, ": a step sees each image about {per_step} times")?;
                }
                write!(
                    f,
                    "; the run is {} of {:.3} kimg, which see each image about {:.0} times",
                    counted(*steps as usize, "step"),
                    seen / 1000.0,
                    seen / of
                )?;
                match seen > LONGER * 1000.0 * kimg {
                    true => write!(f, ", and not the {kimg} kimg that `kimg` asks for"),
                    false => Ok(()),
                }
            }
            Self::Grey { grey, images } => write!(
                f,
                "{grey} of {} {} grey; the generator makes colour images, which may be tinted",
                counted(*images, "image"),
                if *grey == 1 { "is" } else { "are" }
            ),
        }
    }
}

/// A number with its noun.
fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The advice for a new run on the images `trained` of a cache: on its images first and on its length last. `lost` is the
/// mean share of an original image's pixels outside its central square, if it is known.
pub fn advice(
    config: &TrainConfig,
    cache: &Cache,
    trained: &[u32],
    lost: Option<f64>,
) -> Vec<Advice> {
    let images = trained.len();
    let mut found = Vec::new();
    if let Some(share) = lost {
        found.extend(of_fit(config.input.fit, share));
    }
    let (different, identical) = copies(cache, trained);
    if identical as f64 >= IDENTICAL * images as f64 && identical > 0 {
        found.push(Advice::Identical { identical, images });
    }
    let classes = config.source.classes.iter().cloned().zip(config.source.class_images.clone());
    let few: Vec<(String, u64)> = classes.filter(|(_, count)| *count < FEW as u64).collect();
    if different < FEW {
        found.push(Advice::FewImages { images, different });
    } else if config.model.classes > 0 && !few.is_empty() {
        found.push(Advice::FewOfClasses { classes: few });
    }
    if config.input.split == Part::Train {
        found.extend(empty_side(config, cache));
    }
    let grey = trained.iter().filter(|&&image| is_grey(cache.pixels(image as usize))).count();
    if grey as f64 >= GREY * images as f64 && grey > 0 {
        found.push(Advice::Grey { grey, images });
    }
    found.extend(of_batch(config.optimiser.batch, images, config.steps(), config.schedule.kimg));
    found
}

/// The advice on how images become square, if they lose or gain the share `share` of their pixels on average.
fn of_fit(fit: Fit, share: f64) -> Option<Advice> {
    match fit {
        Fit::Crop if share >= CROPPED => Some(Advice::Cropped { share }),
        Fit::Pad if share >= PADDED => Some(Advice::Padded { share }),
        _ => None,
    }
}

fn of_batch(batch: usize, images: usize, steps: u64, kimg: f64) -> Option<Advice> {
    let longer = steps as f64 * batch as f64 > LONGER * 1000.0 * kimg;
    (batch > images || longer).then_some(Advice::LargeBatch { batch, images, steps, kimg })
}

/// Number of different images, and of images that are identical to another one.
fn copies(cache: &Cache, images: &[u32]) -> (usize, usize) {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for &image in images {
        *counts.entry(cache.header().hashes[image as usize]).or_default() += 1;
    }
    (counts.len(), counts.values().filter(|count| **count > 1).sum())
}

/// The sizes of the sides of the split in the classes of the run, if one is empty.
fn empty_side(config: &TrainConfig, cache: &Cache) -> Option<Advice> {
    let header = cache.header();
    let sides = split::of_version(header, config.source.split);
    let trained = |class: usize| config.source.classes.contains(&header.classes[class]);
    let of = |side: Side| {
        let records = header.records.iter().zip(&sides);
        records.filter(|(record, on)| **on == side && trained(record.class)).count()
    };
    let (train, val, test) = (of(Side::Train), of(Side::Val), of(Side::Test));
    (val == 0 || test == 0).then_some(Advice::EmptySide { train, val, test })
}

/// Whether the three channels of every pixel are equal, up to rounding.
fn is_grey(pixels: &[u8]) -> bool {
    pixels.chunks_exact(3).all(|pixel| {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]];
        r.max(g).max(b) - r.min(g).min(b) <= GREY_LEVELS
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::request::TrainRequest;
    use crate::test_support::{plan, request};

    #[test]
    fn a_crop_is_reported_if_it_loses_more_than_that_of_4_to_3() {
        assert_eq!(of_fit(Fit::Crop, 0.25), None);
        assert_eq!(of_fit(Fit::Crop, 0.4375), Some(Advice::Cropped { share: 0.4375 }));
        assert_eq!(of_fit(Fit::Pad, 0.25), Some(Advice::Padded { share: 0.25 }));
        assert_eq!(of_fit(Fit::Squash, 0.75), None);
        let words = Advice::Cropped { share: 0.75 }.to_string();
        assert!(words.contains("discards 75 %") && words.contains("`fit` = pad"), "{words}");
    }

    #[test]
    fn a_large_batch_is_reported_with_the_length_that_the_run_has() {
        assert_eq!(of_batch(16, 16, 10, 0.16), None);
        let found = of_batch(4096, 10, 1, 0.06).unwrap();
        assert_eq!(
            found.to_string(),
            "`batch` = 4096 with 10 images: a step sees each image about 410 times; the run is 1 step of 4.096 kimg, \
             which see each image about 410 times, and not the 0.06 kimg that `kimg` asks for"
        );
        let only_more = of_batch(64, 32, 100, 6.4).unwrap().to_string();
        assert!(!only_more.contains("asks for"), "{only_more}");
    }

    #[test]
    fn a_pixel_is_grey_if_its_channels_differ_by_rounding_alone() {
        assert!(is_grey(&[10, 10, 10, 200, 203, 204]));
        assert!(!is_grey(&[10, 10, 10, 200, 203, 205]));
    }

    #[test]
    fn few_images_are_reported_once_and_few_of_a_class_only_to_a_conditional_run() {
        // The phantom has about 40 images here.
        let few = plan(request("tiny", &[])).unwrap().advice();
        assert!(few.iter().any(|advice| matches!(advice, Advice::FewImages { images, different }
            if images == different && *images < FEW)));
        assert!(!few.iter().any(|advice| matches!(advice, Advice::FewOfClasses { .. })));
        assert!(!few.iter().any(|advice| matches!(advice, Advice::Grey { .. })));
        assert!(!few.iter().any(|advice| matches!(advice, Advice::EmptySide { .. })), "{few:?}");
    }

    #[test]
    fn a_batch_of_more_images_than_there_are_is_reported_for_a_plan() {
        let large = TrainRequest { batch: Some(64), kimg: Some(0.064), ..request("tiny", &[]) };
        let plan = plan(large).unwrap();
        let images = plan.images.len();
        let expected = Advice::LargeBatch { batch: 64, images, steps: 1, kimg: 0.064 };
        assert!(images < 64 && plan.advice().contains(&expected), "{:?}", plan.advice());
    }
}
