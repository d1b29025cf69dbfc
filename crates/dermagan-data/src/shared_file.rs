//! A file that many threads read at once, each at its own position, without a lock and without a memory map (whose
//! pages would count as memory of this process: 2.7 GB for the full archive).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

/// A window of a file, with its own position. Clones share the file, not the position.
#[derive(Clone, Debug)]
pub(crate) struct SharedFile {
    file: Arc<File>,
    start: u64,
    length: u64,
    position: u64,
}

impl SharedFile {
    /// A window of the whole file.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), start: 0, length, position: 0 })
    }

    /// The `length` bytes from `start` as a file, for a zip stored inside a zip.
    pub(crate) fn window(&self, start: u64, length: u64) -> Self {
        let start = start.min(self.length);
        let length = length.min(self.length - start);
        Self { file: self.file.clone(), start: self.start + start, length, position: 0 }
    }

    /// Reads at an offset in the whole file, without moving a position.
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&*self.file, buffer, offset)
    }

    /// Reads at an offset in the whole file.
    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, offset)
    }
}

impl Read for SharedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self.read_at(&mut buffer[..wanted], self.start + self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
