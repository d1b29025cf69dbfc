//! Images as this crate needs them: the real ones with their lesions, small versions, and products of rows.

pub(crate) mod products;
pub(crate) mod reals;
pub(crate) mod thumbnail;
