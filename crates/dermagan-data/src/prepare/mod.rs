//! From decoded images to a cache: resize ([`mod@resize`]), fit to a square ([`fit`]), write and read the file
//! ([`cache`]), and the whole preparation ([`build_cache`]),
//! or a share of it ([`share`]).

pub(crate) mod build_cache;
pub(crate) mod cache;
pub(crate) mod examine;
pub(crate) mod fit;
pub(crate) mod resize;
pub(crate) mod share;
