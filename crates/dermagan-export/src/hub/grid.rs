//! The image of examples in a folder for Hugging Face.

use dermagan_generate::GridRequest;
use dermagan_model::Card;

/// Images per row.
const COLUMNS: usize = 8;
/// Most classes of which examples are shown.
const MOST_CLASSES: usize = 16;

/// A grid of examples.
pub(super) struct Grid {
    /// Its images.
    pub(super) request: GridRequest,
    /// What it shows.
    pub(super) words: String,
}

impl Grid {
    /// One row per class, or 8 × 8 images if the generator is not asked for classes, or has very many.
    pub(super) fn of(card: &Card) -> Self {
        let classes = card.classes.len();
        let conditional = card.model.classes > 0 && card.condition > 0.0;
        if !conditional || classes > MOST_CLASSES {
            let words = "seeds 0 to 63".to_owned();
            return Self { request: GridRequest::new(COLUMNS, COLUMNS), words };
        }
        let request =
            GridRequest { classes: card.classes.clone(), ..GridRequest::new(COLUMNS, classes) };
        Self { request, words: "seeds 0 to 7, one row per class".to_owned() }
    }
}
