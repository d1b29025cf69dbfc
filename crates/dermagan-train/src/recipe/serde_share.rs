//! A share, 0 to 1, that files may write as a boolean: 0 as `false` and 1 as `true`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The two forms of a share in a file.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "true, false or a number from 0 to 1")]
enum Written {
    All(bool),
    Share(f64),
}

/// Writes a share. For `#[serde(with = "crate::recipe::serde_share")]`.
pub fn serialize<S: Serializer>(share: &f64, to: S) -> Result<S::Ok, S::Error> {
    let whole = *share == 0.0 || *share == 1.0;
    let written = if whole { Written::All(*share == 1.0) } else { Written::Share(*share) };
    written.serialize(to)
}

/// Reads a share: a boolean, or a number.
pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
    Ok(match Written::deserialize(from)? {
        Written::All(all) => f64::from(all),
        Written::Share(share) => share,
    })
}
