//! Several processes that train one run together: what they tell each other, and how they sum gradients in a fixed order.
//!
//! A step is divided into logical shards. Each shard is computed alone, and the shards' gradients are summed in a fixed
//! tree, so the result does not depend on which process computes which shards.

pub mod agreement;
pub mod members;
pub mod message;
pub mod sum;
pub mod team;
#[cfg(test)]
pub mod threads;
