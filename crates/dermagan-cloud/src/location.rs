//! URLs of objects and folders in a store.

use std::fmt;
use std::path::PathBuf;

use dermagan_base::name::is_shown;

use crate::error::CloudError;

/// The longest segment of a key, in bytes. File systems allow no more.
const LONGEST: usize = 255;

/// The kind of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// S3, of Amazon or of a compatible server.
    S3,
    /// Google Cloud Storage.
    Gs,
    /// Azure Blob Storage.
    Az,
}

impl Scheme {
    const ALL: [Self; 3] = [Self::S3, Self::Gs, Self::Az];

    /// The name before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gs => "gs",
            Self::Az => "az",
        }
    }
}

/// The scheme and what follows `://`.
fn scheme_of(text: &str) -> Option<(Scheme, &str)> {
    let (name, rest) = text.split_once("://")?;
    let scheme = Scheme::ALL.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(name))?;
    Some((scheme, rest))
}

/// The place of an object, or of a folder of objects, in a bucket. Azure calls a bucket a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    scheme: Scheme,
    bucket: String,
    /// Segments with `/` between them; empty for the bucket itself.
    key: String,
}

impl Location {
    /// Reads `s3://BUCKET/KEY`, `gs://BUCKET/KEY` or `az://CONTAINER/KEY`. A `/` at the end has no meaning.
    ///
    /// # Errors
    /// When the scheme is another one, the bucket is missing, or a segment of the key could not be the name of a file, such
    /// as `..`.
    pub fn parse(text: &str) -> Result<Self, CloudError> {
        let bad = |problem: &str| CloudError::Url { url: shown(text), problem: problem.to_owned() };
        let (scheme, rest) =
            scheme_of(text).ok_or_else(|| bad("expected s3://, gs:// or az://, with a bucket"))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.$".contains(c);
        if bucket.is_empty() || bucket.starts_with('.') || !bucket.chars().all(plain) {
            return Err(bad("expected the name of a bucket, such as s3://bucket/folder"));
        }
        let key = key.trim_end_matches('/');
        if !key.is_empty() && !key.split('/').all(is_safe_name) {
            return Err(bad(
                "each part between two / must be the name of a file: not empty, not . or .., without \\ and control \
                 characters",
            ));
        }
        Ok(Self { scheme, bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// The kind of the store.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The bucket, or Azure's container.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key; empty for the bucket itself.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The last segment of the key, or the bucket.
    pub fn name(&self) -> &str {
        self.key.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(&self.bucket)
    }

    /// The place `name` in this folder. `name` may have several segments.
    pub fn join(&self, name: &str) -> Self {
        let key =
            if self.key.is_empty() { name.to_owned() } else { format!("{}/{name}", self.key) };
        Self { key, ..self.clone() }
    }

    /// The folder that this place is in; `None` for a bucket.
    pub fn parent(&self) -> Option<Self> {
        if self.key.is_empty() {
            return None;
        }
        let key = self.key.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
        Some(Self { key, ..self.clone() })
    }

    /// The path of this place below a local folder: `s3/BUCKET/KEY`.
    pub fn as_path(&self) -> PathBuf {
        let mut path = PathBuf::from(self.scheme.name());
        path.push(&self.bucket);
        path.extend(self.key.split('/').filter(|segment| !segment.is_empty()));
        path
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.bucket)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, "/{}", self.key) }
    }
}

/// A URL that may be wrong, for an error: without what may be a password or a token.
fn shown(text: &str) -> String {
    let text = text.split('?').next().unwrap_or_default();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, host))) if rest.contains('@') => {
            format!("{scheme}://…@{host}")
        }
        _ => text.to_owned(),
    }
}

/// Whether a segment of a key can be the name of a file in a folder: it cannot lead out of it.
pub fn is_safe_name(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && name.len() <= LONGEST
        && !name.chars().any(|c| !is_shown(c) || "\\\n\t".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_written_back() {
        for text in ["s3://bucket", "gs://b-1.x/runs", "az://container/a b/c.zip"] {
            assert_eq!(Location::parse(text).unwrap().to_string(), text);
        }
        let place = Location::parse("S3://bucket/runs/").unwrap();
        assert_eq!(place.to_string(), "s3://bucket/runs");
        assert_eq!(place.join("a/b").parent().unwrap().to_string(), "s3://bucket/runs/a");
        assert_eq!(place.join("x").as_path(), PathBuf::from("s3/bucket/runs/x"));
        assert_eq!((place.name(), place.parent().unwrap().name()), ("runs", "bucket"));
        assert_eq!(place.parent().unwrap().parent(), None);
    }

    #[test]
    fn a_key_that_would_leave_a_folder_is_refused() {
        for text in [
            "s3://bucket/../x",
            "s3://bucket/a/./x",
            "s3://bucket/a//x",
            "s3://bucket/a\\b",
            "s3://bucket/a\u{1b}[2J",
            "s3://",
            "s3:///x",
            "s3://../x",
            "s3://a:b@c/x",
            "http://x/y",
            "runs",
        ] {
            assert!(Location::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_repeats_no_password_and_no_token() {
        for text in ["s3://key:secret@host/x", "az://a/../b?sig=secret", "ftp://u:secret@h"] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
