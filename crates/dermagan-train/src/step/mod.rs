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
mod penalties;
pub mod players;
mod projected;
pub mod settings;
mod train_step;
