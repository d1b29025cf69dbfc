//! Which form serves which layer.

use crate::dense::{self, Dense};
use crate::lane::Lane;
use crate::scratch::Buffer;
use crate::shape::{Finish, Shape};
use crate::{few, winograd};

/// A layer in the form that serves it.
#[derive(Clone, Copy, Debug)]
pub enum Layer {
    /// Between the 4 × 4 image and one pixel.
    Dense(Dense),
    /// Stride 2, minimal filtering.
    Winograd(Shape),
    /// Stride 2, patches.
    Few(Shape),
}

impl Layer {
    /// The layer of these extents; a small image of one pixel means the 4 × 4 one above it.
    pub fn of(shape: Shape) -> Self {
        let Shape { batch, height, width, wide, deep } = shape;
        if height == 1 && width == 1 {
            return Self::Dense(Dense { batch, wide, deep });
        }
        if winograd::serves(&shape) { Self::Winograd(shape) } else { Self::Few(shape) }
    }

    /// The same for another number of images.
    pub fn with_batch(self, batch: usize) -> Self {
        match self {
            Self::Dense(shape) => Self::Dense(Dense { batch, ..shape }),
            Self::Winograd(shape) => Self::Winograd(Shape { batch, ..shape }),
            Self::Few(shape) => Self::Few(Shape { batch, ..shape }),
        }
    }

    /// The convolution: small = large ∗ filter.
    pub fn down<L: Lane>(&self, large: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
        match self {
            Self::Dense(shape) => dense::down(shape, large, filter),
            Self::Winograd(shape) => winograd::down::<L>(shape, large, filter),
            Self::Few(shape) => few::down::<L>(shape, large, filter),
        }
    }

    /// The transposed convolution: large = filterᵀ ∗ small.
    pub fn up<L: Lane>(&self, small: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
        UpFilter::<L>::new(self, filter).apply(self, small, &|_| ())
    }

    /// The filter's gradient.
    pub fn filter_gradient<L: Lane>(
        &self,
        large: &[L::Real],
        small: &[L::Real],
    ) -> Buffer<L::Real> {
        match self {
            Self::Dense(shape) => dense::filter_gradient(shape, large, small),
            Self::Winograd(shape) => winograd::filter_gradient::<L>(shape, large, small),
            Self::Few(shape) => few::filter_gradient::<L>(shape, large, small),
        }
    }
}

/// A transposed convolution's filter, laid out once for any number of batches.
#[derive(Debug)]
pub enum UpFilter<L: Lane> {
    /// For [`Layer::Dense`].
    Dense(dense::UpFilter<L::Real>),
    /// For [`Layer::Winograd`].
    Winograd(winograd::UpFilter<L>),
    /// For [`Layer::Few`].
    Few(few::UpFilter<L>),
}

impl<L: Lane> UpFilter<L> {
    /// From `[deep, wide, 4, 4]`.
    pub fn new(layer: &Layer, filter: &[L::Real]) -> Self {
        match layer {
            Layer::Dense(shape) => Self::Dense(dense::UpFilter::new(shape, filter)),
            Layer::Winograd(shape) => Self::Winograd(winograd::UpFilter::new(shape, filter)),
            Layer::Few(shape) => Self::Few(few::UpFilter::new(shape, filter)),
        }
    }

    /// What [`Layer::up`] does with `filter`, then `finish` on whole images while they are in the
    /// cache.
    ///
    /// # Panics
    /// When the filter was made for another layer.
    pub fn apply(
        &self,
        layer: &Layer,
        small: &[L::Real],
        finish: Finish<'_, L::Real>,
    ) -> Buffer<L::Real> {
        match (self, layer) {
            (Self::Dense(filter), Layer::Dense(shape)) => filter.apply(shape, small, finish),
            (Self::Winograd(filter), Layer::Winograd(shape)) => filter.apply(shape, small, finish),
            (Self::Few(filter), Layer::Few(shape)) => filter.apply(shape, small, finish),
            _ => panic!("a filter for another form than {layer:?}"),
        }
    }
}
