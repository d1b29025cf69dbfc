//! The members of a group, as one of them sees them.

/// The processes that train one run together, as one of them sees them.
///
/// All members call the same methods in the same order. A call returns as soon as the other members that it needs have
/// taken part, and waits for as long as that takes. No call returns an error: whoever starts the processes must end all
/// of them when one is lost, as `mpirun` does.
pub trait Group: Send + Sync {
    /// Number of this member, from 0. Member 0 leads: it writes the run's folder.
    fn rank(&self) -> usize;

    /// Number of members.
    fn size(&self) -> usize;

    /// Sends `send` to the member `with` and receives what that member sends in the same call. Both slices have the same
    /// length, and so have those of the other member.
    fn exchange(&self, with: usize, send: &[u8], receive: &mut [u8]);

    /// Copies the `bytes` of the member `from` to all members.
    fn broadcast(&self, from: usize, bytes: &mut Vec<u8>);
}

/// A group of one process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Group for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn exchange(&self, _with: usize, send: &[u8], receive: &mut [u8]) {
        receive.copy_from_slice(send);
    }

    fn broadcast(&self, _from: usize, _bytes: &mut Vec<u8>) {}
}
