//! How many images each class shall have.

use std::fmt;

use dermagan_base::SettingError;

/// The most images of a class for each real one, unless forced: more of what a generator made of few photographs says
/// nothing new.
const MOST: f64 = 2.0;

/// The number of images that each class shall have, real and generated together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// This many.
    Images(usize),
    /// As many as the largest class has real ones.
    Largest,
    /// This multiple of the class's real images, above 1.
    Times(f64),
}

impl Target {
    /// Reads `500`, `max` or `1.5x`.
    ///
    /// # Errors
    /// Names what was expected.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        let bad = || {
            let problem = "expected a number of images per class, max, or a multiple of the real images such as 1.5x";
            SettingError::value("to", text, problem)
        };
        let trimmed = text.trim().to_ascii_lowercase();
        if trimmed == "max" {
            return Ok(Self::Largest);
        }
        if let Some(times) = trimmed.strip_suffix('x') {
            let times: f64 = times.parse().map_err(|_| bad())?;
            return match times > 1.0 && times <= 1000.0 {
                true => Ok(Self::Times(times)),
                false => Err(bad()),
            };
        }
        match trimmed.parse() {
            Ok(images) if images > 0 => Ok(Self::Images(images)),
            _ => Err(bad()),
        }
    }

    /// The number of generated images that a class of `real` images needs, where the largest class has `largest`; and
    /// whether fewer than asked for, because there would be more than [`MOST`] images for each real one.
    pub(crate) fn missing(self, real: usize, largest: usize, forced: bool) -> (usize, bool) {
        let wanted = match self {
            Self::Images(images) => images,
            Self::Largest => largest,
            Self::Times(times) => (real as f64 * times).round() as usize,
        };
        let most = if forced { usize::MAX } else { (real as f64 * MOST) as usize };
        (wanted.min(most).saturating_sub(real), wanted > most)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images(images) => write!(f, "{images}"),
            Self::Largest => f.write_str("max"),
            Self::Times(times) => write!(f, "{times}x"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_number_the_largest_class_or_a_multiple() {
        let missing = |text: &str, forced| Target::parse(text).unwrap().missing(100, 5000, forced);
        assert_eq!(missing("150", false), (50, false));
        assert_eq!(missing("50", false), (0, false));
        assert_eq!(missing("1.5x", false), (50, false));
        assert_eq!(missing("max", false), (100, true));
        assert_eq!(missing("MAX", true), (4900, false));
        for bad in ["", "0", "x", "1x", "0.5x", "-3", "nan", "nanx", "1e9x"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
            let back = Target::parse(bad).unwrap_err().to_string();
            assert!(back.contains("`to`"), "{back}");
        }
        assert_eq!(Target::parse("2x").unwrap().to_string(), "2x");
    }
}
