//! What the bytes and the decoded pixels of a file show: whether it is an image at all, whether a generator made it,
//! and whether it can be a photograph.

pub(crate) mod alpha;
pub(crate) mod generator;
pub(crate) mod look;
pub(crate) mod metadata;
pub(crate) mod no_image;
