//! Columns to rows of 16 × 16 numbers of 32 bits, in vectors: number by number it took a tenth of a step
//! of small batches, whose filters are laid out anew in every step.
#![allow(unsafe_code, reason = "vector instructions on pointers that the caller has checked")]

use std::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_shuffle_i32x4, _mm512_storeu_si512, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// `to[j * to_row + i]` = `from[i * from_row + j]`.
///
/// # Safety
/// The machine has AVX-512, and both sides hold 16 rows of 16 numbers, so far apart.
#[inline]
#[target_feature(enable = "avx512f")]
pub unsafe fn square(from: *const u32, from_row: usize, to: *mut u32, to_row: usize) {
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
