//! How real images are prepared for a comparison.

use dermagan_data::{Filter, Fit, Options};

/// Central squares of 64 × 64 pixels. If the generated images have another side, the real images get that side.
pub(crate) const PREPARED: Options = Options { size: 64, fit: Fit::Crop, filter: Filter::Lanczos };
