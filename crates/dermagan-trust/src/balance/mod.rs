//! Fills the classes with few images: real training images and generated ones in a folder that a loader of HAM10000 takes.
//!
//! `target` says how many images a class gets, `slots` gives each missing image its seeds, `candidates` makes images, `filter` rejects those
//! that are copies or not plausible, `set` writes the folder, and `job` does all of it.

mod candidates;
mod croissant;
mod filter;
mod job;
mod passport;
mod set;
mod slots;
mod target;

pub use filter::Tally;
pub use job::{
    AuditVerdicts, BalanceEvent, BalanceJob, Balanced, ClassBalance, balance, balance_shard,
};
pub use target::Target;
