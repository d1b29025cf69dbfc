//! What all parts of a command share: credentials, local folders, and how long a store is waited for.

use std::path::Path;
use std::time::Duration;

use dermagan_cloud::{CloudError, Location, Patience, Scratch, Store, Variables};
use dermagan_data::default_folder;

use crate::remote::shown::stand_in;
use crate::remote::url::SCHEMES;
use crate::show::complain;

/// The variable with the number of seconds that a command waits for a store that does not answer.
const WAIT: &str = "DERMAGAN_CLOUD_WAIT";
/// That number without the variable.
const USUAL_WAIT: u64 = 300;

/// What all parts of a command share.
#[derive(Clone)]
pub struct Session {
    pub variables: Variables,
    pub scratch: Scratch,
    /// How long a store that does not answer is waited for.
    pub wait: Duration,
}

impl Session {
    /// Reads the variables.
    pub fn new() -> anyhow::Result<Self> {
        let texts = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let variables = Variables::of(texts);
        let scratch = Scratch::new(default_folder().join("cloud"), &variables);
        let seconds = match std::env::var(WAIT) {
            Ok(text) => text.trim().parse().map_err(|_| {
                anyhow::anyhow!("{WAIT}={text}: expected a number of seconds, such as {USUAL_WAIT}")
            })?,
            Err(_) => USUAL_WAIT,
        };
        for folder in [scratch.read(true), scratch.read(false), scratch.runs()] {
            show_urls_for(&folder);
        }
        Ok(Self { variables, scratch, wait: Duration::from_secs(seconds) })
    }

    /// The bucket of a location.
    pub fn store(&self, at: &Location) -> Result<Store, CloudError> {
        let mut store = Store::connect(at, &self.variables, Patience::of(self.wait))?;
        store.on_waiting(|words| complain!("{words}"));
        Ok(store)
    }
}

/// Shows URLs in place of the paths in a folder of locations.
pub fn show_urls_for(folder: &Path) {
    for scheme in SCHEMES {
        let local = folder.join(scheme).display().to_string();
        stand_in(format!("{local}{}", std::path::MAIN_SEPARATOR), format!("{scheme}://"));
    }
}
