//! Finds the training image that an image is closest to, in pixels.
//!
//! Both steps compare an image with the training image of each lesion that is closest in one of the eight orientations. The
//! figure is the ratio of the distance to the closest lesion and the mean distance to the next fifty (after Carlini et al.
//! 2023, arXiv:2301.13188, whose mean includes the closest): an image without detail is near to many, a copy to one. The
//! first step compares thumbnails of 16×16 pixels without the mean of each channel and of length 1, so that brightness,
//! contrast and colour casts do not hide a copy. The second aligns the image with the closest fifty, and more
//! finely with the closest two of these.

use std::collections::BTreeMap;

use dermagan_base::image::Image;
use dermagan_base::orientation::Orientation;
use dermagan_data::Cache;
use rayon::prelude::*;

use crate::copies::align::{CORE, CORE_DIMS, SMALL, core, finer, moved, views};
use crate::images::products::Packed;
use crate::images::thumbnail::{oriented, reduced, sources, standardise};

/// Side of the thumbnails.
const SIDE: usize = 16;
const DIMS: usize = SIDE * SIDE * 3;
/// Lesions that an image is aligned with.
const CLOSEST: usize = 50;
/// Lesions of these that a finer alignment looks at.
const REFINED: usize = 2;
/// Images whose thumbnails are compared at a time.
const AT_ONCE: usize = 8;

/// The training image that an image is closest to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Closest {
    /// The training image, as an index of the cache.
    pub image: u32,
    /// The orientation in which the image is closest to it.
    pub orientation: Orientation,
    /// Whether all pixels are equal in an orientation.
    pub identical: bool,
    /// The ratio of distances by thumbnails, from 0 for a copy to 1.
    pub thumbnail: f64,
    /// The ratio after alignment.
    pub aligned: f64,
}

impl Closest {
    /// The smaller of the ratios; 0 for an identical image.
    pub fn ratio(&self) -> f64 {
        if self.identical { 0.0 } else { self.thumbnail.min(self.aligned) }
    }
}

/// A training image.
struct Target {
    image: u32,
    lesion: usize,
}

/// Training images, ready to be searched.
pub(crate) struct CopySearch {
    /// In the order of their lesions.
    targets: Vec<Target>,
    /// The first target of each lesion, and the number of targets.
    starts: Vec<usize>,
    thumbnails: Packed,
    /// The standardised centre of each target.
    cores: Vec<f32>,
    /// For each hash of pixels, the target.
    pixels: BTreeMap<u64, usize>,
    thumbnail_sources: [Vec<usize>; 8],
    core_sources: [Vec<usize>; 8],
}

/// A candidate: the closest target of a lesion.
#[derive(Clone, Copy)]
struct Candidate {
    similarity: f32,
    target: usize,
    orientation: usize,
}

impl CopySearch {
    /// Prepares the images of a cache with the indices `images`; `lesion` has a number for each image of the cache.
    pub fn new(cache: &Cache, images: &[u32], lesion: &[usize]) -> Self {
        let target = |image: &u32| Target { image: *image, lesion: lesion[*image as usize] };
        let mut targets: Vec<Target> = images.iter().map(target).collect();
        targets.sort_by_key(|target| (target.lesion, target.image));
        let first = |i: &usize| *i == 0 || targets[*i].lesion != targets[i - 1].lesion;
        let mut starts: Vec<usize> = (0..targets.len()).filter(first).collect();
        starts.push(targets.len());
        let each = |target: &Target| {
            let image = cache.image(target.image as usize);
            (thumbnail(&image), core(&reduced(&image, SMALL)))
        };
        let (thumbnails, cores): (Vec<Vec<f32>>, Vec<Vec<f32>>) =
            targets.par_iter().map(each).unzip();
        let hash =
            |(i, target): (usize, &Target)| (cache.header().hashes[target.image as usize], i);
        Self {
            pixels: targets.iter().enumerate().map(hash).collect(),
            starts,
            thumbnails: Packed::new(&thumbnails.concat(), DIMS),
            cores: cores.concat(),
            thumbnail_sources: sources(SIDE),
            core_sources: sources(CORE),
            targets,
        }
    }

    /// The training image that each image is closest to.
    pub fn closest(&self, images: &[Image]) -> Vec<Closest> {
        images.par_chunks(AT_ONCE).flat_map_iter(|some| self.of_chunk(some)).collect()
    }

    fn of_chunk(&self, images: &[Image]) -> Vec<Closest> {
        let rows: Vec<f32> = images
            .iter()
            .flat_map(|image| {
                let plain = thumbnail(image);
                self.thumbnail_sources.iter().flat_map(move |source| oriented(&plain, source))
            })
            .collect();
        let mut products = Vec::new();
        self.thumbnails.dots(&rows, &mut products);
        let products = products.chunks_exact(8 * self.targets.len().max(1));
        images.iter().zip(products).map(|(image, rows)| self.of_image(image, rows)).collect()
    }

    /// `products` are those of the thumbnail's eight orientations with all targets.
    fn of_image(&self, image: &Image, products: &[f32]) -> Closest {
        let mut candidates = self.candidates(products);
        let kept = candidates.len().min(CLOSEST + 1);
        let by = |a: &Candidate, b: &Candidate| b.similarity.total_cmp(&a.similarity);
        candidates.select_nth_unstable_by(kept - 1, by);
        candidates.truncate(kept);
        candidates.sort_by(by);
        let thumbnail = ratio(candidates.iter().map(|one| distance(one.similarity)).collect());
        candidates.truncate(CLOSEST);
        let distances = self.aligned(image, &candidates);
        let best = (0..candidates.len()).min_by(|a, b| distances[*a].total_cmp(&distances[*b]));
        let best = candidates[best.unwrap_or(0)];
        let identical = self.identical(image);
        let (target, orientation) = identical.unwrap_or((best.target, best.orientation));
        Closest {
            image: self.targets[target].image,
            orientation: Orientation::all()[orientation],
            identical: identical.is_some(),
            thumbnail,
            aligned: ratio(distances),
        }
    }

    /// The closest target of every lesion.
    fn candidates(&self, products: &[f32]) -> Vec<Candidate> {
        let n = self.targets.len();
        let of_lesion = |range: &[usize]| {
            let mut best = Candidate { similarity: f32::MIN, target: range[0], orientation: 0 };
            for target in range[0]..range[1] {
                for orientation in 0..8 {
                    let similarity = products[orientation * n + target];
                    if similarity > best.similarity {
                        best = Candidate { similarity, target, orientation };
                    }
                }
            }
            best
        };
        self.starts.windows(2).map(of_lesion).collect()
    }

    /// The distance of the closest view of an image to each candidate. For the closest candidates it is that of a finer search.
    fn aligned(&self, image: &Image, candidates: &[Candidate]) -> Vec<f64> {
        let cores: Vec<Vec<f32>> = candidates.iter().map(|one| self.core_of(one)).collect();
        // The first of these is not moved.
        let small = moved(image);
        let views = views(&small[0]);
        let mut products = Vec::new();
        Packed::new(&cores.concat(), CORE_DIMS).dots(&views.squares, &mut products);
        let mut best = vec![(f32::MIN, 0); cores.len()];
        let rows = products.chunks_exact(best.len()).zip(&views.scales).enumerate();
        for (view, (row, scale)) in rows {
            for (best, product) in best.iter_mut().zip(row) {
                if product * scale > best.0 {
                    *best = (product * scale, view);
                }
            }
        }
        let mut order: Vec<usize> = (0..best.len()).collect();
        order.sort_by(|a, b| best[*b].0.total_cmp(&best[*a].0));
        for place in order.into_iter().take(REFINED) {
            let (product, view) = best[place];
            best[place].0 = finer(&small, view, &cores[place]).max(product);
        }
        best.into_iter().map(|(product, _)| distance(product)).collect()
    }

    /// The centre of a candidate's target, oriented back: there are more views than targets.
    fn core_of(&self, candidate: &Candidate) -> Vec<f32> {
        let core = &self.cores[candidate.target * CORE_DIMS..][..CORE_DIMS];
        let mut back = vec![0.0; CORE_DIMS];
        for (to, from) in self.core_sources[candidate.orientation].iter().zip(0..) {
            back[to * 3..to * 3 + 3].copy_from_slice(&core[from * 3..from * 3 + 3]);
        }
        back
    }

    /// The target with the same pixels, and the orientation in which they are the same.
    fn identical(&self, image: &Image) -> Option<(usize, usize)> {
        Orientation::all().into_iter().enumerate().find_map(|(number, orientation)| {
            let pixels = image.clone().oriented(orientation).pixels;
            Some((*self.pixels.get(&Cache::hash_of(&pixels))?, number))
        })
    }
}

fn thumbnail(image: &Image) -> Vec<f32> {
    let mut thumbnail = reduced(image, SIDE);
    standardise(&mut thumbnail);
    thumbnail
}

/// The distance of two rows of length 1 with this product.
fn distance(product: f32) -> f64 {
    (2.0 - 2.0 * f64::from(product)).max(0.0).sqrt()
}

/// The smallest of the distances divided by the mean of the others; 1 if they are all 0.
fn ratio(mut distances: Vec<f64>) -> f64 {
    distances.sort_by(f64::total_cmp);
    let Some((first, others)) = distances.split_first() else { return 1.0 };
    let mean = others.iter().sum::<f64>() / others.len().max(1) as f64;
    if mean > 0.0 { first / mean } else { 1.0 }
}
