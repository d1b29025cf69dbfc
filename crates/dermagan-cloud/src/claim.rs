//! Numbers of runs. A conditional PUT takes the place of the local lock.

use crate::error::CloudError;
use crate::location::Location;
use crate::store::{Condition, Store};

/// The folder of claims beside the runs.
const CLAIMS: &str = "claims";
/// How many numbers are tried.
const TRIES: u64 = 1000;
/// Larger numbers would leave none for later runs.
const LARGEST: u64 = 1 << 62;
/// Largest size of a claim in bytes.
const LARGEST_CLAIM: u64 = 4096;

/// Claims the next free number in a folder of runs for a writer. No other writer gets it, on any machine.
///
/// # Errors
/// When the bucket is missing, or the store refuses or does not answer.
pub fn claim_number(store: &Store, outdir: &Location, writer: &str) -> Result<u64, CloudError> {
    let claims = outdir.join(CLAIMS);
    let runs = store.children(outdir)?;
    let taken = runs.into_iter().chain(store.children(&claims)?);
    let newest = taken.filter_map(|name| number_of(&name)).max();
    let first = newest.map_or(0, |number| number + 1);
    for number in first..first + TRIES {
        let claim = claims.join(&format!("{number:05}"));
        let content = writer.as_bytes().to_vec();
        match store.put(&claim, content.clone(), &Condition::New) {
            Ok(_) => return Ok(number),
            // The answer to an earlier try may have been lost.
            Err(CloudError::Conflict { .. }) => {
                let found = store.read(&claim, LARGEST_CLAIM)?.map(|(bytes, _)| bytes);
                if found == Some(content) {
                    return Ok(number);
                }
            }
            Err(error) => return Err(error),
        }
    }
    let what = format!("{TRIES} numbers of runs from {first:05} are taken; name another folder");
    Err(CloudError::Conflict { url: outdir.to_string(), what })
}

/// The run with the highest number in a folder of runs that has a file whose name begins with `with`, such as `checkpoint-`.
///
/// # Errors
/// When there is none, or the store refuses or does not answer.
pub fn newest_run(store: &Store, outdir: &Location, with: &str) -> Result<Location, CloudError> {
    let names = store.children(outdir)?;
    // A claim is a number alone.
    let runs = names.iter().filter(|name| name.contains('-'));
    let mut numbered: Vec<(u64, &String)> =
        runs.filter_map(|name| Some((number_of(name)?, name))).collect();
    numbered.sort();
    for (_, name) in numbered.iter().rev() {
        let run = outdir.join(name);
        if store.list(&run)?.iter().any(|object| object.name.starts_with(with)) {
            return Ok(run);
        }
    }
    let words = match numbered.last() {
        Some((_, name)) => format!(": none of the runs there, such as {name}, has a {with}…"),
        None => format!(
            ": {outdir} has no run; a run's name begins with its number, as 00000-phantom-tiny does"
        ),
    };
    Err(CloudError::Missing { url: outdir.join("latest").to_string(), words })
}

/// The number at the beginning of a name: of a run `00003-data-preset` or of a claim `00003`.
fn number_of(name: &str) -> Option<u64> {
    let digits = name.split('-').next()?;
    (digits.len() >= 5).then(|| digits.parse().ok()).flatten().filter(|number| *number < LARGEST)
}
