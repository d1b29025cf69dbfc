//! The bits of a JPEG scan and its Huffman codes, read without making pixels of them.

/// Why the data of a scan cannot be read to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The data end too early.
    Missing,
    /// The data contradict themselves.
    Corrupt,
}

/// Number of bits that the first lookup resolves.
const LOOK: usize = 9;

/// A Huffman table.
pub(super) struct Table {
    /// For each value of the next [`LOOK`] bits, length of the code (upper byte) and its symbol; 0 if it is longer.
    fast: [u16; 1 << LOOK],
    /// For each length, the first code of greater length, aligned to 16 bits.
    limits: [u32; 17],
    /// For each length, what is added to a code to give the index of its symbol.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// The table of `counts` codes of each length (1 to 16) and their symbols; `None` if there are too many codes.
    pub fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let (mut fast, mut limits, mut offsets) = ([0; 1 << LOOK], [0; 17], [0; 17]);
        let (mut code, mut index) = (0u32, 0usize);
        for (length, &count) in (1..=16usize).zip(counts) {
            offsets[length] = index as i32 - code as i32;
            for _ in 0..count {
                let symbol = *symbols.get(index)?;
                if length <= LOOK {
                    let first = (code as usize) << (LOOK - length);
                    let entry = (length as u16) << 8 | u16::from(symbol);
                    fast.get_mut(first..first + (1 << (LOOK - length)))?.fill(entry);
                }
                code += 1;
                index += 1;
            }
            if code > 1 << length {
                return None;
            }
            limits[length] = code << (16 - length);
            code <<= 1;
        }
        Some(Self { fast, limits, offsets, symbols: symbols.to_vec() })
    }

    /// Length and symbol of the code at the top of `buffer`.
    #[inline(always)]
    fn look_up(&self, buffer: u64) -> Option<(u32, u8)> {
        let entry = self.fast[(buffer >> (64 - LOOK)) as usize];
        if entry != 0 {
            return Some((u32::from(entry >> 8), entry as u8));
        }
        let top = (buffer >> 48) as u32;
        let length = (LOOK + 1..=16).find(|&length| top < self.limits[length])?;
        let index = (top >> (16 - length)) as i32 + self.offsets[length];
        Some((length as u32, *self.symbols.get(usize::try_from(index).ok()?)?))
    }
}

/// Reads the bits of a scan, most significant first. It stops at the first marker and at the end of the file.
///
/// It is small, so that a loop may work on a copy, which the compiler keeps in registers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte to load: after loading stops, the position of the marker or of the end.
    at: usize,
    /// The loaded bits, from the top. Bits below the lowest `count` are not to be used.
    buffer: u64,
    count: u32,
    /// Whether the last loaded byte is a single 0xff at the end of the file.
    last_ff: bool,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, buffer: 0, count: 0, last_ff: false }
    }

    /// Loads bytes until more than 32 bits are there or the data end.
    #[inline(always)]
    fn refill(&mut self) {
        if self.count > 32 {
            return;
        }
        if let Some(Ok(next)) = self.bytes.get(self.at..self.at + 8).map(<[u8; 8]>::try_from) {
            let next = u64::from_be_bytes(next);
            let inverted = !next;
            let has_ff =
                inverted.wrapping_sub(0x0101_0101_0101_0101) & next & 0x8080_8080_8080_8080;
            if has_ff == 0 {
                let whole = (63 - self.count) >> 3;
                self.buffer |= next >> self.count;
                self.at += whole as usize;
                self.count += whole * 8;
                return;
            }
        }
        *self = self.refilled_slowly();
    }

    #[cold]
    fn refilled_slowly(mut self) -> Self {
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else { break };
            let step = match (byte, self.bytes.get(self.at + 1)) {
                (0xff, Some(0)) => 2,
                // Half of an end marker, or a byte of the data whose stuffed zero is missing.
                (0xff, None) => {
                    self.last_ff = true;
                    1
                }
                (0xff, Some(_)) => break,
                _ => 1,
            };
            // The bits below `count` may hold a part of this byte already.
            let place = 56 - self.count;
            self.buffer = self.buffer & !(0xff << place) | u64::from(byte) << place;
            self.count += 8;
            self.at += step;
        }
        self
    }

    #[inline(always)]
    fn drop(&mut self, bits: u32) -> Result<(), Fault> {
        if bits > self.count {
            return Err(Fault::Missing);
        }
        self.buffer <<= bits;
        self.count -= bits;
        Ok(())
    }

    /// The symbol of the next code. Its lower four bits say how many bits of a value follow, which are skipped.
    ///
    /// # Errors
    /// [`Fault`].
    #[inline(always)]
    pub fn symbol_and_value(&mut self, table: &Table) -> Result<u8, Fault> {
        self.refill();
        let Some((length, symbol)) = table.look_up(self.buffer) else { return Err(self.no_code()) };
        self.drop(length + u32::from(symbol & 15))?;
        Ok(symbol)
    }

    /// The symbol of the next code.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn symbol(&mut self, table: &Table) -> Result<u8, Fault> {
        self.refill();
        let Some((length, symbol)) = table.look_up(self.buffer) else { return Err(self.no_code()) };
        self.drop(length)?;
        Ok(symbol)
    }

    /// Fewer than 16 bits may look like no code because the rest is missing.
    fn no_code(&self) -> Fault {
        if self.count < 16 { Fault::Missing } else { Fault::Corrupt }
    }

    /// The next `bits` bits, at most 16, as a number.
    ///
    /// # Errors
    /// [`Fault::Missing`].
    pub fn number(&mut self, bits: u32) -> Result<u32, Fault> {
        self.refill();
        let value = (self.buffer >> 48) as u32 >> (16 - bits);
        self.drop(bits)?;
        Ok(value)
    }

    /// Skips any number of bits.
    ///
    /// # Errors
    /// [`Fault::Missing`].
    pub fn skip(&mut self, mut bits: u32) -> Result<(), Fault> {
        while bits > 0 {
            self.refill();
            let now = bits.min(32);
            self.drop(now)?;
            bits -= now;
        }
        Ok(())
    }

    /// Goes on after the next restart marker; whether there is one before any other marker.
    pub fn restart(&mut self) -> bool {
        self.buffer = 0;
        self.count = 0;
        loop {
            match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xff), Some(0xd0..=0xd7)) => {
                    self.at += 2;
                    return true;
                }
                (Some(0xff), Some(0xff | 0x00)) => self.at += 1,
                (Some(0xff), _) | (None, _) => return false,
                _ => self.at += 1,
            }
        }
    }

    /// Where the data end: the position after the last byte that was loaded, and whether that byte is a single 0xff at
    /// the end of the file of which bits were used.
    pub fn end(&self) -> (usize, bool) {
        match (self.last_ff, self.count >= 8) {
            // The 0xff is half of an end marker.
            (true, true) => (self.at - 1, false),
            (last_ff, _) => (self.at, last_ff),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Symbols 5 (code 0), 6 (code 10) and 7 (a code of 12 bits: 1100 0000 0000).
    fn table() -> Table {
        let mut counts = [0; 16];
        (counts[0], counts[1], counts[11]) = (1, 1, 1);
        Table::new(&counts, &[5, 6, 7]).unwrap()
    }

    #[test]
    fn codes_of_all_lengths_are_read_and_missing_bits_are_told_from_wrong_ones() {
        // 0 | 10 | 1100 0000 0000 | 0
        let mut bits = Bits::new(&[0b0101_1000, 0b0000_0000], 0);
        let table = table();
        let read: Vec<_> = (0..5).map(|_| bits.symbol(&table)).collect();
        assert_eq!(read[..3], [Ok(5), Ok(6), Ok(7)]);
        // One bit is left, and it is a whole code.
        assert_eq!(read[3..], [Ok(5), Err(Fault::Missing)]);
        assert_eq!(Bits::new(&[0xfe; 4], 0).symbol(&table), Err(Fault::Corrupt));
        assert_eq!(Bits::new(&[0xfe], 0).symbol(&table), Err(Fault::Missing));
    }

    #[test]
    fn a_stuffed_zero_is_no_data_and_a_marker_ends_them() {
        let mut bits = Bits::new(&[0xff, 0x00, 0x12, 0xff, 0xd9, 0x34], 0);
        assert_eq!(bits.number(16), Ok(0xff12));
        assert_eq!(bits.number(1), Err(Fault::Missing));
        assert_eq!(bits.end(), (3, false));
    }

    #[test]
    fn a_single_ff_at_the_end_is_data_only_if_its_bits_are_used() {
        let mut bits = Bits::new(&[0x12, 0xff], 0);
        assert_eq!(bits.number(8), Ok(0x12));
        assert_eq!(bits.end(), (1, false));
        assert_eq!(bits.number(3), Ok(7));
        assert_eq!(bits.end(), (2, true));
    }

    #[test]
    fn the_fast_and_the_slow_refill_give_the_same_bits() {
        let bytes: Vec<u8> = (0..200u32).map(|i| (i * 89 % 255) as u8).collect();
        let mut bits = Bits::new(&bytes, 0);
        let mut expected = bytes.iter().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1));
        for step in (1..=16).cycle().take(180) {
            let value = (0..step).fold(0, |v, _| v << 1 | u32::from(expected.next().unwrap()));
            assert_eq!(bits.number(step), Ok(value), "{step} bits");
        }
    }

    #[test]
    fn more_codes_than_fit_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&counts, &[1, 2, 3]).is_none());
        counts[0] = 2;
        assert!(Table::new(&counts, &[1]).is_none());
    }

    #[test]
    fn restart_markers_are_found_and_other_markers_are_not_passed() {
        let bytes = [0x11, 0xff, 0xff, 0xd3, 0x80, 0xff, 0xd9];
        let mut bits = Bits::new(&bytes, 0);
        assert!(bits.restart());
        assert_eq!(bits.number(1), Ok(1));
        assert!(!bits.restart());
    }
}
