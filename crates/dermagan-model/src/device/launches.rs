//! The number of kernels launched on GPUs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cubecl_runtime::logging::{LaunchObservation, LaunchObserver};

#[derive(Default)]
struct Observer(Mutex<BTreeMap<&'static str, u64>>);

impl LaunchObserver for Observer {
    fn launched(&self, kernel: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kernel).or_default() += 1;
    }
}

/// Counts the kernels that this process launches on any device, for as long as it is alive.
pub struct Launches {
    observer: Arc<Observer>,
    _observation: LaunchObservation,
}

impl Launches {
    /// Starts counting. Only one counter works at a time: a second one replaces the first.
    #[expect(clippy::new_without_default, reason = "it changes the process")]
    pub fn new() -> Self {
        let observer = Arc::new(Observer::default());
        Self { _observation: LaunchObservation::new(observer.clone()), observer }
    }

    /// The number of launches per kernel name, most frequent first.
    pub fn so_far(&self) -> Vec<(String, u64)> {
        let counts = self.observer.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
        for (name, n) in counts.iter() {
            *by_name.entry(short(name)).or_default() += n;
        }
        let mut counts: Vec<_> = by_name.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts
    }
}

/// The name of a kernel's type and its first type parameter, without paths: `KernelBinop AddOp` says more
/// than `KernelBinop`.
fn short(name: &str) -> String {
    let mut words: Vec<&str> = name
        .split(['<', '>', ',', ' '])
        .filter(|word| !word.is_empty())
        .map(|word| word.rsplit("::").next().unwrap_or(word))
        .filter(|word| !matches!(*word, "f32" | "i32" | "u32" | "f16" | "Kernel"))
        .collect();
    words.truncate(2);
    words.join(" ")
}
