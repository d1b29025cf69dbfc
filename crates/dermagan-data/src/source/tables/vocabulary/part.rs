//! Words that name a part of a split.

use crate::source::side::Side;

/// The part of a split that a cell, a file name or a folder name gives: `train`, `Validation`, `ISIC_2018_Test_Input`,
/// `valSet`. The word may stand between characters that are no letters, or between changes of case. `None` if no part
/// is named, or more than one.
pub(crate) fn part_of(word: &str) -> Option<Side> {
    let mut parts = tokens(word).into_iter().filter_map(|token| part(&token));
    let first = parts.next()?;
    parts.all(|part| part == first).then_some(first)
}

/// The part that one word in lower case names.
fn part(token: &str) -> Option<Side> {
    let word = ["images", "image", "imgs", "daten", "data", "set", "dir", "split"]
        .into_iter()
        .find_map(|ending| token.strip_suffix(ending).filter(|rest| !rest.is_empty()))
        .unwrap_or(token);
    Some(match word {
        "train" | "training" | "trn" | "tr" => Side::Train,
        "val" | "valid" | "validation" | "validate" | "validating" | "dev" => Side::Val,
        "test" | "testing" | "tst" | "holdout" | "evaluation" => Side::Test,
        _ => return None,
    })
}

/// The words of a name in lower case.
fn tokens(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut tokens = vec![String::new()];
    for (i, &c) in letters.iter().enumerate() {
        let upper = |at: usize| letters.get(at).is_some_and(|c| c.is_uppercase());
        let lower = |at: usize| letters.get(at).is_some_and(|c| c.is_lowercase());
        // `valSet` is two words, and so is `HAMTrain`.
        let starts = i > 0 && upper(i) && (lower(i - 1) || (upper(i - 1) && lower(i + 1)));
        if !c.is_alphabetic() || starts {
            tokens.push(String::new());
        }
        if let (true, Some(token)) = (c.is_alphabetic(), tokens.last_mut()) {
            token.extend(c.to_lowercase());
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_named_in_all_common_forms() {
        let of = |side: Side, names: &[&str]| {
            for name in names {
                assert_eq!(part_of(name), Some(side), "{name}");
            }
        };
        of(
            Side::Train,
            &[
                "train",
                "TRAINING",
                "Train",
                "tr",
                "train_dir",
                "HAM10000_metadata_train.csv",
                "ISIC2018_Task3_Training_Input",
                "train2017",
                "trainset",
                "HAMTrain",
                "images.train",
                "train-00000-of-00005",
                "train_images",
                "train (1)",
                "train_train",
            ],
        );
        of(
            Side::Val,
            &[
                "val",
                "valid",
                "VALIDATION",
                "valSet",
                "val_dir",
                "dev",
                "ISIC_2019_Validation",
                "validationset",
            ],
        );
        of(
            Side::Test,
            &[
                "test",
                "TEST",
                "Testing",
                "tst",
                "test-00000-of-00001",
                "testData",
                "base_dir_test",
                "X_test.npy",
            ],
        );
    }

    #[test]
    fn other_words_and_two_parts_name_none() {
        for name in [
            "",
            "latest",
            "strain",
            "trainer",
            "train_val_split",
            "train_test",
            "trainval",
            "contest",
            "device",
            "values",
            "attestation",
            "images",
            "mel",
            "protest",
            "set",
            "data",
            "valley",
            "TestTrain",
        ] {
            assert_eq!(part_of(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,64}") {
            part_of(&text);
        }
    }
}
