//! How the network's inputs are standardised.

/// Means of ImageNet's channels, for values in [0, 1].
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviations of ImageNet's channels.
pub const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];
