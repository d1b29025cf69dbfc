//! Which unit multiplies which element: float32 and pairs of bfloat16 use the vector units of the level in use,
//! pairs use the matrix unit where there is one, and float64 uses plain loops.
#![allow(unsafe_code, reason = "passes the caller's contract on")]

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use super::layout::{Extents, Into, Left, Out, Right};
use super::multiply::{Job, Multiply};
use super::operand::Pair;
use super::tile;

impl Multiply<Self> for f32 {
    unsafe fn tile(job: Job<Self>) {
        // SAFETY: the caller upholds the same contract.
        unsafe { tile::float(job) }
    }
}

impl Multiply<Self> for f64 {
    unsafe fn tile(job: Job<Self, Self>) {
        // SAFETY: the caller upholds the same contract.
        unsafe { tile::plain(job) }
    }
}

impl Multiply<f32> for Pair {
    unsafe fn tile(job: Job<Self>) {
        // SAFETY: the caller upholds the same contract.
        unsafe { tile::pairs(job) }
    }

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    unsafe fn whole(
        size: Extents,
        a: Left<'_, Self>,
        b: Right<'_, Self>,
        c: &mut Out<'_, f32>,
        into: Into,
    ) -> bool {
        let available = crate::cpu::amx();
        if available {
            // SAFETY: the machine has the unit, and the caller upholds the rest of the contract.
            unsafe { super::amx::product(size, a, b, c, into) };
        }
        available
    }
}
