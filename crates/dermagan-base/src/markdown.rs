//! Text and licences in the cards of models and data sets on Hugging Face.

use crate::name::{is_shown, shortened};

/// Licences by their usual name and by the identifier of Hugging Face
/// ([list](https://huggingface.co/docs/hub/repositories-licenses)).
const LICENCES: [(&str, &str); 12] = [
    ("CC0 1.0", "cc0-1.0"),
    ("CC0", "cc0-1.0"),
    ("CC BY 4.0", "cc-by-4.0"),
    ("CC BY 3.0", "cc-by-3.0"),
    ("CC BY-SA 4.0", "cc-by-sa-4.0"),
    ("CC BY-SA 3.0", "cc-by-sa-3.0"),
    ("CC BY-NC 4.0", "cc-by-nc-4.0"),
    ("CC BY-NC 3.0", "cc-by-nc-3.0"),
    ("CC BY-NC-SA 4.0", "cc-by-nc-sa-4.0"),
    ("CC BY-NC-ND 4.0", "cc-by-nc-nd-4.0"),
    ("CC BY-ND 4.0", "cc-by-nd-4.0"),
    ("MIT", "mit"),
];

/// The lines of a card's YAML for a licence. Another licence than the known ones is `other`, with a name of lower-case
/// letters, digits and dashes; an empty or unknown one is `unknown`.
pub fn licence_yaml(licence: &str) -> String {
    let licence = licence.trim();
    let dashes = |text: &str| text.replace(['-', ' ', '_'], "").to_lowercase();
    if licence.is_empty() || licence == "unknown" {
        return "license: unknown".to_owned();
    }
    match LICENCES.iter().find(|(name, _)| dashes(name) == dashes(licence)) {
        Some((_, id)) => format!("license: {id}"),
        None => {
            let name = shortened(licence, "unknown").to_lowercase().replace('_', "-");
            format!("license: other\nlicense_name: \"{name}\"")
        }
    }
}

/// A text on one line, without the characters that mean something in Markdown or HTML.
pub fn plain_markdown(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars().filter(|c| is_shown(*c)) {
        match c {
            '\n' | '\t' => plain.push(' '),
            c if "\\`*_{}[]<>#|&!~".contains(c) => plain.extend(['\\', c]),
            c => plain.push(c),
        }
    }
    plain
}

/// The sentence about how to cite the data of this name; `None` for data whose source is not known.
pub fn citation_of(data: &str) -> Option<&'static str> {
    data.to_lowercase().contains("ham10000").then_some(
        "HAM10000 is by Tschandl, Rosendahl and Kittler (2018); please cite https://doi.org/10.7910/DVN/DBW86T.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_licence_has_its_identifier_and_another_one_a_name() {
        assert_eq!(licence_yaml("CC BY-NC 4.0"), "license: cc-by-nc-4.0");
        assert_eq!(licence_yaml("cc-by-nc-4.0"), "license: cc-by-nc-4.0");
        assert_eq!(licence_yaml("CC0-1.0"), "license: cc0-1.0");
        assert_eq!(licence_yaml("unknown"), "license: unknown");
        let hostile = licence_yaml("x\n---\ntags: [evil]");
        assert_eq!(hostile, "license: other\nlicense_name: \"x-----tags---evil\"");
    }

    #[test]
    fn a_text_cannot_add_lines_or_markup() {
        assert_eq!(plain_markdown("CC BY-NC 4.0"), "CC BY-NC 4.0");
        assert_eq!(plain_markdown("a\n# <b>|\u{7f}~"), "a \\# \\<b\\>\\|\\~");
    }
}
