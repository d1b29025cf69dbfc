//! The transpose of 16 × 16 values of 32 bits, in vectors. A transpose value by value took a tenth of a training step
//! with small batches, because the filters are packed again in every step.
#![cfg_attr(
    target_arch = "x86_64",
    allow(unsafe_code, reason = "vector instructions on pointers that were checked")
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256, __m512i, _MM_TRANSPOSE4_PS, _mm_loadu_ps, _mm_storeu_ps, _mm256_loadu_ps,
    _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps,
    _mm256_unpacklo_ps, _mm512_loadu_si512, _mm512_shuffle_i32x4, _mm512_storeu_si512,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

#[cfg(target_arch = "x86_64")]
use crate::cpu;

/// Rows and columns of a transposed square: one 512-bit vector of floats.
pub(crate) const SQUARE: usize = 16;

/// A value whose squares of 16 × 16 can be transposed.
pub trait Transpose: Copy {
    /// `to[j * to_row + i]` = `from[i * from_row + j]` for i and j below 16.
    ///
    /// # Panics
    /// If a side does not hold 16 rows of 16 values.
    #[inline(always)]
    fn transpose(from: &[Self], from_row: usize, to: &mut [Self], to_row: usize) {
        for i in 0..SQUARE {
            for j in 0..SQUARE {
                to[j * to_row + i] = from[i * from_row + j];
            }
        }
    }
}

impl Transpose for f32 {
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn transpose(from: &[f32], from_row: usize, to: &mut [f32], to_row: usize) {
        square(from, from_row, to, to_row);
    }
}

impl Transpose for f64 {}

/// [`Transpose::transpose`] of float32 with the vectors of the level in use.
///
/// # Panics
/// If a side does not hold 16 rows of 16 values.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn square(from: &[f32], from_row: usize, to: &mut [f32], to_row: usize) {
    assert!(from.len() >= (SQUARE - 1) * from_row + SQUARE, "`from` must hold 16 rows");
    assert!(to.len() >= (SQUARE - 1) * to_row + SQUARE, "`to` must hold 16 rows");
    let (from, to) = (from.as_ptr(), to.as_mut_ptr());
    // SAFETY: both sides hold 16 rows, and the machine has the level in use.
    unsafe {
        if cpu::avx512() {
            square512(from.cast(), from_row, to.cast(), to_row);
        } else if cpu::avx2() {
            square256(from, from_row, to, to_row);
        } else {
            square128(from, from_row, to, to_row);
        }
    }
}

/// As [`square`], in vectors of 16 values.
///
/// # Safety
/// The machine has AVX-512, and both sides hold 16 rows of 16 values at these strides.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn square512(from: *const u32, from_row: usize, to: *mut u32, to_row: usize) {
    // SAFETY: the caller guarantees 16 rows of 16 values.
    let row = |i: usize| unsafe { _mm512_loadu_si512(from.add(i * from_row).cast()) };
    // The transpose of four rows within each 128 bits: quarter i holds columns i, i + 4, i + 8, i + 12.
    let four = |i: usize| -> [__m512i; 4] {
        let [a, b, c, d] = [row(i), row(i + 1), row(i + 2), row(i + 3)];
        let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
        let (high_ab, high_cd) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
        [
            _mm512_unpacklo_epi64(ab, cd),
            _mm512_unpackhi_epi64(ab, cd),
            _mm512_unpacklo_epi64(high_ab, high_cd),
            _mm512_unpackhi_epi64(high_ab, high_cd),
        ]
    };
    let quarters = [four(0), four(4), four(8), four(12)];
    for i in 0..4 {
        let [a, b, c, d] = [quarters[0][i], quarters[1][i], quarters[2][i], quarters[3][i]];
        // First columns i and i + 8 of eight rows each, then columns i + 4 and i + 12.
        let (ab, cd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0x88>(c, d));
        let (next_ab, next_cd) =
            (_mm512_shuffle_i32x4::<0xdd>(a, b), _mm512_shuffle_i32x4::<0xdd>(c, d));
        let columns = [
            _mm512_shuffle_i32x4::<0x88>(ab, cd),
            _mm512_shuffle_i32x4::<0x88>(next_ab, next_cd),
            _mm512_shuffle_i32x4::<0xdd>(ab, cd),
            _mm512_shuffle_i32x4::<0xdd>(next_ab, next_cd),
        ];
        for (quarter, values) in columns.into_iter().enumerate() {
            // SAFETY: the caller guarantees 16 rows of 16 values.
            unsafe { _mm512_storeu_si512(to.add((4 * quarter + i) * to_row).cast(), values) };
        }
    }
}

/// As [`square`], in vectors of 8 values.
///
/// # Safety
/// The machine has AVX2, and both sides hold 16 rows of 16 values at these strides.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn square256(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    const HALF: usize = SQUARE / 2;
    for (top, left) in [(0, 0), (0, HALF), (HALF, 0), (HALF, HALF)] {
        // SAFETY: the caller guarantees 16 rows of 16 values.
        let row = |i: usize| unsafe { _mm256_loadu_ps(from.add((top + i) * from_row + left)) };
        // The transpose of four rows within each 128 bits: column i in the low half, column i + 4 in the high half.
        let four = |i: usize| -> [__m256; 4] {
            let [a, b, c, d] = [row(i), row(i + 1), row(i + 2), row(i + 3)];
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (high_ab, high_cd) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            [
                _mm256_shuffle_ps::<0x44>(ab, cd),
                _mm256_shuffle_ps::<0xee>(ab, cd),
                _mm256_shuffle_ps::<0x44>(high_ab, high_cd),
                _mm256_shuffle_ps::<0xee>(high_ab, high_cd),
            ]
        };
        let (upper, lower) = (four(0), four(4));
        for i in 0..4 {
            let columns = [
                _mm256_permute2f128_ps::<0x20>(upper[i], lower[i]),
                _mm256_permute2f128_ps::<0x31>(upper[i], lower[i]),
            ];
            for (half, values) in columns.into_iter().enumerate() {
                // SAFETY: the caller guarantees 16 rows of 16 values.
                unsafe { _mm256_storeu_ps(to.add((left + 4 * half + i) * to_row + top), values) };
            }
        }
    }
}

/// As [`square`], in vectors of 4 values.
///
/// # Safety
/// Both sides hold 16 rows of 16 values at these strides.
#[cfg(target_arch = "x86_64")]
#[inline]
unsafe fn square128(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    for top in (0..SQUARE).step_by(4) {
        for left in (0..SQUARE).step_by(4) {
            // SAFETY: the caller guarantees 16 rows of 16 values; every x86-64 machine has SSE.
            unsafe {
                let row = |i: usize| _mm_loadu_ps(from.add((top + i) * from_row + left));
                let [mut a, mut b, mut c, mut d] = [row(0), row(1), row(2), row(3)];
                _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
                for (i, values) in [a, b, c, d].into_iter().enumerate() {
                    _mm_storeu_ps(to.add((left + i) * to_row + top), values);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Transpose;

    #[test]
    fn columns_become_rows_and_nothing_else_is_written() {
        let from: Vec<f32> = (0..16 * 18).map(|i| i as f32).collect();
        let mut to = [-1.0f32; 16 * 20];
        f32::transpose(&from, 18, &mut to, 20);
        for (at, value) in to.iter().enumerate() {
            let (j, i) = (at / 20, at % 20);
            assert_eq!(*value, if i < 16 { (18 * i + j) as f32 } else { -1.0 });
        }
    }
}
