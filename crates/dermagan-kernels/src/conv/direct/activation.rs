//! What follows a convolution of a trained classifier.

/// A function of every value of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// The value itself.
    Identity,
    /// max(0, x).
    Relu,
    /// min(max(0, x), 6), of networks that are made for 8-bit arithmetic (Howard et al. 2017, MobileNets).
    Relu6,
}

impl Activation {
    /// The function's value. A NaN stays a NaN, because it shows that the weights are wrong.
    #[inline(always)]
    pub(crate) fn of(self, x: f32) -> f32 {
        let (least, most) = match self {
            Self::Identity => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        };
        let x = if x < least { least } else { x };
        if x > most { most } else { x }
    }
}
