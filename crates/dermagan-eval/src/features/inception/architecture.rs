//! The architecture of Inception v3, as a table of layers.

/// A layer of the network. The type `C` is the description of a convolution in the table, and the
/// convolution itself once the weights are loaded.
#[derive(Debug)]
pub(super) enum Op<C> {
    /// A convolution with batch normalisation and ReLU.
    Conv(C),
    /// Max pooling over 3×3 pixels.
    MaxPool { stride: usize, padding: usize },
    /// Average pooling over those of 3×3 pixels that lie in the image. torchvision counts the others as
    /// zeros; TensorFlow, and therefore FID, does not.
    AvgPool,
    /// Branches that all read the same input. Their channels are concatenated.
    Concat(Vec<Vec<Op<C>>>),
}

impl<C> Op<C> {
    /// Replaces every convolution of the layer by the result of `of`.
    ///
    /// # Errors
    /// The first error that `of` returns.
    pub(super) fn try_map<D, E>(self, of: &mut impl FnMut(C) -> Result<D, E>) -> Result<Op<D>, E> {
        Ok(match self {
            Self::Conv(conv) => Op::Conv(of(conv)?),
            Self::MaxPool { stride, padding } => Op::MaxPool { stride, padding },
            Self::AvgPool => Op::AvgPool,
            Self::Concat(branches) => Op::Concat(
                branches
                    .into_iter()
                    .map(|branch| branch.into_iter().map(|part| part.try_map(of)).collect())
                    .collect::<Result<_, E>>()?,
            ),
        })
    }
}

/// The description of a convolution in the table.
pub(super) struct ConvSpec {
    pub name: String,
    pub channels: usize,
    pub kernel: [usize; 2],
    pub stride: usize,
    pub padding: [usize; 2],
}

/// A convolution that keeps the extent of its input.
fn same(name: String, channels: usize, kernel: [usize; 2]) -> Op<ConvSpec> {
    Op::Conv(ConvSpec { name, channels, kernel, stride: 1, padding: kernel.map(|side| side / 2) })
}

/// A 3×3 convolution without padding.
fn valid(name: String, channels: usize, stride: usize) -> Op<ConvSpec> {
    Op::Conv(ConvSpec { name, channels, kernel: [3; 2], stride, padding: [0; 2] })
}

/// Max pooling that halves the extent.
fn halve() -> Op<ConvSpec> {
    Op::MaxPool { stride: 2, padding: 0 }
}

/// The whole network up to its global average, with the names, channels and kernels of torchvision and
/// the pooling of pytorch-fid.
pub(super) fn architecture() -> Vec<Op<ConvSpec>> {
    let conv = |layer: &str| format!("Conv2d_{layer}");
    vec![
        valid(conv("1a_3x3"), 32, 2),
        valid(conv("2a_3x3"), 32, 1),
        same(conv("2b_3x3"), 64, [3; 2]),
        halve(),
        same(conv("3b_1x1"), 80, [1; 2]),
        valid(conv("4a_3x3"), 192, 1),
        halve(),
        block_a("5b", 32),
        block_a("5c", 64),
        block_a("5d", 64),
        block_b("6a"),
        block_c("6b", 128),
        block_c("6c", 160),
        block_c("6d", 160),
        block_c("6e", 192),
        block_d("7a"),
        block_e("7b", Op::AvgPool),
        // Other Inceptions use average pooling here too. This one uses max pooling, probably by
        // mistake, and FID is defined with it.
        block_e("7c", Op::MaxPool { stride: 1, padding: 1 }),
    ]
}

/// A block at 35×35 pixels.
fn block_a(block: &str, pooled: usize) -> Op<ConvSpec> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Op::Concat(vec![
        vec![same(at("1x1"), 64, [1; 2])],
        vec![same(at("5x5_1"), 48, [1; 2]), same(at("5x5_2"), 64, [5; 2])],
        vec![
            same(at("3x3dbl_1"), 64, [1; 2]),
            same(at("3x3dbl_2"), 96, [3; 2]),
            same(at("3x3dbl_3"), 96, [3; 2]),
        ],
        vec![Op::AvgPool, same(at("_pool"), pooled, [1; 2])],
    ])
}

/// The block that reduces 35×35 pixels to 17×17.
fn block_b(block: &str) -> Op<ConvSpec> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Op::Concat(vec![
        vec![valid(at("3x3"), 384, 2)],
        vec![
            same(at("3x3dbl_1"), 64, [1; 2]),
            same(at("3x3dbl_2"), 96, [3; 2]),
            valid(at("3x3dbl_3"), 96, 2),
        ],
        vec![halve()],
    ])
}

/// A block at 17×17 pixels, with 7×7 kernels factored into a row and a column.
fn block_c(block: &str, inner: usize) -> Op<ConvSpec> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Op::Concat(vec![
        vec![same(at("1x1"), 192, [1; 2])],
        vec![
            same(at("7x7_1"), inner, [1; 2]),
            same(at("7x7_2"), inner, [1, 7]),
            same(at("7x7_3"), 192, [7, 1]),
        ],
        vec![
            same(at("7x7dbl_1"), inner, [1; 2]),
            same(at("7x7dbl_2"), inner, [7, 1]),
            same(at("7x7dbl_3"), inner, [1, 7]),
            same(at("7x7dbl_4"), inner, [7, 1]),
            same(at("7x7dbl_5"), 192, [1, 7]),
        ],
        vec![Op::AvgPool, same(at("_pool"), 192, [1; 2])],
    ])
}

/// The block that reduces 17×17 pixels to 8×8.
fn block_d(block: &str) -> Op<ConvSpec> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Op::Concat(vec![
        vec![same(at("3x3_1"), 192, [1; 2]), valid(at("3x3_2"), 320, 2)],
        vec![
            same(at("7x7x3_1"), 192, [1; 2]),
            same(at("7x7x3_2"), 192, [1, 7]),
            same(at("7x7x3_3"), 192, [7, 1]),
            valid(at("7x7x3_4"), 192, 2),
        ],
        vec![halve()],
    ])
}

/// A block at 8×8 pixels, with 3×3 kernels split into a row and a column side by side.
fn block_e(block: &str, pool: Op<ConvSpec>) -> Op<ConvSpec> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    let cross = |branch: &str| {
        Op::Concat(vec![
            vec![same(at(&format!("{branch}a")), 384, [1, 3])],
            vec![same(at(&format!("{branch}b")), 384, [3, 1])],
        ])
    };
    Op::Concat(vec![
        vec![same(at("1x1"), 320, [1; 2])],
        vec![same(at("3x3_1"), 384, [1; 2]), cross("3x3_2")],
        vec![
            same(at("3x3dbl_1"), 448, [1; 2]),
            same(at("3x3dbl_2"), 384, [3; 2]),
            cross("3x3dbl_3"),
        ],
        vec![pool, same(at("_pool"), 192, [1; 2])],
    ])
}
