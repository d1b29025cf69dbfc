//! Sources of labelled images: recognised, listed, joined with their tables, and decoded.
//!
//! [`open`] is the way in. It looks for an npz ([`medmnist`]), lists every other source as a [`tree`], and
//! labels the files of the tree by tables ([`tables`]) or by their folders ([`labels`]).

mod content;
pub(crate) mod decode;
pub(crate) mod description;
pub(crate) mod entry;
mod jpeg;
pub(crate) mod kind;
mod labelled;
pub(crate) mod labels;
mod medmnist;
pub(crate) mod open;
mod phantom;
pub(crate) mod pixels;
pub(crate) mod problem;
pub(crate) mod reading;
pub(crate) mod record;
pub(crate) mod side;
pub(crate) mod tables;
pub(crate) mod tree;
