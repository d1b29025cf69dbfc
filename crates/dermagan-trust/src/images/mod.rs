//! Images as this crate needs them: the real ones with their lesions, generated ones, the groups of patients, small versions, and products of rows.

pub(crate) mod classes;
pub(crate) mod generated;
pub(crate) mod groups;
pub(crate) mod products;
pub(crate) mod reals;
pub(crate) mod thumbnail;
