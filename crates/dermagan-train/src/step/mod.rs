//! One training step: losses, penalties, optimiser, lookahead and average.

pub mod adam;
pub mod batch;
mod d_step;
pub mod ema;
pub mod fault;
mod g_step;
pub mod gradients;
pub mod lookahead;
pub mod loss_scale;
pub mod measures;
pub mod players;
pub mod settings;
pub mod speed;
pub mod synthetic;
mod train_step;
