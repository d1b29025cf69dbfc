//! A run that is kept in a store: found or numbered before its first step, and mirrored while it is trained.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, bail};
use dermagan_cloud::{
    Location, Mirror, MirrorEvent, Passed, Patience, Restored, RunCopy, Store, begin, claim_number,
    restore, set_aside,
};
use dermagan_train::{Event, ReadyRun};

use super::inputs::run_of;
use super::session::Session;
use crate::args::TrainArgs;
use crate::commands::stop::{Stage, Stop};
use crate::remote::places::Slot;
use crate::remote::shown;
use crate::remote::url::is_url;
use crate::show::{self, complain, say};

/// What a signal says while the command waits for the store.
const AT_THE_END: &str = "the end of the run is still being written to the store; press Ctrl-C again to stop without it: \
                          this machine keeps everything, and --resume goes on from there";

/// The mirror of a run; without a value for a run that is kept on this machine only.
#[derive(Default)]
pub struct Training(Option<Box<Kept>>);

/// A run that is kept in a store.
struct Kept {
    session: Session,
    store: Store,
    place: Place,
    /// The URL of the training images.
    data: Option<String>,
    mirror: Option<Mirror>,
    /// The copy, until the run has begun.
    copy: Option<RunCopy>,
    /// Keeps other processes on this machine from the run.
    lock: Option<File>,
    total: Total,
}

/// Where the run is kept.
enum Place {
    /// A new run in this folder of runs.
    New(Location),
    /// A run that goes on. It is taken until its first step.
    Resumed(Option<Box<Restored>>),
}

/// What all passes wrote.
#[derive(Default)]
struct Total {
    passes: usize,
    bytes: u64,
    time: Duration,
}

impl Training {
    /// Finds the store of the run that the arguments ask for, and reads the run to resume.
    pub fn of(session: &Session, args: &mut TrainArgs) -> anyhow::Result<Self> {
        if let Some(url) = args.resume.clone().filter(|text| is_url(text)) {
            return Self::resumed(session, args, &url);
        }
        let Some(url) = args.outdir.text().filter(|text| is_url(text)) else {
            return Ok(Self::default());
        };
        if let Some(run) = &args.resume {
            bail!(
                "--resume {run}: this run is on this machine, and --outdir {url} is not; name the run in the store, or a local \
                 --outdir"
            );
        }
        let outdir = Location::parse(&url).map_err(|error| anyhow!("--outdir {error}"))?;
        let store = session.store(&outdir)?;
        args.outdir = session.scratch.runs().join(outdir.as_path());
        let data = args.data.clone().filter(|data| is_url(data));
        Ok(Self::kept(session, store, Place::New(outdir), data, None))
    }

    fn resumed(session: &Session, args: &mut TrainArgs, url: &str) -> anyhow::Result<Self> {
        let wrong = |error| anyhow!("--resume {error}");
        let at = Location::parse(url).map_err(wrong)?;
        let store = session.store(&at).map_err(wrong)?;
        let at = run_of(&store, &at, "checkpoint-").map_err(wrong)?;
        let is_checkpoint = at.name().starts_with("checkpoint-");
        let (run, checkpoint) = match at.parent().filter(|_| is_checkpoint) {
            Some(run) => (run, Some(at.name().to_owned())),
            None => (at, None),
        };
        let Some(lock) = session.scratch.try_lock(&run).map_err(wrong)? else {
            bail!(
                "--resume {run}: another process on this machine trains this run; wait for it or stop it"
            );
        };
        let bar = show::bar(0, "reading {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        let restored = restore(&store, &run, &session.scratch, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        let restored = restored.map_err(wrong)?;
        match restored.was_here {
            true => complain!("{run}: going on from what this machine has"),
            false => complain!("{run}: read {:.1} MB", restored.bytes as f64 / 1e6),
        }
        if args.data.is_none() {
            args.data = restored.data().map(str::to_owned);
        }
        let data = args.data.clone().filter(|data| is_url(data));
        let local = checkpoint.map_or(restored.folder.clone(), |name| restored.folder.join(name));
        args.resume = Some(local.display().to_string());
        Ok(Self::kept(session, store, Place::Resumed(Some(Box::new(restored))), data, Some(lock)))
    }

    fn kept(
        session: &Session,
        store: Store,
        place: Place,
        data: Option<String>,
        lock: Option<File>,
    ) -> Self {
        let (session, total) = (session.clone(), Total::default());
        Self(Some(Box::new(Kept {
            session,
            store,
            place,
            data,
            mirror: None,
            copy: None,
            lock,
            total,
        })))
    }

    /// Makes a run ready to be mirrored: a new one gets a number that no other run in the store has, and one that goes on gets
    /// this process as its only writer.
    pub fn ready(&mut self, run: ReadyRun) -> anyhow::Result<ReadyRun> {
        let Some(kept) = &mut self.0 else { return Ok(run) };
        match &mut kept.place {
            Place::New(outdir) => {
                let writer = format!("{}-{:x}", std::process::id(), nanoseconds());
                let number = claim_number(&kept.store, outdir, &writer)
                    .map_err(|error| anyhow!("--outdir {error}"))?;
                let local = kept.session.scratch.runs().join(outdir.as_path());
                clear(&local, number)?;
                Ok(run.numbered(number))
            }
            Place::Resumed(restored) => {
                if let Some(mut restored) = restored.take() {
                    restored.set_data(kept.data.clone().or(restored.data().map(str::to_owned)));
                    let copy = restored.take_over(&kept.store, &kept.session.scratch)?;
                    kept.copy = Some(copy);
                }
                Ok(run)
            }
        }
    }

    /// Sees an event of the run: begins to mirror it, and mirrors its snapshots. Returns lines to show. Sets the flag of `stop` if
    /// another process has gone on with the run.
    pub fn see(&mut self, event: &Event, stop: &Stop) -> Vec<String> {
        let Some(kept) = &mut self.0 else { return Vec::new() };
        let mut lines = Vec::new();
        if let Event::Started { run, .. } = event
            && let Err(error) = kept.start(run)
        {
            lines.push(format!("warning: the run is not mirrored: {error:#}"));
        }
        let Some(mirror) = &kept.mirror else { return lines };
        if matches!(event, Event::Snapshot { .. } | Event::Metric { .. }) {
            mirror.changed();
        }
        for event in mirror.events() {
            lines.extend(kept.total.words(event));
        }
        if mirror.is_taken_over() {
            stop.flag().store(true, std::sync::atomic::Ordering::Relaxed);
        }
        lines
    }

    /// Waits until the store has the run.
    pub fn finish(self, stop: &Stop) -> anyhow::Result<()> {
        let Some(kept) = self.0 else { return Ok(()) };
        let Kept { mirror, mut total, session, place, lock, .. } = *kept;
        let Some(mirror) = mirror else {
            // The run did not begin.
            return Ok(());
        };
        stop.enter(Stage::Nothing(AT_THE_END));
        let ended = mirror.finish(session.wait, &mut |event| {
            if let Some(words) = total.words(event) {
                complain!("{words}");
            }
        });
        drop((place, lock));
        if let Err(error) = ended {
            // The user must find the folder.
            shown::show_local();
            return Err(error.into());
        }
        let passes = total.passes.max(1);
        say!(
            "mirrored {} times: {:.1} MB and {:.2} s each on average",
            total.passes,
            total.bytes as f64 / 1e6 / passes as f64,
            total.time.as_secs_f64() / passes as f64
        );
        Ok(())
    }
}

impl Kept {
    /// Begins to mirror the run in a local folder.
    fn start(&mut self, folder: &Path) -> anyhow::Result<()> {
        let copy = match (self.copy.take(), &self.place) {
            (Some(copy), _) => copy,
            (None, Place::New(outdir)) => {
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                let run = outdir.join(&name);
                self.lock = self.session.scratch.try_lock(&run)?;
                let (folder, data) = (folder.to_owned(), self.data.clone());
                begin(&self.store, run, folder, data, &self.session.scratch)?
            }
            (None, Place::Resumed(_)) => return Ok(()),
        };
        self.mirror = Some(Mirror::start(copy, Patience::of(self.session.wait)));
        Ok(())
    }
}

impl Total {
    /// Counts an event. Returns a line to show.
    fn words(&mut self, event: MirrorEvent) -> Option<String> {
        match event {
            MirrorEvent::Mirrored(Passed { bytes, time, .. }) => {
                self.passes += 1;
                self.bytes += bytes;
                self.time += time;
                None
            }
            MirrorEvent::Away { words } => Some(format!(
                "warning: {words}. The run goes on, and its copy is brought up to date later"
            )),
            MirrorEvent::Back => {
                Some("the store has the run up to its newest snapshot again".to_owned())
            }
            MirrorEvent::TakenOver { words } => Some(format!("warning: {words}")),
            _ => None,
        }
    }
}

/// Renames local folders with this number: the store has no such run, so they are of a run that was removed there.
fn clear(outdir: &Path, number: u64) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(outdir).into_iter().flatten().flatten();
    let of_number = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&format!("{number:05}-"))
    };
    for path in entries.map(|entry| entry.path()).filter(of_number) {
        set_aside(&path)?;
    }
    Ok(())
}

/// Nanoseconds since 1970: with the number of the process a name that no other process has.
fn nanoseconds() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_nanos()
}
