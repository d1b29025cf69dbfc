//! The `README.md` of a set: a dataset card, as [Hugging Face](https://huggingface.co/docs/hub/datasets-cards) reads it.

use std::fmt::Write;

use dermagan_base::{licence_yaml, plain_markdown, producer};

use crate::format::Format;
use crate::set::{Set, json_text};

/// The name of the card.
pub(crate) const CARD: &str = "README.md";
/// The words by which a card of this program is known.
pub(crate) const MARK: &str = "<!-- Written by dermagan";

/// The pattern of the files of a part, for the key `configs` of the card.
pub(crate) type Pattern<'a> = &'a dyn Fn(&str) -> String;

/// What a card says about files.
pub(crate) struct Files<'a> {
    /// Their format.
    pub(crate) format: Format,
    /// The pattern of the files of a part. Without it the card names none.
    pub(crate) pattern: Option<Pattern<'a>>,
    /// The types of the columns, as lines of YAML below `features`. Without them a reader finds the types itself.
    pub(crate) features: String,
}

impl<'a> Files<'a> {
    /// Files whose types a reader finds itself.
    pub(crate) fn new(format: Format, pattern: Option<Pattern<'a>>) -> Self {
        Self { format, pattern, features: String::new() }
    }
}

/// The text of the card. It differs between any two sets, and between two formats.
pub(crate) fn card(set: &Set, files: &Files<'_>) -> String {
    let mut text = String::from("---\n");
    let _ = writeln!(text, "{}", licence_yaml(&set.licence));
    let _ = writeln!(text, "pretty_name: {}", json_text(&set.title));
    text += match set.synthetic {
        true => "tags:\n- synthetic\n- dermatoscopy\n",
        false => "tags:\n- dermatoscopy\n",
    };
    if !files.features.is_empty() {
        let _ = write!(text, "dataset_info:\n  features:\n{}", files.features);
    }
    if let Some(pattern) = files.pattern {
        text += "configs:\n- config_name: default\n  data_files:\n";
        for part in &set.parts {
            let path = json_text(&pattern(&part.name));
            let _ = writeln!(text, "  - split: {}\n    path: {path}", part.name);
        }
    }
    let _ = write!(
        text,
        "---\n\n{MARK}: {}, format {}. -->\n\n# {}\n\n",
        producer(),
        files.format.name(),
        plain_markdown(&set.title)
    );
    for paragraph in &set.about {
        let _ = write!(text, "{paragraph}\n\n");
    }
    let _ = write!(
        text,
        "{} RGB images of {} × {} pixels. Licence of the images: {}.\n\n",
        set.images(),
        set.side,
        set.side,
        plain_markdown(&set.licence)
    );
    text += "| part | images |\n|---|---|\n";
    for part in &set.parts {
        let _ = writeln!(text, "| {} | {} |", part.name, part.images);
    }
    if !set.classes.is_empty() {
        text += "\n| label | class |\n|---|---|\n";
        for (label, class) in set.classes.iter().enumerate() {
            let _ = writeln!(text, "| {label} | {} |", plain_markdown(class));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::set;

    #[test]
    fn a_card_names_licence_files_and_classes() {
        let pattern: Pattern<'_> = &|part| format!("data/{part}-*.parquet");
        let words = card(&set(), &Files::new(Format::Parquet, Some(pattern)));
        for part in [
            "---\nlicense: cc-by-nc-4.0\n",
            "  - split: validation\n    path: \"data/validation-*.parquet\"\n",
            "| 1 | mel |",
            "5 RGB images of 4 × 4 pixels",
            MARK,
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        let words = card(&set(), &Files::new(Format::Zip, None));
        assert!(!words.contains("configs") && !words.contains("features"));
    }
}
