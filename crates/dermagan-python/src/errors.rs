//! Errors of the libraries as Python's exceptions. `python/dermagan/_errors.py` defines those of the package.

use std::any::Any;
use std::io;

use dermagan_base::SettingError;
use dermagan_data::DataError;
use dermagan_eval::EvalError;
use dermagan_formats::FormatError;
use dermagan_generate::GenerateError;
use dermagan_model::ModelError;
use dermagan_train::TrainError;
use pyo3::exceptions::{
    PyException, PyFileNotFoundError, PyIsADirectoryError, PyMemoryError, PyOSError,
    PyPermissionError, PyTypeError, PyValueError,
};
use pyo3::prelude::*;

/// The module that defines the package's exceptions.
const MODULE: &str = "dermagan._errors";

/// What kind of exception an error is.
enum Kind {
    /// An argument has a wrong value.
    Value,
    /// Nothing is at a path.
    NotFound,
    /// The system refused.
    System(io::ErrorKind),
    /// A class of the package, by its name.
    Own(&'static str),
}

/// The exception of an error, with its message.
pub fn raise(py: Python<'_>, error: &TrainError) -> PyErr {
    let words = in_python(&error.to_string());
    match of_train(error) {
        Kind::Value => PyValueError::new_err(words),
        Kind::NotFound => PyFileNotFoundError::new_err(words),
        Kind::System(kind) => of_system(kind, words),
        Kind::Own(class) => own(py, class, words),
    }
}

/// The exception of a panic in the libraries.
pub fn internal(py: Python<'_>, panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let words = format!(
        "this is a fault of dermagan, not of your program: {}. Please report it with the call that led here",
        text.unwrap_or_else(|| "an unknown panic".to_owned())
    );
    own(py, "InternalError", words)
}

/// The exception for an array that does not fit into memory.
pub fn too_large(images: usize) -> PyErr {
    PyMemoryError::new_err(format!("{images} images do not fit into memory; make fewer at a time"))
}

/// An exception of the package.
fn own(py: Python<'_>, class: &str, words: String) -> PyErr {
    let made = py.import(MODULE).and_then(|module| module.getattr(class)?.call1((words.clone(),)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(_) => PyException::new_err(words),
    }
}

fn of_system(kind: io::ErrorKind, words: String) -> PyErr {
    match kind {
        io::ErrorKind::NotFound => PyFileNotFoundError::new_err(words),
        io::ErrorKind::PermissionDenied => PyPermissionError::new_err(words),
        io::ErrorKind::IsADirectory => PyIsADirectoryError::new_err(words),
        _ => PyOSError::new_err(words),
    }
}

fn of_train(error: &TrainError) -> Kind {
    match error {
        TrainError::Data(error) => of_data(error),
        TrainError::Model(error) => of_model(error),
        TrainError::Eval(error) => of_eval(error),
        TrainError::Generate(error) => of_generate(error),
        TrainError::Io { error, .. } | TrainError::Format(FormatError::Io { error, .. }) => {
            Kind::System(error.kind())
        }
        TrainError::Checkpoint { .. } => Kind::Own("ModelError"),
        TrainError::SickDevice { .. } | TrainError::DeviceErrs { .. } => Kind::Own("DeviceError"),
        TrainError::NotFinite { .. } | TrainError::Stopped(_) => Kind::Own("TrainingError"),
        _ => Kind::Value,
    }
}

fn of_data(error: &DataError) -> Kind {
    match error {
        DataError::NotFound(_) => Kind::NotFound,
        DataError::Io { error, .. } => Kind::System(error.kind()),
        DataError::Option(_) => Kind::Value,
        _ => Kind::Own("DataError"),
    }
}

fn of_eval(error: &EvalError) -> Kind {
    match error {
        EvalError::Data(error) => of_data(error),
        EvalError::Generate(error) => of_generate(error),
        EvalError::Model(error) => of_model(error),
        EvalError::Io { source, .. } => Kind::System(source.kind()),
        EvalError::Weights { .. } => Kind::Own("ModelError"),
        EvalError::SickDevice(_) => Kind::Own("DeviceError"),
        EvalError::Input(_) => Kind::Own("DataError"),
        _ => Kind::Value,
    }
}

fn of_generate(error: &GenerateError) -> Kind {
    match error {
        GenerateError::Model(error) => of_model(error),
        GenerateError::Io { error, .. }
        | GenerateError::Unfinished { error, .. }
        | GenerateError::Format(FormatError::Io { error, .. }) => Kind::System(error.kind()),
        _ => Kind::Value,
    }
}

fn of_model(error: &ModelError) -> Kind {
    match error {
        ModelError::Io { error, .. } => Kind::System(error.kind()),
        ModelError::Weights { .. } | ModelError::ImageNotFinite => Kind::Own("ModelError"),
        ModelError::Device(_) | ModelError::SickDevice(_) => Kind::Own("DeviceError"),
        _ => Kind::Value,
    }
}

/// The settings whose argument in Python has another name.
const ARGUMENTS: [(&str, &str); 4] =
    [("class", "label"), ("interpolate", "seeds"), ("number", "n"), ("set", "settings")];

/// A library's message with arguments of Python: `` `batch` = 1: … `` becomes `batch=1: …`.
pub fn in_python(words: &str) -> String {
    let mut text = String::new();
    let mut rest = words;
    while let Some((before, from)) = rest.split_once('`')
        && let Some((setting, after)) = from.split_once('`')
    {
        let other = ARGUMENTS.iter().find(|(name, _)| *name == setting).map(|(_, other)| *other);
        text.extend([before, other.unwrap_or(setting)]);
        let value = after.strip_prefix(" = ");
        text.extend(value.map(|_| "="));
        rest = value.unwrap_or(after);
    }
    text + rest
}

/// A wrong argument of a call.
pub fn wrong(setting: &'static str, problem: impl Into<String>) -> TrainError {
    SettingError::new(setting, problem).into()
}

/// The exception for arguments that the package should have checked.
pub fn misused(words: impl Into<String>) -> PyErr {
    PyTypeError::new_err(words.into())
}
