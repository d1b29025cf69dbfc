//! Tiles of 6 rows × 2 vectors of any type, for machines with at least 16 vector registers.

use std::hint::black_box;

use crate::matmul::layout::PANEL;
use crate::matmul::multiply::Job;
use crate::matmul::operand::{Lane, Pair};

/// Rows of a block of float32.
const ROWS: usize = 6;
/// Rows of a block of bfloat16 pairs. Each vector of B becomes two, so fewer sums fit.
const PAIR_ROWS: usize = 4;
/// Summed lanes per pass over the rows. Their two vectors of B stay in the L1 cache.
const DEPTH: usize = 128;
/// Vectors per row of a block.
const VECTORS: usize = 2;
/// The maximum number of floats in one vector.
const MOST_LANES: usize = 8;

/// A vector of floats. Every method compiles to one or two instructions once it is inlined into a function with the
/// vector's target features.
///
/// # Safety
/// An implementation must access only `LANES` values at a pointer. A caller must run the methods only on a machine
/// that has the vector's instructions, and must pass pointers that are valid for `LANES` values.
pub unsafe trait Vector: Copy {
    /// Number of floats in one vector.
    const LANES: usize;

    /// Sets every lane to `x`.
    ///
    /// # Safety
    /// The machine has the vector's instructions.
    unsafe fn splat(x: f32) -> Self;

    /// Loads `LANES` floats from memory.
    ///
    /// # Safety
    /// The machine has the vector's instructions, and `from` is valid for reads of `LANES` values.
    unsafe fn load(from: *const f32) -> Self;

    /// Stores `LANES` floats to memory.
    ///
    /// # Safety
    /// The machine has the vector's instructions, and `to` is valid for writes of `LANES` values.
    unsafe fn store(self, to: *mut f32);

    /// Computes self + a·b, with a single rounding if the machine has fused multiply-add.
    ///
    /// # Safety
    /// The machine has the vector's instructions.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;

    /// The first (low) and the second (high) bfloat16 of every pair, as floats.
    ///
    /// # Safety
    /// The machine has the vector's instructions, and `from` is valid for reads of `LANES` values.
    unsafe fn widen(from: *const Pair) -> [Self; 2];
}

/// A tile of float32 with any number of rows.
///
/// # Safety
/// The machine has the vector's instructions, and every access that the job's extents imply is inside its
/// operands.
#[inline(always)]
pub unsafe fn float<V: Vector>(job: Job<f32>) {
    // SAFETY: the caller upholds the same contract.
    unsafe {
        over_blocks::<V, f32>(job, ROWS, |job, rows| match rows {
            1 => float_block::<V, 1>(job),
            2 => float_block::<V, 2>(job),
            3 => float_block::<V, 3>(job),
            4 => float_block::<V, 4>(job),
            5 => float_block::<V, 5>(job),
            _ => float_block::<V, ROWS>(job),
        });
    }
}

/// A tile of bfloat16 pairs with any number of rows.
///
/// # Safety
/// As [`float`].
#[inline(always)]
pub unsafe fn pairs<V: Vector>(job: Job<Pair>) {
    // SAFETY: the caller upholds the same contract.
    unsafe {
        over_blocks::<V, Pair>(job, PAIR_ROWS, |job, rows| match rows {
            1 => pairs_block::<V, 1>(job),
            2 => pairs_block::<V, 2>(job),
            3 => pairs_block::<V, 3>(job),
            _ => pairs_block::<V, PAIR_ROWS>(job),
        });
    }
}

/// Calls `block` for pieces of at most `most` rows and two vectors. Their part of B stays in the L1 cache from one
/// piece to the next. An interrupted sum continues from the value in C, so that it has the same bits as in one piece.
///
/// # Safety
/// Every access that the job's extents imply is inside its operands.
#[inline(always)]
unsafe fn over_blocks<V: Vector, L: Lane<Real = f32>>(
    job: Job<L>,
    most: usize,
    block: impl Fn(Job<L>, usize),
) {
    let pieces = job.rows.div_ceil(most);
    for first in (0..job.k).step_by(DEPTH) {
        for column in (0..job.width).step_by(VECTORS * V::LANES) {
            for piece in 0..pieces {
                // Spread the rows evenly: 8 rows are two pieces of 4, not one of 6 and one of 2.
                let (row, end) = (piece * job.rows / pieces, (piece + 1) * job.rows / pieces);
                // SAFETY: the piece starts inside the operands.
                let piece = unsafe {
                    Job {
                        k: DEPTH.min(job.k - first),
                        width: job.width - column,
                        a: job.a.add(row * job.a_row + first * job.a_col),
                        b: job.b.add(first * job.b_row + column),
                        c: job.c.add(row * job.c_row + column),
                        add: job.add || first > 0,
                        ..job
                    }
                };
                block(piece, end - row);
            }
        }
    }
}

/// Pointers to the starts of the rows of A.
///
/// # Safety
/// A holds `R` rows.
#[inline(always)]
unsafe fn starts<L: Lane, const R: usize>(job: &Job<L>) -> [*const L; R] {
    // `black_box` hides the addresses from the compiler. Otherwise it would compute each from the previous one, and
    // the loop would wait for that chain of additions instead of for the products.
    // SAFETY: the rows are inside A.
    std::array::from_fn(|i| black_box(unsafe { job.a.add(i * job.a_row) }))
}

/// Sums of `R` rows × 2 vectors.
///
/// # Safety
/// The machine has the vector's instructions, the job has `R` rows, and every access that its extents imply is inside
/// its operands.
#[inline(always)]
unsafe fn float_block<V: Vector, const R: usize>(job: Job<f32>) {
    // SAFETY: lane p of each row, and of the panel to its full width, is inside the operands. Past the last lane the
    // pointer is only moved, not read.
    unsafe {
        let mut sums = load::<V, f32, R>(&job);
        let (rows, mut at, mut b) = (starts::<f32, R>(&job), 0, job.b);
        for _ in 0..job.k {
            let (b0, b1) = (V::load(b), V::load(b.add(V::LANES)));
            for i in 0..R {
                let x = V::splat(*rows[i].add(at));
                sums[i] = [sums[i][0].add_product(x, b0), sums[i][1].add_product(x, b1)];
            }
            (at, b) = (at + job.a_col, b.wrapping_add(job.b_row));
        }
        store(&job, &sums);
    }
}

/// Sums of `R` rows × 2 vectors of pairs: adds the product of the first of each pair, then that of the second.
///
/// # Safety
/// As [`float_block`].
#[inline(always)]
unsafe fn pairs_block<V: Vector, const R: usize>(job: Job<Pair>) {
    // SAFETY: as in `float_block`.
    unsafe {
        let mut sums = load::<V, Pair, R>(&job);
        let (rows, mut at, mut b) = (starts::<Pair, R>(&job), 0, job.b);
        for _ in 0..job.k {
            let (low, high) = (V::widen(b), V::widen(b.add(V::LANES)));
            for i in 0..R {
                let [first, second] = (*rows[i].add(at)).floats();
                let (x, y) = (V::splat(first), V::splat(second));
                let [s, t] = sums[i];
                sums[i] = [
                    s.add_product(x, low[0]).add_product(y, low[1]),
                    t.add_product(x, high[0]).add_product(y, high[1]),
                ];
            }
            (at, b) = (at + job.a_col, b.wrapping_add(job.b_row));
        }
        store(&job, &sums);
    }
}

/// Initial sums of a block: the values of C if the product is added to it, otherwise zeros.
///
/// # Safety
/// The machine has the vector's instructions, and C holds `R` rows of the job's width.
#[inline(always)]
unsafe fn load<V: Vector, L: Lane<Real = f32>, const R: usize>(job: &Job<L>) -> [[V; VECTORS]; R] {
    const { assert!(V::LANES <= MOST_LANES && PANEL.is_multiple_of(VECTORS * V::LANES)) };
    let whole = job.width >= VECTORS * V::LANES;
    // SAFETY: row i of C holds `width` values; `row` holds two vectors.
    unsafe {
        let mut sums = [[V::splat(0.0); VECTORS]; R];
        if !job.add {
            return sums;
        }
        for i in 0..R {
            let c = job.c.add(i * job.c_row);
            let mut row = [0.0f32; VECTORS * MOST_LANES];
            if !whole {
                for j in 0..job.width {
                    row[j] = *c.add(j);
                }
            }
            let from = if whole { c.cast_const() } else { row.as_ptr() };
            sums[i] = [V::load(from), V::load(from.add(V::LANES))];
        }
        sums
    }
}

/// Writes the sums of a block to C.
///
/// # Safety
/// As [`load`].
#[inline(always)]
unsafe fn store<V: Vector, L: Lane<Real = f32>, const R: usize>(
    job: &Job<L>,
    sums: &[[V; VECTORS]; R],
) {
    let whole = job.width >= VECTORS * V::LANES;
    for i in 0..R {
        // SAFETY: as in `load`.
        unsafe {
            let c = job.c.add(i * job.c_row);
            if whole {
                sums[i][0].store(c);
                sums[i][1].store(c.add(V::LANES));
                continue;
            }
            let mut row = [0.0f32; VECTORS * MOST_LANES];
            sums[i][0].store(row.as_mut_ptr());
            sums[i][1].store(row.as_mut_ptr().add(V::LANES));
            for j in 0..job.width {
                *c.add(j) = row[j];
            }
        }
    }
}

/// Four floats without intrinsics, for architectures without a form of their own.
// SAFETY: plain Rust needs no vector instructions, and each access is to four values.
unsafe impl Vector for [f32; 4] {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        [x; 4]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller guarantees that the pointer is valid for four values.
        unsafe { from.cast::<Self>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller guarantees that the pointer is valid for four values.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }
    #[inline(always)]
    unsafe fn add_product(self, a: Self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] + a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn widen(from: *const Pair) -> [Self; 2] {
        // SAFETY: the caller guarantees that the pointer is valid for four values.
        let pairs = unsafe { from.cast::<[Pair; 4]>().read_unaligned() }.map(Pair::floats);
        [pairs.map(|[first, _]| first), pairs.map(|[_, second]| second)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_for_other_architectures_matches_the_definition() {
        let (rows, width, k) = (11, 27, 5);
        let value = |i: usize| ((i * 7919 + 13) % 17) as f32 - 8.0;
        let a: Vec<f32> = (0..rows * k).map(value).collect();
        let b: Vec<f32> = (0..k * PANEL).map(|i| value(i + 100)).collect();
        let as_pairs = |x: &[f32]| -> Vec<Pair> {
            x.iter().map(|x| Pair(x.to_bits() >> 16 | (2.0 * x).to_bits())).collect()
        };
        let (pair_a, pair_b) = (as_pairs(&a), as_pairs(&b));
        let (mut c, mut of_pairs) = (vec![0.5f32; rows * width], vec![0.5f32; rows * width]);
        fn job<L: Lane<Real = f32>>(
            (rows, width, k): (usize, usize, usize),
            a: &[L],
            b: &[L],
            c: &mut [f32],
        ) -> Job<L> {
            let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
            Job {
                rows,
                width,
                k,
                a,
                a_row: k,
                a_col: 1,
                b,
                b_row: PANEL,
                c,
                c_row: width,
                add: true,
            }
        }
        // SAFETY: the operands have the job's extents; plain Rust runs on any machine.
        unsafe {
            float::<[f32; 4]>(job((rows, width, k), &a, &b, &mut c));
            pairs::<[f32; 4]>(job((rows, width, k), &pair_a, &pair_b, &mut of_pairs));
        }
        for i in 0..rows {
            for j in 0..width {
                let sum: f32 = (0..k).map(|p| a[i * k + p] * b[p * PANEL + j]).sum();
                assert_eq!(c[i * width + j], 0.5 + sum);
                assert_eq!(of_pairs[i * width + j], 0.5 + 5.0 * sum, "x·y + 2x·2y");
            }
        }
    }
}
