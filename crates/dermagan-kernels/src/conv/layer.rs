//! The 4 × 4 layers of the networks, each in the form that serves it.

use super::dense::{self, Dense};
use super::shape::{Finish, Shape};
use super::{im2col, winograd};
use crate::matmul::Lane;
use crate::scratch::Buffer;

/// A layer in the form that serves it.
#[derive(Clone, Copy, Debug)]
pub enum Layer {
    /// Between the 4 × 4 image and one pixel.
    Dense(Dense),
    /// Stride 2, by minimal filtering.
    Winograd(Shape),
    /// Stride 2, by im2col.
    Im2col(Shape),
}

impl Layer {
    /// The layer of these extents. A small image of one pixel means the dense layer below a 4 × 4 image.
    pub fn of(shape: Shape) -> Self {
        let Shape { batch, height, width, wide, deep } = shape;
        if height == 1 && width == 1 {
            return Self::Dense(Dense { batch, wide, deep });
        }
        if winograd::serves(&shape) { Self::Winograd(shape) } else { Self::Im2col(shape) }
    }

    /// The same layer for another number of images.
    pub fn with_batch(self, batch: usize) -> Self {
        match self {
            Self::Dense(shape) => Self::Dense(Dense { batch, ..shape }),
            Self::Winograd(shape) => Self::Winograd(Shape { batch, ..shape }),
            Self::Im2col(shape) => Self::Im2col(Shape { batch, ..shape }),
        }
    }

    /// The convolution: small = large ∗ filter. `large` is `[batch, 2·height, 2·width, wide]`, or `[batch, 4, 4, wide]`
    /// for [`Layer::Dense`]; `filter` is `[deep, wide, 4, 4]`; the result is `[batch, height, width, deep]`.
    ///
    /// # Panics
    /// If a slice does not have the layer's extent.
    pub fn down<L: Lane>(&self, large: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
        match self {
            Self::Dense(shape) => dense::down(shape, large, filter),
            Self::Winograd(shape) => winograd::down::<L>(shape, large, filter),
            Self::Im2col(shape) => im2col::down::<L>(shape, large, filter),
        }
    }

    /// The transposed convolution: large = filterᵀ ∗ small, the adjoint of [`Layer::down`].
    ///
    /// # Panics
    /// If a slice does not have the layer's extent.
    pub fn up<L: Lane>(&self, small: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
        UpFilter::<L>::new(self, filter).apply(self, small, &|_| ())
    }

    /// The gradient of the filter, `[deep, wide, 4, 4]`. The inputs are the large image and the gradient of the small one
    /// (for a convolution), or the gradient of the large image and the small one (for a transposed convolution).
    ///
    /// # Panics
    /// If a slice does not have the layer's extent.
    pub fn filter_gradient<L: Lane>(
        &self,
        large: &[L::Real],
        small: &[L::Real],
    ) -> Buffer<L::Real> {
        match self {
            Self::Dense(shape) => dense::filter_gradient(shape, large, small),
            Self::Winograd(shape) => winograd::filter_gradient::<L>(shape, large, small),
            Self::Im2col(shape) => im2col::filter_gradient::<L>(shape, large, small),
        }
    }
}

/// The filter of a transposed convolution, packed once for any number of batches.
#[derive(Debug)]
pub enum UpFilter<L: Lane> {
    /// For [`Layer::Dense`].
    Dense(dense::UpFilter<L::Real>),
    /// For [`Layer::Winograd`].
    Winograd(winograd::UpFilter<L>),
    /// For [`Layer::Im2col`].
    Im2col(im2col::UpFilter<L>),
}

impl<L: Lane> UpFilter<L> {
    /// Packs a filter `[deep, wide, 4, 4]`.
    ///
    /// # Panics
    /// If the filter does not have the layer's extent.
    pub fn new(layer: &Layer, filter: &[L::Real]) -> Self {
        match layer {
            Layer::Dense(shape) => Self::Dense(dense::UpFilter::new(shape, filter)),
            Layer::Winograd(shape) => Self::Winograd(winograd::UpFilter::new(shape, filter)),
            Layer::Im2col(shape) => Self::Im2col(im2col::UpFilter::new(shape, filter)),
        }
    }

    /// Computes [`Layer::up`], and applies `finish` to whole images while they are in the cache. `layer` is the one that
    /// the filter was packed for, with any batch size.
    ///
    /// # Panics
    /// If `small` does not have the layer's extent, or the filter was packed for another form of layer.
    pub fn apply(
        &self,
        layer: &Layer,
        small: &[L::Real],
        finish: Finish<'_, L::Real>,
    ) -> Buffer<L::Real> {
        match (self, layer) {
            (Self::Dense(filter), Layer::Dense(shape)) => filter.apply(shape, small, finish),
            (Self::Winograd(filter), Layer::Winograd(shape)) => filter.apply(shape, small, finish),
            (Self::Im2col(filter), Layer::Im2col(shape)) => filter.apply(shape, small, finish),
            _ => panic!("the filter was packed for another form of layer than {layer:?}"),
        }
    }
}
