//! The variables from which credentials come. Their values never appear in a text.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::location::Scheme;

/// The beginnings of the names of variables that are kept.
const PREFIXES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
/// Variables of Azure's own tools, under the names that the client knows.
const OTHER_NAMES: [(&str, &str); 2] = [
    ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"),
    ("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"),
];
/// Parts of the names of variables whose values are no secret.
const PUBLIC: [&str; 8] = [
    "REGION",
    "ENDPOINT",
    "ALLOW_HTTP",
    "USE_EMULATOR",
    "SKIP_SIGNATURE",
    "PROFILE",
    "ACCOUNT_NAME",
    "BASE_URL",
];
/// A shorter value would be replaced in ordinary words.
const SHORTEST_SECRET: usize = 5;

/// The variables of the clouds: `AWS_*`, `AZURE_*` and `GOOGLE_*`. `Debug` prints their names only.
#[derive(Clone, Default)]
pub struct Variables {
    all: Vec<(String, String)>,
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all.iter().map(|(name, _)| name)).finish()
    }
}

impl Variables {
    /// Those among `pairs` that belong to a cloud. Pass the environment of the process.
    pub fn of<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        let kept = pairs.filter(|(name, value): &(String, String)| {
            PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !value.is_empty()
        });
        let mut all: Vec<(String, String)> = kept
            .map(|(name, value)| {
                let other = OTHER_NAMES.iter().find(|(usual, _)| *usual == name);
                (other.map_or(name, |(_, known)| (*known).to_owned()), value)
            })
            .collect();
        all.sort();
        Self { all }
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The variables of a cloud.
    pub(crate) fn of_scheme(&self, scheme: Scheme) -> impl Iterator<Item = (&str, &str)> {
        let prefix = match scheme {
            Scheme::S3 => "AWS_",
            Scheme::Az => "AZURE_",
            Scheme::Gs => "GOOGLE_",
        };
        let own = self.all.iter().filter(move |(name, _)| name.starts_with(prefix));
        own.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What tells one server and account from another, for names of folders: without secrets, and too short to guess from.
    pub(crate) fn server(&self) -> String {
        let decides = |name: &str| {
            ["ENDPOINT", "ACCOUNT_NAME", "BASE_URL"].iter().any(|part| name.contains(part))
        };
        let servers: Vec<String> = self
            .all
            .iter()
            .filter(|(name, _)| decides(name))
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        match servers.is_empty() {
            true => "default".to_owned(),
            false => dermagan_base::hex(&Sha256::digest(servers.concat()))[..8].to_owned(),
        }
    }

    /// The text with every secret value replaced, and without the queries of URLs, which may hold signatures.
    pub(crate) fn without_secrets(&self, text: &str) -> String {
        let secret = |(name, value): &&(String, String)| {
            value.len() >= SHORTEST_SECRET && !PUBLIC.iter().any(|part| name.contains(part))
        };
        let mut text = text.to_owned();
        for (_, value) in self.all.iter().filter(secret) {
            text = text.replace(value.as_str(), "***");
        }
        without_queries(&text)
    }

    /// What to check when the store refuses access.
    pub(crate) fn advice(&self, scheme: Scheme) -> String {
        let has = |name| self.get(name).is_some();
        match scheme {
            Scheme::S3 if !has("AWS_ACCESS_KEY_ID") => {
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; without them only a role of the machine counts, \
                 and a profile in ~/.aws is not read. For a public bucket set AWS_SKIP_SIGNATURE=true"
            }
            Scheme::S3 => {
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION and AWS_ENDPOINT_URL"
            }
            Scheme::Gs if !has("GOOGLE_APPLICATION_CREDENTIALS") => {
                "GOOGLE_APPLICATION_CREDENTIALS is not set; for a public bucket set GOOGLE_SKIP_SIGNATURE=true"
            }
            Scheme::Gs => "check GOOGLE_APPLICATION_CREDENTIALS",
            Scheme::Az if !has("AZURE_STORAGE_ACCOUNT_NAME") => {
                "AZURE_STORAGE_ACCOUNT is not set; set it and AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN"
            }
            Scheme::Az => {
                "check AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY and AZURE_STORAGE_SAS_TOKEN"
            }
        }
        .to_owned()
    }
}

/// The text without what follows `?` in a URL.
fn without_queries(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || "\"'<>)".contains(c);
    let mut words = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at);
        words += before;
        let end = url.find(is_end).unwrap_or(url.len());
        words += url[..end].split('?').next().unwrap_or_default();
        rest = &url[end..];
    }
    words + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        Variables::of([
            ("AWS_SECRET_ACCESS_KEY", "s3cr3t/key"),
            ("AWS_REGION", "eu-west-1"),
            ("AZURE_STORAGE_KEY", "azure-key"),
            ("HOME", "/home/user"),
        ])
    }

    #[test]
    fn no_text_shows_a_value() {
        let variables = variables();
        let debug = format!("{variables:?}");
        assert!(debug.contains("AWS_SECRET_ACCESS_KEY") && !debug.contains("s3cr3t"), "{debug}");
        assert!(!debug.contains("HOME"), "{debug}");
        let words =
            "PUT https://x/y?sig=abc&se=1 in eu-west-1: s3cr3t/key and azure-key (https://z?q)";
        assert_eq!(
            variables.without_secrets(words),
            "PUT https://x/y in eu-west-1: *** and *** (https://z)"
        );
    }

    #[test]
    fn another_server_has_another_name() {
        let other = Variables::of([("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]);
        assert_eq!(variables().server(), "default");
        assert_eq!(other.server().len(), 8);
        assert_eq!(variables().get("AZURE_STORAGE_ACCOUNT_KEY"), Some("azure-key"));
    }
}
