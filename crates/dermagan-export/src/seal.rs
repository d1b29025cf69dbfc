//! Texts that end with a digest of themselves.
//!
//! People edit a README or a Python file after it was written. The digest tells such a file, which must not be replaced,
//! from one that is as dermagan wrote it, whatever the version was.

use dermagan_base::hex;
use sha2::{Digest, Sha256};

/// The words before the digest.
const WORDS: &str = "written by dermagan; SHA-256 of the text above: ";

/// A text with a last line that holds its digest, between `open` and `close`, which make the line a comment.
pub(crate) fn sealed(text: &str, open: &str, close: &str) -> String {
    let digest = hex(&Sha256::digest(text.as_bytes()));
    format!("{text}{open}{WORDS}{digest}{close}\n")
}

/// Whether a text is as [`sealed`] made it.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else { return false };
    let Some(line) = text.strip_suffix('\n').and_then(|text| text.rfind('\n')) else {
        return false;
    };
    let (above, last) = text.split_at(line + 1);
    let Some((_, found)) = last.split_once(WORDS) else { return false };
    found.starts_with(&hex(&Sha256::digest(above.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edited_text_is_told_from_one_that_was_not() {
        let text = sealed("a\nb\n", "<!-- ", " -->");
        assert!(text.starts_with("a\nb\n<!-- written by dermagan") && text.ends_with(" -->\n"));
        assert!(is_sealed(text.as_bytes()));
        assert!(is_sealed(sealed("x\n", "# ", "").as_bytes()));
        for other in [text.replace('b', "c"), text.clone() + "more\n", String::new(), "x\n".into()]
        {
            assert!(!is_sealed(other.as_bytes()), "{other}");
        }
        assert!(!is_sealed(b"\xff\n\xff\n"));
    }
}
