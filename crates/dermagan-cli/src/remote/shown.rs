//! URLs in place of the local folders that stand for them, in everything that the user reads.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

/// Beginnings of local paths with the URLs that they stand for.
static STAND_INS: RwLock<Vec<(String, String)>> = RwLock::new(Vec::new());

/// A text with URLs in place of the local paths that stand for them.
pub fn with_urls(words: &str) -> Cow<'_, str> {
    let known = STAND_INS.read().unwrap_or_else(PoisonError::into_inner);
    known.iter().fold(Cow::Borrowed(words), |words, (local, url)| {
        if words.contains(local) { words.replace(local, url).into() } else { words }
    })
}

/// From now on `url` is shown in place of `local`, which is the beginning of a path.
#[cfg(feature = "cloud")]
pub fn stand_in(local: String, url: String) {
    let mut known = STAND_INS.write().unwrap_or_else(PoisonError::into_inner);
    known.push((local, url));
}

/// From now on local paths are shown: the user must find them.
#[cfg(feature = "cloud")]
pub fn show_local() {
    STAND_INS.write().unwrap_or_else(PoisonError::into_inner).clear();
}
