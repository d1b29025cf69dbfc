//! The state that lets a run detect and undo errors of its device.

use dermagan_model::{Flat, Generator};

use crate::check::guard::Guard;
use crate::check::repetition::Recomputed;
use crate::step::lookahead::Lookahead;
use crate::step::measures::Measures;
use crate::step::players::Players;

/// The reason why a run cannot continue.
#[derive(Clone, Debug, PartialEq)]
pub enum Broken {
    /// The value with this name is not finite.
    NotFinite(String),
    /// The device computes wrongly, as the text describes.
    Device(String),
}

/// The result of reading the values of steps back from the device.
#[derive(Clone, Debug, Default)]
pub struct ReadBack {
    /// The measures of the newest step. `None` if there was no step.
    pub newest: Option<Measures>,
    /// The steps that were computed again, if any.
    pub recomputed: Option<Recomputed>,
}

/// A copy of a run's state at the last read whose values were accepted. Suspicious steps are computed again from it.
#[derive(Clone)]
pub(super) struct Settled {
    pub players: Players,
    pub average: Flat<Generator>,
    pub lookahead: Option<Lookahead>,
    pub nimg: u64,
    pub steps: u64,
}

/// Watches the gradient norms of a run, to detect errors of its device.
pub struct Defence {
    /// The usual ranges of the norms.
    pub(super) guard: Guard,
    /// Player and name of each watched parameter.
    pub(super) names: Vec<String>,
    /// The last accepted state.
    pub(super) settled: Settled,
    /// Number of suspicious norms that a second computation confirmed, so that the suspicion was unfounded.
    pub(super) confirmed: u64,
}
