//! The eight orientations of a square image. A lesion has no preferred orientation.

use std::fmt;

use crate::rng::Keyed;

/// An orientation of a square image: a mirroring, followed by a rotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation {
    /// Whether the image is mirrored left to right, before the rotation.
    pub mirror: bool,
    /// Number of quarter turns counter-clockwise, 0 to 3.
    pub quarters: u8,
}

impl Orientation {
    /// Draws one of the eight orientations with equal probability. Takes two numbers from `random`.
    pub fn draw(random: &mut Keyed) -> Self {
        Self { mirror: random.below(2) == 1, quarters: random.below(4) as u8 }
    }

    /// All eight orientations.
    pub fn all() -> [Self; 8] {
        std::array::from_fn(|i| Self { mirror: i >= 4, quarters: (i % 4) as u8 })
    }

    /// The column and row from which the oriented image takes its pixel in column `x` and row `y`.
    /// `last` is the index of the last row and column.
    pub fn source(self, (mut x, mut y): (usize, usize), last: usize) -> (usize, usize) {
        for _ in 0..self.quarters {
            (x, y) = (last - y, x);
        }
        (if self.mirror { last - x } else { x }, y)
    }
}

impl fmt::Display for Orientation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mirrored = if self.mirror { "mirrored, then " } else { "" };
        write!(f, "{mirrored}{} degrees counter-clockwise", 90 * u32::from(self.quarters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_has_eight_different_orientations() {
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..64 {
            let orientation = Orientation::draw(&mut Keyed::new(0, "orientation", index));
            let places = (0..9).map(|i| orientation.source((i % 3, i / 3), 2));
            let order: Vec<usize> = places.map(|(x, y)| 3 * y + x).collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..9).collect::<Vec<_>>());
            seen.insert(order);
        }
        assert_eq!(seen.len(), 8);
    }

    #[test]
    fn a_quarter_turn_is_counter_clockwise_and_comes_after_the_mirroring() {
        let orientation = Orientation { mirror: false, quarters: 1 };
        assert_eq!(orientation.source((0, 0), 4), (4, 0));
        let mirrored = Orientation { mirror: true, quarters: 1 };
        assert_eq!(mirrored.source((0, 0), 4), (0, 0));
        assert_eq!(mirrored.source((4, 0), 4), (0, 4));
    }
}
