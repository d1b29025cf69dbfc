//! Files of weights and of generators.

mod card;
mod check;
mod dicts;
mod digest;
mod foreign;
mod format;
mod model_file;
mod networks;
mod refusal;
mod torch;
mod values;
mod version;
pub mod weights;

pub use card::Card;
pub use model_file::ModelFile;
