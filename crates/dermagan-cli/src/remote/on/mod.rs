//! With the feature `cloud`: reads inputs, gives outputs local places, and mirrors a run.

mod inputs;
mod outputs;
mod session;
mod training;

use dermagan_cloud::Location;

use crate::args::Command;
use crate::remote::places::{Role, each};
use crate::remote::url::is_url;
use session::Session;
pub use training::Training;

/// What a command does with stores.
#[derive(Default)]
pub struct Remote {
    session: Option<Session>,
    training: Training,
    outputs: Vec<outputs::Output>,
}

impl Remote {
    /// Reads the inputs of a command line, gives its outputs local places, and finds the run to resume.
    pub fn of(command: &mut Command) -> anyhow::Result<Self> {
        let session = Session::new()?;
        let mut remote = Self::default();
        if let Command::Train(args) = command {
            remote.training = Training::of(&session, args)?;
        }
        each(command, &mut |name, role, slot| {
            let Some(url) = slot.text().filter(|text| is_url(text)) else { return Ok(()) };
            let at = Location::parse(&url).map_err(|error| anyhow::anyhow!("{name} {error}"))?;
            let local = match role {
                Role::Input | Role::Model => inputs::read(&session, name, &at, role)?,
                Role::Output => {
                    let output = outputs::Output::at(&session, name, at)?;
                    let local = output.local.clone();
                    remote.outputs.push(output);
                    local
                }
                // `Training` has replaced these if they can be used.
                Role::Resume | Role::Runs => return Ok(()),
                Role::Local => anyhow::bail!(
                    "{name} {url}: this place must be on this machine; name a local one"
                ),
            };
            slot.set(&local);
            Ok(())
        })?;
        remote.session = Some(session);
        Ok(remote)
    }

    /// Takes the mirror of the run that the command trains.
    pub fn training(&mut self) -> Training {
        std::mem::take(&mut self.training)
    }

    /// Writes the outputs to their stores.
    pub fn finish(self) -> anyhow::Result<()> {
        let Some(session) = self.session else { return Ok(()) };
        for output in self.outputs {
            output.write(&session)?;
        }
        Ok(())
    }
}
