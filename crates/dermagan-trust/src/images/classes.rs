//! The places of classes in lists of codes. The case of letters does not matter.

use dermagan_generate::ImageGenerator;

/// The place of a code in a list; `None` if it is not there.
pub(crate) fn place_of(codes: &[String], code: &str) -> Option<usize> {
    codes.iter().position(|known| known.eq_ignore_ascii_case(code))
}

/// The index that a generator has for a class; `None` if it does not know the class.
pub(crate) fn index_of(generator: &ImageGenerator, code: &str) -> Option<usize> {
    place_of(&generator.model().card.as_ref()?.classes, code)
}
