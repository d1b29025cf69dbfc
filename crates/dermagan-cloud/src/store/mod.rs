//! A bucket behind a blocking interface, with retries and limits of time.

mod answer;

use std::fmt;
use std::future::Future;
use std::io::{Read, Write};
use std::path::Path as LocalPath;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{
    GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    PutResult, UpdateVersion,
};
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};

use self::answer::{LOCAL, away, error_of};
use crate::connect;
use crate::error::CloudError;
use crate::location::{Location, is_safe_name};
use crate::retry::Patience;
use crate::variables::Variables;

/// Time that a request may take in any case.
const BASE_TIME: Duration = Duration::from_secs(60);
/// The slowest connection that is waited for, in bytes per second.
const SLOWEST: u64 = 64 << 10;
/// A larger file is written in parts, without a condition.
pub(crate) const LARGEST_PUT: u64 = 64 << 20;
/// The size of a part.
const PART: usize = 16 << 20;
/// Largest number of objects in a folder.
pub(crate) const MOST_OBJECTS: usize = 1_000_000;

/// A version of an object, for conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// The ETag.
    pub e_tag: Option<String>,
    /// The generation, in stores that have one.
    pub number: Option<String>,
}

/// What a store says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in seconds since 1970. A local copy gets the same time, so that it is the same source on all machines.
    pub modified: u64,
    /// Its version.
    pub version: Version,
}

/// An object in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name relative to the folder, with `/` between segments. Each segment can be the name of a file.
    pub name: String,
    /// Its size and version.
    pub found: Found,
}

/// What must hold for an object to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Any,
    /// There is no object of this name.
    New,
    /// The object is still this version.
    Same(Version),
}

/// Receives a sentence.
type Say = dyn Fn(&str) + Send + Sync;

/// A bucket. Use it in one thread at a time.
pub struct Store {
    client: Arc<dyn ObjectStore>,
    /// The bucket; `None` for a client that came from the caller.
    bucket: Option<Location>,
    runtime: Runtime,
    variables: Variables,
    patience: Patience,
    /// Receives a sentence when a call begins to wait for the store.
    waiting: Option<Box<Say>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("variables", &self.variables).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the bucket of a location. Nothing is sent yet.
    ///
    /// # Errors
    /// When a variable cannot be used.
    pub fn connect(
        location: &Location,
        variables: &Variables,
        patience: Patience,
    ) -> Result<Self, CloudError> {
        let store = Self::of(connect::client(location, variables)?, variables.clone(), patience)?;
        Ok(Self { bucket: Some(location.clone()), ..store })
    }

    /// A bucket behind a client of `object_store`, such as its store in memory.
    ///
    /// # Errors
    /// When the system gives no timer.
    pub fn of(
        client: Arc<dyn ObjectStore>,
        variables: Variables,
        patience: Patience,
    ) -> Result<Self, CloudError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(CloudError::io("the runtime of the network"))?;
        Ok(Self { client, bucket: None, runtime, variables, patience, waiting: None })
    }

    /// The same bucket for another thread. It has connections of its own: those of this one stand still while no call of it
    /// runs.
    ///
    /// # Errors
    /// As [`Store::connect`].
    pub fn another(&self, patience: Patience) -> Result<Self, CloudError> {
        match &self.bucket {
            Some(bucket) => Self::connect(bucket, &self.variables, patience),
            None => Self::of(self.client.clone(), self.variables.clone(), patience),
        }
    }

    /// Passes a sentence to `say` when a call begins to wait for the store.
    pub fn on_waiting(&mut self, say: impl Fn(&str) + Send + Sync + 'static) {
        self.waiting = Some(Box::new(say));
    }

    /// Asks for an object; `None` if there is none.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    pub fn head(&self, at: &Location) -> Result<Option<Found>, CloudError> {
        let path = path_of(at)?;
        let found = self.retried(at, 0, || async { self.client.head(&path).await });
        match found {
            Ok(meta) => Ok(Some(found_of(&meta))),
            Err(CloudError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects below a folder, sorted by name.
    ///
    /// # Errors
    /// When the store refuses or does not answer, there are too many objects, or one has a name that cannot be that of a file.
    pub fn list(&self, folder: &Location) -> Result<Vec<Listed>, CloudError> {
        let prefix = prefix_of(folder)?;
        let metas = self.retried(folder, 0, || async {
            let mut stream = self.client.list(prefix.as_ref());
            let mut metas = Vec::new();
            while let Some(meta) = stream.next().await {
                metas.push(meta?);
                if metas.len() > MOST_OBJECTS {
                    break;
                }
            }
            Ok(metas)
        })?;
        if metas.len() > MOST_OBJECTS {
            let what = format!("it has more than {MOST_OBJECTS} objects; name a folder with fewer");
            return Err(CloudError::Content { url: folder.to_string(), what });
        }
        let mut listed = Vec::with_capacity(metas.len());
        for meta in metas {
            let key = meta.location.as_ref();
            let name = match folder.key() {
                "" => Some(key),
                folder => key.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
            };
            // Some tools put an empty object in place of a folder.
            let Some(name) = name.filter(|name| !name.is_empty()) else { continue };
            if !name.split('/').all(is_safe_name) {
                let what = format!(
                    "the object {:?} cannot be a file on this machine; rename it",
                    dermagan_base::name::start_of(name, 100)
                );
                return Err(CloudError::Content { url: folder.to_string(), what });
            }
            listed.push(Listed { name: name.to_owned(), found: found_of(&meta) });
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Whether there is any object below a folder.
    ///
    /// # Errors
    /// When the bucket is missing, or the store refuses or does not answer.
    pub fn has_any(&self, folder: &Location) -> Result<bool, CloudError> {
        let prefix = path_of(folder)?;
        self.retried(folder, 0, || async {
            self.client.list(Some(&prefix)).next().await.transpose().map(|first| first.is_some())
        })
    }

    /// The names of the folders and of the objects directly in a folder, sorted. Names that cannot be those of files are left
    /// out.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    pub fn children(&self, folder: &Location) -> Result<Vec<String>, CloudError> {
        let prefix = prefix_of(folder)?;
        let result = self.retried(folder, 0, || async {
            self.client.list_with_delimiter(prefix.as_ref()).await
        })?;
        let objects = result.objects.iter().map(|meta| &meta.location);
        let names = result.common_prefixes.iter().chain(objects).filter_map(Path::filename);
        let mut names: Vec<String> =
            names.filter(|name| is_safe_name(name)).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The bytes of a small object and its version; `None` if there is none.
    ///
    /// # Errors
    /// When the store refuses or does not answer, or the object has more than `most` bytes.
    pub fn read(&self, at: &Location, most: u64) -> Result<Option<(Vec<u8>, Version)>, CloudError> {
        let path = path_of(at)?;
        let read = self.retried(at, most, || async {
            let result = self.client.get(&path).await?;
            let version = found_of(&result.meta).version;
            let mut bytes = Vec::new();
            let mut stream = result.into_stream();
            while let Some(chunk) = stream.next().await {
                bytes.extend_from_slice(&chunk?);
                if bytes.len() as u64 > most {
                    break;
                }
            }
            Ok((bytes, version))
        });
        match read {
            Ok((bytes, _)) if bytes.len() as u64 > most => {
                let what =
                    format!("it has more than {most} bytes; it is not what is expected here");
                Err(CloudError::Content { url: at.to_string(), what })
            }
            Ok(read) => Ok(Some(read)),
            Err(CloudError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes objects to files, several at a time. `done` receives the index of each one that is complete. An object that is
    /// not the listed version any more, or has another size, is an error.
    ///
    /// # Errors
    /// When the store refuses or does not answer, an object has changed, or a file cannot be written.
    pub(crate) fn download_all(
        &self,
        wanted: &[(Location, Found, std::path::PathBuf)],
        at_once: usize,
        done: &mut dyn FnMut(usize) -> Result<(), CloudError>,
    ) -> Result<(), CloudError> {
        self.runtime.block_on(async {
            let each = wanted.iter().enumerate().map(|(index, (at, found, file))| async move {
                self.download(at, found, file).await.map(|()| index)
            });
            let mut stream = futures_util::stream::iter(each).buffer_unordered(at_once);
            while let Some(index) = stream.next().await {
                done(index?)?;
            }
            Ok(())
        })
    }

    /// Writes files as new objects, several at a time. `done` receives the index of each one, and whether it was written: an
    /// object of its name may be there already.
    ///
    /// # Errors
    /// When the store refuses or does not answer, or a file cannot be read.
    pub(crate) fn put_all_new(
        &self,
        files: &[(Location, std::path::PathBuf)],
        at_once: usize,
        done: &mut dyn FnMut(usize, bool),
    ) -> Result<(), CloudError> {
        self.runtime.block_on(async {
            let each = files.iter().enumerate().map(|(index, (at, file))| async move {
                self.put_new(at, file).await.map(|written| (index, written))
            });
            let mut stream = futures_util::stream::iter(each).buffer_unordered(at_once);
            while let Some(put) = stream.next().await {
                let (index, written) = put?;
                done(index, written);
            }
            Ok(())
        })
    }

    async fn put_new(&self, at: &Location, file: &LocalPath) -> Result<bool, CloudError> {
        let bytes = std::fs::read(file).map_err(CloudError::io(file))?;
        match self.put_in_mode(at, bytes, PutMode::Create).await {
            Ok(_) => Ok(true),
            Err(CloudError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn download(
        &self,
        at: &Location,
        found: &Found,
        file: &LocalPath,
    ) -> Result<(), CloudError> {
        let path = path_of(at)?;
        let changed = |size: u64| CloudError::Conflict {
            url: at.to_string(),
            what: format!(
                "it changed while it was read: {size} bytes, and {} were listed; run the command again",
                found.size
            ),
        };
        let received = self
            .attempts(at, found.size, || async {
                let options =
                    GetOptions { if_match: found.version.e_tag.clone(), ..GetOptions::default() };
                let result = self.client.get_opts(&path, options).await?;
                let local =
                    |error| object_store::Error::Generic { store: LOCAL, source: Box::new(error) };
                if let Some(folder) = file.parent() {
                    std::fs::create_dir_all(folder).map_err(local)?;
                }
                let mut out = std::fs::File::create(file).map_err(local)?;
                let mut received = 0;
                let mut stream = result.into_stream();
                while let Some(chunk) = stream.next().await {
                    let chunk = chunk?;
                    received += chunk.len() as u64;
                    if received > found.size {
                        break;
                    }
                    out.write_all(&chunk).map_err(local)?;
                }
                out.set_modified(UNIX_EPOCH + Duration::from_secs(found.modified))
                    .map_err(local)?;
                out.sync_all().map_err(local)?;
                Ok(received)
            })
            .await?;
        if received == found.size { Ok(()) } else { Err(changed(received)) }
    }

    /// Writes an object of at most 64 MiB. Returns its version.
    ///
    /// # Errors
    /// [`CloudError::Conflict`] when the condition does not hold; also when the store refuses or does not answer.
    pub fn put(
        &self,
        at: &Location,
        bytes: Vec<u8>,
        condition: &Condition,
    ) -> Result<Version, CloudError> {
        let mode = match condition {
            Condition::Any => PutMode::Overwrite,
            Condition::New => PutMode::Create,
            Condition::Same(version) => PutMode::Update(UpdateVersion {
                e_tag: version.e_tag.clone(),
                version: version.number.clone(),
            }),
        };
        let put = self.runtime.block_on(self.put_in_mode(at, bytes, mode))?;
        Ok(Version { e_tag: put.e_tag, number: put.version })
    }

    async fn put_in_mode(
        &self,
        at: &Location,
        bytes: Vec<u8>,
        mode: PutMode,
    ) -> Result<PutResult, CloudError> {
        let path = path_of(at)?;
        let size = bytes.len() as u64;
        let payload = PutPayload::from(bytes);
        self.attempts(at, size, || async {
            let options = PutOptions { mode: mode.clone(), ..PutOptions::default() };
            self.client.put_opts(&path, payload.clone(), options).await
        })
        .await
    }

    /// Writes a file as an object, in parts if it is large. Returns the number of bytes and their SHA-256.
    ///
    /// # Errors
    /// When the file cannot be read, or the store refuses or does not answer.
    pub(crate) fn put_whole(
        &self,
        at: &Location,
        file: &LocalPath,
    ) -> Result<(u64, String), CloudError> {
        let size = file.metadata().map_err(CloudError::io(file))?.len();
        if size <= LARGEST_PUT {
            let bytes = std::fs::read(file).map_err(CloudError::io(file))?;
            let (size, sha256) = (bytes.len() as u64, sha256(&bytes));
            self.put(at, bytes, &Condition::Any)?;
            return Ok((size, sha256));
        }
        let path = path_of(at)?;
        let mut upload =
            self.retried(at, 0, || async { self.client.put_multipart(&path).await })?;
        let sent = self.send_parts(at, file, &mut *upload);
        if sent.is_err() {
            // The store would keep the parts.
            let _ = self.runtime.block_on(tokio::time::timeout(BASE_TIME, upload.abort()));
        }
        sent
    }

    fn send_parts(
        &self,
        at: &Location,
        file: &LocalPath,
        upload: &mut dyn MultipartUpload,
    ) -> Result<(u64, String), CloudError> {
        let mut input = std::fs::File::open(file).map_err(CloudError::io(file))?;
        let (mut size, mut hasher) = (0, Sha256::new());
        loop {
            let mut part = Vec::with_capacity(PART);
            let most = (&mut input).take(PART as u64);
            std::io::copy(&mut { most }, &mut part).map_err(CloudError::io(file))?;
            if part.is_empty() {
                break;
            }
            size += part.len() as u64;
            hasher.update(&part);
            // A part that failed would be numbered anew, so a failure ends the upload.
            let sent = upload.put_part(PutPayload::from(part));
            self.once(at, PART as u64, sent)?;
        }
        self.once(at, 0, upload.complete())?;
        Ok((size, dermagan_base::hex(&hasher.finalize())))
    }

    /// Removes an object. It is no error if there is none.
    ///
    /// # Errors
    /// When the store refuses or does not answer.
    pub fn delete(&self, at: &Location) -> Result<(), CloudError> {
        let path = path_of(at)?;
        match self.retried(at, 0, || async { self.client.delete(&path).await }) {
            Err(CloudError::Missing { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Calls `request` until it succeeds, fails for good, or the patience ends.
    fn retried<T, F>(
        &self,
        at: &Location,
        size: u64,
        request: impl Fn() -> F,
    ) -> Result<T, CloudError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        self.runtime.block_on(self.attempts(at, size, request))
    }

    fn once<T>(
        &self,
        at: &Location,
        size: u64,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, CloudError> {
        // Without a runtime there is no timer, so the limit is set inside of it.
        self.runtime.block_on(async { self.timed(at, size, request, 1).await })
    }

    /// Waits for a request within the time that its size allows. `tries` counts it, for the error.
    async fn timed<T>(
        &self,
        at: &Location,
        size: u64,
        request: impl Future<Output = object_store::Result<T>>,
        tries: u32,
    ) -> Result<T, CloudError> {
        match tokio::time::timeout(limit(size), request).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(error_of(&self.variables, at, error, tries)),
            Err(_) => Err(away(&self.variables, at, "no answer in time".to_owned(), tries)),
        }
    }

    async fn attempts<T, F>(
        &self,
        at: &Location,
        size: u64,
        request: impl Fn() -> F,
    ) -> Result<T, CloudError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let start = Instant::now();
        let mut failures = 0;
        loop {
            failures += 1;
            let error = match self.timed(at, size, request(), failures).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let pause = self.patience.pause(failures);
            if !error.may_pass() || start.elapsed() + pause > self.patience.total {
                return Err(error);
            }
            if failures == 1
                && let Some(say) = &self.waiting
            {
                let left = self.patience.total.as_secs();
                say(&format!("{error}; trying again for {left} s"));
            }
            tokio::time::sleep(pause).await;
        }
    }
}

fn limit(size: u64) -> Duration {
    BASE_TIME + Duration::from_secs(size / SLOWEST)
}

/// The path of a folder; `None` for the bucket itself.
fn prefix_of(folder: &Location) -> Result<Option<Path>, CloudError> {
    (!folder.key().is_empty()).then(|| path_of(folder)).transpose()
}

fn path_of(at: &Location) -> Result<Path, CloudError> {
    if at.key().is_empty() {
        let problem = "expected an object or a folder in this bucket, such as s3://bucket/folder";
        return Err(CloudError::Url { url: at.to_string(), problem: problem.to_owned() });
    }
    Path::parse(at.key()).map_err(|error| CloudError::Url {
        url: at.to_string(),
        problem: dermagan_base::quoted(error),
    })
}

fn found_of(meta: &object_store::ObjectMeta) -> Found {
    let version = Version { e_tag: meta.e_tag.clone(), number: meta.version.clone() };
    let modified = u64::try_from(meta.last_modified.timestamp()).unwrap_or(0);
    Found { size: meta.size, modified, version }
}

/// The SHA-256 of bytes in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    dermagan_base::hex(&Sha256::digest(bytes))
}
