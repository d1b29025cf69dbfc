//! Runs work in a thread of its own while the caller's thread, with the GIL released, waits for events and for signals.
//!
//! Python runs signal handlers in the main thread only, and a notebook wants its widgets changed there. So the library
//! works in another thread, and every call into Python is made by the thread that Python called.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dermagan_base::run_until;
use dermagan_train::TrainError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::errors::{internal, raise};

/// How often a waiting thread looks for signals.
const TICK: Duration = Duration::from_millis(50);
/// The stack of a working thread, in bytes: that of a main thread.
const STACK: usize = 8 << 20;

/// The process that imported the module; 0 before.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Remembers this process as the one that imported the module.
pub fn remember_process() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
}

/// Refuses to work in a process that was forked from the one that imported the module: the threads of the library stayed
/// behind there, so that a call would wait for them for ever.
fn refuse_fork() -> PyResult<()> {
    let importer = PROCESS.load(Ordering::Relaxed);
    match importer == std::process::id() {
        true => Ok(()),
        false => Err(PyRuntimeError::new_err(format!(
            "dermagan was imported in process {importer} and cannot compute in one that was forked from it: its threads \
             stayed behind. Start processes with multiprocessing.get_context(\"spawn\"), or give a DataLoader \
             multiprocessing_context=\"spawn\"; images that are NumPy arrays already may be used anywhere"
        ))),
    }
}

/// What came of work.
pub struct Done<T> {
    /// Its value.
    pub value: T,
    /// The exception that stopped it, if one did: a signal such as Ctrl-C, or that of a callback.
    pub raised: Option<PyErr>,
}

/// Runs `work` in another thread and passes its events to `show` in this one. The flag that `work` receives is set when a
/// signal arrives or `show` fails; `work` is then expected to end soon. Later events are dropped.
///
/// # Errors
/// The error of the work, or the exception that stopped it if it did not end well afterwards; a panic becomes an
/// exception too.
pub fn run<E: Send, T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Arc<AtomicBool>, &mut dyn FnMut(E)) -> Result<T, TrainError> + Send,
    mut show: impl FnMut(Python<'_>, E) -> PyResult<()>,
) -> PyResult<Done<T>> {
    refuse_fork()?;
    let stop = Arc::new(AtomicBool::new(false));
    // The work waits for the thread that shows its events, so that they are shown as they happen.
    let (send, receive) = sync_channel::<E>(1);
    let receive = Mutex::new(receive);
    std::thread::scope(|scope| {
        let stop = &stop;
        let job = move || {
            let mut sink = |event| {
                // Nobody listens any more after an exception.
                let _ = send.send(event);
            };
            catch_unwind(AssertUnwindSafe(|| work(stop, &mut sink)))
        };
        let worker = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, job)?;
        let mut raised: Option<PyErr> = None;
        loop {
            let event = py.detach(|| {
                receive.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(TICK)
            });
            let shown = match event {
                Ok(event) if raised.is_none() => show(py, event),
                Ok(_) | Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            // Later signals are taken too: one that is left would be raised after the work, in place of the first.
            let signal = py.check_signals();
            if raised.is_none() {
                raised = shown.and(signal).err();
                stop.store(raised.is_some(), Ordering::Relaxed);
            }
        }
        let ended = py.detach(|| worker.join());
        match (ended.and_then(|ended| ended), raised) {
            (Ok(Ok(value)), raised) => Ok(Done { value, raised }),
            // Stopping early is how the work obeys, and its error would hide the cause.
            (Ok(Err(_)), Some(raised)) => Err(raised),
            (Ok(Err(error)), None) => Err(raise(py, &error)),
            (Err(panic), _) => Err(internal(py, &*panic)),
        }
    })
}

/// As [`run`], for work that ends early by [`dermagan_base::stop_requested`] and leaves nothing. Returns its value.
pub fn shown<E: Send, T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&mut dyn FnMut(E)) -> Result<T, TrainError> + Send,
    show: impl FnMut(Python<'_>, E) -> PyResult<()>,
) -> PyResult<T> {
    let Done { value, raised } = run(py, |stop, sink| run_until(stop, || work(sink)), show)?;
    raised.map_or(Ok(value), Err)
}

/// As [`shown`], for work without events.
pub fn quietly<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, TrainError> + Send,
) -> PyResult<T> {
    shown(py, |_: &mut dyn FnMut(())| work(), |_, ()| Ok(()))
}
