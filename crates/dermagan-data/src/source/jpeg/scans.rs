//! Whether all image data of a JPEG are there.
//!
//! The decoder fills missing data with grey or with zeros and often reports nothing, so that a photograph truncated in
//! the middle would be trained on. This module reads the codes of all blocks without making pixels of them. It finds
//! every block of which a bit is missing, with and without an end marker, and so it also knows when the end marker
//! alone is missing. It takes a tenth of the time of decoding.

use crate::source::jpeg::huffman::{Bits, Fault, Table};
use crate::source::jpeg::progressive::{Coefficients, Grid, Spectrum};
use crate::source::jpeg::segments::{DHT, DRI, Frame, Head, Next, SOS, Segment, next};

/// The most scans of a file. Encoders write at most about ten; each costs as much as a look at all blocks.
const MAX_SCANS: usize = 100;
/// More zero bytes than this at the end of a file without an end marker are no image data: a copy or a download
/// that broke off reserved them.
const ZEROS: usize = 16;

/// The end of image data of which nothing is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The end marker is there.
    Marker,
    /// The end marker is missing. The image data end at byte `at`.
    NoMarker {
        at: usize,
        /// Whether the last byte is 0xff and the stuffed zero after it is missing too.
        stuffed: bool,
    },
}

/// Reads all scans of a file.
///
/// # Errors
/// What is missing or wrong, in words.
pub(crate) fn check(bytes: &[u8], head: &Head) -> Result<End, String> {
    let end = Walk::new(head).run(bytes, head)?;
    let zeros = bytes.iter().rev().take_while(|&&b| b == 0).count();
    if end != End::Marker && zeros > ZEROS {
        let end = (bytes.len() - zeros).max(head.data());
        return Walk::new(head)
            .run(&bytes[..end], head)
            .map_err(|_| format!("its last {zeros} bytes are zeros in the place of image data"));
    }
    Ok(end)
}

/// A component as one scan names it.
struct InScan {
    component: usize,
    dc: usize,
    ac: usize,
}

/// Where a scan's data end before they should.
struct Short {
    fault: Fault,
    /// The first row of pixels that is not complete.
    row: usize,
}

/// The state between the scans of a file.
struct Walk<'a> {
    frame: &'a Frame,
    grids: Vec<Grid>,
    /// Columns and rows of minimum coded units of a scan with several components.
    units: (usize, usize),
    /// Pixel rows of a minimum coded unit.
    unit_rows: usize,
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    /// Number of units between restart markers; 0 for none.
    restart: usize,
    /// The components that a sequential scan has given.
    given: Vec<bool>,
    /// What the scans of a progressive file have given.
    coefficients: Vec<Coefficients>,
}

impl<'a> Walk<'a> {
    fn new(head: &'a Head) -> Self {
        let frame = &head.frame;
        let h_max = frame.components.iter().map(|c| c.h).max().unwrap_or(1);
        let v_max = frame.components.iter().map(|c| c.v).max().unwrap_or(1);
        let units = (frame.width.div_ceil(8 * h_max), frame.height.div_ceil(8 * v_max));
        let grids: Vec<Grid> = frame
            .components
            .iter()
            .map(|c| Grid {
                columns: (frame.width * c.h).div_ceil(8 * h_max),
                rows: (frame.height * c.v).div_ceil(8 * v_max),
                stride: units.0 * c.h,
                padded_rows: units.1 * c.v,
            })
            .collect();
        let progressive = frame.marker == 0xc2;
        Self {
            frame,
            units,
            unit_rows: 8 * v_max,
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            restart: 0,
            given: vec![false; frame.components.len()],
            coefficients: grids
                .iter()
                .filter(|_| progressive)
                .map(|&grid| Coefficients::new(grid))
                .collect(),
            grids,
        }
    }

    fn run(mut self, bytes: &[u8], head: &Head) -> Result<End, String> {
        for segment in &head.segments {
            self.set(segment.marker, &bytes[segment.payload.clone()])?;
        }
        let (mut header, mut at) = (head.segments.last().cloned(), head.data());
        let mut last_end = End::Marker;
        for number in 1..=MAX_SCANS {
            let Some(sos) = header.take() else { break };
            let mut bits = Bits::new(bytes, at);
            let scan = self.scan_of(bytes, &sos)?;
            self.scan(&mut bits, &scan).map_err(|short| short.message(number, self.frame))?;
            let stuffed;
            (at, stuffed) = bits.end();
            last_end = End::NoMarker { at, stuffed };
            // Tables and other segments up to the next scan.
            loop {
                match next(bytes, at) {
                    Next::Segment(segment) => {
                        at = segment.all.end;
                        if segment.marker == SOS {
                            if self.is_whole() {
                                return Ok(last_end);
                            }
                            header = Some(segment);
                            break;
                        }
                        // What follows a whole image is not part of it, whatever it is.
                        let set = self.set(segment.marker, &bytes[segment.payload]);
                        if set.is_err() && !self.is_whole() {
                            return set.map(|()| last_end);
                        }
                    }
                    Next::End if self.is_whole() => return Ok(End::Marker),
                    Next::Cut if self.is_whole() => return Ok(last_end),
                    _ => return Err(self.incomplete()),
                }
            }
        }
        match self.is_whole() {
            true => Ok(last_end),
            false => Err(format!("more than {MAX_SCANS} scans")),
        }
    }

    /// Takes the tables and the restart interval of a segment.
    fn set(&mut self, marker: u8, payload: &[u8]) -> Result<(), String> {
        let wrong = || "a Huffman table that is wrong".to_owned();
        match marker {
            DRI => {
                let interval = payload.first_chunk::<2>().ok_or("a restart interval cut short")?;
                self.restart = u16::from_be_bytes(*interval).into();
            }
            DHT => {
                let mut rest = payload;
                while let Some((head, tail)) = rest.split_at_checked(17) {
                    let number: usize = head[1..].iter().map(|&count| usize::from(count)).sum();
                    let (symbols, tail) = tail.split_at_checked(number).ok_or_else(wrong)?;
                    let table = Table::new(&head[1..], symbols).ok_or_else(wrong)?;
                    let tables = if head[0] & 0xf0 == 0 { &mut self.dc } else { &mut self.ac };
                    *tables.get_mut(usize::from(head[0] & 15)).ok_or_else(wrong)? = Some(table);
                    rest = tail;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The components and parameters in a scan's header.
    fn scan_of(&self, bytes: &[u8], sos: &Segment) -> Result<(Vec<InScan>, Spectrum), String> {
        let wrong = || "a scan header that is wrong".to_owned();
        let (&count, rest) = bytes[sos.payload.clone()].split_first().ok_or_else(wrong)?;
        let (components, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or_else(wrong)?;
        let scan: Option<Vec<InScan>> = components
            .chunks_exact(2)
            .map(|c| {
                let component = self.frame.components.iter().position(|f| f.id == c[0])?;
                Some(InScan { component, dc: usize::from(c[1] >> 4), ac: usize::from(c[1] & 15) })
            })
            .collect();
        let scan = scan.filter(|scan| (1..=4).contains(&scan.len())).ok_or_else(wrong)?;
        let &[first, last, bits, ..] = rest else { return Err(wrong()) };
        let (first, last) = (usize::from(first), usize::from(last));
        let spectrum = Spectrum { first, last, high: bits >> 4, low: bits & 15 };
        let fits = self.coefficients.is_empty()
            || last <= 63
                && first <= last
                && (first > 0 || last == 0)
                && (first == 0 || scan.len() == 1)
                && spectrum.low <= 13;
        if fits { Ok((scan, spectrum)) } else { Err(wrong()) }
    }

    /// Reads the data of one scan.
    fn scan(
        &mut self,
        bits: &mut Bits<'_>,
        (scan, spectrum): &(Vec<InScan>, Spectrum),
    ) -> Result<(), Short> {
        let corrupt = Short { fault: Fault::Corrupt, row: 0 };
        for named in scan {
            let Some(coefficients) = self.coefficients.get_mut(named.component) else {
                self.given[named.component] = true;
                continue;
            };
            if !coefficients.advance(*spectrum) {
                return Err(corrupt);
            }
        }
        match scan.as_slice() {
            [named] => {
                let Grid { columns, rows, .. } = self.grids[named.component];
                let rows_of_block = self.unit_rows / self.frame.components[named.component].v;
                self.units_of(bits, (columns, rows), rows_of_block, |walk, bits, column, row| {
                    walk.block(bits, named, *spectrum, column, row)
                })
            }
            _ => self.units_of(bits, self.units, self.unit_rows, |walk, bits, column, row| {
                for named in scan {
                    let component = walk.frame.components[named.component];
                    for y in 0..component.v {
                        for x in 0..component.h {
                            let place = (column * component.h + x, row * component.v + y);
                            walk.block(bits, named, *spectrum, place.0, place.1)?;
                        }
                    }
                }
                Ok(())
            }),
        }
    }

    /// Reads all units of a scan, and the restart markers between them.
    fn units_of(
        &mut self,
        bits: &mut Bits<'_>,
        (columns, rows): (usize, usize),
        rows_of_unit: usize,
        unit: impl Fn(&mut Self, &mut Bits<'_>, usize, usize) -> Result<(), Fault>,
    ) -> Result<(), Short> {
        let mut left = self.restart;
        self.coefficients.iter_mut().for_each(Coefficients::restart);
        for row in 0..rows {
            for column in 0..columns {
                let short = |fault| Short { fault, row: row * rows_of_unit };
                if self.restart > 0 {
                    if left == 0 {
                        if !bits.restart() {
                            return Err(short(Fault::Missing));
                        }
                        self.coefficients.iter_mut().for_each(Coefficients::restart);
                        left = self.restart;
                    }
                    left -= 1;
                }
                unit(self, bits, column, row).map_err(short)?;
            }
        }
        Ok(())
    }

    /// Reads one block.
    #[inline]
    fn block(
        &mut self,
        bits: &mut Bits<'_>,
        named: &InScan,
        spectrum: Spectrum,
        column: usize,
        row: usize,
    ) -> Result<(), Fault> {
        let dc = self.dc.get(named.dc).and_then(Option::as_ref);
        let ac = self.ac.get(named.ac).and_then(Option::as_ref);
        match self.coefficients.get_mut(named.component) {
            Some(coefficients) => coefficients.block(bits, dc, ac, spectrum, column, row),
            None => sequential(bits, dc.ok_or(Fault::Corrupt)?, ac.ok_or(Fault::Corrupt)?),
        }
    }

    /// Whether every coefficient of every component is there.
    fn is_whole(&self) -> bool {
        match self.coefficients.as_slice() {
            [] => self.given.iter().all(|&given| given),
            coefficients => coefficients.iter().all(Coefficients::are_whole),
        }
    }

    fn incomplete(&self) -> String {
        match self.coefficients.as_slice() {
            [] => "a component is missing".into(),
            _ => "the last scans of a progressive JPEG are missing".into(),
        }
    }
}

impl Short {
    fn message(&self, scan: usize, frame: &Frame) -> String {
        let what = match self.fault {
            Fault::Missing => "end",
            Fault::Corrupt => "are damaged",
        };
        let row = self.row.min(frame.height - 1);
        let rows = frame.height;
        match frame.marker {
            0xc2 => format!("the data of scan {scan} {what} at pixel row {row} of {rows}"),
            _ => format!("the image data {what} at pixel row {row} of {rows}"),
        }
    }
}

/// Reads one block of a sequential scan.
fn sequential(bits: &mut Bits<'_>, dc: &Table, ac: &Table) -> Result<(), Fault> {
    let mut copy = *bits;
    copy.symbol_and_value(dc)?;
    let mut at = 1;
    while at < 64 {
        let symbol = copy.symbol_and_value(ac)?;
        let run = usize::from(symbol >> 4);
        match (symbol & 15, run) {
            (0, 15) => at += 16,
            (0, _) => {
                *bits = copy;
                return Ok(());
            }
            _ => at += run + 1,
        }
    }
    *bits = copy;
    // Encoders end a block exactly here.
    if at == 64 { Ok(()) } else { Err(Fault::Corrupt) }
}
