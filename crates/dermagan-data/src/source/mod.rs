//! Sources of labelled images: recognised, listed, joined with their tables, and decoded.
//!
//! [`open`] is the way in. It looks for an npz ([`medmnist`]), lists every other source as a [`tree`], and
//! labels the files of the tree by a table ([`tables`]) or by their folders ([`class_folders`]).

pub(crate) mod class_folders;
pub(crate) mod decode;
pub(crate) mod description;
pub(crate) mod entry;
pub(crate) mod kind;
mod labelled;
mod medmnist;
pub(crate) mod open;
mod phantom;
pub(crate) mod pixels;
pub(crate) mod problem;
pub(crate) mod record;
pub(crate) mod side;
pub(crate) mod tables;
pub(crate) mod tree;
