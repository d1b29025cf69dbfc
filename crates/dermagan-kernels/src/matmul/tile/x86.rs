//! Tiles with SSE2 vectors, and with AVX2 vectors and fused multiply-add.

use std::arch::x86_64::{
    __m128, __m256, _mm_add_ps, _mm_and_si128, _mm_castsi128_ps, _mm_loadu_ps, _mm_loadu_si128,
    _mm_mul_ps, _mm_set1_epi32, _mm_set1_ps, _mm_slli_epi32, _mm_storeu_ps, _mm256_and_si256,
    _mm256_castsi256_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_slli_epi32, _mm256_storeu_ps,
};

use super::block::{self, Vector};
use crate::matmul::multiply::Job;
use crate::matmul::operand::Pair;

/// Mask of the high half of a pair, which is its second value.
const SECOND: i32 = 0xffff_0000_u32.cast_signed();

// SAFETY: each method is one or two SSE2 instructions, and accesses `LANES` values.
unsafe impl Vector for __m128 {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { _mm_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { _mm_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { _mm_storeu_ps(to, self) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { _mm_add_ps(self, _mm_mul_ps(a, b)) }
    }
    #[inline(always)]
    unsafe fn widen(from: *const Pair) -> [Self; 2] {
        // SAFETY: the caller upholds the trait's contract.
        unsafe {
            let pairs = _mm_loadu_si128(from.cast());
            let second = _mm_and_si128(pairs, _mm_set1_epi32(SECOND));
            [_mm_castsi128_ps(_mm_slli_epi32::<16>(pairs)), _mm_castsi128_ps(second)]
        }
    }
}

// SAFETY: each method is one or two AVX2 or FMA instructions, and accesses `LANES` values.
unsafe impl Vector for __m256 {
    const LANES: usize = 8;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { _mm256_storeu_ps(to, self) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { _mm256_fmadd_ps(a, b, self) }
    }
    #[inline(always)]
    unsafe fn widen(from: *const Pair) -> [Self; 2] {
        // SAFETY: the caller upholds the trait's contract.
        unsafe {
            let pairs = _mm256_loadu_si256(from.cast());
            let second = _mm256_and_si256(pairs, _mm256_set1_epi32(SECOND));
            [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs)), _mm256_castsi256_ps(second)]
        }
    }
}

/// A tile of float32 with SSE2, which every x86-64 machine has.
///
/// # Safety
/// Every access that the job's extents imply is inside its operands.
pub unsafe fn float128(job: Job<f32>) {
    // SAFETY: the caller upholds the same contract.
    unsafe { block::float::<__m128>(job) }
}

/// A tile of bfloat16 pairs with SSE2.
///
/// # Safety
/// As [`float128`].
pub unsafe fn pairs128(job: Job<Pair>) {
    // SAFETY: the caller upholds the same contract.
    unsafe { block::pairs::<__m128>(job) }
}

/// A tile of float32 with AVX2.
///
/// # Safety
/// The machine has AVX2 and FMA, and every access that the job's extents imply is inside its operands.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn float256(job: Job<f32>) {
    // SAFETY: the caller upholds the same contract.
    unsafe { block::float::<__m256>(job) }
}

/// A tile of bfloat16 pairs with AVX2.
///
/// # Safety
/// As [`float256`].
#[target_feature(enable = "avx2,fma")]
pub unsafe fn pairs256(job: Job<Pair>) {
    // SAFETY: the caller upholds the same contract.
    unsafe { block::pairs::<__m256>(job) }
}
