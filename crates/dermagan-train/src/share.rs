//! A share that is written as `false` where it is nothing and `true` where it is all.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "true, false or a number from 0 to 1")]
enum Written {
    All(bool),
    Share(f64),
}

/// For `#[serde(with = "crate::share")]`.
pub fn serialize<S: Serializer>(share: &f64, to: S) -> Result<S::Ok, S::Error> {
    let whole = *share == 0.0 || *share == 1.0;
    let written = if whole { Written::All(*share == 1.0) } else { Written::Share(*share) };
    written.serialize(to)
}

pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<f64, D::Error> {
    Ok(match Written::deserialize(from)? {
        Written::All(all) => f64::from(all),
        Written::Share(share) => share,
    })
}
