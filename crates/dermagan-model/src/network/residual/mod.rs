//! Networks without batch normalisation whose layers add their result to their input (He et al. 2016).
//! Gradients have short paths, and a logit does not depend on the rest of the batch, as exact gradient
//! penalties require.
//!
//! The layers of the discriminator are the stride-2 convolutions of the DCGAN. A layer of the generator
//! doubles every pixel and applies a 3×3 convolution. Both steps are one transposed stride-2 convolution
//! with a 4×4 filter: the 3×3 filter convolved with a square of 2×2 ones (in `filter`). The kernels of the
//! DCGAN compute it at the same cost. Every pixel of a doubled image gets the same sum of weights, so a
//! constant image cannot become a checkerboard (Odena et al. 2016), except by rounding. Images are generated
//! in float32; in training, bfloat16 changes a constant image by up to 2 % of the range. (The discriminator
//! does not use such filters: they are blind to the finest detail, and it let a weave of 2 and 4 pixels
//! pass.) The last layer, from the full resolution to the colours, is a 3×3 convolution. The stride-2
//! kernels compute it in squares of 2×2 pixels.
//!
//! The shortcut around a layer is antialiased and has no parameters. It filters with \[1, 3, 3, 1\] along
//! each axis, repeats channels on the way down, and averages pairs of channels on the way up. In the
//! generator, the channels of each pixel are divided by their root mean square before the activation
//! (Karras et al. 2018).

mod discriminator;
mod filter;
mod generator;
mod layer;

pub(crate) use discriminator::parameters as discriminator_parameters;
pub use discriminator::{Judge, ResidualDiscriminator};
pub use generator::ResidualGenerator;
pub(crate) use generator::shapes as generator_shapes;
pub use layer::Layer;
