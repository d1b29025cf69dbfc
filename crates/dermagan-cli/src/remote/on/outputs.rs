//! Outputs of a command: made in a local place, then written to the store.

use std::path::PathBuf;

use anyhow::anyhow;
use dermagan_cloud::{Earlier, Location, earlier, put_file, put_folder};

use super::session::{Session, show_urls_for};
use crate::remote::shown;
use crate::show;

/// An output.
pub struct Output {
    /// The argument that names it.
    name: &'static str,
    at: Location,
    /// Where the command writes it.
    pub local: PathBuf,
    /// The folder of this call.
    folder: PathBuf,
    earlier: Earlier,
    /// Whether the local files stay, because they are the only copy.
    stays: bool,
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.stays {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

impl Output {
    /// A local place for an output. An object that is there already is read to it.
    pub fn at(session: &Session, name: &'static str, at: Location) -> anyhow::Result<Self> {
        let wrong = |error| anyhow!("{name} {error}");
        let folder = session.scratch.results(&format!("{}{name}", std::process::id()));
        // A process that had this number may have died.
        let _ = std::fs::remove_dir_all(&folder);
        let local = folder.join(at.as_path());
        if let Some(parent) = local.parent() {
            std::fs::create_dir_all(parent)?;
        }
        show_urls_for(&folder);
        let store = session.store(&at).map_err(wrong)?;
        let earlier = earlier(&store, &at, &session.scratch, &local).map_err(wrong)?;
        Ok(Self { name, at, local, folder, earlier, stays: false })
    }

    /// Writes what the command made to the store.
    pub fn write(mut self, session: &Session) -> anyhow::Result<()> {
        if !self.local.exists() {
            return Ok(());
        }
        let written = self.put(session);
        if let Err(error) = written {
            self.stays = true;
            shown::show_local();
            return Err(anyhow!(
                "{} {error}\n  What was made is in {}. Copy it from there, or run the command again",
                self.name,
                self.local.display()
            ));
        }
        Ok(())
    }

    fn put(&self, session: &Session) -> Result<(), dermagan_cloud::CloudError> {
        let store = session.store(&self.at)?;
        if !self.local.is_dir() {
            return put_file(&store, &self.at, &self.local, &self.earlier).map(|_| ());
        }
        let bar = show::bar(0, "writing {wide_bar} {pos}/{len} {eta}");
        let put = put_folder(&store, &self.at, &self.local, &mut |done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        put.map(|_| ())
    }
}
