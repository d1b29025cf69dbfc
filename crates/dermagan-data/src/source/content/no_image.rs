//! Files that are named like an image and hold something else: a server's answer, a pointer, another format.

use crate::source::problem::ProblemKind;

/// Most bytes that are looked at.
const LOOK: usize = 4096;
/// Most characters of a text that are quoted.
const QUOTE: usize = 40;

/// What the bytes of a file that is no image are, with what to do; `None` if they are not known.
pub(crate) fn explain(bytes: &[u8]) -> Option<(ProblemKind, String)> {
    use ProblemKind::{NotDownloaded, Truncated, Undecodable};
    if bytes.iter().all(|&byte| byte == 0) {
        let what = "only zero bytes: copy or download it again".to_owned();
        return Some((Truncated, what));
    }
    if let Some(what) = other_format(bytes) {
        return Some((
            Undecodable,
            format!("{what}, which is not read: convert it to PNG or JPEG"),
        ));
    }
    let text = text(bytes)?;
    // The first bytes of an image that was cut.
    if ["RIFF", "GIF8", "BM"].iter().any(|sign| text.starts_with(sign)) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let pointer = |what: &str, command: &str| {
        Some((NotDownloaded, format!("a {what} pointer: run `{command}` where the files are from")))
    };
    if lower.starts_with("version https://git-lfs.github.com/") {
        return pointer("Git LFS", "git lfs pull");
    }
    if lower.contains("/annex/objects/") && text.lines().count() <= 2 {
        return pointer("git-annex", "git annex get .");
    }
    if lower.contains("<svg") {
        let what = "an SVG drawing, which is not read: convert it to PNG".to_owned();
        return Some((Undecodable, what));
    }
    let html = ["<!doctype html", "<html", "<head", "<body", "<title", "<script"];
    let what = if html.iter().any(|tag| lower.contains(tag)) {
        "an HTML page"
    } else if text.starts_with('<') {
        "an XML answer of a server"
    } else if text.starts_with(['{', '[']) {
        "a JSON answer of a server"
    } else {
        "text"
    };
    let quote = quote(text, &lower);
    Some((NotDownloaded, format!("{what}{quote}: download the image again")))
}

/// The name of a format that has a signature of its own and is no image that the decoder reads.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    let at = |start: usize, sign: &[u8]| bytes.get(start..).is_some_and(|b| b.starts_with(sign));
    if at(4, b"ftyp") {
        let brand = bytes.get(8..12)?;
        return Some(match brand {
            b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1" => "a HEIC image",
            b"avif" | b"avis" => "an AVIF image",
            _ => "a video",
        });
    }
    let signs: [(usize, &[u8], &str); 10] = [
        (128, b"DICM", "a DICOM file"),
        (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
        (0, b"\xff\x0a", "a JPEG XL image"),
        (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
        (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
        (0, b"%PDF", "a PDF file"),
        (0, b"PK\x03\x04", "a zip"),
        (0, b"\x1f\x8b", "a gzip file"),
        (0, b"8BPS", "a Photoshop file"),
        (0, b"\x89HDF", "an HDF5 file"),
    ];
    signs.iter().find(|(start, sign, _)| at(*start, sign)).map(|&(_, _, name)| name)
}

/// The beginning of a file that is text: valid UTF-8 without control characters.
fn text(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(LOOK)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut by the limit, but by nothing else.
        Err(e) if e.error_len().is_none() && bytes.len() > LOOK => {
            std::str::from_utf8(&head[..e.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    let plain = text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace());
    (plain && !text.is_empty()).then_some(text)
}

/// The words of a text that say most: the title of a page, the message of an answer, else its beginning.
fn quote(text: &str, lower: &str) -> String {
    let inside = |tag: &str| {
        // ASCII lower case keeps the positions of all bytes.
        let start = lower.find(&format!("<{tag}>"))? + tag.len() + 2;
        let end = start + lower[start..].find("</")?;
        text.get(start..end)
    };
    let words = inside("title").or_else(|| inside("message")).or_else(|| inside("code"));
    let words = match words {
        Some(words) => words,
        None if text.starts_with('<') => return String::new(),
        None => text,
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    let words = words.join(" ");
    let short: String = words.chars().take(QUOTE).collect();
    let more = if short.len() < words.len() { "…" } else { "" };
    if short.is_empty() { short } else { format!(" (“{short}{more}”)") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &[u8]) -> String {
        let (kind, what) = explain(bytes).unwrap();
        format!("{kind:?} {what}")
    }

    #[test]
    fn answers_of_servers_are_named_with_their_words() {
        let xml = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code>\
            <Message>Access Denied</Message></Error>";
        assert_eq!(
            said(xml),
            "NotDownloaded an XML answer of a server (“Access Denied”): download the image again"
        );
        assert_eq!(
            said("\u{feff} \n<!DOCTYPE html><html><head><title>Google Drive - Quota\n exceeded</title>".as_bytes()),
            "NotDownloaded an HTML page (“Google Drive - Quota exceeded”): download the image again"
        );
        assert_eq!(
            said(b"<!DOCTYPE html><html>Quota exceeded</html>"),
            "NotDownloaded an HTML page: download the image again"
        );
        assert_eq!(
            said(b"{\"detail\": \"Not found.\"}"),
            "NotDownloaded a JSON answer of a server (“{\"detail\": \"Not found.\"}”): download the image again"
        );
        assert_eq!(
            said(b"Access denied\n"),
            "NotDownloaded text (“Access denied”): download the image again"
        );
    }

    #[test]
    fn pointers_are_named_with_their_command() {
        let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 270112\n";
        assert!(said(lfs).contains("NotDownloaded a Git LFS pointer: run `git lfs pull`"));
        let annex = b"/annex/objects/SHA256E-s27--ab.jpg\n";
        assert!(said(annex).contains("NotDownloaded a git-annex pointer: run `git annex get .`"));
    }

    #[test]
    fn other_formats_are_named_and_unknown_bytes_are_not_guessed() {
        assert!(said(b"\0\0\0\x18ftypheic\0\0\0\0").starts_with("Undecodable a HEIC image"));
        let dicom = [vec![0; 128], b"DICM\x02\0".to_vec()].concat();
        assert!(said(&dicom).starts_with("Undecodable a DICOM file"));
        assert!(said(b"<?xml version='1.0'?><svg/>").starts_with("Undecodable an SVG drawing"));
        assert_eq!(said(&[0; 70]), "Truncated only zero bytes: copy or download it again");
        assert_eq!(explain(&[1, 2, 3, 200]), None);
        assert_eq!(explain(b"text and then \x00\x01"), None);
    }

    #[test]
    fn a_long_text_may_be_cut_inside_a_character() {
        let long = format!("<html>{}", "é".repeat(LOOK));
        assert!(said(long.as_bytes()).contains("an HTML page"));
        assert_eq!(explain(&long.as_bytes()[..LOOK - 1]), None);
    }
}
