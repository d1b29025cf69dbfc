//! Products of bfloat16 pairs on AMX, the matrix unit of Intel's servers since Sapphire Rapids. It computes 16 × 16
//! sums of 32 products each in 16 cycles, eight times as fast as the vector unit.
//!
//! Rust has no stable intrinsics for AMX, so this file contains the tile instructions as assembly. The panels of
//! [`Right`] already have the unit's order: a row of tile B is two neighbours along the summed index for each of 16
//! columns. Tile A is 16 rows of 16 lanes, so lanes that are stored column by column are transposed first.
#![allow(unsafe_code, reason = "tile instructions; every pointer stays inside checked slices")]

use std::arch::asm;

use super::layout::{Extents, Into, Left, Out, PANEL, Right};
use super::operand::{Lane, Pair};
use super::transpose;
use crate::scratch::Buffer;

/// Rows of a tile, and lanes per row.
const SIDE: usize = 16;
/// Rows of C that two tiles cover.
const ROWS: usize = 2 * SIDE;

/// The operand of `ldtilecfg`. It makes every tile 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIG: Config = Config {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// The tiles of this thread, in use until this value is dropped. After that the system need not save them.
struct Tiles;

impl Tiles {
    /// Configures the tiles.
    ///
    /// # Safety
    /// [`crate::cpu::amx`] must have returned true.
    unsafe fn new() -> Self {
        // SAFETY: the machine has the unit, and the configuration is valid.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, readonly));
        }
        Self
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: `new` has configured them.
        unsafe {
            asm!("tilerelease", options(nostack, nomem));
        }
    }
}

/// Whole tiles of A, a panel of B, and the part of C that they make. Strides are in bytes.
#[derive(Clone, Copy)]
struct Job {
    /// Tiles along the summed index.
    steps: usize,
    a: *const Pair,
    a_row: usize,
    b: *const Pair,
    b_row: usize,
    c: *mut f32,
    c_row: usize,
    add: bool,
}

impl Job {
    /// Computes 32 rows × 32 columns. Each tile that is loaded is used twice.
    ///
    /// # Safety
    /// The tiles are configured, and every access that the job implies is inside its operands.
    unsafe fn both(self, _: &Tiles) {
        // SAFETY: the caller upholds the contract. The contents of the tiles do not leave the block.
        unsafe {
            asm!(
                "test {add}, {add}",
                "jz 2f",
                "tileloadd tmm0, [{c} + {c_row}*1]",
                "tileloadd tmm1, [{c} + {c_row}*1 + 64]",
                "tileloadd tmm2, [{d} + {c_row}*1]",
                "tileloadd tmm3, [{d} + {c_row}*1 + 64]",
                "jmp 3f",
                "2:",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "3:",
                "tileloadd tmm4, [{a} + {a_row}*1]",
                "tileloadd tmm6, [{b} + {b_row}*1]",
                "tileloadd tmm7, [{b} + {b_row}*1 + 64]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{e} + {a_row}*1]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a}, 64",
                "add {e}, 64",
                "add {b}, {b_step}",
                "dec {steps}",
                "jnz 3b",
                "tilestored [{c} + {c_row}*1], tmm0",
                "tilestored [{c} + {c_row}*1 + 64], tmm1",
                "tilestored [{d} + {c_row}*1], tmm2",
                "tilestored [{d} + {c_row}*1 + 64], tmm3",
                add = in(reg) u64::from(self.add),
                c = in(reg) self.c,
                d = in(reg) self.c.cast::<u8>().add(SIDE * self.c_row),
                c_row = in(reg) self.c_row,
                a = inout(reg) self.a => _,
                e = inout(reg) self.a.cast::<u8>().add(SIDE * self.a_row) => _,
                a_row = in(reg) self.a_row,
                b = inout(reg) self.b => _,
                b_row = in(reg) self.b_row,
                b_step = in(reg) SIDE * self.b_row,
                steps = inout(reg) self.steps => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack)
            );
        }
    }

    /// Computes 16 rows × 32 columns, for the remaining rows.
    ///
    /// # Safety
    /// As [`Job::both`].
    unsafe fn upper(self, _: &Tiles) {
        // SAFETY: as in `both`.
        unsafe {
            asm!(
                "test {add}, {add}",
                "jz 2f",
                "tileloadd tmm0, [{c} + {c_row}*1]",
                "tileloadd tmm1, [{c} + {c_row}*1 + 64]",
                "jmp 3f",
                "2:",
                "tilezero tmm0",
                "tilezero tmm1",
                "3:",
                "tileloadd tmm4, [{a} + {a_row}*1]",
                "tileloadd tmm6, [{b} + {b_row}*1]",
                "tileloadd tmm7, [{b} + {b_row}*1 + 64]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "add {a}, 64",
                "add {b}, {b_step}",
                "dec {steps}",
                "jnz 3b",
                "tilestored [{c} + {c_row}*1], tmm0",
                "tilestored [{c} + {c_row}*1 + 64], tmm1",
                add = in(reg) u64::from(self.add),
                c = in(reg) self.c,
                c_row = in(reg) self.c_row,
                a = inout(reg) self.a => _,
                a_row = in(reg) self.a_row,
                b = inout(reg) self.b => _,
                b_row = in(reg) self.b_row,
                b_step = in(reg) SIDE * self.b_row,
                steps = inout(reg) self.steps => _,
                out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
                options(nostack)
            );
        }
    }
}

/// Rows of A in the form that tiles load: each row is a whole number of tiles long and padded with zeros.
struct Rows<'a> {
    lanes: &'a [Pair],
    row: usize,
}

/// Computes the product on this thread, as `gemm` defines it. `gemm` has checked the extents.
///
/// # Safety
/// [`crate::cpu::amx`] must have returned true, and every access that the extents and strides imply must be inside the
/// operands.
pub unsafe fn product(
    size: Extents,
    a: Left<'_, Pair>,
    b: Right<'_, Pair>,
    c: &mut Out<'_, f32>,
    into: Into,
) {
    let Extents { m, n, k } = size;
    let steps = k.div_ceil(SIDE);
    let whole = steps * SIDE;
    // Whole tiles of rows are read in place. The rest is copied into that form once for all panels.
    let full = if a.col == 1 && k == whole { m / SIDE * SIDE } else { 0 };
    let left = Left { data: a.data.get(full * a.row..).unwrap_or_default(), ..a };
    let rest = (full < m).then(|| padded_rows(m - full, k, whole, left));
    let taken = Rows { lanes: a.data, row: a.row };
    let copied = Rows { lanes: rest.as_deref().unwrap_or_default(), row: whole };
    let mut filled = (k < whole).then(|| Pair::scratch(whole * PANEL));
    // SAFETY: the caller guarantees that the machine has the unit.
    let tiles = unsafe { Tiles::new() };
    for panel in 0..n.div_ceil(PANEL) {
        let width = PANEL.min(n - panel * PANEL);
        let mut b = Right { data: &b.data[panel * b.panel..], ..b };
        if let Some(filled) = &mut filled {
            for (row, lanes) in filled.chunks_exact_mut(PANEL).enumerate() {
                match row < k {
                    true => lanes.copy_from_slice(&b.data[row * b.row..][..PANEL]),
                    false => lanes.fill(Pair(0)),
                }
            }
            b = Right { data: filled, panel: 0, row: PANEL };
        }
        let mut row = 0;
        while row < m {
            let (from, first, last) =
                if row < full { (&taken, row, full) } else { (&copied, row - full, m - full) };
            let rows = ROWS.min(last - first);
            let job = Job {
                steps,
                a: from.lanes[first * from.row..].as_ptr(),
                a_row: from.row * size_of::<Pair>(),
                b: b.data.as_ptr(),
                b_row: b.row * size_of::<Pair>(),
                c: std::ptr::null_mut(),
                c_row: 0,
                add: into == Into::Add,
            };
            let at = row * c.row + panel * PANEL;
            // SAFETY: the tiles of A and B are whole; `put` checks C.
            unsafe { put(job, &tiles, &mut c.data[at..], c.row, rows, width) };
            row += rows;
        }
    }
}

/// Runs a job of `rows` × `width` into C. If that is not a whole number of tiles, the result goes through a buffer.
///
/// # Safety
/// The job's A and B are readable in whole tiles.
unsafe fn put(job: Job, tiles: &Tiles, c: &mut [f32], row: usize, rows: usize, width: usize) {
    let size = size_of::<f32>();
    let high = rows > SIDE;
    let run = |job: Job| {
        // SAFETY: the caller guarantees A and B; the calls below pass a C that holds the job's tiles.
        unsafe { if high { job.both(tiles) } else { job.upper(tiles) } }
    };
    if width == PANEL && rows.is_multiple_of(SIDE) {
        assert!(c.len() >= (rows - 1) * row + PANEL);
        run(Job { c: c.as_mut_ptr(), c_row: row * size, ..job });
        return;
    }
    // A single row needs no stride.
    let row = row.max(width);
    let mut square = [[0.0f32; PANEL]; ROWS];
    if job.add {
        for (square, c) in square.iter_mut().zip(c.chunks(row)).take(rows) {
            square[..width].copy_from_slice(&c[..width]);
        }
    }
    run(Job { c: square.as_flattened_mut().as_mut_ptr(), c_row: PANEL * size, ..job });
    for (square, c) in square.iter().zip(c.chunks_mut(row)).take(rows) {
        c[..width].copy_from_slice(&square[..width]);
    }
}

/// Copies `rows` rows of `k` lanes. Zeros pad each row to `whole` lanes, and the rows to whole tiles.
fn padded_rows(rows: usize, k: usize, whole: usize, a: Left<'_, Pair>) -> Buffer<Pair> {
    let mut into = Pair::scratch(rows.div_ceil(SIDE) * SIDE * whole);
    if a.col == 1 {
        for (i, to) in into.chunks_exact_mut(whole).enumerate() {
            let lanes = if i < rows { &a.data[i * a.row..][..k] } else { &[] };
            to[..lanes.len()].copy_from_slice(lanes);
            to[lanes.len()..].fill(Pair(0));
        }
        return into;
    }
    let mut square = [[Pair(0); SIDE]; SIDE];
    for (block, to) in into.chunks_exact_mut(SIDE * whole).enumerate() {
        let (first, high) = (block * SIDE, SIDE.min(rows - block * SIDE));
        for from in (0..whole).step_by(SIDE) {
            let wide = SIDE.min(k.saturating_sub(from));
            for (p, square) in square.iter_mut().enumerate() {
                *square = [Pair(0); SIDE];
                if p < wide {
                    let at = first * a.row + (from + p) * a.col;
                    match a.row {
                        1 => square[..high].copy_from_slice(&a.data[at..][..high]),
                        row => (0..high).for_each(|i| square[i] = a.data[at + i * row]),
                    }
                }
            }
            let to = &mut to[from..];
            assert!(to.len() >= (SIDE - 1) * whole + SIDE);
            // SAFETY: a machine with AMX has AVX-512, and both sides are 16 rows of 16 lanes of 32 bits.
            unsafe {
                transpose::square512(square.as_ptr().cast(), SIDE, to.as_mut_ptr().cast(), whole);
            };
        }
    }
    into
}
