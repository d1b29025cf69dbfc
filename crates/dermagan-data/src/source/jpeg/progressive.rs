//! The blocks of a progressive JPEG: each scan gives some coefficients, or one more bit of them.

use crate::source::jpeg::huffman::{Bits, Fault, Table};

/// The blocks of one component.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    /// Columns and rows of blocks that the image needs: those of a scan of this component alone.
    pub columns: usize,
    pub rows: usize,
    /// Columns of blocks in whole minimum coded units.
    pub stride: usize,
    /// Rows of blocks in whole minimum coded units.
    pub padded_rows: usize,
}

/// The parameters of a scan.
#[derive(Clone, Copy)]
pub(super) struct Spectrum {
    pub first: usize,
    pub last: usize,
    pub high: u8,
    pub low: u8,
}

/// What the scans so far have given of one component.
pub(super) struct Coefficients {
    grid: Grid,
    /// For each coefficient, how many of its lowest bits are still missing; `None` if no scan gave it.
    missing: [Option<u8>; 64],
    /// For each block, a bit for each coefficient in zigzag order: whether it is not zero.
    nonzero: Vec<u64>,
    /// Number of blocks, the next one included, that have no further codes in this scan.
    empty: u32,
}

impl Coefficients {
    pub fn new(grid: Grid) -> Self {
        let nonzero = vec![0; grid.stride * grid.padded_rows];
        Self { grid, missing: [None; 64], nonzero, empty: 0 }
    }

    /// Notes what a scan will give; `false` if it does not fit the earlier scans.
    pub fn advance(&mut self, spectrum: Spectrum) -> bool {
        let Spectrum { first, last, high, low } = spectrum;
        let fits = self.missing[first..=last].iter().all(|&missing| match missing {
            None => high == 0,
            Some(missing) => high == missing && low + 1 == high,
        });
        self.missing[first..=last].fill(Some(low));
        fits
    }

    /// Begins a scan, or goes on after a restart marker.
    pub fn restart(&mut self) {
        self.empty = 0;
    }

    /// Whether all bits of all coefficients were given.
    pub fn are_whole(&self) -> bool {
        self.missing.iter().all(|&missing| missing == Some(0))
    }

    /// Reads one block of a scan.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn block(
        &mut self,
        bits: &mut Bits<'_>,
        dc: Option<&Table>,
        ac: Option<&Table>,
        spectrum: Spectrum,
        column: usize,
        row: usize,
    ) -> Result<(), Fault> {
        match (spectrum.first, spectrum.high) {
            (0, 0) => bits.symbol_and_value(dc.ok_or(Fault::Corrupt)?).map(|_| ()),
            (0, _) => bits.skip(1),
            _ => {
                let nonzero =
                    self.nonzero.get_mut(row * self.grid.stride + column).ok_or(Fault::Corrupt)?;
                let ac = ac.ok_or(Fault::Corrupt)?;
                match spectrum.high {
                    0 => first(bits, ac, spectrum, nonzero, &mut self.empty),
                    _ => refine(bits, ac, spectrum, nonzero, &mut self.empty),
                }
            }
        }
    }
}

/// Reads the first bits of a block's coefficients.
fn first(
    bits: &mut Bits<'_>,
    ac: &Table,
    spectrum: Spectrum,
    nonzero: &mut u64,
    empty: &mut u32,
) -> Result<(), Fault> {
    if *empty > 0 {
        *empty -= 1;
        return Ok(());
    }
    let mut at = spectrum.first;
    while at <= spectrum.last {
        let symbol = bits.symbol(ac)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        match (size, run) {
            (0, 15) => at += 16,
            (0, _) => {
                *empty = (1 << run) - 1 + bits.number(run)?;
                return Ok(());
            }
            _ => {
                bits.skip(size)?;
                at += run as usize;
                if at > spectrum.last {
                    return Err(Fault::Corrupt);
                }
                *nonzero |= 1 << at;
                at += 1;
            }
        }
    }
    Ok(())
}

/// Reads one more bit of a block's coefficients.
fn refine(
    bits: &mut Bits<'_>,
    ac: &Table,
    spectrum: Spectrum,
    nonzero: &mut u64,
    empty: &mut u32,
) -> Result<(), Fault> {
    let mut at = spectrum.first;
    while *empty == 0 && at <= spectrum.last {
        let symbol = bits.symbol(ac)?;
        let (mut run, size) = (u32::from(symbol >> 4), symbol & 15);
        if size == 0 && run < 15 {
            *empty = (1 << run) + bits.number(run)?;
            break;
        }
        // The sign of a new coefficient.
        bits.skip(u32::from(size != 0))?;
        // Each coefficient that is not zero has a correction bit; `run` zeros are passed.
        while at <= spectrum.last {
            if *nonzero >> at & 1 == 1 {
                bits.skip(1)?;
            } else if run == 0 {
                break;
            } else {
                run -= 1;
            }
            at += 1;
        }
        if size != 0 {
            if at > spectrum.last {
                return Err(Fault::Corrupt);
            }
            *nonzero |= 1 << at;
        }
        at += 1;
    }
    if *empty > 0 {
        *empty -= 1;
        if at <= spectrum.last {
            // The bits `at` to `last`.
            let rest = (u64::MAX << at) & (u64::MAX >> (63 - spectrum.last));
            bits.skip((*nonzero & rest).count_ones())?;
        }
    }
    Ok(())
}
