//! The text inside each image file: that the image is synthetic, and from which model, seed and class it comes.

use dermagan_base::producer;
use dermagan_model::ModelFile;

/// The keyword of the model's hash, by which an image of this program is known.
pub(crate) const MODEL: &str = "dermagan:model";

/// The (keyword, value) pairs of an image file.
pub(crate) fn text(
    model: &ModelFile,
    seeds: String,
    class: Option<String>,
    truncation: f64,
) -> Vec<(&'static str, String)> {
    let licence = model.card.as_ref().map_or("unknown", |card| card.licence.as_str());
    let mut text = vec![
        ("Software", producer()),
        (
            "Description",
            "SYNTHETIC image made by a generative model; not a photograph, not for diagnosis"
                .into(),
        ),
        (MODEL, model.hash.clone()),
        ("dermagan:seed", seeds),
        ("dermagan:psi", truncation.to_string()),
        ("dermagan:training-data-licence", licence.to_owned()),
    ];
    text.extend(class.map(|class| ("dermagan:class", class)));
    text
}
