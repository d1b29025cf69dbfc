//! The eight ways in which a square lies on itself: a lesion has no up.

use std::fmt;

use crate::rng::Keyed;

/// A mirroring and a turn of a square image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation {
    /// Mirrored left to right, first.
    pub mirror: bool,
    /// Quarter turns counter-clockwise, 0 to 3, second.
    pub quarters: u8,
}

impl Orientation {
    /// One of the eight, each as often. Takes two numbers.
    pub fn draw(random: &mut Keyed) -> Self {
        Self { mirror: random.below(2) == 1, quarters: random.below(4) as u8 }
    }

    /// All eight.
    pub fn all() -> [Self; 8] {
        std::array::from_fn(|i| Self { mirror: i >= 4, quarters: (i % 4) as u8 })
    }

    /// Where the pixel that comes to lie in column `x` of row `y` was, in a square whose last row and
    /// column are number `last`.
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
    fn a_square_lies_on_itself_in_eight_ways() {
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..64 {
            let laid = Orientation::draw(&mut Keyed::new(0, "orientation", index));
            let places = (0..9).map(|i| laid.source((i % 3, i / 3), 2));
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
        let laid = Orientation { mirror: false, quarters: 1 };
        assert_eq!(laid.source((0, 0), 4), (4, 0));
        let mirrored = Orientation { mirror: true, quarters: 1 };
        assert_eq!(mirrored.source((0, 0), 4), (0, 0));
        assert_eq!(mirrored.source((4, 0), 4), (0, 4));
    }
}
