//! The specification of a layer with a shortcut.

use burn::backend::tensor::FloatTensor;
use dermagan_kernels::pointwise::Direction;

use crate::ops::conv::Convolutions;
use crate::ops::precision::Precision;

/// How a layer with a shortcut computes.
#[derive(Clone, Copy, Debug)]
pub struct ShortcutSpec {
    /// Down: a strided convolution and averaging. Up: the transposes of both.
    pub direction: Direction,
    /// Gain of the shortcut, the path around the convolution.
    pub gain: f64,
    /// Slope of LeakyReLU below zero.
    pub slope: f64,
    /// Whether each pixel's channels are divided by their root mean square before the activation.
    pub normed: bool,
    /// Number format of the convolution.
    pub precision: Precision,
}

impl ShortcutSpec {
    /// The layer's convolution of `x`.
    pub(in crate::ops) fn apply<B: Convolutions>(
        self,
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
    ) -> FloatTensor<B> {
        match self.direction {
            Direction::Down => B::down(x, weight, self.precision, false),
            Direction::Up => B::up(x, weight, self.precision, false),
        }
    }

    /// The transpose of the layer's convolution.
    pub(super) fn apply_transposed<B: Convolutions>(
        self,
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
    ) -> FloatTensor<B> {
        Self { direction: self.direction.opposite(), ..self }.apply::<B>(x, weight)
    }

    /// The gradient of the filter `weight`, from the convolution's input and the gradient of its
    /// result.
    pub(super) fn filter_gradient<B: Convolutions>(
        self,
        input: FloatTensor<B>,
        gradient: FloatTensor<B>,
        weight: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let (large, small) = match self.direction {
            Direction::Down => (input, gradient),
            Direction::Up => (gradient, input),
        };
        B::filter_gradient(large, small, weight, self.precision)
    }
}
