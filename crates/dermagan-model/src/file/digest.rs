//! The digest that ties a card to the weights of its file.
//!
//! A class is a number to the network, and only the card says which diagnosis the number means. If the
//! names were in another order, or the card stood before other weights, every image would be of a wrong
//! class, and nothing would show it.

use dermagan_base::hex;
use sha2::{Digest, Sha256};

use super::card::Card;
use crate::tensor::Weights;

/// The number of values that are hashed at once.
const CHUNK: usize = 4096;

/// The SHA-256, in lower-case hex, of a card's classes in their order with their numbers of images, and of
/// the names, shapes and values of the weights as float32. A file in half precision has the digest of its
/// rounded values, so saving it again in single precision keeps the digest.
pub(super) fn digest(card: &Card, weights: &Weights) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        // The length comes first, so that no two lists give the same bytes.
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(&(card.classes.len() as u64).to_le_bytes());
    card.classes.iter().for_each(|class| add(class.as_bytes()));
    card.class_images.iter().for_each(|images| add(&images.to_le_bytes()));
    for (name, array) in weights {
        add(name.as_bytes());
        let shape: Vec<u8> =
            array.shape.iter().flat_map(|side| (*side as u64).to_le_bytes()).collect();
        add(&shape);
        for values in array.values.chunks(CHUNK) {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            add(&bytes);
        }
    }
    hex(&hash.finalize())
}
