//! The change of a part of a file, and the random numbers that choose it.

/// Changes the first `length` bytes of a buffer, and returns their new number, at most the buffer's.
pub type Plain<'a> = &'a mut dyn FnMut(&mut [u8], usize) -> usize;

/// Changes a part of a file, which may grow to about twice its length.
pub fn changed(part: &[u8], plain: Plain<'_>) -> Vec<u8> {
    let mut buffer = part.to_vec();
    buffer.resize(2 * part.len() + 64, 0);
    let length = plain(&mut buffer, part.len());
    buffer.truncate(length);
    buffer
}

/// A sequence of random numbers (SplitMix64).
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u32) -> Self {
        Self(u64::from(seed))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end` - 1; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}
