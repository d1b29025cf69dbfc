//! The leader's side of a group: it gives the others its state, and agrees with them on every step.

use std::sync::Arc;

use crate::error::TrainError;
use crate::group::agreement::{Agreed, State, Wish, agree, all_ready};
use crate::group::members::{Alone, Group};
use crate::group::message::send_state;
use crate::group::team::Team;
use crate::run::trainer::Trainer;

/// The members of a group that follow this process. If it is dropped before the members agreed to end, it makes them
/// end.
pub struct Leading {
    group: Arc<dyn Group>,
    /// Whether the others wait for the next agreement.
    are_waiting: bool,
    /// Whether the next agreement is the last one.
    is_last: bool,
}

impl Leading {
    /// No members.
    pub fn none() -> Self {
        Self { group: Arc::new(Alone), are_waiting: false, is_last: false }
    }

    /// What all members do next. `state` is compared with theirs. Without members this process decides.
    pub fn agree(&mut self, wish: Wish, state: State) -> Agreed {
        if !self.are_waiting {
            return Agreed { wish, by: 0, same: true };
        }
        let agreed = agree(&*self.group, wish, state);
        let goes_on = matches!(agreed.wish, Wish::Step | Wish::Stop) && agreed.same;
        self.are_waiting &= goes_on && !self.is_last;
        agreed
    }

    /// After the members agreed to stop: they compare their states once more if the leader still has to write a snapshot.
    pub fn stop(&mut self, is_saved: bool) {
        self.is_last = true;
        self.are_waiting &= !is_saved;
    }

    /// Whether the others wait for the next agreement.
    pub fn are_waiting(&self) -> bool {
        self.are_waiting
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        // After a panic the others may wait in another call: the process must end the whole job.
        if self.are_waiting && !std::thread::panicking() {
            agree(&*self.group, Wish::Fail, State::default());
        }
    }
}

impl Trainer {
    /// Gives the members of a group this run's state, waits until all of them have it, and shares the steps with them. Does
    /// nothing in a group of one.
    ///
    /// # Errors
    /// When the shards cannot be shared, or a member cannot take part.
    pub fn lead(&mut self, group: &Arc<dyn Group>) -> Result<Leading, TrainError> {
        let size = group.size();
        if size == 1 {
            return Ok(Leading::none());
        }
        let team = Team::of(group.clone(), self.plan.config.shards)?;
        if self.defence.is_some() || self.players.fault.is_some() {
            let what = "gradients can be corrupted for a test in one process only";
            return Err(TrainError::Invalid(what.to_owned()));
        }
        let state = self.checkpoint().map_err(|what| {
            TrainError::Invalid(format!(
                "{what} is not finite, so no other process can continue from it"
            ))
        })?;
        send_state(&**group, state.to_bytes()?);
        all_ready(&**group, Ok(())).map_err(|(rank, error)| TrainError::Member {
            rank,
            size,
            error,
        })?;
        self.share(team);
        Ok(Leading { group: group.clone(), are_waiting: true, is_last: false })
    }
}
