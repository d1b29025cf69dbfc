//! Tiles with NEON vectors, which every aarch64 machine has.

use std::arch::aarch64::{
    float32x4_t, vandq_u32, vdupq_n_f32, vdupq_n_u32, vfmaq_f32, vld1q_f32, vld1q_u32,
    vreinterpretq_f32_u32, vshlq_n_u32, vst1q_f32,
};

use super::block::{self, Vector};
use crate::matmul::multiply::Job;
use crate::matmul::operand::Pair;

// SAFETY: each method is one or two NEON instructions, and accesses `LANES` values.
unsafe impl Vector for float32x4_t {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { vst1q_f32(to, self) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller upholds the trait's contract.
        unsafe { vfmaq_f32(self, a, b) }
    }
    #[inline(always)]
    unsafe fn widen(from: *const Pair) -> [Self; 2] {
        // SAFETY: the caller upholds the trait's contract.
        unsafe {
            let pairs = vld1q_u32(from.cast());
            let second = vandq_u32(pairs, vdupq_n_u32(0xffff_0000));
            [vreinterpretq_f32_u32(vshlq_n_u32::<16>(pairs)), vreinterpretq_f32_u32(second)]
        }
    }
}

/// A tile of float32.
///
/// # Safety
/// Every access that the job's extents imply is inside its operands.
pub unsafe fn float(job: Job<f32>) {
    // SAFETY: the caller upholds the same contract; every aarch64 machine has NEON.
    unsafe { block::float::<float32x4_t>(job) }
}

/// A tile of bfloat16 pairs.
///
/// # Safety
/// As [`float`].
pub unsafe fn pairs(job: Job<Pair>) {
    // SAFETY: the caller upholds the same contract; every aarch64 machine has NEON.
    unsafe { block::pairs::<float32x4_t>(job) }
}
