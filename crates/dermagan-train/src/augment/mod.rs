//! Augmentation of images before the discriminator sees them. It is drawn on the host and applied on the device.

pub mod draw;
pub mod transforms;
