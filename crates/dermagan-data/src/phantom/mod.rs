//! Procedural images that look a little like dermatoscopy, for the quick start and the tests.
//!
//! **They are not medical data**: nobody's skin, no diagnosis, and nothing learnt from them says
//! anything about lesions. They have what a loader and a trainer must cope with: seven classes
//! with HAM10000's imbalance, several views of one lesion, hairs, a vignette, gaps in the table.

mod paint;

use dermagan_base::rng::Keyed;
use image::RgbImage;

use crate::description::HAM10000;
use crate::error::DataError;
use crate::record::{DxType, Record, Sex};

/// Images unless `phantom:N` asks for another number.
const DEFAULT_COUNT: usize = 1000;
const MAX_COUNT: usize = 1_000_000;
/// At least so many of each class, so that a split of a small phantom has all seven.
const MIN_PER_CLASS: usize = 6;
/// The shape of a HAM10000 photograph, a third its size.
const SIZE: (u32, u32) = (200, 150);
/// The images are part of the program: the same for everyone.
const SEED: u64 = 0x6465_726d;

/// What is fixed for one image.
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
    /// Understands `phantom` and `phantom:N`; `None` for anything else.
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

    /// About `count` images (each class has at least 6), in HAM10000's proportions.
    pub fn new(count: usize) -> Self {
        let mut views = Vec::new();
        let mut lesion = 0;
        for (class, of) in HAM10000.classes.iter().enumerate() {
            let share = (count * of.images).div_ceil(HAM10000.images).max(MIN_PER_CLASS);
            let mut made = 0;
            while made < share {
                // Two of three HAM10000 lesions have one image; some have up to six.
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

    /// Width and height of every image.
    pub fn size(&self) -> (u32, u32) {
        SIZE
    }

    /// One record an image, with gaps as in the real table.
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
            }
        };
        self.views.iter().map(record).collect()
    }

    /// Paints image `index`.
    pub fn render(&self, index: usize) -> RgbImage {
        let view = self.views[index];
        paint::paint(
            SIZE,
            &paint::Lesion::draw(view.class, &mut Keyed::new(SEED, "phantom lesion", view.lesion)),
            &paint::Shot::draw(&mut Keyed::new(SEED, "phantom shot", view.image)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phantom_has_seven_classes_ham10000s_imbalance_and_several_views_of_a_lesion() {
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
