//! One tile of a matrix product, kept in registers: up to 12 rows × 32 columns.
#![allow(unsafe_code, reason = "vector instructions; every pointer stays inside checked slices")]

use crate::gemm::{Into, Left, Out, PANEL, Right, reach};
use crate::lane::{Lane, Pair, Real};

/// Computes `rows` × `width` of C over `k` lanes. The caller has checked the extents.
pub fn run<L: Lane>(
    rows: usize,
    width: usize,
    k: usize,
    a: Left<'_, L>,
    b: Right<'_, L>,
    c: Out<'_, L::Real>,
    into: Into,
) {
    // The checks that make the pointers below safe, once a tile.
    assert!(rows >= 1 && width <= PANEL && k >= 1);
    assert!(a.data.len() > reach(&[(rows - 1, a.row), (k - 1, a.col)]));
    assert!(b.data.len() >= reach(&[(k - 1, b.row), (PANEL, 1)]));
    assert!(c.data.len() >= reach(&[(rows - 1, c.row), (width, 1)]));
    let job = Job {
        k,
        a: a.data.as_ptr(),
        a_row: a.row,
        a_col: a.col,
        b: b.data.as_ptr(),
        b_row: b.row,
        c: c.data.as_mut_ptr(),
        c_row: c.row,
        width,
        add: into == Into::Add,
    };
    // SAFETY: the assertions above bound every access that a job of these extents makes.
    unsafe {
        match rows {
            1 => L::tile::<1>(job),
            2 => L::tile::<2>(job),
            3 => L::tile::<3>(job),
            4 => L::tile::<4>(job),
            5 => L::tile::<5>(job),
            6 => L::tile::<6>(job),
            7 => L::tile::<7>(job),
            8 => L::tile::<8>(job),
            9 => L::tile::<9>(job),
            10 => L::tile::<10>(job),
            11 => L::tile::<11>(job),
            12 => L::tile::<12>(job),
            _ => unreachable!("gemm makes tiles of at most 12 rows"),
        }
    }
}

/// A tile's operands as pointers.
pub struct Job<L: Lane> {
    k: usize,
    a: *const L,
    a_row: usize,
    a_col: usize,
    b: *const L,
    b_row: usize,
    c: *mut L::Real,
    c_row: usize,
    width: usize,
    add: bool,
}

/// Ends a tile: `sums` go to C, the first `width` of each row.
#[inline(always)]
unsafe fn store<L: Lane, const ROWS: usize>(job: &Job<L>, sums: &[[L::Real; PANEL]; ROWS]) {
    for (i, sums) in sums.iter().enumerate() {
        // SAFETY: row i of C holds `width` values, by the contract of `run`.
        let row = unsafe { std::slice::from_raw_parts_mut(job.c.add(i * job.c_row), job.width) };
        for (value, sum) in row.iter_mut().zip(sums) {
            *value = if job.add { *value + *sum } else { *sum };
        }
    }
}

/// Any real number, as the compiler vectorises it. `fused` is multiply-add where the machine has
/// it: without it the call would go to a library function.
#[inline(always)]
pub unsafe fn plain<T: Real, const ROWS: usize>(job: Job<T>, fused: impl Fn(T, T, T) -> T) {
    let mut sums = [[T::default(); PANEL]; ROWS];
    for p in 0..job.k {
        // SAFETY: lane p of the panel and of each row is inside the operands.
        unsafe {
            let b = &*job.b.add(p * job.b_row).cast::<[T; PANEL]>();
            for (i, sums) in sums.iter_mut().enumerate() {
                let a = *job.a.add(i * job.a_row + p * job.a_col);
                for (sum, b) in sums.iter_mut().zip(b) {
                    *sum = fused(a, *b, *sum);
                }
            }
        }
    }
    // SAFETY: as above.
    unsafe { store(&job, &sums) }
}

/// f32, best of what the machine has.
pub unsafe fn float<const ROWS: usize>(job: Job<f32>) {
    #[cfg(target_arch = "x86_64")]
    {
        if crate::cpu::avx512() {
            // SAFETY: the feature was found; the job's extents are the caller's promise.
            return unsafe { x86::float512::<ROWS>(job) };
        }
        if crate::cpu::avx2() {
            // SAFETY: as above.
            return unsafe { x86::float256::<ROWS>(job) };
        }
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the caller's promise.
    return unsafe { halves::<ROWS>(job, |a, b, c| a.mul_add(b, c)) };
    #[cfg(not(target_arch = "aarch64"))]
    // SAFETY: the caller's promise.
    unsafe {
        plain::<f32, ROWS>(job, |a, b, c| a * b + c)
    }
}

/// A tile in pieces of three rows, so that the sums fit 16 registers of 256 bits.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
unsafe fn halves<const ROWS: usize>(job: Job<f32>, fused: impl Fn(f32, f32, f32) -> f32 + Copy) {
    let mut from = 0;
    while from < ROWS {
        let rows = (ROWS - from).min(3);
        // SAFETY: rows `from..from + rows` of the same job.
        unsafe {
            let (a, c) = (job.a.add(from * job.a_row), job.c.add(from * job.c_row));
            let part = Job { a, c, ..job };
            match rows {
                1 => plain::<f32, 1>(part, fused),
                2 => plain::<f32, 2>(part, fused),
                _ => plain::<f32, 3>(part, fused),
            }
        }
        from += rows;
    }
}

/// Pairs of bfloat16, best of what the machine has.
pub unsafe fn pairs<const ROWS: usize>(job: Job<Pair>) {
    #[cfg(target_arch = "x86_64")]
    if crate::cpu::bf16_products() {
        // SAFETY: the feature was found; the job's extents are the caller's promise.
        return unsafe { x86::pairs512::<ROWS>(job) };
    }
    let mut sums = [[0.0f32; PANEL]; ROWS];
    for p in 0..job.k {
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: lane p of the panel and of row i is inside the operands.
            let (a, b) = unsafe {
                let b = &*job.b.add(p * job.b_row).cast::<[Pair; PANEL]>();
                ((*job.a.add(i * job.a_row + p * job.a_col)).floats(), b)
            };
            for (sum, b) in sums.iter_mut().zip(b) {
                let b = b.floats();
                *sum += a[0] * b[0] + a[1] * b[1];
            }
        }
    }
    // SAFETY: as above.
    unsafe { store(&job, &sums) }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
        _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    };

    use super::{Job, Pair, halves};
    use crate::lane::Lane;

    /// A 512-bit vector as pairs of bfloat16.
    #[inline(always)]
    fn as_bf16(x: __m512i) -> __m512bh {
        // SAFETY: both are 512 bits without invalid values.
        unsafe { std::mem::transmute(x) }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn store512<L: Lane<Real = f32>, const ROWS: usize>(
        job: &Job<L>,
        sums: [[__m512; 2]; ROWS],
    ) {
        let mask = |columns: usize| -> u16 {
            if columns >= 16 { u16::MAX } else { (1u16 << columns) - 1 }
        };
        let masks = [mask(job.width), mask(job.width.saturating_sub(16))];
        for (i, sums) in sums.into_iter().enumerate() {
            for (half, (sum, mask)) in sums.into_iter().zip(masks).enumerate() {
                // SAFETY: the mask leaves only columns below `width`; a row holds those.
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

    #[target_feature(enable = "avx512f")]
    pub unsafe fn float512<const ROWS: usize>(job: Job<f32>) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        let (mut a, mut b) = (job.a, job.b);
        for _ in 0..job.k {
            // SAFETY: lane p of the panel (32 wide) and of each row is inside the operands; the
            // pointers are only moved, not read, past the last.
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
        // SAFETY: the caller's promise.
        unsafe { store512(&job, sums) }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn pairs512<const ROWS: usize>(job: Job<Pair>) {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        let (mut a, mut b) = (job.a, job.b);
        for _ in 0..job.k {
            // SAFETY: as in `float512`; a Pair is 32 bits.
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
        // SAFETY: the caller's promise.
        unsafe { store512(&job, sums) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn float256<const ROWS: usize>(job: Job<f32>) {
        // SAFETY: the caller's promise.
        unsafe { halves::<ROWS>(job, |a, b, c| a.mul_add(b, c)) }
    }
}
