//! What a store's answer means: which error of this crate it is, in words without secrets.

use crate::error::CloudError;
use crate::location::Location;
use crate::variables::Variables;

/// Longest text of a store in an error, in characters.
const LONGEST_WORDS: usize = 300;

/// The error that a store answered a request with, after `tries`.
pub(super) fn error_of(
    variables: &Variables,
    at: &Location,
    error: object_store::Error,
    tries: u32,
) -> CloudError {
    use object_store::Error;
    let url = at.to_string();
    let full = chain(&error);
    let words = short(variables, &full);
    let no_bucket = ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"];
    if no_bucket.iter().any(|code| full.contains(code)) {
        return CloudError::NoBucket { url };
    }
    let refusals =
        ["InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed", "AccessDenied"];
    match error {
        Error::NotFound { .. } => CloudError::Missing { url, words: String::new() },
        Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => {
            let what = "another writer was first".to_owned();
            CloudError::Conflict { url, what }
        }
        Error::Generic { store: LOCAL, .. } => {
            CloudError::Io { path: url.into(), error: std::io::Error::other(words) }
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            CloudError::Refused { url, words, next: variables.advice(at.scheme()) }
        }
        _ if refusals.iter().any(|code| full.contains(code)) => {
            CloudError::Refused { url, words, next: variables.advice(at.scheme()) }
        }
        Error::Generic { .. } | Error::JoinError { .. } if !is_final(&full) => {
            away(variables, at, words, tries)
        }
        _ => CloudError::Content { url, what: format!("the store answered: {words}") },
    }
}

/// The error of a store that cannot be used now.
pub(super) fn away(variables: &Variables, at: &Location, words: String, tries: u32) -> CloudError {
    let tries = if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") };
    CloudError::Away {
        url: at.to_string(),
        tries,
        words,
        next: format!(
            "check the network and the address of the store; {}",
            variables.advice(at.scheme())
        ),
    }
}

/// The words of a store for an error: short, on one line, without secrets.
fn short(variables: &Variables, text: &str) -> String {
    let text = variables.without_secrets(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    dermagan_base::quoted(dermagan_base::name::start_of(&line, LONGEST_WORDS))
}

/// Marks errors of the local disk among those of a store.
pub(super) const LOCAL: &str = "this machine";

/// An error with all of its causes, of which the last says the most.
fn chain(error: &object_store::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}

/// Whether the store's answer stays the same when it is asked again: a status of 4xx, except those that ask for patience.
fn is_final(words: &str) -> bool {
    let Some((_, rest)) = words.split_once("status ") else { return false };
    let code: String = rest.chars().take(3).collect();
    code.starts_with('4') && !["408", "425", "429"].contains(&code.as_str())
}
