//! One tile of a matrix product. Its sums stay in registers. Each level has its own form: `block` for vectors of
//! 4 and 8 floats, `wide` for AVX-512. [`plain`] serves float64, which only tests use.
#![allow(unsafe_code, reason = "vector instructions; every pointer stays inside checked slices")]

mod block;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod wide;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::layout::{Into, Left, Out, PANEL, Right, reach};
use super::multiply::Job;
use super::operand::{Lane, Pair, Real};
use crate::cpu;
#[cfg(target_arch = "x86_64")]
use crate::cpu::Level;

/// The maximum number of rows of one tile at the level in use. With AVX-512, 12 × 2 sums, two vectors of B and
/// one of A fill 27 of 32 registers. The other forms divide a tile themselves.
pub fn rows() -> usize {
    if cpu::avx512() { 12 } else { usize::MAX }
}

/// Computes `rows` × `width` values of C over `k` lanes.
///
/// # Panics
/// If an extent is 0, `width` exceeds [`PANEL`], or an operand is shorter than its extents and strides require.
pub fn run<L: Lane>(
    rows: usize,
    width: usize,
    k: usize,
    a: Left<'_, L>,
    b: Right<'_, L>,
    c: Out<'_, L::Real>,
    into: Into,
) {
    // These checks, once per tile, make the pointers below safe.
    assert!(rows >= 1 && (1..=PANEL).contains(&width) && k >= 1);
    assert!(a.data.len() > reach(&[(rows - 1, a.row), (k - 1, a.col)]));
    assert!(b.data.len() >= reach(&[(k - 1, b.row), (PANEL, 1)]));
    assert!(c.data.len() >= reach(&[(rows - 1, c.row), (width, 1)]));
    let job = Job {
        rows,
        width,
        k,
        a: a.data.as_ptr(),
        a_row: a.row,
        a_col: a.col,
        b: b.data.as_ptr(),
        b_row: b.row,
        c: c.data.as_mut_ptr(),
        c_row: c.row,
        add: into == Into::Add,
    };
    // SAFETY: the assertions above bound every access that a job of these extents makes.
    unsafe { L::tile(job) }
}

/// A tile of any real type, value by value.
///
/// # Safety
/// Every access that the job's extents imply must be inside its operands.
pub unsafe fn plain<T: Real>(job: Job<T, T>) {
    for i in 0..job.rows {
        for j in 0..job.width {
            let mut sum = T::default();
            for p in 0..job.k {
                // SAFETY: lane p of row i and of column j is inside the operands.
                sum += unsafe {
                    *job.a.add(i * job.a_row + p * job.a_col) * *job.b.add(p * job.b_row + j)
                };
            }
            // SAFETY: row i of C holds `width` values.
            let c = unsafe { &mut *job.c.add(i * job.c_row + j) };
            *c = if job.add { *c + sum } else { sum };
        }
    }
}

/// A tile of float32 at the level in use.
///
/// # Safety
/// Every access that the job's extents imply must be inside its operands.
pub unsafe fn float(job: Job<f32>) {
    // SAFETY: the machine has the level in use; the caller upholds the rest of the contract.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        match cpu::level() {
            Level::Baseline => x86::float128(job),
            Level::Avx2 => x86::float256(job),
            Level::Avx512 | Level::Avx512Bf16 | Level::Amx => wide::float(job),
        }
        #[cfg(target_arch = "aarch64")]
        neon::float(job);
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        block::float::<[f32; 4]>(job);
    }
}

/// A tile of bfloat16 pairs at the level in use.
///
/// # Safety
/// Every access that the job's extents imply must be inside its operands.
pub unsafe fn pairs(job: Job<Pair>) {
    // SAFETY: as in `float`.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        match cpu::level() {
            Level::Baseline => x86::pairs128(job),
            Level::Avx2 | Level::Avx512 => x86::pairs256(job),
            Level::Avx512Bf16 | Level::Amx => wide::pairs(job),
        }
        #[cfg(target_arch = "aarch64")]
        neon::pairs(job);
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        block::pairs::<[f32; 4]>(job);
    }
}
