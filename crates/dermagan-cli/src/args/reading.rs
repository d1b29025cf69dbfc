//! Options about how a source is read.

use clap::{Args, ValueEnum};
use dermagan_data::{Reading, SplitBy};

/// What the user insists on where the reader would refuse a source or leave images out.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ReadingArgs {
    /// Take the name of the folder that holds an image for its class, whatever the name is, and read no table.
    #[arg(long)]
    pub classes_from_folders: bool,
    /// Use images that a generator made. They are left out otherwise.
    #[arg(long)]
    pub keep_synthetic: bool,
    /// Use images that do not look like photographs: of one or two colours, mostly transparent, or smaller than --size
    /// when most images are larger. They are left out otherwise.
    #[arg(long)]
    pub keep_odd: bool,
}

impl ReadingArgs {
    /// The choices, with a choice of the split.
    pub fn reading(self, split: Option<SplitArg>) -> Reading {
        let Self { classes_from_folders, keep_synthetic, keep_odd } = self;
        let split = split.map_or(SplitBy::Auto, SplitBy::from);
        Reading { classes_from_folders, keep_synthetic, keep_odd, split }
    }
}

/// Which split the data gets.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum SplitArg {
    /// The parts that the author of the data names train, validation and test.
    Official,
    /// dermagan's own: 80 % train, 10 % val, 10 % test of each class, and no lesion on two sides.
    Lesion,
}

impl From<SplitArg> for SplitBy {
    fn from(split: SplitArg) -> Self {
        match split {
            SplitArg::Official => Self::Official,
            SplitArg::Lesion => Self::Lesion,
        }
    }
}
