//! Divides a job over calls: over the cores of a cluster, or over nights.
//!
//! A job consists of items with numbers, such as the images to make. A [`Shard`] is a share of the items. A call computes the
//! items of its shard and keeps them in two files of a folder: the items, and a [`Manifest`] with their SHA-256, which is
//! written last and marks the shard as complete. [`Joined`] opens the folder when all shards are there, checks every byte, and
//! gives the items to the call that finishes the job. An item depends on the job alone, so the result is the same for any
//! number of shards, byte for byte.
//!
//! ```
//! use dermagan_shards::{Job, Joined, Shard, ShardRequest};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().join("squares.shards");
//! let job = Job::new("squares", "the numbers 0 to 9", "any");
//! for index in 0..3 {
//!     let request = ShardRequest { shard: Shard { index, of: 3 }, folder: folder.clone(), line: vec![] };
//!     if let Some(mut writer) = request.begin(&job)? {
//!         for item in (0..10).filter(|item| request.shard.has(*item)) {
//!             writer.put(item, &(item * item).to_le_bytes())?;
//!         }
//!         writer.finish()?;
//!     }
//! }
//! let joined = Joined::open(&folder)?;
//! joined.check(&job)?;
//! assert_eq!(joined.get(7)?, Some(49_u64.to_le_bytes().to_vec()));
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod error;
mod folder;
mod items;
mod joined;
mod manifest;
mod pack;
mod shard;

pub use error::ShardError;
pub use folder::{ShardDone, ShardRequest, ShardWriter};
pub use joined::Joined;
pub use manifest::{Job, Manifest};
pub use pack::{pack, pack_floats, unpack, unpack_floats};
pub use shard::Shard;
