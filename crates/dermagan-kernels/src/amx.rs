//! Products of bfloat16 pairs on the matrix unit of Intel's servers since Sapphire Rapids (AMX): 16 × 16
//! sums of 32 products each in 16 cycles, eight times what its vectors do.
//!
//! Rust has no stable intrinsics for it, so the tile instructions stand here as assembly. The panels of
//! [`Right`] are already what the unit takes: a row of tile B is two neighbours along the summed index for
//! each of 16 columns. Tile A is 16 rows of 16 lanes, so lanes that lie column by column are turned first.
#![allow(unsafe_code, reason = "tile instructions; every pointer stays inside checked slices")]

use std::arch::asm;

use crate::gemm::{Extents, Into, Left, Out, PANEL, Right};
use crate::lane::{Lane, Pair};
use crate::scratch::Buffer;
use crate::turn;

/// Rows of a tile, and lanes of a row.
const SIDE: usize = 16;
/// Rows of C that two tiles take.
const ROWS: usize = 2 * SIDE;

/// Every tile is 16 rows of 64 bytes.
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

/// The tiles of this thread, in use until dropped: then the system need not save them any more.
struct Tiles;

impl Tiles {
    /// # Safety
    /// [`crate::cpu::amx`] must have said yes.
    unsafe fn new() -> Self {
        // SAFETY: the unit is there, and the configuration is a valid one.
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

/// Full tiles of A and a panel of B, and where they go; strides in bytes.
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
    /// 32 rows × 32 columns: each tile that is loaded is used twice.
    ///
    /// # Safety
    /// The tiles are configured, and every access that the job implies is inside its operands.
    unsafe fn both(self, _: &Tiles) {
        // SAFETY: the caller's promise. What the tiles hold does not leave the block.
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

    /// 16 rows × 32 columns, for what is left over.
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

/// Rows of A as tiles take them: each a whole number of tiles long, filled up with zeros.
struct Rows<'a> {
    lanes: &'a [Pair],
    row: usize,
}

/// The product on this thread, as [`crate::gemm::gemm`] defines it: that has checked the extents.
///
/// # Safety
/// [`crate::cpu::amx`] must have said yes, and every access that the extents and strides imply must be
/// inside the operands.
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
    // Whole tiles in rows are taken where they are; all else is laid out anew, once for all panels.
    let full = if a.col == 1 && k == whole { m / SIDE * SIDE } else { 0 };
    let left = Left { data: a.data.get(full * a.row..).unwrap_or_default(), ..a };
    let rest = (full < m).then(|| laid_out(m - full, k, whole, left));
    let taken = Rows { lanes: a.data, row: a.row };
    let copied = Rows { lanes: rest.as_deref().unwrap_or_default(), row: whole };
    let mut filled = (k < whole).then(|| Pair::scratch(whole * PANEL));
    // SAFETY: the caller's promise.
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
            // SAFETY: tiles of A are whole, as are those of B; C is checked in `put`.
            unsafe { put(job, &tiles, &mut c.data[at..], c.row, rows, width) };
            row += rows;
        }
    }
}

/// Runs a job of `rows` × `width` into C: where that is no whole number of tiles, through a square of its
/// own.
///
/// # Safety
/// The job's A and B are readable in whole tiles.
unsafe fn put(job: Job, tiles: &Tiles, c: &mut [f32], row: usize, rows: usize, width: usize) {
    let size = size_of::<f32>();
    let high = rows > SIDE;
    let run = |job: Job| {
        // SAFETY: the caller's promise for A and B; the callers below for C.
        unsafe { if high { job.both(tiles) } else { job.upper(tiles) } }
    };
    if width == PANEL && rows.is_multiple_of(SIDE) {
        assert!(c.len() >= (rows - 1) * row + PANEL);
        run(Job { c: c.as_mut_ptr(), c_row: row * size, ..job });
        return;
    }
    // One row has no next one.
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

/// `rows` rows of `k` lanes, each filled up to `whole`, and rows up to whole tiles, with zeros.
fn laid_out(rows: usize, k: usize, whole: usize, a: Left<'_, Pair>) -> Buffer<Pair> {
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
            // SAFETY: a machine with AMX has AVX-512; both sides are 16 rows of 16 lanes of 32 bits.
            unsafe { turn::square512(square.as_ptr().cast(), SIDE, to.as_mut_ptr().cast(), whole) };
        }
    }
    into
}
