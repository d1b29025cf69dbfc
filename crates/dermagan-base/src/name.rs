//! Names of classes and data sets, from files that others wrote.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

/// The rule for a name, for messages that refuse one.
pub const RULE: &str = "up to 100 bytes of printable characters, without / \\ : * ? \" < > | and without . - = + @ as the first";

/// Whether a name follows [`RULE`], so that it may become part of a file name and appear on a
/// terminal: it cannot lead out of a folder, clear a screen, or be too long for a file name.
///
/// The card of a model and the header of a cache contain the names of classes, and the files of
/// generated images are named after classes.
pub fn is_plain(name: &str) -> bool {
    let forbidden = |c: char| !is_shown(c) || "/\\:*?\"<>|\n\t".contains(c);
    name.len() <= 100
        && !name.trim().is_empty()
        && !name.starts_with(['.', '-', '=', '+', '@', ' '])
        && !name.ends_with(['.', ' '])
        && !name.contains(forbidden)
}

/// The first name that equals an earlier one, without regard to case. One of the two could never be
/// selected.
pub fn twice(names: &[String]) -> Option<&String> {
    let mut seen = BTreeSet::new();
    names.iter().find(|name| !seen.insert(name.to_lowercase()))
}

/// Files that systems put into folders on their own.
pub const OF_SYSTEMS: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];

/// The code of the only class of images for which nothing gives a class.
pub const UNLABELLED: &str = "unlabelled";

/// Whether a character is printable and has no other effect. False for characters that clear a
/// terminal, move its cursor or change the direction of writing, and for invisible ones. True for a
/// line feed and a tab.
pub fn is_shown(c: char) -> bool {
    let unseen = matches!(
        c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    );
    matches!(c, '\n' | '\t') || !(c.is_control() || unseen)
}

/// A folder name for any system, made from `text`: its first 40 characters, with `-` in place of
/// everything but ASCII letters, digits and `_`, and without `-` at either end. If nothing is left, the
/// name is `none`.
pub fn shortened(text: &str, none: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let short: String = text.chars().map(plain).take(40).collect();
    let short = short.trim_matches('-');
    if short.is_empty() { none.to_owned() } else { short.to_owned() }
}

/// The beginning of a text that someone else wrote, for an error message to quote: at most
/// `characters` characters, and `…` if the text has more.
pub fn start_of(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// Whether a file name has the extension `ending` (without its dot), without regard to case.
pub fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_diagnoses_are_plain() {
        for name in
            ["nv", "Basal cell carcinoma", "Bowen's disease (in situ)", "naevus, blue", "母斑"]
        {
            assert!(is_plain(name), "{name}");
        }
    }

    #[test]
    fn names_that_differ_in_case_are_the_same() {
        let names = |all: [&str; 3]| all.map(str::to_owned);
        assert_eq!(twice(&names(["nv", "mel", "NV"])).map(String::as_str), Some("NV"));
        assert_eq!(twice(&names(["nv", "mel", "nv2"])), None);
    }

    #[test]
    fn a_long_text_is_cut_at_a_number_of_characters() {
        assert_eq!(start_of("nævus", 5), "nævus");
        assert_eq!(start_of("nævus", 2), "næ…");
    }

    #[test]
    fn names_that_leave_a_folder_or_control_a_terminal_are_not_plain() {
        let long = "x".repeat(101);
        let reversed = "a\u{202e}b";
        for name in [
            "",
            " ",
            ".x",
            "-rf",
            "=1+1",
            "a ",
            "b.",
            "a\u{61c}b",
            "/etc/x",
            "a/../b",
            "..\\x",
            "c:x",
            "a\nb",
            "\x1b[2J",
            "a\0",
            reversed,
            &long,
        ] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
