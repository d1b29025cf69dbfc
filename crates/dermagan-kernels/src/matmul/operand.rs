//! The elements of matrix products: one float, or two bfloat16 side by side.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use super::multiply::Multiply;
use super::transpose::{SQUARE, Transpose};
use crate::scratch::{Buffer, Pool};

mod sealed {
    /// Closes [`Real`](super::Real) and [`Lane`](super::Lane): only this crate can implement them.
    pub trait Sealed {}

    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for super::Pair {}
}

/// tanh of whole slices. `activation` implements it.
pub trait Tanh: Sized {
    /// tanh in place: float32 to two units in the last place, float64 by the standard library.
    fn tanh_all(values: &mut [Self]);
}

/// A float that the kernels compute in: `f32` in use, `f64` where tests judge the formulas. The trait is sealed.
pub trait Real:
    sealed::Sealed
    + Multiply<Self>
    + Transpose
    + Tanh
    + Copy
    + Default
    + Send
    + Sync
    + PartialOrd
    + std::fmt::Debug
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// The nearest value to `x`.
    fn of(x: f64) -> Self;

    /// The value as a double.
    fn double(self) -> f64;

    /// The pool that keeps working memory of this type.
    #[doc(hidden)]
    fn memory() -> &'static Pool<Self>;
}

impl Real for f32 {
    fn of(x: f64) -> Self {
        x as f32
    }
    fn double(self) -> f64 {
        f64::from(self)
    }
    fn memory() -> &'static Pool<Self> {
        static KEPT: Pool<f32> = Pool::new();
        &KEPT
    }
}

impl Real for f64 {
    fn of(x: f64) -> Self {
        x
    }
    fn double(self) -> f64 {
        self
    }
    fn memory() -> &'static Pool<Self> {
        static KEPT: Pool<f64> = Pool::new();
        &KEPT
    }
}

/// One element of a matrix product: `PER` neighbours along the summed index. The trait is sealed; `f32`, `f64`
/// and [`Pair`] implement it.
pub trait Lane:
    sealed::Sealed + Multiply<<Self as Lane>::Real> + Copy + Default + Send + Sync + 'static
{
    /// The type of the floats in a lane, and of the sums.
    type Real: Real;

    /// Number of floats in one lane.
    const PER: usize;

    /// Number of lanes that hold `k` floats in the form in which products are fastest.
    fn lanes(k: usize) -> usize {
        k.div_ceil(Self::PER)
    }

    /// Packs the neighbours of one row. `from` holds up to `PER` floats for each lane of `into`; the missing ones
    /// count as zero.
    fn pack_row(from: &[Self::Real], into: &mut [Self]);

    /// Packs `PER` rows element by element. `from` holds the rows one after another, each as long as `into`.
    fn pack_rows(from: &[Self::Real], into: &mut [Self]);

    /// Packs two rows of 16 values element by element. The second row is not read if `PER` is 1.
    #[doc(hidden)]
    fn pack_block(from: &[[Self::Real; SQUARE]; 2], into: &mut [Self; SQUARE]);

    /// Working memory of `len` lanes with arbitrary contents.
    #[doc(hidden)]
    fn scratch(len: usize) -> Buffer<Self>;
}

impl<T: Real> Lane for T {
    type Real = T;
    const PER: usize = 1;

    #[allow(clippy::manual_memcpy, reason = "see the comment")]
    #[inline(always)]
    fn pack_row(from: &[T], into: &mut [T]) {
        // Loops over indices, here and below: for a block of 16, a call to memmove, or even to an iterator's
        // constructor, costs more than the copy itself.
        let (filled, rest) = into.split_at_mut(from.len());
        for i in 0..filled.len() {
            filled[i] = from[i];
        }
        for to in rest {
            *to = T::default();
        }
    }

    #[allow(clippy::manual_memcpy, reason = "as in `pack_row`")]
    #[inline(always)]
    fn pack_rows(from: &[T], into: &mut [T]) {
        let from = &from[..into.len()];
        for i in 0..into.len() {
            into[i] = from[i];
        }
    }

    #[inline(always)]
    fn pack_block(from: &[[T; SQUARE]; 2], into: &mut [T; SQUARE]) {
        *into = from[0];
    }

    fn scratch(len: usize) -> Buffer<T> {
        T::memory().take(len)
    }
}

/// Two bfloat16 in 32 bits, the first in the low half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Pair(pub u32);

/// Rounds to the nearest bfloat16, ties to even. The result is in the low half; a NaN stays a NaN.
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let even = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    if x.is_nan() { 0x7fc0 } else { even }
}

impl Pair {
    /// Both values as floats, the first one first.
    #[inline(always)]
    pub fn floats(self) -> [f32; 2] {
        [f32::from_bits(self.0 << 16), f32::from_bits(self.0 & 0xffff_0000)]
    }
}

impl Lane for Pair {
    type Real = f32;
    const PER: usize = 2;

    /// Rounds up to whole tiles if a matrix unit is in use; otherwise the unit would have to pad them in every
    /// product.
    fn lanes(k: usize) -> usize {
        let lanes = k.div_ceil(2);
        if crate::cpu::amx() { lanes.next_multiple_of(SQUARE) } else { lanes }
    }

    #[inline(always)]
    fn pack_row(from: &[f32], into: &mut [Self]) {
        let (pairs, rest) = from.as_chunks::<2>();
        for i in 0..pairs.len() {
            let [a, b] = pairs[i];
            into[i] = Self(round(a) | (round(b) << 16));
        }
        let mut done = pairs.len();
        if let Some(last) = rest.first() {
            into[done] = Self(round(*last));
            done += 1;
        }
        for to in &mut into[done..] {
            *to = Self(0);
        }
    }

    #[inline(always)]
    fn pack_rows(from: &[f32], into: &mut [Self]) {
        let n = into.len();
        let (first, second) = (&from[..n], &from[n..2 * n]);
        for i in 0..n {
            into[i] = Self(round(first[i]) | (round(second[i]) << 16));
        }
    }

    #[inline(always)]
    fn pack_block(from: &[[f32; SQUARE]; 2], into: &mut [Self; SQUARE]) {
        for i in 0..SQUARE {
            into[i] = Self(round(from[0][i]) | (round(from[1][i]) << 16));
        }
    }

    fn scratch(len: usize) -> Buffer<Self> {
        static KEPT: Pool<Pair> = Pool::new();
        KEPT.take(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bfloat16_rounds_to_nearest_even_and_keeps_nan_and_infinity() {
        let back = |x: f32| Pair(round(x)).floats()[0];
        assert_eq!(back(1.0), 1.0);
        assert_eq!(back(-0.15625), -0.15625);
        assert_eq!(back(1.0 + 1.0 / 256.0), 1.0, "a tie goes to the even neighbour");
        assert_eq!(back(1.0 + 3.0 / 256.0), 1.0 + 4.0 / 256.0);
        assert_eq!(back(f32::INFINITY), f32::INFINITY);
        assert!(back(f32::from_bits(0x7fff_ffff)).is_nan());
    }

    #[test]
    fn an_odd_row_is_padded_with_zero() {
        let mut lanes = [Pair(7); 3];
        Pair::pack_row(&[1.0, 2.0, 3.0], &mut lanes);
        assert_eq!(lanes.map(Pair::floats), [[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]]);
    }
}
