//! The phantom: procedural images that look a little like dermatoscopy, for the quick start and the tests.
//!
//! **They are not medical data.** They show no person's skin and have no diagnosis, and no result on them applies to
//! lesions. They have the properties that a loader and a trainer must handle: seven classes with HAM10000's imbalance,
//! several views of one lesion, hairs, a vignette, and missing values in the table.

mod paint;

use dermagan_base::rng::Keyed;
use image::RgbImage;

use crate::error::DataError;
use crate::source::description::HAM10000;
use crate::source::record::{DxType, Record, Sex};

/// Number of images of `phantom`; `phantom:N` asks for another number.
const DEFAULT_COUNT: usize = 1000;
/// Maximum number N.
const MAX_COUNT: usize = 1_000_000;
/// Minimum number of images per class, so that the split of a small phantom has all seven classes on every side.
const MIN_PER_CLASS: usize = 6;
/// Width and height in pixels: a third of a HAM10000 photograph's.
const SIZE: (u32, u32) = (200, 150);
/// The seed of every draw: the images are the same for every user.
const SEED: u64 = 0x6465_726d;

/// The lesion, number and class of one image. Everything else is drawn from these.
#[derive(Clone, Copy, Debug)]
struct View {
    lesion: u64,
    image: u64,
    class: usize,
}

/// The procedural source.
pub(crate) struct Phantom {
    views: Vec<View>,
}

impl Phantom {
    /// The phantom that `phantom` or `phantom:N` names; `None` for any other text.
    ///
    /// # Errors
    /// [`DataError::Option`] if N is not a number from 1 to 1,000,000.
    pub fn from_spec(spec: &str) -> Result<Option<Self>, DataError> {
        if spec == "phantom" {
            return Ok(Some(Self::new(DEFAULT_COUNT)));
        }
        let Some(count) = spec.strip_prefix("phantom:") else { return Ok(None) };
        match count.parse() {
            Ok(n) if (1..=MAX_COUNT).contains(&n) => Ok(Some(Self::new(n))),
            _ => Err(DataError::Option(format!(
                "'{spec}': expected phantom:N with N from 1 to {MAX_COUNT}, such as phantom:1000"
            ))),
        }
    }

    /// About `count` images in HAM10000's proportions; each class has at least 6.
    pub fn new(count: usize) -> Self {
        let mut views = Vec::new();
        let mut lesion = 0;
        for (class, of) in HAM10000.classes.iter().enumerate() {
            let share = (count * of.images).div_ceil(HAM10000.images).max(MIN_PER_CLASS);
            let mut made = 0;
            while made < share {
                // Two thirds of the HAM10000 lesions have one image; some have up to six.
                let more = match Keyed::new(SEED, "phantom views", lesion).unit() {
                    x if x < 0.7 => 1,
                    x if x < 0.9 => 2,
                    _ => 3,
                };
                for _ in 0..more.min(share - made) {
                    views.push(View { lesion, image: views.len() as u64, class });
                    made += 1;
                }
                lesion += 1;
            }
        }
        Self { views }
    }

    /// Width and height of every image, in pixels.
    pub fn size(&self) -> (u32, u32) {
        SIZE
    }

    /// One record per image, with missing values as in the real table.
    pub fn records(&self) -> Vec<Record> {
        const SITES: [&str; 6] = ["back", "lower extremity", "trunk", "abdomen", "face", "unknown"];
        let record = |view: &View| {
            let mut draw = Keyed::new(SEED, "phantom record", view.lesion);
            let gap = draw.unit() < 0.02;
            Record {
                image_id: format!("PHANTOM_{:07}", view.image),
                lesion_id: Some(format!("PHL_{:07}", view.lesion)),
                class: view.class,
                dx_type: match draw.unit() {
                    x if x < 0.53 => DxType::Histo,
                    x if x < 0.90 => DxType::FollowUp,
                    x if x < 0.99 => DxType::Consensus,
                    _ => DxType::Confocal,
                },
                age: (!gap).then(|| 5.0 * (2 + draw.below(16)) as f32),
                sex: match gap {
                    true => Sex::Unknown,
                    false if draw.unit() < 0.54 => Sex::Male,
                    false => Sex::Female,
                },
                localization: SITES[draw.below(SITES.len() as u64) as usize].to_owned(),
                part: None,
            }
        };
        self.views.iter().map(record).collect()
    }

    /// Paints image `index`.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn render(&self, index: usize) -> RgbImage {
        let view = self.views[index];
        paint::paint(
            SIZE,
            &paint::Lesion::draw(view.class, &mut Keyed::new(SEED, "phantom lesion", view.lesion)),
            &paint::Photograph::draw(&mut Keyed::new(SEED, "phantom shot", view.image)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phantom_has_seven_classes_with_ham10000s_imbalance_and_several_views_of_a_lesion() {
        let phantom = Phantom::new(1000);
        let records = phantom.records();
        let of = |class| records.iter().filter(|r| r.class == class).count();
        assert!((0..7).all(|class| of(class) >= MIN_PER_CLASS));
        assert!(of(5) > 600 && of(3) < 20);
        let lesions: std::collections::BTreeSet<_> = records.iter().map(|r| &r.lesion_id).collect();
        assert!(lesions.len() < records.len());
    }

    #[test]
    fn an_image_is_a_function_of_its_index_and_differs_from_its_neighbours() {
        let phantom = Phantom::new(50);
        assert_eq!(phantom.render(3), phantom.render(3));
        assert_ne!(phantom.render(3), phantom.render(4));
    }
}
