//! The places of the images to make. Each place has its own candidates, so that any shard of the places gives the same images
//! as all of them at once.

use dermagan_base::SettingError;
use dermagan_base::rng::Keyed;

/// Candidates of a place before it stays empty.
pub(crate) const ATTEMPTS: u64 = 64;
/// Seeds are below this, so that they are exact in every program that reads them as a double.
const MOST_SEED: u64 = 1 << 53;

/// A share of the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The number of the share, from 0.
    pub index: usize,
    /// The number of shares.
    pub of: usize,
}

impl Shard {
    /// All places.
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// Reads `I/N` with I from 1 to N.
    ///
    /// # Errors
    /// Names what was expected.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        let bad = || {
            SettingError::value(
                "shard",
                text,
                "expected I/N with I from 1 to N, such as 2/8; at most 10000 shards",
            )
        };
        let (index, of) = text.trim().split_once('/').ok_or_else(bad)?;
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| bad());
        let (index, of) = (number(index)?, number(of)?);
        match (1..=10_000).contains(&of) && (1..=of).contains(&index) {
            true => Ok(Self { index: index - 1, of }),
            false => Err(bad()),
        }
    }

    /// Whether the place is in this share.
    pub(crate) fn has(self, place: usize) -> bool {
        place % self.of == self.index
    }
}

/// The seed of a candidate: `attempt`, from 0, for the image `place` of a class. `class` is the class's index.
pub(crate) fn seed(seed: u64, class: usize, place: usize, attempt: u64) -> u64 {
    let index = (class as u64) << 48 | (place as u64) << 8 | attempt;
    Keyed::new(seed, "balance", index).below(MOST_SEED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_divide_the_places() {
        let shards: Vec<Shard> =
            (1..=3).map(|i| Shard::parse(&format!("{i}/3")).unwrap()).collect();
        for place in 0..30 {
            assert_eq!(shards.iter().filter(|shard| shard.has(place)).count(), 1);
        }
        assert!(Shard::parse("1/1").unwrap() == Shard::ALL);
        for bad in ["0/3", "4/3", "1", "1/0", "a/b", "1/10001", ""] {
            assert!(Shard::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_candidate_has_a_seed_of_its_own() {
        let mut seeds = std::collections::BTreeSet::new();
        for class in 0..3 {
            for place in 0..40 {
                for attempt in 0..ATTEMPTS {
                    assert!(seeds.insert(seed(5, class, place, attempt)));
                }
            }
        }
    }
}
