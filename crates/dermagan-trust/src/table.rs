//! The table of a set of images, which a loader of HAM10000 takes.

use std::path::Path;

use dermagan_base::atomic;

use crate::error::TrustError;

/// The name of the table.
const TABLE: &str = "metadata.csv";
/// The columns of HAM10000's table.
const COLUMNS: [&str; 7] = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"];

/// A row, in the order of HAM10000's columns.
pub(crate) type Row = [String; COLUMNS.len()];

/// The row of a generated image.
pub(crate) fn synthetic(lesion: String, name: String, class: String) -> Row {
    let unknown = || "unknown".to_owned();
    [lesion, name, class, "synthetic".to_owned(), String::new(), unknown(), unknown()]
}

/// Writes the table of the set in `folder`, and returns its bytes.
///
/// # Errors
/// [`TrustError::Io`] if it cannot be written.
pub(crate) fn write<'a>(
    folder: &Path,
    rows: impl IntoIterator<Item = &'a Row>,
) -> Result<Vec<u8>, TrustError> {
    let path = folder.join(TABLE);
    let bad = |error: csv::Error| TrustError::io(&path)(std::io::Error::other(error));
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS).map_err(bad)?;
    rows.into_iter().try_for_each(|row| table.write_record(row)).map_err(bad)?;
    let bytes = table.into_inner().map_err(|error| TrustError::Input(error.to_string()))?;
    atomic::write(&path, &bytes).map_err(TrustError::io(&path))?;
    Ok(bytes)
}
