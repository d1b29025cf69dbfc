//! How an element multiplies. The trait stands below the elements, so that `Lane` can require it; `dispatch`
//! implements it with the units of the machine.
#![allow(unsafe_code, reason = "declares the unsafe interface of `tile` and `amx`")]

use super::layout::{Extents, Into, Left, Out, Right};

/// The extents of one tile, and its operands as pointers. Strides are in elements.
pub struct Job<L, T = f32> {
    /// Rows of C, at least 1.
    pub(super) rows: usize,
    /// Columns of C, from 1 to `PANEL`.
    pub(super) width: usize,
    /// Summed lanes, at least 1.
    pub(super) k: usize,
    pub(super) a: *const L,
    pub(super) a_row: usize,
    pub(super) a_col: usize,
    pub(super) b: *const L,
    pub(super) b_row: usize,
    pub(super) c: *mut T,
    pub(super) c_row: usize,
    /// Whether the product is added to C.
    pub(super) add: bool,
}

impl<L, T> Clone for Job<L, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L, T> Copy for Job<L, T> {}

/// An element whose products are summed in `T`.
pub trait Multiply<T>: Sized {
    /// Computes one tile of a product.
    ///
    /// # Safety
    /// Every access that the job's extents and strides imply must be inside its operands.
    unsafe fn tile(job: Job<Self, T>);

    /// Computes the whole product if the machine has a unit for that. Returns false if the caller must compute
    /// it tile by tile.
    ///
    /// # Safety
    /// Every access that extents and strides imply must be inside the operands, and no extent may be 0.
    unsafe fn whole(
        _: Extents,
        _: Left<'_, Self>,
        _: Right<'_, Self>,
        _: &mut Out<'_, T>,
        _: Into,
    ) -> bool {
        false
    }
}
