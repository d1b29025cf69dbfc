//! The places of the images to make. Each place has its own candidates, so that any shard of the places gives the same images
//! as all of them at once.

use dermagan_base::rng::Keyed;

/// Candidates of a place before it stays empty.
pub(crate) const ATTEMPTS: u64 = 64;
/// Seeds are below this, so that they are exact in every program that reads them as a double.
const MOST_SEED: u64 = 1 << 53;

/// The seed of a candidate: `attempt`, from 0, for the image `place` of a class. `class` is the class's index.
pub(crate) fn seed(seed: u64, class: usize, place: usize, attempt: u64) -> u64 {
    let index = (class as u64) << 48 | (place as u64) << 8 | attempt;
    Keyed::new(seed, "balance", index).below(MOST_SEED)
}

#[cfg(test)]
mod tests {
    use super::*;

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
