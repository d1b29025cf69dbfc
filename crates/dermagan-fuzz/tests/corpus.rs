//! Every input that a search found, through the reader that it was found for.
#![allow(missing_docs, reason = "tests")]

use std::process::Command;

#[test]
fn every_reader_survives_its_inputs() {
    // A process of its own: an input may end it, and its memory is counted.
    let out = Command::new(env!("CARGO_BIN_EXE_replay")).output().expect("the program replay");
    let [said, complaint] = [&out.stdout, &out.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(out.status.success(), "{}\n{said}\n{complaint}", out.status);
    assert!(said.contains(" inputs"), "{said}");
}
