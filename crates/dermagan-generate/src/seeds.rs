//! Lists of seeds as text, such as `0-63` or `1,5,9-12`.

use std::ops::Range;

use dermagan_base::SettingError;
use dermagan_base::name::start_of;

/// Largest number of characters of a list of seeds that an error message repeats.
const SHOWN: usize = 200;

/// Largest number of seeds of a walk, and the most frames.
pub(crate) const MAX_WALK: u64 = 5000;

/// The seeds 0 to `n` - 1.
pub fn first_seeds(n: u64) -> Vec<Range<u64>> {
    std::iter::once(0..n).collect()
}

/// Parses a list such as `0-63` or `1,5,9-12`. A range includes both of its ends. No seed may occur twice.
///
/// # Errors
/// If the text is not such a list or names a seed twice; the message shows a valid list.
pub fn parse_seeds(text: &str) -> Result<Vec<Range<u64>>, SettingError> {
    let ranges = ranges(text).ok_or_else(|| {
        let problem = format!(
            "expected numbers below {} and ranges of them, such as 0-63 or 1,5,9-12",
            u64::MAX
        );
        SettingError::value("seeds", start_of(text, SHOWN), problem)
    })?;
    let mut sorted = ranges.clone();
    sorted.sort_by_key(|r| r.start);
    match sorted.windows(2).find(|w| w[1].start < w[0].end) {
        Some(twice) => {
            let problem = format!("seed {} is named twice", twice[1].start);
            Err(SettingError::value("seeds", start_of(text, SHOWN), problem))
        }
        None => Ok(ranges),
    }
}

/// Parses the seeds of a walk in its order, such as `0,5,9` or `0-7`. A seed may occur more than once.
///
/// # Errors
/// If the text is not such a list, or has fewer than 2 or more than 5,000 seeds; the message shows a valid list.
pub fn parse_walk(text: &str) -> Result<Vec<u64>, SettingError> {
    let ranges = ranges(text).unwrap_or_default();
    let count = ranges.iter().fold(0, |sum: u64, r| sum.saturating_add(r.end - r.start));
    match (2..=MAX_WALK).contains(&count) {
        true => Ok(ranges.into_iter().flatten().collect()),
        false => {
            let problem =
                format!("expected 2 to {MAX_WALK} seeds below {}, such as 0,5,9 or 0-7", u64::MAX);
            Err(SettingError::value("interpolate", start_of(text, SHOWN), problem))
        }
    }
}

/// The ranges of a list of seeds, in its order; `None` if the text is not such a list.
fn ranges(text: &str) -> Option<Vec<Range<u64>>> {
    let range = |part: &str| -> Option<Range<u64>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some(first..last.checked_add(1)?)
    };
    text.split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_numbers_and_ranges_with_both_ends() {
        assert_eq!(parse_seeds("0-63").unwrap(), first_seeds(64));
        assert_eq!(parse_seeds("1,5,9-12").unwrap(), [1..2, 5..6, 9..13]);
        for wrong in ["", "a", "5-1", "1,,2", "18446744073709551615", "1,1", "0-5,5"] {
            assert!(parse_seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_walk_has_two_seeds_or_more_in_any_order() {
        assert_eq!(parse_walk("9,0-2,9").unwrap(), [9, 0, 1, 2, 9]);
        for wrong in ["", "3", "0-5000", "a,b"] {
            assert!(parse_walk(wrong).is_err(), "{wrong}");
        }
    }
}
