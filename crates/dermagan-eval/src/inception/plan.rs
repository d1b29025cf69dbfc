//! The layers of Inception v3, as a table.

/// A piece of the network: `C` describes a convolution in the table, and is one once it is loaded.
#[derive(Debug)]
pub(super) enum Part<C> {
    /// A convolution, batch norm and ReLU.
    Conv(C),
    /// The largest of 3×3.
    Max { stride: usize, padding: usize },
    /// The mean of those of 3×3 that lie in the image. torchvision counts the others as zeros;
    /// TensorFlow, and therefore FID, does not.
    Mean,
    /// Branches that all read the same input; their channels are laid one after another.
    Beside(Vec<Vec<Part<C>>>),
}

impl<C> Part<C> {
    /// The same piece with every convolution replaced by what `of` makes of it.
    ///
    /// # Errors
    /// The first that `of` returns.
    pub(super) fn try_map<D, E>(
        self,
        of: &mut impl FnMut(C) -> Result<D, E>,
    ) -> Result<Part<D>, E> {
        Ok(match self {
            Self::Conv(conv) => Part::Conv(of(conv)?),
            Self::Max { stride, padding } => Part::Max { stride, padding },
            Self::Mean => Part::Mean,
            Self::Beside(branches) => Part::Beside(
                branches
                    .into_iter()
                    .map(|branch| branch.into_iter().map(|part| part.try_map(of)).collect())
                    .collect::<Result<_, E>>()?,
            ),
        })
    }
}

/// What the table says of a convolution.
pub(super) struct Plan {
    pub name: String,
    pub channels: usize,
    pub kernel: [usize; 2],
    pub stride: usize,
    pub padding: [usize; 2],
}

/// A convolution that keeps the image's sides.
fn same(name: String, channels: usize, kernel: [usize; 2]) -> Part<Plan> {
    Part::Conv(Plan { name, channels, kernel, stride: 1, padding: kernel.map(|side| side / 2) })
}

/// A 3×3 convolution without padding.
fn valid(name: String, channels: usize, stride: usize) -> Part<Plan> {
    Part::Conv(Plan { name, channels, kernel: [3; 2], stride, padding: [0; 2] })
}

/// Halves the sides by taking maxima.
fn halve() -> Part<Plan> {
    Part::Max { stride: 2, padding: 0 }
}

/// The whole network up to its global average: torchvision's names, channels and kernels with
/// pytorch-fid's pools.
pub(super) fn plan() -> Vec<Part<Plan>> {
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
        block_e("7b", Part::Mean),
        // Other Inceptions average here too. This one takes maxima, probably by mistake; FID is
        // defined with it.
        block_e("7c", Part::Max { stride: 1, padding: 1 }),
    ]
}

/// 35×35 places.
fn block_a(block: &str, pooled: usize) -> Part<Plan> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Part::Beside(vec![
        vec![same(at("1x1"), 64, [1; 2])],
        vec![same(at("5x5_1"), 48, [1; 2]), same(at("5x5_2"), 64, [5; 2])],
        vec![
            same(at("3x3dbl_1"), 64, [1; 2]),
            same(at("3x3dbl_2"), 96, [3; 2]),
            same(at("3x3dbl_3"), 96, [3; 2]),
        ],
        vec![Part::Mean, same(at("_pool"), pooled, [1; 2])],
    ])
}

/// From 35×35 places to 17×17.
fn block_b(block: &str) -> Part<Plan> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Part::Beside(vec![
        vec![valid(at("3x3"), 384, 2)],
        vec![
            same(at("3x3dbl_1"), 64, [1; 2]),
            same(at("3x3dbl_2"), 96, [3; 2]),
            valid(at("3x3dbl_3"), 96, 2),
        ],
        vec![halve()],
    ])
}

/// 17×17 places; 7×7 kernels as a row and a column.
fn block_c(block: &str, inner: usize) -> Part<Plan> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Part::Beside(vec![
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
        vec![Part::Mean, same(at("_pool"), 192, [1; 2])],
    ])
}

/// From 17×17 places to 8×8.
fn block_d(block: &str) -> Part<Plan> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    Part::Beside(vec![
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

/// 8×8 places; 3×3 kernels as a row beside a column.
fn block_e(block: &str, pool: Part<Plan>) -> Part<Plan> {
    let at = |branch: &str| format!("Mixed_{block}.branch{branch}");
    let cross = |branch: &str| {
        Part::Beside(vec![
            vec![same(at(&format!("{branch}a")), 384, [1, 3])],
            vec![same(at(&format!("{branch}b")), 384, [3, 1])],
        ])
    };
    Part::Beside(vec![
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
