//! Tiles of up to 12 rows × 2 vectors of 512 bits, for AVX-512.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps,
};

use crate::matmul::multiply::Job;
use crate::matmul::operand::{Lane, Pair};

/// Calls the form of a function for the job's number of rows.
macro_rules! by_rows {
    ($function:ident, $job:expr) => {
        match $job.rows {
            1 => $function::<1>($job),
            2 => $function::<2>($job),
            3 => $function::<3>($job),
            4 => $function::<4>($job),
            5 => $function::<5>($job),
            6 => $function::<6>($job),
            7 => $function::<7>($job),
            8 => $function::<8>($job),
            9 => $function::<9>($job),
            10 => $function::<10>($job),
            11 => $function::<11>($job),
            12 => $function::<12>($job),
            _ => unreachable!("`tile::run` takes at most 12 rows"),
        }
    };
}

/// A tile of float32.
///
/// # Safety
/// The machine has AVX-512, and every access that the job's extents imply is inside its operands.
pub unsafe fn float(job: Job<f32>) {
    // SAFETY: the caller upholds the same contract.
    unsafe { by_rows!(float_rows, job) }
}

/// A tile of bfloat16 pairs.
///
/// # Safety
/// The machine has AVX-512 BF16, and every access that the job's extents imply is inside its operands.
pub unsafe fn pairs(job: Job<Pair>) {
    // SAFETY: the caller upholds the same contract.
    unsafe { by_rows!(pairs_rows, job) }
}

/// A 512-bit vector as pairs of bfloat16.
#[inline(always)]
fn as_bf16(x: __m512i) -> __m512bh {
    // SAFETY: both types are 512 bits wide, and every bit pattern is valid.
    unsafe { std::mem::transmute(x) }
}

/// Writes or adds the sums of a tile to C.
///
/// # Safety
/// The machine has AVX-512, and C holds `ROWS` rows of the job's width.
#[target_feature(enable = "avx512f")]
unsafe fn store<L: Lane<Real = f32>, const ROWS: usize>(job: &Job<L>, sums: [[__m512; 2]; ROWS]) {
    let mask =
        |columns: usize| -> u16 { if columns >= 16 { u16::MAX } else { (1u16 << columns) - 1 } };
    let masks = [mask(job.width), mask(job.width.saturating_sub(16))];
    for (i, sums) in sums.into_iter().enumerate() {
        for (half, (sum, mask)) in sums.into_iter().zip(masks).enumerate() {
            // SAFETY: the mask selects only columns below `width`, which a row of C holds.
            unsafe {
                let at = job.c.add(i * job.c_row).wrapping_add(16 * half);
                let sum = match job.add {
                    true => _mm512_add_ps(_mm512_maskz_loadu_ps(mask, at), sum),
                    false => sum,
                };
                _mm512_mask_storeu_ps(at, mask, sum);
            }
        }
    }
}

/// A tile of `ROWS` rows of float32.
///
/// # Safety
/// The machine has AVX-512, the job has `ROWS` rows, and every access that its extents imply is inside its operands.
#[target_feature(enable = "avx512f")]
unsafe fn float_rows<const ROWS: usize>(job: Job<f32>) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    let (mut a, mut b) = (job.a, job.b);
    for _ in 0..job.k {
        // SAFETY: lane p of each row, and of the panel of 32 columns, is inside the operands. Past the last lane the
        // pointers are only moved, not read.
        unsafe {
            let (b0, b1) = (_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16)));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = _mm512_set1_ps(*a.add(i * job.a_row));
                sums[0] = _mm512_fmadd_ps(x, b0, sums[0]);
                sums[1] = _mm512_fmadd_ps(x, b1, sums[1]);
            }
        }
        (a, b) = (a.wrapping_add(job.a_col), b.wrapping_add(job.b_row));
    }
    // SAFETY: the caller guarantees that C holds `ROWS` rows of the job's width.
    unsafe { store(&job, sums) }
}

/// A tile of `ROWS` rows of bfloat16 pairs.
///
/// # Safety
/// The machine has AVX-512 BF16; the rest as [`float_rows`].
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn pairs_rows<const ROWS: usize>(job: Job<Pair>) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    let (mut a, mut b) = (job.a, job.b);
    for _ in 0..job.k {
        // SAFETY: as in `float_rows`; a `Pair` is 32 bits wide.
        unsafe {
            let b0 = as_bf16(_mm512_loadu_si512(b.cast()));
            let b1 = as_bf16(_mm512_loadu_si512(b.add(16).cast()));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = as_bf16(_mm512_set1_epi32((*a.add(i * job.a_row)).0.cast_signed()));
                sums[0] = _mm512_dpbf16_ps(sums[0], x, b0);
                sums[1] = _mm512_dpbf16_ps(sums[1], x, b1);
            }
        }
        (a, b) = (a.wrapping_add(job.a_col), b.wrapping_add(job.b_row));
    }
    // SAFETY: the caller guarantees that C holds `ROWS` rows of the job's width.
    unsafe { store(&job, sums) }
}
