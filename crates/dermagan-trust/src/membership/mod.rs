//! Asks whether generated images tell which photographs their generator learnt from.

pub(crate) mod attack;
pub(crate) mod authenticity;
pub(crate) mod lesions;
pub(crate) mod share;
pub(crate) mod space;

pub use attack::Attack;
pub use authenticity::Authenticity;
pub use share::TargetShare;
