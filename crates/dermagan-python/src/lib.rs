//! The native half of the Python package `dermagan`: opens models and data, and trains, samples and evaluates with the
//! GIL released. Its classes and functions are those that `python/dermagan/` needs, and no one else should call them.
//!
//! Values cross the border in three forms: numbers and texts as such, arrays as `bytes` that NumPy views without a
//! copy, and everything with a structure (events, reports, cards) as JSON text. So the crate needs no NumPy headers, and one
//! wheel serves every CPython from 3.10 on.

mod dataset;
mod errors;
mod evaluate;
mod events;
mod model;
mod train;
mod work;

use pyo3::prelude::*;

/// The native half of the package `dermagan`.
#[pymodule]
mod _dermagan {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::dataset::Cache;
    #[pymodule_export]
    use crate::evaluate::evaluate;
    #[pymodule_export]
    use crate::model::Model;
    #[pymodule_export]
    use crate::train::{resume, train};

    /// Remembers the process, to recognise one that was forked from it.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::work::remember_process();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    /// Runs the command `dermagan` with these words, the program's name first, and ends the process.
    #[pyfunction]
    fn cli(py: Python<'_>, line: Vec<OsString>) {
        py.detach(|| dermagan_cli::run(line))
    }

    /// The devices of this machine, as (choice, name).
    #[pyfunction]
    fn devices(py: Python<'_>) -> Vec<(String, String)> {
        py.detach(|| {
            let cpu = dermagan_model::ComputeDevice::cpu();
            let adapters = dermagan_model::device::adapters();
            let others = adapters.into_iter().map(|a| (a.choice.to_string(), a.name));
            std::iter::once(("cpu".to_owned(), cpu.name)).chain(others).collect()
        })
    }

    /// The folder of the newest run in a folder of runs.
    #[pyfunction]
    fn newest_run(outdir: PathBuf) -> Option<PathBuf> {
        dermagan_train::newest_run(&outdir)
    }

    /// Writes a grid that [`Model`] made as a PNG.
    #[pyfunction]
    fn save_grid(py: Python<'_>, png: &[u8], out: PathBuf) -> PyResult<()> {
        crate::work::quietly(py, || Ok(dermagan_generate::save_grid(png, &out)?))
    }

    /// Panics in a working thread, so that a test can see what becomes of it.
    #[pyfunction]
    #[expect(clippy::panic, reason = "this is what the function is for")]
    fn _panic(py: Python<'_>) -> PyResult<()> {
        crate::work::quietly(py, || panic!("a panic for a test"))
    }
}
