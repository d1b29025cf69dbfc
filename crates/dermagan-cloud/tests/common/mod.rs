//! A store in memory whose requests fail as a test wants: errors, delays, answers that are lost, and a process that is killed.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dermagan_cloud::{Location, Patience, Scratch, Store, Variables};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails before the store sees it.
    Fails,
    /// The store does it, and the answer is lost.
    AnswerLost,
}

/// A store with faults.
pub struct Faulty {
    memory: Arc<InMemory>,
    /// Requests by number, from 1, with what happens to them.
    faults: Mutex<Vec<(usize, Fault)>>,
    requests: AtomicUsize,
    /// From this request on all fail: the process was killed. 0 is never.
    killed_at: AtomicUsize,
    away: AtomicBool,
    delay: Mutex<Duration>,
    words: Mutex<String>,
}

impl Faulty {
    pub fn new(memory: &Arc<InMemory>) -> Arc<Self> {
        Arc::new(Self {
            memory: memory.clone(),
            faults: Mutex::default(),
            requests: AtomicUsize::new(0),
            killed_at: AtomicUsize::new(0),
            away: AtomicBool::new(false),
            delay: Mutex::default(),
            words: Mutex::new("no route to host".to_owned()),
        })
    }

    pub fn fault(&self, request: usize, fault: Fault) {
        self.faults.lock().unwrap().push((request, fault));
    }

    pub fn kill_at(&self, request: usize) {
        self.killed_at.store(request, Ordering::SeqCst);
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub fn set_delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    pub fn set_words(&self, words: &str) {
        *self.words.lock().unwrap() = words.to_owned();
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn error(&self) -> Error {
        Error::Generic { store: "faulty", source: self.words.lock().unwrap().clone().into() }
    }

    /// The fault of the next request.
    fn next(&self) -> Option<Fault> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let killed = self.killed_at.load(Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) || (killed > 0 && number >= killed) {
            return Some(Fault::Fails);
        }
        let faults = self.faults.lock().unwrap();
        faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault)
    }

    async fn with_fault<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        let delay = *self.delay.lock().unwrap();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match self.next() {
            Some(Fault::Fails) => Err(self.error()),
            Some(Fault::AnswerLost) => {
                request.await?;
                Err(self.error())
            }
            None => request.await,
        }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

type Future1<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl ObjectStore for Faulty {
    fn put_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Future1<'c, PutResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(self.with_fault(self.memory.put_opts(location, payload, opts)))
    }

    fn put_multipart_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        opts: PutMultipartOptions,
    ) -> Future1<'c, Box<dyn MultipartUpload>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(self.with_fault(self.memory.put_multipart_opts(location, opts)))
    }

    fn get_opts<'a, 'b, 'c>(
        &'a self,
        location: &'b Path,
        options: GetOptions,
    ) -> Future1<'c, GetResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(self.with_fault(self.memory.get_opts(location, options)))
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.next() {
            Some(Fault::Fails) => {
                let error = self.error();
                futures_util::stream::once(async { Err(error) }).boxed()
            }
            _ => self.memory.delete_stream(locations),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.next() {
            Some(_) => {
                let error = self.error();
                futures_util::stream::once(async { Err(error) }).boxed()
            }
            None => self.memory.list(prefix),
        }
    }

    fn list_with_delimiter<'a, 'b, 'c>(
        &'a self,
        prefix: Option<&'b Path>,
    ) -> Future1<'c, ListResult>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(self.with_fault(self.memory.list_with_delimiter(prefix)))
    }

    fn copy_opts<'a, 'b, 'd, 'c>(
        &'a self,
        from: &'b Path,
        to: &'d Path,
        options: CopyOptions,
    ) -> Future1<'c, ()>
    where
        'a: 'c,
        'b: 'c,
        'd: 'c,
        Self: 'c,
    {
        Box::pin(self.with_fault(self.memory.copy_opts(from, to, options)))
    }
}

pub fn at(url: &str) -> Location {
    Location::parse(url).unwrap()
}

/// A patience for tests: quick tries for ten seconds.
pub fn quick() -> Patience {
    Patience {
        total: Duration::from_secs(10),
        first: Duration::from_millis(2),
        longest: Duration::from_millis(20),
    }
}

pub fn variables() -> Variables {
    Variables::of([("AWS_SECRET_ACCESS_KEY", "top-secret-key"), ("AWS_ACCESS_KEY_ID", "id-12345")])
}

pub fn store(client: Arc<dyn ObjectStore>) -> Store {
    Store::of(client, variables(), quick()).unwrap()
}

/// A store that tries once: what a killed process leaves is what is there.
pub fn once(client: Arc<dyn ObjectStore>) -> Store {
    Store::of(client, variables(), Patience::none()).unwrap()
}

/// The folders of one machine.
pub fn machine(folder: &tempfile::TempDir, name: &str) -> Scratch {
    Scratch::new(folder.path().join(name), &variables())
}

/// All files of a folder with their bytes.
pub fn contents(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    found.sort();
    found
}
