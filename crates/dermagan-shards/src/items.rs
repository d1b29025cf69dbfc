//! The file of a shard's items: a mark of eight bytes, then for each item its number, its length in bytes and its bytes. Numbers
//! are 64 bits, little-endian.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use dermagan_base::hex;
use sha2::{Digest, Sha256};

use crate::error::ShardError;

/// The first bytes of the file.
pub(crate) const MARK: [u8; 8] = *b"DGSHARD1";
/// The largest item in bytes. The largest one that a command writes is a prepared image of 2048×2048 pixels.
pub(crate) const LARGEST: u64 = 1 << 26;

/// Writes the items one after another.
pub(crate) struct ItemWriter<W: Write> {
    to: W,
    hash: Sha256,
    pub items: u64,
    pub bytes: u64,
}

impl<W: Write> ItemWriter<W> {
    pub fn new(to: W) -> std::io::Result<Self> {
        let mut writer = Self { to, hash: Sha256::new(), items: 0, bytes: 0 };
        writer.write(&MARK)?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    pub fn put(&mut self, item: u64, bytes: &[u8]) -> std::io::Result<()> {
        if bytes.len() as u64 > LARGEST {
            return Err(std::io::Error::other(format!("item {item} has {} bytes", bytes.len())));
        }
        self.write(&item.to_le_bytes())?;
        self.write(&(bytes.len() as u64).to_le_bytes())?;
        self.write(bytes)?;
        self.items += 1;
        Ok(())
    }

    /// Gives the SHA-256 of everything that was written.
    pub fn finish(mut self) -> std::io::Result<String> {
        self.to.flush()?;
        Ok(hex(&self.hash.finalize()))
    }
}

/// Where an item's bytes are in the file.
pub(crate) type Place = (u64, u64);

/// What a file of items holds.
pub(crate) struct Scanned {
    pub places: HashMap<u64, Place>,
    pub sha256: String,
    /// The length of the file.
    pub bytes: u64,
}

/// Reads the file once. Memory is that of the places.
///
/// # Errors
/// [`ShardError::Damaged`] if there is no such file, or it is no file of items, ends early, or names an item twice;
/// [`ShardError::Io`] if the system refuses to read.
pub(crate) fn scan(path: &Path) -> Result<Scanned, ShardError> {
    let io = |error| ShardError::io(path)(error);
    let bad = |problem: &str| ShardError::damaged(path, problem);
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(bad("the items of this shard are missing"));
        }
        // A pipe would be waited for.
        found => {
            if !found.map_err(io)?.is_file() {
                return Err(bad("this is no file"));
            }
        }
    }
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut reader = Hashing { from: BufReader::with_capacity(1 << 20, file), hash: Sha256::new() };
    let mut mark = [0; MARK.len()];
    reader.fill(&mut mark).map_err(|_| bad("this is no file of a shard"))?;
    if mark != MARK {
        return Err(bad("this is no file of a shard"));
    }
    let mut at = MARK.len() as u64;
    let mut places = HashMap::new();
    let mut buffer = vec![0; 1 << 16];
    while at < length {
        let mut head = [0; 16];
        reader.fill(&mut head).map_err(|_| bad("it ends in the middle of an item"))?;
        let word = |i: usize| u64::from_le_bytes(head[i..i + 8].try_into().unwrap_or_default());
        let (item, size) = (word(0), word(8));
        at += 16;
        if size > LARGEST || size > length - at {
            return Err(bad("it ends in the middle of an item"));
        }
        if places.insert(item, (at, size)).is_some() {
            return Err(bad(&format!("it has item {item} twice")));
        }
        let mut left = size as usize;
        while left > 0 {
            let some = left.min(buffer.len());
            reader.fill(&mut buffer[..some]).map_err(io)?;
            left -= some;
        }
        at += size;
    }
    Ok(Scanned { places, sha256: hex(&reader.hash.finalize()), bytes: length })
}

/// Reads the bytes at a place.
pub(crate) fn read_at(file: &mut File, (at, size): Place) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![0; size as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

struct Hashing<R> {
    from: R,
    hash: Sha256,
}

impl<R: Read> Hashing<R> {
    fn fill(&mut self, buffer: &mut [u8]) -> std::io::Result<()> {
        self.from.read_exact(buffer)?;
        self.hash.update(&*buffer);
        Ok(())
    }
}
