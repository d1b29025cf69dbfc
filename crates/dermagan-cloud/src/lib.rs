//! Object storage: sources, results and runs on S3, Google Cloud Storage and Azure, behind a blocking interface.
//!
//! - [`Location`]: a URL such as `s3://bucket/key`
//! - [`Variables`]: the credentials, from the variables that each cloud's own tools read
//! - [`Store`]: a bucket, with retries; [`Scratch`]: the folders on this machine
//! - [`fetch`]: an object or a folder of objects as local files, which are kept and compared by ETag
//! - [`put_file`] and [`put_folder`]: results, which never replace what someone else wrote
//! - [`claim_number`], [`newest_run`], [`begin`], [`restore`] and [`Mirror`]: a run that is trained in a local folder and kept in a
//!   store
//!
//! A store has no rename, no lock and no append. One PUT is atomic. So the object that makes others valid is put last, and
//! conditional PUTs take the place of locks.
//!
//! Everything is behind the feature `client`. The crate does not print and does not read the environment.
//!
//! ```
//! # #[cfg(not(feature = "client"))]
//! # fn main() {}
//! # #[cfg(feature = "client")]
//! # fn main() -> Result<(), dermagan_cloud::CloudError> {
//! use dermagan_cloud::{Location, Patience, Scratch, Store, Variables, Wanted, fetch};
//!
//! // Pass the environment of the process. Nobody listens at this address.
//! let variables = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
//! let variables = Variables::of(variables);
//! let source = Location::parse("s3://lab/ham10000.zip")?;
//! let store = Store::connect(&source, &variables, Patience::none())?;
//! let scratch = Scratch::new(std::env::temp_dir().join("dermagan-example"), &variables);
//! let error = fetch(&store, &source, &scratch, Wanted::All, &mut |_done, _total| ()).unwrap_err();
//! assert!(error.to_string().starts_with("s3://lab/ham10000.zip: "));
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    not(feature = "client"),
    allow(rustdoc::broken_intra_doc_links, reason = "what the links name is behind the feature")
)]
#![cfg(feature = "client")]
#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod claim;
mod connect;
mod error;
mod fetch;
mod index;
mod location;
mod mirror;
mod pass;
mod pointer;
mod restore;
mod retry;
mod scratch;
mod store;
mod upload;
mod variables;

pub use claim::{claim_number, newest_run};
pub use error::CloudError;
pub use fetch::{Fetched, Wanted, fetch};
pub use location::{Location, Scheme};
pub use mirror::{Mirror, MirrorEvent};
pub use pass::{Passed, RunCopy};
pub use pointer::{POINTER, Pointer};
pub use restore::{Restored, begin, restore, set_aside};
pub use retry::Patience;
pub use scratch::Scratch;
pub use store::{Condition, Found, Listed, Store, Version};
pub use upload::{Earlier, earlier, put_file, put_folder};
pub use variables::Variables;
