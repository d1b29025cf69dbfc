//! Mirrors a run in a thread of its own. Training does not wait for the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::CloudError;
use crate::pass::{Passed, RunCopy};
use crate::retry::Patience;

/// What happens to the copy of a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MirrorEvent {
    /// The store could not be used. The run goes on, and the mirror goes on trying.
    Away {
        /// What happened.
        words: String,
    },
    /// The store can be used again, and the copy has caught up.
    Back,
    /// The copy is up to date.
    Mirrored(Passed),
    /// Another process has gone on with the run. This mirror writes no more.
    TakenOver {
        /// What happened.
        words: String,
    },
}

/// The orders that the thread receives.
enum Order {
    /// The folder has changed.
    Changed,
    /// The run has ended. The store may be tried until then.
    Finish(Instant),
}

/// A run that is mirrored.
#[derive(Debug)]
pub struct Mirror {
    orders: Sender<Order>,
    events: Receiver<MirrorEvent>,
    thread: JoinHandle<Result<(), CloudError>>,
    taken_over: Arc<AtomicBool>,
    url: String,
    folder: PathBuf,
}

impl Mirror {
    /// Begins to mirror. The first pass begins at once.
    pub fn start(copy: RunCopy, pauses: Patience) -> Self {
        let (orders, received) = channel();
        let (out, events) = channel();
        let taken_over = Arc::new(AtomicBool::new(false));
        let (url, folder) = (copy.url().to_string(), copy.folder().to_owned());
        let flag = taken_over.clone();
        let thread = std::thread::spawn(move || {
            let mut worker = Worker { copy, pauses, received, out, flag, end: None, failures: 0 };
            worker.work()
        });
        Self { orders, events, thread, taken_over, url, folder }
    }

    /// Says that the run's folder has changed.
    pub fn changed(&self) {
        // Without the thread nothing can be mirrored; `finish` says why.
        let _ = self.orders.send(Order::Changed);
    }

    /// The events since the last call.
    pub fn events(&self) -> impl Iterator<Item = MirrorEvent> {
        self.events.try_iter()
    }

    /// Whether another process has gone on with the run, so that further steps are in vain.
    pub fn is_taken_over(&self) -> bool {
        self.taken_over.load(Ordering::Relaxed)
    }

    /// Waits until the store has everything, at most for `wait`. `sink` receives the last events.
    ///
    /// # Errors
    /// When another process has gone on with the run, or the store could not be used in this time. The error says where the run
    /// is on this machine.
    pub fn finish(
        self,
        wait: Duration,
        sink: &mut dyn FnMut(MirrorEvent),
    ) -> Result<(), CloudError> {
        let _ = self.orders.send(Order::Finish(Instant::now() + wait));
        self.events.iter().for_each(&mut *sink);
        let ended = self.thread.join().unwrap_or_else(|_| {
            let what = "the thread that writes to the store broke down".to_owned();
            Err(CloudError::Content { url: self.url.clone(), what })
        });
        ended.map_err(|cause| match cause {
            CloudError::Conflict { url, what } => {
                let what = format!("{what}. What this process did is in {}", self.folder.display());
                CloudError::Conflict { url, what }
            }
            cause => CloudError::Unfinished {
                url: self.url.clone(),
                cause: Box::new(cause),
                folder: self.folder.display().to_string(),
            },
        })
    }
}

/// The thread's state.
struct Worker {
    copy: RunCopy,
    pauses: Patience,
    received: Receiver<Order>,
    out: Sender<MirrorEvent>,
    flag: Arc<AtomicBool>,
    /// When the last try begins at the latest; `None` while the run goes on.
    end: Option<Instant>,
    /// Number of passes that failed one after the other.
    failures: u32,
}

impl Worker {
    fn work(&mut self) -> Result<(), CloudError> {
        loop {
            // What was ordered until now is in this pass.
            while let Ok(order) = self.received.try_recv() {
                self.note(order);
            }
            match self.copy.pass() {
                Ok(passed) => {
                    if self.failures > 0 {
                        self.emit(MirrorEvent::Back);
                    }
                    self.failures = 0;
                    if passed.objects > 0 {
                        self.emit(MirrorEvent::Mirrored(passed));
                    }
                    if self.end.is_some() {
                        return Ok(());
                    }
                    match self.received.recv() {
                        Ok(order) => self.note(order),
                        // The run was dropped without an end.
                        Err(_) => return Ok(()),
                    }
                }
                Err(error @ CloudError::Conflict { .. }) => {
                    self.flag.store(true, Ordering::Relaxed);
                    self.emit(MirrorEvent::TakenOver { words: error.to_string() });
                    return Err(error);
                }
                Err(error) => self.failed(error)?,
            }
        }
    }

    fn note(&mut self, order: Order) {
        if let Order::Finish(end) = order {
            self.end = Some(end);
        }
    }

    fn emit(&self, event: MirrorEvent) {
        // Nobody may listen any more.
        let _ = self.out.send(event);
    }

    /// Waits before the next try. The order to finish begins it at once.
    fn failed(&mut self, error: CloudError) -> Result<(), CloudError> {
        self.failures += 1;
        if self.failures == 1 {
            self.emit(MirrorEvent::Away { words: error.to_string() });
        }
        let due = Instant::now() + self.pauses.pause(self.failures);
        // A refusal stays one if nobody acts.
        if self.end.is_some_and(|end| due > end || !error.may_pass()) {
            return Err(error);
        }
        loop {
            let left = due.saturating_duration_since(Instant::now());
            match self.received.recv_timeout(left) {
                Ok(Order::Changed) => {}
                Ok(order @ Order::Finish(_)) => {
                    self.note(order);
                    return Ok(());
                }
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(error),
            }
        }
    }
}
