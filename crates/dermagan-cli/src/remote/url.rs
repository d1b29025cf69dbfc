//! URLs among paths.

/// The beginnings of the URLs of stores, before `://`.
pub const SCHEMES: [&str; 3] = ["s3", "gs", "az"];

/// Whether a text is a URL of a store.
pub fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)))
}
