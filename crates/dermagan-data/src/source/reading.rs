//! How a source is read: what a user insists on where the reader would refuse or leave out.

use serde::{Deserialize, Serialize};

/// Which split a source gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// The parts that the author of the data names, if there are any; else [`SplitBy::Lesion`].
    #[default]
    Auto,
    /// The parts that the author of the data names. It is an error if there are none.
    Official,
    /// dermagan's own split of each class into 80 % training, 10 % validation and 10 % test. No lesion is on two sides.
    Lesion,
}

/// Choices of the user about how a source is read. The default refuses or leaves out what is doubtful.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reading {
    /// Takes the name of the folder that holds an image for its class, whatever the name is, and reads no table.
    pub classes_from_folders: bool,
    /// Uses images that a generator made.
    pub keep_synthetic: bool,
    /// Uses images that do not look like photographs: of one or two colours, mostly transparent, or smaller than the
    /// prepared square.
    pub keep_odd: bool,
    /// Which split the source gets.
    pub split: SplitBy,
}

impl Reading {
    /// Whether all choices are the default ones.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
