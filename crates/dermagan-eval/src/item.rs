//! The features of one image as an item of a shard.

use dermagan_data::Problem;
use dermagan_shards::{Joined, ShardError, pack_floats, unpack_floats};
use serde::{Deserialize, Serialize};

/// The number of the first generated image among the items; those below are real images.
pub(crate) const FAKES: u64 = 1 << 32;

/// What is known of an image.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The class that the encoder predicts, if it was asked for.
    pub predicted: Option<usize>,
    /// Of a generated image: the hash of its pixels, and whether it has no colour.
    pub pixels: Option<(u64, bool)>,
    /// Why a generated image could not be read. It has no features.
    pub problem: Option<Problem>,
}

/// An image: the head, and the features of all extractors, one after another.
pub(crate) struct Item {
    pub head: Head,
    pub values: Vec<f32>,
}

impl Item {
    /// The bytes of the item.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ShardError> {
        pack_floats(&self.head, &self.values)
    }

    /// The item of a number; `None` if no shard has it. `values` is the number of its features.
    pub fn of(joined: &Joined, number: u64, values: usize) -> Result<Option<Self>, ShardError> {
        let Some(bytes) = joined.get(number)? else { return Ok(None) };
        let item = unpack_floats(&bytes).map(|(head, values)| Self { head, values });
        let fits =
            |item: &Self| item.values.len() == if item.head.problem.is_some() { 0 } else { values };
        item.filter(fits).map(Some).ok_or_else(|| joined.damaged(number))
    }
}
