//! URLs among paths.

/// Whether a text is a URL of a store.
pub fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| ["s3", "gs", "az"].contains(&scheme.as_str()))
}
