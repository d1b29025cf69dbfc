//! Values between host and device, counted: what a step moves decides how fast a GPU can be.

use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::kind::Basic;
use burn::tensor::{Tensor, TensorCreationOptions, TensorData};

static UPLOADS: AtomicU64 = AtomicU64::new(0);
static BYTES_UP: AtomicU64 = AtomicU64::new(0);
static READS: AtomicU64 = AtomicU64::new(0);
static BYTES_DOWN: AtomicU64 = AtomicU64::new(0);

/// What this process has moved between host and devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Tensors made from values of the host.
    pub uploads: u64,
    /// Their bytes.
    pub bytes_up: u64,
    /// Tensors read back. Each makes the host wait until the device has computed it.
    pub reads: u64,
    /// Their bytes.
    pub bytes_down: u64,
}

impl Transfers {
    /// Everything so far.
    pub fn so_far() -> Self {
        let [uploads, bytes_up, reads, bytes_down] =
            [&UPLOADS, &BYTES_UP, &READS, &BYTES_DOWN].map(|n| n.load(Ordering::Relaxed));
        Self { uploads, bytes_up, reads, bytes_down }
    }

    /// What came on top of `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            uploads: self.uploads - before.uploads,
            bytes_up: self.bytes_up - before.bytes_up,
            reads: self.reads - before.reads,
            bytes_down: self.bytes_down - before.bytes_down,
        }
    }
}

/// Values of the host as a tensor of a device and number format.
pub fn upload<const D: usize, K: Basic>(
    data: TensorData,
    to: impl Into<TensorCreationOptions>,
) -> Tensor<D, K> {
    let tensor = Tensor::from_data(data, to);
    UPLOADS.fetch_add(1, Ordering::Relaxed);
    BYTES_UP.fetch_add(bytes(&tensor), Ordering::Relaxed);
    tensor
}

/// A tensor's values on the host; waits for the device.
pub fn read<const D: usize, K: Basic>(tensor: Tensor<D, K>) -> TensorData {
    READS.fetch_add(1, Ordering::Relaxed);
    BYTES_DOWN.fetch_add(bytes(&tensor), Ordering::Relaxed);
    tensor.into_data()
}

fn bytes<const D: usize, K: Basic>(tensor: &Tensor<D, K>) -> u64 {
    (tensor.shape().num_elements() * tensor.dtype().size()) as u64
}
