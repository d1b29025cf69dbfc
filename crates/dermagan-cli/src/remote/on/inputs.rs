//! Reads an input into local files.

use std::path::PathBuf;

use anyhow::anyhow;
use dermagan_cloud::{Location, Store, Wanted, fetch, newest_run};
use dermagan_train::LATEST;

use super::session::Session;
use crate::remote::places::Role;
use crate::show::{self, complain};

/// Reads what the argument `name` names. Returns its local path.
pub fn read(session: &Session, name: &str, at: &Location, role: Role) -> anyhow::Result<PathBuf> {
    let wrong = |error| anyhow!("{name} {error}");
    let store = session.store(at).map_err(wrong)?;
    let (at, wanted) = match role {
        Role::Model => (run_of(&store, at, "generator.").map_err(wrong)?, Wanted::Model),
        _ => (run_of(&store, at, "checkpoint-").map_err(wrong)?, Wanted::All),
    };
    let bar = show::bar(0, "reading {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let fetched = fetch(&store, &at, &session.scratch, wanted, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let fetched = fetched.map_err(wrong)?;
    if fetched.read > 0 {
        let (objects, kept) = (fetched.read, fetched.kept);
        complain!(
            "read {objects} objects of {at}, {:.1} MB; {kept} were here",
            fetched.bytes as f64 / 1e6
        );
    }
    Ok(fetched.path)
}

/// The newest run with a file `with…` in place of `FOLDER/latest`.
pub fn run_of(
    store: &Store,
    at: &Location,
    with: &str,
) -> Result<Location, dermagan_cloud::CloudError> {
    match at.parent() {
        Some(outdir) if at.name() == LATEST => newest_run(store, &outdir, with),
        _ => Ok(at.clone()),
    }
}
