//! Numbers as the matrix products take them: one float, or two bfloat16 side by side.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use crate::gemm::{Extents, Into, Left, Out, Right};
use crate::scratch::{Buffer, Pool};
use crate::tile::{self, Job};
#[cfg(target_arch = "x86_64")]
use crate::turn;

/// Rows and columns of what is turned at once: a 512-bit vector of floats.
pub(crate) const SQUARE: usize = 16;

/// A float that the kernels compute in: f32 at work, f64 where tests judge the formulas.
pub trait Real:
    Copy
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
    /// As a double.
    fn double(self) -> f64;
    /// tanh to the last bits.
    #[doc(hidden)]
    fn tanh_all(values: &mut [Self]);
    /// Columns to rows: `to[j * to_row + i]` = `from[i * from_row + j]` for i and j below 16.
    #[doc(hidden)]
    #[inline(always)]
    fn turn(from: &[Self], from_row: usize, to: &mut [Self], to_row: usize) {
        for i in 0..SQUARE {
            for j in 0..SQUARE {
                to[j * to_row + i] = from[i * from_row + j];
            }
        }
    }
    /// Where working memory of this kind is kept.
    #[doc(hidden)]
    fn memory() -> &'static Pool<Self>;
    /// One tile of a product of such numbers.
    ///
    /// # Safety
    /// Every access that the job's extents imply must be inside its operands.
    #[doc(hidden)]
    #[allow(unsafe_code, reason = "implemented in `tile`, called there only")]
    unsafe fn product(job: Job<Self>);
}

impl Real for f32 {
    fn of(x: f64) -> Self {
        x as f32
    }
    fn double(self) -> f64 {
        f64::from(self)
    }
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn turn(from: &[f32], from_row: usize, to: &mut [f32], to_row: usize) {
        turn::square(from, from_row, to, to_row);
    }
    fn tanh_all(values: &mut [f32]) {
        crate::activation::tanh_chunk(values);
    }
    fn memory() -> &'static Pool<Self> {
        static KEPT: Pool<f32> = Pool::new();
        &KEPT
    }
    #[allow(unsafe_code, reason = "passes the caller's promise on")]
    unsafe fn product(job: Job<Self>) {
        // SAFETY: the caller's promise.
        unsafe { tile::float(job) }
    }
}

impl Real for f64 {
    fn of(x: f64) -> Self {
        x
    }
    fn double(self) -> f64 {
        self
    }
    fn tanh_all(values: &mut [f64]) {
        values.iter_mut().for_each(|x| *x = x.tanh());
    }
    fn memory() -> &'static Pool<Self> {
        static KEPT: Pool<f64> = Pool::new();
        &KEPT
    }
    #[allow(unsafe_code, reason = "passes the caller's promise on")]
    unsafe fn product(job: Job<Self>) {
        // SAFETY: the caller's promise.
        unsafe { tile::plain(job) }
    }
}

/// What a matrix product multiplies: `PER` neighbours along the summed index.
pub trait Lane: Copy + Default + Send + Sync + 'static {
    /// The floats that go in, and that the sums are kept in.
    type Real: Real;
    /// How many floats one lane holds.
    const PER: usize;

    /// How many lanes hold `k` floats in the form that products are fastest in.
    fn lanes(k: usize) -> usize {
        k.div_ceil(Self::PER)
    }

    /// Packs neighbours of one row: `from` holds `PER` floats for each lane of `into`; missing ones
    /// count as zero.
    fn pack_row(from: &[Self::Real], into: &mut [Self]);

    /// Packs `PER` rows element by element: `from` holds them one after another, each as long as
    /// `into`.
    fn pack_rows(from: &[Self::Real], into: &mut [Self]);

    /// The same for rows of [`SQUARE`] values; a second row is not read where `PER` is 1.
    #[doc(hidden)]
    fn pack_block(from: &[[Self::Real; SQUARE]; 2], into: &mut [Self; SQUARE]);

    /// Working memory of `len` lanes with anything in it.
    #[doc(hidden)]
    fn scratch(len: usize) -> Buffer<Self>;

    /// One tile of a product.
    ///
    /// # Safety
    /// Every access that the job's extents imply must be inside its operands.
    #[doc(hidden)]
    #[allow(unsafe_code, reason = "implemented in `tile`, called there only")]
    unsafe fn tile(job: Job<Self>);

    /// The whole product, where the machine has a unit for that; false where it must be made of tiles.
    ///
    /// # Safety
    /// Every access that extents and strides imply must be inside the operands, and none of the extents
    /// is 0.
    #[doc(hidden)]
    #[allow(unsafe_code, reason = "implemented in `amx`, called in `gemm` only")]
    unsafe fn whole(
        _: Extents,
        _: Left<'_, Self>,
        _: Right<'_, Self>,
        _: &mut Out<'_, Self::Real>,
        _: Into,
    ) -> bool {
        false
    }
}

impl<T: Real> Lane for T {
    type Real = T;
    const PER: usize = 1;

    #[allow(clippy::manual_memcpy, reason = "see the comment")]
    #[inline(always)]
    fn pack_row(from: &[T], into: &mut [T]) {
        // Loops over indices here and below: for a block of 16 the call of memmove, and even that of
        // an iterator's constructor, costs more than the copy.
        let (filled, rest) = into.split_at_mut(from.len());
        for i in 0..filled.len() {
            filled[i] = from[i];
        }
        for to in rest {
            *to = T::default();
        }
    }

    #[allow(clippy::manual_memcpy, reason = "as above")]
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

    #[allow(unsafe_code, reason = "passes the caller's promise on")]
    unsafe fn tile(job: Job<Self>) {
        // SAFETY: the caller's promise.
        unsafe { T::product(job) }
    }
}

/// Two bfloat16, the first in the low half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Pair(pub u32);

/// The nearest bfloat16, ties to even, in the low half; a NaN stays a NaN.
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let even = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    if x.is_nan() { 0x7fc0 } else { even }
}

impl Pair {
    /// Both values as floats.
    #[inline(always)]
    pub fn floats(self) -> [f32; 2] {
        [f32::from_bits(self.0 << 16), f32::from_bits(self.0 & 0xffff_0000)]
    }
}

impl Lane for Pair {
    type Real = f32;
    const PER: usize = 2;

    /// Whole tiles where a matrix unit takes them: it would have to fill them up itself every time.
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

    #[allow(unsafe_code, reason = "passes the caller's promise on")]
    unsafe fn tile(job: Job<Self>) {
        // SAFETY: the caller's promise.
        unsafe { tile::pairs(job) }
    }

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    #[allow(unsafe_code, reason = "passes the caller's promise on")]
    unsafe fn whole(
        size: Extents,
        a: Left<'_, Self>,
        b: Right<'_, Self>,
        c: &mut Out<'_, f32>,
        into: Into,
    ) -> bool {
        let there = crate::cpu::amx();
        if there {
            // SAFETY: the unit was found; the rest is the caller's promise.
            unsafe { crate::amx::product(size, a, b, c, into) };
        }
        there
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
    fn an_odd_row_is_filled_up_with_zero() {
        let mut lanes = [Pair(7); 3];
        Pair::pack_row(&[1.0, 2.0, 3.0], &mut lanes);
        assert_eq!(lanes.map(Pair::floats), [[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]]);
    }
}
