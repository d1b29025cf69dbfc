//! The sides of a split.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A side of the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// For training: 80 % of the images.
    Train,
    /// For validation, that is, for choices between models: 10 %.
    Val,
    /// For the final test: 10 %.
    Test,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        })
    }
}
