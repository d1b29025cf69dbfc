//! What the writer of a format does.

use crate::error::FormatError;
use crate::set::{Item, Set};
use crate::shards::Place;

/// The writer of one format.
pub(crate) trait Sink {
    /// Takes the next image.
    fn put(&mut self, set: &Set, place: Place, item: &Item) -> Result<(), FormatError>;
    /// Completes the set.
    fn finish(self: Box<Self>, set: &Set) -> Result<(), FormatError>;
}
