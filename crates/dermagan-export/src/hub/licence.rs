//! Names of licences on Hugging Face ([list](https://huggingface.co/docs/hub/repositories-licenses)).

use dermagan_base::name::shortened;

/// Licences by their usual name and by the identifier of Hugging Face.
const KNOWN: [(&str, &str); 12] = [
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

/// The lines of a model card's YAML for the licence of the data. Another licence than the known ones is `other`, with a name
/// of lower-case letters, digits and dashes.
pub(super) fn yaml(licence: &str) -> String {
    let licence = licence.trim();
    let dashes = |text: &str| text.replace(['-', ' '], "").to_lowercase();
    match KNOWN.iter().find(|(name, _)| dashes(name) == dashes(licence)) {
        Some((_, id)) => format!("license: {id}"),
        None => {
            let name = shortened(licence, "unknown").to_lowercase().replace('_', "-");
            format!("license: other\nlicense_name: \"{name}\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_licence_has_its_identifier_and_another_one_a_name() {
        assert_eq!(yaml("CC BY-NC 4.0"), "license: cc-by-nc-4.0");
        assert_eq!(yaml("cc-by-nc-4.0"), "license: cc-by-nc-4.0");
        assert_eq!(yaml("unknown"), "license: other\nlicense_name: \"unknown\"");
        let hostile = yaml("x\n---\ntags: [evil]");
        assert_eq!(hostile, "license: other\nlicense_name: \"x-----tags---evil\"");
    }
}
