//! The features of one image as an item of a shard.

use dermagan_data::Problem;
use dermagan_shards::{Joined, ShardError, pack, unpack};
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
        let bytes: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        pack(&self.head, &bytes)
    }

    /// The item of a number; `None` if no shard has it. `values` is the number of its features.
    pub fn of(joined: &Joined, number: u64, values: usize) -> Result<Option<Self>, ShardError> {
        let Some(bytes) = joined.get(number)? else { return Ok(None) };
        let damaged = || joined.damaged(number);
        let (head, bytes): (Head, _) = unpack(&bytes).ok_or_else(damaged)?;
        let (words, rest) = bytes.as_chunks::<4>();
        let fits = words.len() == if head.problem.is_some() { 0 } else { values };
        match fits && rest.is_empty() {
            true => Ok(Some(Self {
                head,
                values: words.iter().map(|word| f32::from_le_bytes(*word)).collect(),
            })),
            false => Err(damaged()),
        }
    }
}
