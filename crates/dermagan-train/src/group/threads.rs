//! A group of threads, for tests.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use crate::group::members::Group;

type Line = (Mutex<Sender<Vec<u8>>>, Mutex<Receiver<Vec<u8>>>);

/// A member of a group of threads, with a line to and from each member.
pub struct Thread {
    rank: usize,
    lines: Vec<Line>,
}

/// The members of a group of `size` threads.
pub fn members(size: usize) -> Vec<Arc<dyn Group>> {
    let mut senders: Vec<Vec<_>> = (0..size).map(|_| Vec::new()).collect();
    let mut receivers: Vec<Vec<_>> = (0..size).map(|_| Vec::new()).collect();
    for from in &mut senders {
        for to in &mut receivers {
            let (sender, receiver) = channel();
            from.push(Mutex::new(sender));
            to.push(Mutex::new(receiver));
        }
    }
    let lines = senders.into_iter().zip(receivers).map(|(to, from)| to.into_iter().zip(from));
    let member = |(rank, lines)| Arc::new(Thread { rank, lines }) as Arc<dyn Group>;
    lines.map(Iterator::collect).enumerate().map(member).collect()
}

/// Runs `work` in each member of a group of `size` threads. Returns what each returned.
pub fn each<T: Send>(size: usize, work: impl Fn(Arc<dyn Group>) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            members(size).into_iter().map(|member| scope.spawn(move || work(member))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

impl Thread {
    fn send(&self, to: usize, bytes: &[u8]) {
        self.lines[to].0.lock().unwrap().send(bytes.to_vec()).unwrap();
    }

    fn receive(&self, from: usize) -> Vec<u8> {
        self.lines[from].1.lock().unwrap().recv().unwrap()
    }
}

impl Group for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.lines.len()
    }

    fn exchange(&self, with: usize, send: &[u8], receive: &mut [u8]) {
        assert_eq!(send.len(), receive.len());
        self.send(with, send);
        receive.copy_from_slice(&self.receive(with));
    }

    fn broadcast(&self, from: usize, bytes: &mut Vec<u8>) {
        match from == self.rank {
            true => (0..self.size()).filter(|to| *to != from).for_each(|to| self.send(to, bytes)),
            false => *bytes = self.receive(from),
        }
    }
}
