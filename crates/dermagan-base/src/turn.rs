//! The eight ways in which a square lies on itself: a lesion has no up.

use crate::rng::Keyed;

/// A mirroring and a turn of a square picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Mirrored left to right, first.
    pub mirror: bool,
    /// Quarter turns counter-clockwise, 0 to 3, second.
    pub quarters: u8,
}

impl Turn {
    /// One of the eight, each as often. Takes two numbers.
    pub fn draw(random: &mut Keyed) -> Self {
        Self { mirror: random.below(2) == 1, quarters: random.below(4) as u8 }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_lies_on_itself_in_eight_ways() {
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..64 {
            let turn = Turn::draw(&mut Keyed::new(0, "turn", index));
            let places = (0..9).map(|i| turn.source((i % 3, i / 3), 2));
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
        let turn = Turn { mirror: false, quarters: 1 };
        assert_eq!(turn.source((0, 0), 4), (4, 0));
        let mirrored = Turn { mirror: true, quarters: 1 };
        assert_eq!(mirrored.source((0, 0), 4), (0, 0));
        assert_eq!(mirrored.source((4, 0), 4), (0, 4));
    }
}
