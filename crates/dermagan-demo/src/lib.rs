//! A web page on which a trained generator draws images in the browser. Nothing leaves the machine.
//!
//! - [`Page`]: all files of the page: the page itself, the generators as graphs of ONNX, a description, and onnxruntime-web
//! - [`Page::write`]: the page as a folder for any static server
//! - [`Server`]: the page on the loopback interface of this machine
//! - [`Runtime`]: the files of onnxruntime-web, which are no part of this crate
//!
//! The page's sources are in the folder `page/`, in TypeScript, and the built page in `page/dist/`.
//! `scripts/test-page` builds it anew and tests it in a browser.
//!
//! ```no_run
//! use dermagan_demo::{Page, Runtime, Server};
//! use dermagan_generate::shipped_model;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::open("web-runtime".as_ref())?;
//! let server = Server::bind(Page::new(vec![shipped_model()?], &runtime)?, None)?;
//! println!("{}", server.url());
//! server.run()?;
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod classes;
mod error;
mod folder;
mod model;
mod page;
mod request;
mod runtime;
mod server;

pub use error::DemoError;
pub use page::Page;
pub use runtime::{Runtime, runtime_version};
pub use server::{DEFAULT_PORT, Server, Stopper};
