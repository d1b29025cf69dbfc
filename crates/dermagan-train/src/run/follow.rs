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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use dermagan_data::{Filter, Fit, Options, Source, prepare};
    use dermagan_model::Network;
    use dermagan_model::weights::Weights;

    use super::*;
    use crate::event::{Event, Outcome};
    use crate::group::message::dismiss;
    use crate::group::threads;
    use crate::plan::request::TrainRequest;
    use crate::run::start::{ReadyRun, start};
    use crate::store::rundir::{newest_checkpoint, read_stats};
    use crate::test_support::request;

    /// A folder with prepared images of the phantom.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let options = Options { size: 32, fit: Fit::Crop, filter: Filter::Lanczos };
            let source = Source::open("phantom:40").unwrap();
            prepare(&source, options, &folder.path().join("p.dermagan"), true, &mut |_, _| ())
                .unwrap();
            Self(folder)
        }

        fn data(&self) -> String {
            self.0.path().join("p.dermagan").display().to_string()
        }

        /// A run of six small steps with classes, penalties, lookahead, transforms that adapt, and judges of features from
        /// the middle on.
        fn request(&self, name: &str, shards: usize) -> TrainRequest {
            let shards = format!("shards={shards}");
            let mut settings = vec![
                shards.as_str(),
                "model.g_width=4",
                "model.d_width=4",
                "objective.every=2",
                "optimiser.lookahead=2",
                "condition.from_kimg=0",
                "condition.to_kimg=0.02",
                "augment.target=0.6",
                "augment.adapt_kimg=1",
            ];
            if name.contains("projected") {
                settings.extend(["model.projected=true", "objective.projected_from=0.5"]);
            }
            TrainRequest {
                data: Some(self.data()),
                outdir: self.0.path().join(name),
                batch: Some(8),
                kimg: Some(0.048),
                snap: Some(0.024),
                tick: Some(0.016),
                ..request("rare", &settings)
            }
        }
    }

    fn cpu() -> Result<ComputeDevice, String> {
        Ok(ComputeDevice::cpu())
    }

    /// Trains a run in a group of `size` threads. Returns what the leader's run came to. A signal reaches the process
    /// `stopped` alone, after 16 images.
    fn trained(
        size: usize,
        stopped: Option<usize>,
        ready: impl Fn() -> Result<ReadyRun, TrainError> + Sync,
    ) -> Result<Outcome, TrainError> {
        let (signal, none) = (AtomicBool::new(false), AtomicBool::new(false));
        let mut outcomes = threads::each(size, |group| {
            let rank = group.rank();
            let stop = if stopped == Some(rank) { &signal } else { &none };
            if rank > 0 {
                follow(&group, None, &cpu, stop);
                return None;
            }
            let mut sink = |event: Event| {
                let seen = matches!(event, Event::Progress { nimg: 16, .. });
                signal.fetch_or(seen, Ordering::Relaxed);
            };
            let outcome = ready().and_then(|run| run.lead(&group, stop, &mut sink));
            dismiss(&*group);
            Some(outcome)
        });
        outcomes.swap_remove(0).unwrap()
    }

    fn new_run(request: &TrainRequest) -> Result<ReadyRun, TrainError> {
        ReadyRun::new(request, &ComputeDevice::cpu(), &mut |_| ())
    }

    /// The tensors of the newest checkpoint, the generator's file, and the statistics without times.
    fn results(run: &std::path::Path) -> (Weights, Vec<u8>, Vec<BTreeMap<String, String>>) {
        let checkpoint = Checkpoint::open(&newest_checkpoint(run).unwrap()).unwrap();
        let counts = |key: &str| {
            !key.starts_with("Timing/") && !key.starts_with("Resources/") && key != "timestamp"
        };
        let lines = read_stats(run).into_iter().map(|line| {
            let kept = line.into_iter().filter(|(key, _)| counts(key));
            kept.map(|(key, value)| (key, value.to_string())).collect()
        });
        let generator = std::fs::read(run.join("generator.safetensors")).unwrap();
        (checkpoint.tensors, generator, lines.collect())
    }

    #[test]
    fn one_two_and_four_processes_end_in_the_same_bytes() {
        let place = Place::new();
        for name in ["plain", "projected"] {
            let request = |size: usize| place.request(&format!("{name}-{size}"), 4);
            let alone = start(&request(0), &cpu().unwrap(), &AtomicBool::new(false), &mut |_| ());
            let expected = results(&alone.unwrap().run);
            for size in [1, 2, 4] {
                let outcome = trained(size, None, || new_run(&request(size))).unwrap();
                assert!(!outcome.interrupted && outcome.nimg == 48);
                assert!(results(&outcome.run) == expected, "{name}, {size} processes");
            }
        }
    }

    #[test]
    fn a_stop_in_any_process_stops_all_and_the_run_resumes_with_another_number() {
        let place = Place::new();
        let whole = trained(2, None, || new_run(&place.request("whole", 4))).unwrap();
        for by in [0, 3] {
            let request = place.request(&format!("stopped-{by}"), 4);
            let stopped = trained(4, Some(by), || new_run(&request)).unwrap();
            // The signal may come while a process has agreed to the next step.
            assert!(stopped.interrupted && [16, 24].contains(&stopped.nimg), "{stopped:?}");
            resumes_to_the_same_bytes(stopped.run, &whole.run);
        }
    }

    /// Resumes a run with two processes, then with one, and compares its end with that of `whole`.
    fn resumes_to_the_same_bytes(mut run: PathBuf, whole: &std::path::Path) {
        for size in [2, 1] {
            let from = ResumeRequest {
                kimg: Some(if size == 2 { 0.032 } else { 0.048 }),
                ..ResumeRequest::new(run.display().to_string())
            };
            let resumed = || ReadyRun::resumed(&from, &ComputeDevice::cpu(), &mut |_| ());
            run = trained(size, None, resumed).unwrap().run;
        }
        let (tensors, _, lines) = results(&run);
        let (expected, _, expected_lines) = results(whole);
        assert!(tensors == expected);
        assert_eq!(lines, expected_lines);
    }

    #[test]
    fn a_divided_step_agrees_with_a_whole_one_except_for_rounding() {
        let place = Place::new();
        let tensors = |shards: usize| {
            let request = TrainRequest {
                kimg: Some(0.008),
                ..place.request(&format!("shards-{shards}"), shards)
            };
            results(&trained(1, None, || new_run(&request)).unwrap().run).0
        };
        let whole = tensors(1);
        for shards in [2, 8] {
            let divided = tensors(shards);
            assert!(divided != whole, "the sums are rounded differently");
            // The first moments are the gradients, because beta1 is 0.
            for (name, expected) in whole.iter().filter(|(name, _)| name.starts_with("adam_D.v")) {
                let found = &divided[name];
                let off = crate::check::compare::relative(&found.values, &expected.values);
                let size = dermagan_base::distance::norm(&expected.values);
                assert!(off < 1e-3 || size < 1e-12, "{shards} shards, {name}: {off:e} of {size:e}");
            }
        }
    }

    #[test]
    fn what_a_group_cannot_train_is_refused_by_the_leader_alone() {
        let place = Place::new();
        let refused = |size: usize, request: &TrainRequest| {
            trained(size, None, || new_run(request)).unwrap_err().to_string()
        };
        let error = refused(4, &place.request("few", 2));
        assert!(error.contains("shards = 2: 4 processes cannot share"), "{error}");
        let error = refused(3, &place.request("three", 4));
        assert!(error.contains("use 1, 2, 4"), "{error}");
        let minutes = TrainRequest { kimg: None, minutes: Some(1.0), ..place.request("time", 4) };
        assert!(refused(2, &minutes).contains("`minutes` = 1: several processes"));
        let normalised = request("tiny", &["shards=2"]);
        assert!(refused(2, &normalised).contains("batch normalisation"));
        assert!(!place.0.path().join("few").exists(), "no folder of a run is left");
    }

    #[test]
    fn the_error_of_any_process_ends_all_and_is_reported_by_the_leader() {
        let place = Place::new();
        let request = place.request("absent", 4);
        let outcomes = threads::each(4, |group| {
            let stop = AtomicBool::new(false);
            if group.rank() > 0 {
                let absent = (group.rank() == 2).then_some("/no/such/data");
                follow(&group, absent, &cpu, &stop);
                return None;
            }
            let outcome = new_run(&request).and_then(|run| run.lead(&group, &stop, &mut |_| ()));
            dismiss(&*group);
            Some(outcome)
        });
        let error = outcomes.into_iter().next().flatten().unwrap().unwrap_err().to_string();
        assert!(error.contains("process 2 of 4") && error.contains("/no/such/data"), "{error}");
        assert!(!request.outdir.join("00000-phantom-rare").exists());
        // An error of the leader in the middle: a folder where a snapshot's file should be.
        let request = place.request("full", 4);
        let stop = AtomicBool::new(false);
        let outcomes = threads::each(2, |group| {
            if group.rank() > 0 {
                follow(&group, None, &cpu, &stop);
                return None;
            }
            let mut block = |event: Event| {
                if let Event::Started { run, .. } = event {
                    std::fs::create_dir(run.join("fakes000000.024.png")).unwrap();
                }
            };
            let outcome = new_run(&request).and_then(|run| run.lead(&group, &stop, &mut block));
            dismiss(&*group);
            Some(outcome)
        });
        let error = outcomes.into_iter().next().flatten().unwrap().unwrap_err();
        assert!(matches!(error, TrainError::Io { .. }), "{error}");
    }

    #[test]
    fn a_process_with_other_weights_is_found_before_a_snapshot_is_written() {
        let place = Place::new();
        let request = place.request("odd", 2);
        let errors = threads::each(2, |group| {
            let stop = AtomicBool::new(false);
            if group.rank() > 0 {
                let state = receive(&*group).unwrap();
                let mut member = Member::join(&group, &state, None, &ComputeDevice::cpu()).unwrap();
                all_ready(&*group, Ok(())).unwrap();
                // As if this machine had computed a weight wrongly.
                let weights = member.trainer.players.generator.to_weights();
                let changed: Weights = weights
                    .into_iter()
                    .map(|(name, mut array)| {
                        array.values.iter_mut().for_each(|v| *v += 1e-6);
                        (name, array)
                    })
                    .collect();
                crate::run::trainer::loaded(&mut member.trainer.players.generator, &changed)
                    .unwrap();
                member.run(&stop);
                follow(&group, None, &cpu, &stop);
                return None;
            }
            let outcome = new_run(&request).and_then(|run| run.lead(&group, &stop, &mut |_| ()));
            dismiss(&*group);
            Some(outcome.unwrap_err())
        });
        let error = errors.into_iter().next().flatten().unwrap();
        assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
        let TrainError::Diverged { checkpoint, .. } = error else { return };
        assert!(checkpoint.ends_with("checkpoint-000000.safetensors"), "{}", checkpoint.display());
    }
}
