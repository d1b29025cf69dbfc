//! The networks of Radford, Metz and Chintala (2015), with the layers and names of PyTorch's DCGAN example.

mod discriminator;
mod generator;

pub use discriminator::{DcganDiscriminator, DownBlock};
pub(crate) use generator::SLOPE;
pub(crate) use generator::shapes as generator_shapes;
pub(crate) use generator::torch_index;
pub use generator::{DcganGenerator, UpBlock};
