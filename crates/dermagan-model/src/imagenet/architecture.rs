//! The architecture of EfficientNet-Lite0, as a table of layers. It is generic over the convolution: its description, its
//! weights, or the weights in the order of the kernels.

use dermagan_kernels::conv::direct::Activation;

/// Channels of the last layer, whose averages over the image are the features.
pub(super) const DIMS: usize = 1280;
/// Channels of the first layer.
const STEM: usize = 32;

/// A stage of blocks: number of blocks, side of their depthwise filter, stride of the first block, factor by which
/// channels are expanded, and channels of the result. TensorFlow's `efficientnet_lite_builder.py` has the same table.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

/// The network up to its average over the image.
#[derive(Clone, Debug)]
pub(super) struct Layers<C> {
    /// The first convolution.
    pub stem: C,
    /// The inverted residual blocks.
    pub blocks: Vec<Block<C>>,
    /// The last convolution.
    pub head: C,
}

/// An inverted residual block (Sandler et al. 2018, MobileNetV2).
#[derive(Clone, Debug)]
pub(super) struct Block<C> {
    /// A 1×1 convolution to more channels; the first block has none.
    pub expand: Option<C>,
    /// A filter per channel.
    pub depthwise: C,
    /// A 1×1 convolution to fewer channels, without an activation.
    pub project: C,
    /// Whether the block's input is added to its result.
    pub skip: bool,
}

/// The description of a convolution with a bias and an activation.
#[derive(Clone, Debug)]
pub(super) struct ConvSpec {
    /// The tensors are `name.weight` and `name.bias`.
    pub name: String,
    /// Output channels, input channels per group, rows and columns.
    pub shape: [usize; 4],
    pub stride: usize,
    /// Whether every channel has a filter of its own.
    pub depthwise: bool,
    pub activation: Activation,
}

impl ConvSpec {
    /// The zeros before the first and after the last row, as TensorFlow's padding `SAME` places them: an image whose side
    /// is a multiple of the stride gives a result of `side / stride`, and an odd zero stands after the last row.
    pub(super) fn padding(&self) -> [usize; 2] {
        let zeros = self.shape[2] - self.stride.min(self.shape[2]);
        [zeros / 2, zeros - zeros / 2]
    }
}

/// The whole network.
pub(super) fn architecture() -> Layers<ConvSpec> {
    let conv = |name: String, shape: [usize; 4], stride: usize, depthwise: bool, activation| {
        ConvSpec { name, shape, stride, depthwise, activation }
    };
    let one = |name: String, to: usize, from: usize, activation| {
        conv(name, [to, from, 1, 1], 1, false, activation)
    };
    let mut blocks = Vec::new();
    let mut from = STEM;
    for (repeats, side, first_stride, factor, to) in STAGES {
        for repeat in 0..repeats {
            let at = |layer: &str| format!("blocks.{}.{layer}", blocks.len());
            let wide = factor * from;
            let stride = if repeat == 0 { first_stride } else { 1 };
            let expand = (factor > 1).then(|| one(at("expand"), wide, from, Activation::Relu6));
            let depthwise =
                conv(at("depthwise"), [wide, 1, side, side], stride, true, Activation::Relu6);
            let project = one(at("project"), to, wide, Activation::Identity);
            blocks.push(Block { expand, depthwise, project, skip: stride == 1 && from == to });
            from = to;
        }
    }
    let stem = conv("stem".into(), [STEM, 3, 3, 3], 2, false, Activation::Relu6);
    Layers { stem, blocks, head: one("head".into(), DIMS, from, Activation::Relu6) }
}

impl<C> Layers<C> {
    /// Replaces every convolution by the result of `of`.
    ///
    /// # Errors
    /// The first error that `of` returns.
    pub(super) fn try_map<D, E>(
        self,
        mut of: impl FnMut(C) -> Result<D, E>,
    ) -> Result<Layers<D>, E> {
        let stem = of(self.stem)?;
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for block in self.blocks {
            blocks.push(Block {
                expand: block.expand.map(&mut of).transpose()?,
                depthwise: of(block.depthwise)?,
                project: of(block.project)?,
                skip: block.skip,
            });
        }
        Ok(Layers { stem, blocks, head: of(self.head)? })
    }
}
