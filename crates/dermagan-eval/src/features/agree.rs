//! Checks that a device computes the same features as the CPU.

use dermagan_base::distance::{distance, norm};
use dermagan_base::image::Image;

use super::extractor::Extractor;
use crate::error::EvalError;

/// The largest relative difference of an image's features that rounding explains.
const TOLERANCE: f64 = 1e-2;
/// The largest number of images that are compared.
pub const MOST: usize = 4;

/// Compares the features that `found` computes on a device with those of `reference`, the same extractor
/// on the CPU, for the first [`MOST`] images.
///
/// # Errors
/// [`EvalError::SickDevice`] when the features of an image differ by more than 1 % of their norm, which
/// rounding does not explain; [`EvalError::Input`] when an image has no pixels.
pub fn check(
    found: &dyn Extractor,
    reference: &dyn Extractor,
    images: &[Image],
) -> Result<(), EvalError> {
    let images = &images[..images.len().min(MOST)];
    let (rows, expected) = (found.extract(images)?, reference.extract(images)?);
    let dims = reference.dims().max(1);
    if rows.len() != expected.len() {
        return Err(EvalError::SickDevice(format!(
            "the extractor {} computes {} features on the device and {} on the CPU: use `device` = cpu",
            found.name(),
            rows.len(),
            expected.len()
        )));
    }
    for (image, (row, expected)) in rows.chunks(dims).zip(expected.chunks(dims)).enumerate() {
        let off = distance(row, expected) / norm(expected).max(f64::MIN_POSITIVE);
        // False for NaN, which rounding does not explain either.
        let right = off <= TOLERANCE;
        if !right {
            return Err(EvalError::SickDevice(format!(
                "the device computes wrong features: those of image {image} by the extractor {} differ from \
                 the CPU's by {off:.1e} of their norm. Use `device` = cpu, or update the device's driver",
                found.name()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives two features per image; those of one image are wrong.
    struct Counting(usize);

    impl Extractor for Counting {
        fn name(&self) -> &'static str {
            "counting"
        }
        fn id(&self) -> String {
            "counting".into()
        }
        fn dims(&self) -> usize {
            2
        }
        fn batch(&self) -> usize {
            8
        }
        fn extract(&self, images: &[Image]) -> Result<Vec<f32>, EvalError> {
            let row = |i: usize| [i as f32 + 1.0, if i == self.0 { f32::NAN } else { 2.0 }];
            Ok((0..images.len()).flat_map(row).collect())
        }
    }

    #[test]
    fn a_device_that_computes_other_features_is_refused() {
        let images = vec![Image { width: 1, height: 1, pixels: vec![0; 3] }; 6];
        assert!(check(&Counting(9), &Counting(9), &images).is_ok());
        let error = check(&Counting(2), &Counting(9), &images).unwrap_err().to_string();
        assert!(error.contains("image 2") && error.contains("`device` = cpu"), "{error}");
        // Only the first images are compared.
        assert!(check(&Counting(5), &Counting(9), &images).is_ok());
    }
}
