//! The groups that images are counted by.

use dermagan_data::{Record, Sex};

/// The sites of a group of body sites, by the words of HAM10000.
const HEAD: [&str; 5] = ["face", "scalp", "neck", "ear", "head"];
const TRUNK: [&str; 6] = ["back", "trunk", "chest", "abdomen", "genital", "torso"];

/// A way to group images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Sex,
    Age,
    Site,
    ConfirmedBy,
}

impl Attribute {
    pub const ALL: [Self; 4] = [Self::Sex, Self::Age, Self::Site, Self::ConfirmedBy];

    /// The name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sex => "sex",
            Self::Age => "age",
            Self::Site => "site",
            Self::ConfirmedBy => "confirmed by",
        }
    }

    /// The group of an image; `None` if the table does not say.
    pub fn of(self, record: &Record) -> Option<String> {
        match self {
            Self::Sex => (record.sex != Sex::Unknown).then(|| record.sex.to_string()),
            Self::Age => record.age.map(|age| {
                match age {
                    age if age < 40.0 => "below 40",
                    age if age < 65.0 => "40 to 64",
                    _ => "65 and above",
                }
                .to_owned()
            }),
            Self::Site => Some(record.localization.clone()).filter(|site| site != "unknown"),
            Self::ConfirmedBy => Some(record.dx_type.to_string()).filter(|kind| kind != "unknown"),
        }
    }
}

/// A yes-or-no question about the person in an image, which a classifier may answer from the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Female,
    Below40,
    From65,
    Head,
    Trunk,
}

impl Question {
    pub const ALL: [Self; 5] = [Self::Female, Self::Below40, Self::From65, Self::Head, Self::Trunk];

    /// The name in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Female => "female",
            Self::Below40 => "below 40",
            Self::From65 => "65 and above",
            Self::Head => "on head or neck",
            Self::Trunk => "on the trunk",
        }
    }

    /// The answer for an image; `None` if the table does not say.
    pub fn of(self, record: &Record) -> Option<bool> {
        let site = |sites: &[&str]| {
            let site = record.localization.to_lowercase();
            (site != "unknown").then(|| sites.iter().any(|known| site.contains(known)))
        };
        match self {
            Self::Female => (record.sex != Sex::Unknown).then_some(record.sex == Sex::Female),
            Self::Below40 => record.age.map(|age| age < 40.0),
            Self::From65 => record.age.map(|age| age >= 65.0),
            Self::Head => site(&HEAD),
            Self::Trunk => site(&TRUNK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_values_are_in_no_group() {
        let mut record = Record::bare("a", 0);
        assert!(Attribute::ALL.iter().all(|attribute| attribute.of(&record).is_none()));
        assert!(Question::ALL.iter().all(|question| question.of(&record).is_none()));
        record.age = Some(65.0);
        record.sex = Sex::Female;
        record.localization = "lower extremity".into();
        assert_eq!(Attribute::Age.of(&record).as_deref(), Some("65 and above"));
        let answers = Question::ALL.map(|question| question.of(&record));
        assert_eq!(answers, [Some(true), Some(false), Some(true), Some(false), Some(false)]);
    }
}
