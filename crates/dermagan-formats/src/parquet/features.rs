//! The types of the columns, in the words of the library `datasets`: without them `image` would be a plain structure and
//! `label` a number.

use crate::set::{Set, json_text};

/// The value of the key `huggingface` in the metadata of a file.
pub(super) fn features(set: &Set) -> String {
    let mut features = vec!["\"image\": {\"_type\": \"Image\"}".to_owned()];
    if !set.classes.is_empty() {
        let names: Vec<String> = set.classes.iter().map(|class| json_text(class)).collect();
        let names = names.join(", ");
        features.push(format!("\"label\": {{\"names\": [{names}], \"_type\": \"ClassLabel\"}}"));
    }
    for (name, kind) in &set.columns {
        let kind = kind.dtype();
        let name = json_text(name);
        features.push(format!("{name}: {{\"dtype\": \"{kind}\", \"_type\": \"Value\"}}"));
    }
    format!("{{\"info\": {{\"features\": {{{}}}}}}}", features.join(", "))
}
