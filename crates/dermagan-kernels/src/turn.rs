//! The transpose of 16 × 16 numbers of 32 bits, in vectors: number by number it took a tenth of a step
//! of small batches, whose filters are laid out anew in every step.
#![allow(unsafe_code, reason = "vector instructions on pointers that were checked")]

use std::arch::x86_64::{
    __m256, __m512i, _MM_TRANSPOSE4_PS, _mm_loadu_ps, _mm_storeu_ps, _mm256_loadu_ps,
    _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps,
    _mm256_unpacklo_ps, _mm512_loadu_si512, _mm512_shuffle_i32x4, _mm512_storeu_si512,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use crate::cpu;
use crate::lane::SQUARE;

/// `to[j * to_row + i]` = `from[i * from_row + j]` for i and j below 16, at the level in use.
///
/// # Panics
/// When a side does not hold 16 rows of 16 numbers.
#[inline(always)]
pub fn square(from: &[f32], from_row: usize, to: &mut [f32], to_row: usize) {
    assert!(from.len() >= (SQUARE - 1) * from_row + SQUARE, "16 rows");
    assert!(to.len() >= (SQUARE - 1) * to_row + SQUARE, "16 rows");
    let (from, to) = (from.as_ptr(), to.as_mut_ptr());
    // SAFETY: both sides hold 16 rows, and a level in use is one that the machine has.
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

/// As [`square`], in vectors of 16.
///
/// # Safety
/// The machine has AVX-512, and both sides hold 16 rows of 16 numbers at these strides.
#[inline]
#[target_feature(enable = "avx512f")]
pub unsafe fn square512(from: *const u32, from_row: usize, to: *mut u32, to_row: usize) {
    // SAFETY: the caller's promise.
    let row = |i: usize| unsafe { _mm512_loadu_si512(from.add(i * from_row).cast()) };
    // Within 128 bits, of four rows: quarter i holds columns i, i + 4, i + 8, i + 12.
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
        // Columns i and i + 8 of eight rows each, then i + 4 and i + 12.
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
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_si512(to.add((4 * quarter + i) * to_row).cast(), values) };
        }
    }
}

/// As [`square`], in vectors of 8.
///
/// # Safety
/// The machine has AVX2, and both sides hold 16 rows of 16 numbers at these strides.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn square256(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    const HALF: usize = SQUARE / 2;
    for (top, left) in [(0, 0), (0, HALF), (HALF, 0), (HALF, HALF)] {
        // SAFETY: the caller's promise.
        let row = |i: usize| unsafe { _mm256_loadu_ps(from.add((top + i) * from_row + left)) };
        // Within 128 bits, of four rows: column i in the low half and column i + 4 in the high.
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
                // SAFETY: the caller's promise.
                unsafe { _mm256_storeu_ps(to.add((left + 4 * half + i) * to_row + top), values) };
            }
        }
    }
}

/// As [`square`], in vectors of 4.
///
/// # Safety
/// Both sides hold 16 rows of 16 numbers at these strides.
#[inline]
unsafe fn square128(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
    for top in (0..SQUARE).step_by(4) {
        for left in (0..SQUARE).step_by(4) {
            // SAFETY: the caller's promise; every x86-64 machine has SSE.
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
    use crate::lane::Real;

    #[test]
    fn columns_become_rows_and_nothing_beside_them_is_touched() {
        let from: Vec<f32> = (0..16 * 18).map(|i| i as f32).collect();
        let mut to = [-1.0f32; 16 * 20];
        f32::turn(&from, 18, &mut to, 20);
        for (at, value) in to.iter().enumerate() {
            let (j, i) = (at / 20, at % 20);
            assert_eq!(*value, if i < 16 { (18 * i + j) as f32 } else { -1.0 });
        }
    }
}
