//! The size that most images of a set have.

use std::collections::BTreeMap;

use serde::Serialize;

/// The most common size decides if it is that of at least this share of the images. Below, the images are taken for
/// photographs, whose sizes differ.
const COMMON: f64 = 0.2;

/// Images whose shorter side is below this share of the median are thumbnails, among images of many sizes.
const THUMBNAIL: f64 = 0.5;

/// Number of images of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SizeCount {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Number of images.
    pub count: usize,
}

/// The sizes in `all`, the most common first, and the larger of two equally common ones first.
pub(super) fn sizes(all: &[(u32, u32)]) -> Vec<SizeCount> {
    let mut counts: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for size in all {
        *counts.entry(*size).or_default() += 1;
    }
    let mut sizes: Vec<SizeCount> = counts
        .into_iter()
        .map(|((width, height), count)| SizeCount { width, height, count })
        .collect();
    sizes.sort_by_key(|s| {
        std::cmp::Reverse((s.count, u64::from(s.width) * u64::from(s.height), s.width))
    });
    sizes
}

/// Which sizes of a set of images are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsedSizes {
    /// Only this width and height.
    One(u32, u32),
    /// All sizes whose shorter side has at least this number of pixels.
    AtLeast(u32),
}

impl UsedSizes {
    /// The choice for images of these sizes, as [`sizes`] sorts them.
    pub fn of(sizes: &[SizeCount]) -> Self {
        let total: usize = sizes.iter().map(|s| s.count).sum();
        match sizes.first() {
            Some(most) if most.count as f64 >= COMMON * total as f64 => {
                Self::One(most.width, most.height)
            }
            _ => {
                let mut sides: Vec<u32> = sizes
                    .iter()
                    .flat_map(|s| std::iter::repeat_n(s.width.min(s.height), s.count))
                    .collect();
                sides.sort_unstable();
                let median = sides.get(sides.len() / 2).copied().unwrap_or_default();
                Self::AtLeast((THUMBNAIL * f64::from(median)).ceil() as u32)
            }
        }
    }

    pub fn has(self, (width, height): (u32, u32)) -> bool {
        match self {
            Self::One(w, h) => (width, height) == (w, h),
            Self::AtLeast(least) => width.min(height) >= least,
        }
    }

    /// Why an image of another size is left out.
    pub fn reason(self) -> String {
        match self {
            Self::One(width, height) => {
                format!("image of another size than {width}×{height}, the most common one")
            }
            Self::AtLeast(least) => format!(
                "image of fewer than {least} pixels a side, which is half of the median of images of many sizes"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_common_size_counts_whatever_comes_first() {
        let mut all = vec![(20, 20)];
        all.extend([(64, 64); 5]);
        all.extend([(32, 32); 3]);
        let counted = sizes(&all);
        assert_eq!(counted[0], SizeCount { width: 64, height: 64, count: 5 });
        assert_eq!(counted.len(), 3);
        let used = UsedSizes::of(&counted);
        assert_eq!(used, UsedSizes::One(64, 64));
        assert!(used.has((64, 64)) && !used.has((20, 20)));
        // Of two equally common sizes the larger one counts.
        assert_eq!(UsedSizes::of(&sizes(&[(32, 32), (64, 64)])), UsedSizes::One(64, 64));
    }

    #[test]
    fn photographs_of_many_sizes_are_all_used_but_not_a_thumbnail() {
        let mut all: Vec<(u32, u32)> = (0..20).map(|i| (600 + i, 450 + i)).collect();
        all.push((40, 30));
        let used = UsedSizes::of(&sizes(&all));
        assert!(matches!(used, UsedSizes::AtLeast(230)), "{used:?}");
        assert_eq!(all.iter().filter(|size| used.has(**size)).count(), 20);
        assert!(used.reason().contains("fewer than 230"));
    }
}
