//! URLs of object stores, such as `s3://bucket/key`, in place of paths.
//!
//! Before a command begins, its inputs are read into local files and its outputs get local places. So a command knows nothing of
//! stores. Afterwards the outputs are written to the store. A run is mirrored while it is trained. What the user reads names URLs,
//! not the local places ([`with_urls`]).
//!
//! Without the feature `cloud` a URL is refused.

mod latest;
#[cfg(not(feature = "cloud"))]
mod off;
#[cfg(feature = "cloud")]
mod on;
mod places;
mod shown;
mod url;

#[cfg(not(feature = "cloud"))]
pub use off::{Remote, Training};
#[cfg(feature = "cloud")]
pub use on::{Remote, Training};
pub use shown::with_urls;

use crate::args::Command;
use crate::remote::url::is_url;

/// Gives the URLs of a command line local places. Inputs are read now.
///
/// # Errors
/// When a URL cannot be used there, or an input cannot be read.
pub fn prepare(command: &mut Command) -> anyhow::Result<Remote> {
    latest::resolve(command);
    let mut any = false;
    places::each(command, &mut |_, _, slot| {
        any |= slot.text().is_some_and(|text| is_url(&text));
        Ok(())
    })?;
    if any { Remote::of(command) } else { Ok(Remote::default()) }
}
