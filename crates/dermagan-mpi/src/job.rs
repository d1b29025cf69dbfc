//! An MPI job and its processes.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use dermagan_train::Group;
use mpi::Threading;
use mpi::environment::{Universe, initialize_with_threading};
use mpi::point_to_point::send_receive_into;
use mpi::request::{Request, Scope, scope};
use mpi::topology::{Process, SimpleCommunicator};
use mpi::traits::{Communicator, Destination, Root, Source};

/// Messages up to this size in bytes are waited for without using the processor. Larger ones follow at once.
const SMALL: usize = 4096;
/// Time for which a small message is waited for at full speed: usually it arrives within it.
const EAGER: Duration = Duration::from_millis(2);
/// Time between two looks for a small message after that. It delays a step after a snapshot, not every step.
const PAUSE: Duration = Duration::from_micros(200);
/// Largest number of bytes of one message. MPI counts in 32 bits.
const MOST: usize = 1 << 30;

/// An MPI job that this process is part of. Dropping it ends this process's part in an orderly way. Dropped by a panic, it
/// ends all processes of the job.
pub struct Job {
    universe: Option<Universe>,
}

/// MPI cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MpiError {
    /// MPI was initialised before in this process.
    Initialised,
    /// The MPI library cannot be called from a program with threads.
    NoThreads,
}

impl Display for MpiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initialised => "MPI was initialised before in this process",
            Self::NoThreads => "this MPI library cannot be called from a program with threads; expected one with MPI_THREAD_SERIALIZED",
        })
    }
}

impl std::error::Error for MpiError {}

impl Job {
    /// Joins the job that `mpirun` or `srun` started this process for. All processes of the job must do so. Without such a
    /// launcher the job has one process.
    ///
    /// # Errors
    /// When MPI was initialised before, or does not support threads.
    pub fn join() -> Result<Self, MpiError> {
        let (universe, threading) =
            initialize_with_threading(Threading::Serialized).ok_or(MpiError::Initialised)?;
        let job = Self { universe: Some(universe) };
        match threading >= Threading::Serialized {
            true => Ok(job),
            false => Err(MpiError::NoThreads),
        }
    }

    /// The processes of the job. The group must not be used after the job was dropped.
    pub fn group(&self) -> Arc<dyn Group> {
        let world = SimpleCommunicator::world();
        Arc::new(Processes { rank: world.rank() as usize, size: world.size() as usize })
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // The other processes may wait for this one in a call that will not come.
        if thread::panicking() {
            SimpleCommunicator::world().abort(1);
        }
        drop(self.universe.take());
    }
}

/// The processes of the job. The communicator is taken anew in each call, because its handle must not move between threads.
#[derive(Clone, Copy, Debug)]
struct Processes {
    rank: usize,
    size: usize,
}

impl Group for Processes {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn exchange(&self, with: usize, send: &[u8], receive: &mut [u8]) {
        let world = SimpleCommunicator::world();
        let other = world.process_at_rank(with as i32);
        if send.len() > SMALL {
            for (send, receive) in send.chunks(MOST).zip(receive.chunks_mut(MOST)) {
                send_receive_into(send, &other, receive, &other);
            }
            return;
        }
        scope(|scope| {
            let received = other.immediate_receive_into(scope, receive);
            let sent = other.immediate_send(scope, send);
            wait(received);
            wait(sent);
        });
    }

    fn broadcast(&self, from: usize, bytes: &mut Vec<u8>) {
        let world = SimpleCommunicator::world();
        let root = world.process_at_rank(from as i32);
        // The length comes alone, because the others may wait for it for minutes.
        if self.rank == from {
            let length = (bytes.len() as u64).to_le_bytes();
            (0..self.size).filter(|to| *to != from).for_each(|to| {
                world.process_at_rank(to as i32).send(&length[..]);
            });
        } else {
            bytes.clear();
            bytes.resize(received_length(&root), 0);
        }
        bytes.chunks_mut(MOST).for_each(|part| root.broadcast_into(part));
    }
}

/// The length that the root of a broadcast sends first.
fn received_length(root: &Process<'_>) -> usize {
    let mut length = [0; 8];
    scope(|scope| wait(root.immediate_receive_into(scope, &mut length[..])));
    u64::from_le_bytes(length) as usize
}

/// Waits for a small message: first at full speed, then without using the processor, which the leader may need for its
/// images and metrics.
fn wait<'a, D: ?Sized, S: Scope<'a>>(request: Request<'a, D, S>) {
    let began = Instant::now();
    let mut pending = request;
    while let Err(again) = pending.test() {
        pending = again;
        if began.elapsed() > EAGER {
            thread::sleep(PAUSE);
        } else {
            thread::yield_now();
        }
    }
}
