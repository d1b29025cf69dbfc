//! What the words in tables and folder names mean: diagnoses ([`diagnosis`](diagnosis())), the classes that a column
//! of them makes ([`classes_of`]), and the parts of a split ([`part_of`]).

mod classes;
mod diagnosis;
mod part;

pub(crate) use classes::{Classes, classes_of, medmnist_classes, numbered};
pub(crate) use diagnosis::{Diagnosis, archive_diagnosis, diagnosis, is_diagnosis};
pub(crate) use part::part_of;
