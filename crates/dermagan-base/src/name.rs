//! Names from files that others wrote: of classes, of data.

/// What a name has to be, for messages that refuse one.
pub const RULE: &str = "1 to 64 letters, digits and the like, without / \\ : * ? \" < > |";

/// Whether a name may become part of a file's name and be shown on a terminal: it is [`RULE`]'s, and so
/// cannot lead out of a folder, clear a screen or be too long for a file.
///
/// A model's card and a cache's header say how classes are called, and `sample` names its pictures by
/// them.
pub fn is_plain(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    (1..=64).contains(&name.chars().count()) && !name.trim().is_empty() && !name.contains(forbidden)
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
    fn names_that_lead_elsewhere_or_do_things_are_not() {
        let long = "x".repeat(65);
        for name in ["", " ", "/etc/x", "a/../b", "..\\x", "c:x", "a\nb", "\x1b[2J", "a\0", &long] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
