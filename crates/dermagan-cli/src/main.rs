//! The `dermagan` command: parses, calls the libraries, shows what they tell.

mod args;
mod commands;
mod show;
mod train;

use std::process::ExitCode;

use clap::Parser;
use dermagan_data::DataError;
use dermagan_train::TrainError;

use crate::show::complain;

/// Exit codes, as `--help` lists them.
mod exit {
    pub const ERROR: u8 = 1;
    pub const STRICT: u8 = 3;
    pub const NOT_FINITE: u8 = 4;
    pub const SICK_DEVICE: u8 = 5;
    pub const INTERRUPTED: u8 = 130;
}

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    match commands::run(cli.command) {
        Ok(code) => ExitCode::from(code),
        // A reader that has seen enough (`| head`) is no error.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain!("error: {error:#}");
            ExitCode::from(code_of(&error))
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}

fn code_of(error: &anyhow::Error) -> u8 {
    let data = error.downcast_ref::<DataError>().or_else(|| match error.downcast_ref() {
        Some(TrainError::Data(data)) => Some(data),
        _ => None,
    });
    match (data, error.downcast_ref::<TrainError>()) {
        (Some(DataError::Strict(_)), _) => exit::STRICT,
        (_, Some(TrainError::NotFinite { .. })) => exit::NOT_FINITE,
        _ => exit::ERROR,
    }
}
