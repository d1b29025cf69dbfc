//! The other members of a group: they compute their shards of every step and write nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dermagan_base::producer;
use dermagan_model::ComputeDevice;

use crate::error::TrainError;
use crate::group::agreement::{State, Wish, agree, all_ready};
use crate::group::members::Group;
use crate::group::message::receive;
use crate::group::team::Team;
use crate::plan::request::ResumeRequest;
use crate::plan::run_plan::Plan;
use crate::recipe::config::images_of_kimg;
use crate::run::trainer::Trainer;
use crate::store::checkpoint::Checkpoint;

/// Takes part in the training of a group, as a member other than the leader, until the leader
/// [dismisses](crate::dismiss) its members. The configuration and the state come from the leader. `data` is the place of
/// the data on this machine, if it is not the leader's, and `device` opens the device.
///
/// Nothing is written except a cache of the prepared images, if there is none. When `stop` is set, all members stop after
/// the current step, and the leader writes a checkpoint. An error goes to the leader, which reports it.
pub fn follow(
    group: &Arc<dyn Group>,
    data: Option<&str>,
    device: &dyn Fn() -> Result<ComputeDevice, String>,
    stop: &AtomicBool,
) {
    while let Some(state) = receive(&**group) {
        let device = device().map_err(TrainError::Invalid);
        let member = device.and_then(|device| Member::join(group, &state, data, &device));
        let own = member.as_ref().map(|_| ()).map_err(ToString::to_string);
        if let (Ok(()), Ok(member)) = (all_ready(&**group, own), member) {
            member.run(stop);
        }
    }
}

/// A member that follows the leader.
struct Member {
    group: Arc<dyn Group>,
    trainer: Trainer,
    /// Whether the leader has written a snapshot of the current state.
    is_saved: bool,
}

impl Member {
    /// A member in the leader's state.
    fn join(
        group: &Arc<dyn Group>,
        state: &[u8],
        data: Option<&str>,
        device: &ComputeDevice,
    ) -> Result<Self, TrainError> {
        let checkpoint = Checkpoint::from_bytes("the state from process 0", state)?;
        check_equal("version", &checkpoint.meta.producer, &producer())?;
        let level = checkpoint.meta.level.clone().unwrap_or_default();
        check_equal("level of the CPU", &level, device.level())?;
        let request =
            ResumeRequest { data: data.map(str::to_owned), ..ResumeRequest::new(String::new()) };
        let plan = Plan::resume(&checkpoint, None, &request, &mut |_| ())?;
        let team = Team::of(group.clone(), plan.config.shards)?;
        let resumed = Trainer::resume(Arc::new(plan), device.clone(), checkpoint);
        let mut trainer = resumed.map_err(TrainError::Invalid)?;
        trainer.share(team);
        Ok(Self { group: group.clone(), trainer, is_saved: true })
    }

    /// Computes this member's part of every step until the members agree to end. The leader has every error that can occur
    /// here too, because all members have the same values.
    fn run(mut self, stop: &AtomicBool) {
        let mut failed = false;
        loop {
            let config = &self.trainer.plan.config;
            let is_done = self.trainer.nimg >= images_of_kimg(config.schedule.kimg);
            let own = match (failed, is_done, stop.load(Ordering::Relaxed)) {
                (true, ..) => Wish::Fail,
                (_, true, _) => Wish::End,
                (_, _, true) => Wish::Stop,
                _ => Wish::Step,
            };
            match agree(&*self.group, own, State::default()).wish {
                Wish::Step => {}
                Wish::Stop if !self.is_saved => {
                    self.show_state();
                    return;
                }
                Wish::End | Wish::Stop | Wish::Fail => return,
            }
            self.trainer.step();
            failed = self.trainer.read_back().is_err();
            self.is_saved = self.trainer.plan.config.snapshot_is_due(self.trainer.nimg);
            if self.is_saved && !failed && !self.show_state() {
                return;
            }
        }
    }

    /// Compares the state with the leader's before it writes a snapshot. Returns whether to go on.
    fn show_state(&self) -> bool {
        let state = self.trainer.checkpoint();
        let wish = if state.is_ok() { Wish::Step } else { Wish::Fail };
        let state = state.map_or_else(|_| State::default(), |state| state.state());
        let agreed = agree(&*self.group, wish, state);
        agreed.wish == Wish::Step && agreed.same
    }
}

/// Checks that this process is like the leader, because otherwise its results would differ.
fn check_equal(what: &str, leader: &str, own: &str) -> Result<(), TrainError> {
    match leader == own {
        true => Ok(()),
        false => Err(TrainError::Invalid(format!(
            "the {what} is {own} here and {leader} in process 0; all processes must have the same"
        ))),
    }
}
