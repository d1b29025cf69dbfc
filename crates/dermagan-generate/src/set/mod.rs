//! Images as a set: a folder of PNG files with a table (`files`), a format of other programs (`format`), or shards (`share`).
//! `earlier` says what an earlier call left, and `passport` where the images come from.

pub(crate) mod earlier;
pub(crate) mod files;
pub(crate) mod format;
pub(crate) mod passport;
pub(crate) mod share;
