//! Where the operands and the result of a matrix product lie in memory.
//!
//! B comes in *panels*: [`PANEL`] columns that are stored next to each other. A and C are addressed by strides.

/// Columns of one panel of B, and of the tile of C that it makes: two 512-bit vectors of floats.
pub const PANEL: usize = 32;

/// The left operand A. Lane (i, k) is `data[i * row + k * col]`.
#[derive(Clone, Copy)]
pub struct Left<'a, L> {
    /// All lanes.
    pub data: &'a [L],
    /// Stride in lanes from one row of C to the next.
    pub row: usize,
    /// Stride in lanes from one summed index to the next.
    pub col: usize,
}

/// The right operand B. Lane (k, j) is `data[(j / PANEL) * panel + k * row + j % PANEL]`. Every panel is
/// readable to its full width.
#[derive(Clone, Copy)]
pub struct Right<'a, L> {
    /// All lanes.
    pub data: &'a [L],
    /// Stride in lanes from one panel to the next.
    pub panel: usize,
    /// Stride in lanes from one summed index to the next.
    pub row: usize,
}

/// The result C. Value (i, j) is `data[i * row + j]`.
pub struct Out<'a, T> {
    /// All values.
    pub data: &'a mut [T],
    /// Stride in values from one row to the next.
    pub row: usize,
}

/// Extents of a product: C is `m` × `n`, and `k` lanes are summed.
#[derive(Clone, Copy, Debug)]
pub struct Extents {
    /// Rows of A and C.
    pub m: usize,
    /// Columns of B and C.
    pub n: usize,
    /// Summed lanes.
    pub k: usize,
}

/// Whether the product replaces C or is added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Into {
    /// C = A·B.
    Replace,
    /// C += A·B.
    Add,
}

/// `columns` rounded up to whole panels.
pub fn padded(columns: usize) -> usize {
    columns.div_ceil(PANEL) * PANEL
}

/// Number of lanes in the panels of a packed right operand of `k` × `n` lanes.
pub fn panels(k: usize, n: usize) -> usize {
    padded(n) * k
}

/// The end of an index range: the sum of counts times strides. It saturates at `usize::MAX`, which no slice
/// reaches.
pub(crate) fn reach(terms: &[(usize, usize)]) -> usize {
    terms.iter().fold(0, |sum: usize, (n, stride)| sum.saturating_add(n.saturating_mul(*stride)))
}
