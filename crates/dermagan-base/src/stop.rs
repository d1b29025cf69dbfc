//! A request to stop, for long work that has no other way to hear of it.
//!
//! A notebook must be able to interrupt work that prepares, samples or measures thousands of images. A caller runs such
//! work in [`run_until`]; its loops ask [`stop_requested`] between images. The request belongs to the thread, so that no
//! function in between has to pass it on, and so that it stops no other call. A run of training has a flag of its own,
//! because it first writes a checkpoint.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    static FLAG: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

/// Runs `work` in this thread. When another thread sets `flag`, the work ends early with an error of its crate.
pub fn run_until<T>(flag: &Arc<AtomicBool>, work: impl FnOnce() -> T) -> T {
    struct Before(Option<Arc<AtomicBool>>);
    impl Drop for Before {
        fn drop(&mut self) {
            FLAG.set(self.0.take());
        }
    }
    let _before = Before(FLAG.replace(Some(flag.clone())));
    work()
}

/// Whether the work of this thread is to end.
pub fn stop_requested() -> bool {
    FLAG.with_borrow(|flag| flag.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reaches_the_work_of_its_thread_alone_and_ends_with_it() {
        let flag = Arc::new(AtomicBool::new(false));
        let seen = run_until(&flag, || {
            let before = stop_requested();
            flag.store(true, Ordering::Relaxed);
            let elsewhere = std::thread::scope(|s| s.spawn(stop_requested).join().unwrap());
            (before, stop_requested(), elsewhere)
        });
        assert_eq!(seen, (false, true, false));
        assert!(!stop_requested());
    }
}
