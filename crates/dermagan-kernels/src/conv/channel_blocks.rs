//! Blocks of 16 channels, which the transforms of minimal filtering process at once.

use crate::matmul::SQUARE;

/// Number of channels in a block: a 512-bit vector of floats.
pub(crate) const BLOCK: usize = SQUARE;

/// One value of each channel of a block.
pub(crate) type Values<T> = [T; BLOCK];

/// The block that starts at `at`.
#[inline(always)]
pub(crate) fn block<T>(from: &[T], at: usize) -> &[T; BLOCK] {
    let Some(values) = from[at..].first_chunk() else { unreachable!("channels come in blocks") };
    values
}

/// The block that starts at `at`, to write to.
#[inline(always)]
pub(crate) fn block_mut<T>(from: &mut [T], at: usize) -> &mut [T; BLOCK] {
    let Some(values) = from[at..].first_chunk_mut() else {
        unreachable!("channels come in blocks")
    };
    values
}

/// Applies a transform to the `BLOCK` channels of a block: it makes `$into[i][lane]` from `$from[i][lane]`. The loop
/// runs over the channels, so that the compiler vectorises it.
macro_rules! lanewise {
    ($transform:ident, [$($i:literal)+] of $from:expr, $into:expr) => {{
        let (from, into) = (&$from, &mut $into);
        for lane in 0..BLOCK {
            let values = $transform([$(from[$i][lane]),+]);
            for i in 0..values.len() {
                into[i][lane] = values[i];
            }
        }
    }};
}

pub(crate) use lanewise;
