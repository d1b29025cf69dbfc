//! Names from files that others wrote: of classes, of data.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

/// What a name has to be, for messages that refuse one.
pub const RULE: &str = "up to 100 bytes of letters, digits and the like, without / \\ : * ? \" < > | and no . - = + @ first";

/// Whether a name may become part of a file's name and be shown on a terminal: it is [`RULE`]'s, and so
/// cannot lead out of a folder, clear a screen or be too long for a file.
///
/// A model's card and a cache's header say how classes are called, and `sample` names its images by
/// them.
pub fn is_plain(name: &str) -> bool {
    let forbidden = |c: char| !is_shown(c) || "/\\:*?\"<>|\n\t".contains(c);
    name.len() <= 100
        && !name.trim().is_empty()
        && !name.starts_with(['.', '-', '=', '+', '@', ' '])
        && !name.ends_with(['.', ' '])
        && !name.contains(forbidden)
}

/// The first of these names that came before, in whatever letters: one of them could not be asked for.
pub fn twice(names: &[String]) -> Option<&String> {
    let mut seen = BTreeSet::new();
    names.iter().find(|name| !seen.insert(name.to_lowercase()))
}

/// Whether a character shows itself and does nothing else: one that clears a terminal, moves on it, turns the
/// direction of writing or is not seen at all does not. A line's end and a tab pass.
pub fn is_shown(c: char) -> bool {
    let unseen = matches!(
        c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    );
    matches!(c, '\n' | '\t') || !(c.is_control() || unseen)
}

/// Letters and digits that any folder on any system may be called by, of somebody's `text`: at most 40, with
/// `-` for others, and `none` where nothing is left.
pub fn shortened(text: &str, none: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let short: String = text.chars().map(plain).take(40).collect();
    let short = short.trim_matches('-');
    if short.is_empty() { none.to_owned() } else { short.to_owned() }
}

/// The beginning of a text that somebody else wrote, for an error to repeat: at most so many letters, and a sign
/// where there are more.
pub fn start_of(text: &str, letters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// Whether a file's name has an ending, in whatever letters.
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
    fn names_in_other_letters_are_the_same() {
        let names = |all: [&str; 3]| all.map(str::to_owned);
        assert_eq!(twice(&names(["nv", "mel", "NV"])).map(String::as_str), Some("NV"));
        assert_eq!(twice(&names(["nv", "mel", "nv2"])), None);
    }

    #[test]
    fn a_long_text_is_repeated_by_its_beginning() {
        assert_eq!(start_of("nævus", 5), "nævus");
        assert_eq!(start_of("nævus", 2), "næ…");
    }

    #[test]
    fn names_that_lead_elsewhere_or_do_things_are_not() {
        let long = "x".repeat(101);
        let turned = "a\u{202e}b";
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
            turned,
            &long,
        ] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
