//! Without the feature `cloud`: a URL is refused, and nothing else happens.

use dermagan_train::{Event, ReadyRun};

use crate::args::Command;
use crate::commands::stop::Stop;
use crate::remote::places;
use crate::remote::url::is_url;

/// What a command does with stores: nothing.
#[derive(Debug, Default)]
pub struct Remote(());

impl Remote {
    /// Refuses a command line with a URL.
    pub fn of(command: &mut Command) -> anyhow::Result<Self> {
        places::each(
            command,
            &mut |name, _, slot| match slot.text().filter(|text| is_url(text)) {
                Some(url) => anyhow::bail!(
                    "{name} {url}: this build reads and writes local files only; for object stores build it with: cargo build \
                 --release --features cloud"
                ),
                None => Ok(()),
            },
        )?;
        Ok(Self(()))
    }

    /// The mirror of a run: none.
    pub fn training(&mut self) -> Training {
        Training
    }

    /// Writes the outputs to their stores: there are none.
    pub fn finish(self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The mirror of a run: none.
#[derive(Debug)]
pub struct Training;

impl Training {
    /// Makes a run ready to be mirrored.
    pub fn ready(&mut self, run: ReadyRun) -> anyhow::Result<ReadyRun> {
        Ok(run)
    }

    /// Sees an event of the run. Returns lines to show.
    pub fn see(&mut self, _event: &Event, _stop: &Stop) -> Vec<String> {
        Vec::new()
    }

    /// Waits until the store has the run.
    pub fn finish(self, _stop: &Stop) -> anyhow::Result<()> {
        Ok(())
    }
}
