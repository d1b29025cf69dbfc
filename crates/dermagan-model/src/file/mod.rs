//! Files of weights and of generators.

mod card;
mod check;
mod foreign;
mod model_file;
mod version;
pub mod weights;

pub use card::Card;
pub use model_file::ModelFile;
