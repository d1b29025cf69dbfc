//! The `dermagan` command: parses, calls the libraries, shows what they tell.

mod args;
mod bench;
mod commands;
mod encoder;
mod eval;
mod sample;
mod show;
mod train;

use clap::Parser;
use dermagan_data::DataError;
use dermagan_eval::EvalError;
use dermagan_model::ModelError;
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

fn main() {
    let cli = args::Cli::parse();
    let mut code = match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            complain!("error: {error:#}");
            code_of(&error)
        }
    };
    if let Some(error) = show::lost() {
        complain!("error: standard output is not whole: {error}");
        if code == 0 {
            code = exit::ERROR;
        }
    }
    leave(code)
}

/// Ends the process at once, without the exit handlers of C++ libraries: a graphics driver's run
/// while burn's own threads still hold the device, and crashed one `doctor` in some ten on
/// SwiftShader after it had said "pass". Everything of ours is written and flushed by now.
#[expect(unsafe_code, reason = "declares the C library's _exit, which takes any number")]
fn leave(code: u8) -> ! {
    unsafe extern "C" {
        safe fn _exit(code: std::ffi::c_int) -> !;
    }
    _exit(i32::from(code))
}

fn code_of(error: &anyhow::Error) -> u8 {
    let data = error.downcast_ref::<DataError>().or_else(|| match error.downcast_ref() {
        Some(TrainError::Data(data)) => Some(data),
        _ => None,
    });
    match (data, error.downcast_ref::<TrainError>()) {
        (Some(DataError::Strict(_)), _) => exit::STRICT,
        (_, Some(TrainError::NotFinite { .. })) => exit::NOT_FINITE,
        (_, Some(TrainError::SickDevice { .. } | TrainError::DeviceErrs { .. })) => {
            exit::SICK_DEVICE
        }
        (_, Some(TrainError::Eval(EvalError::SickDevice(_)))) => exit::SICK_DEVICE,
        (_, Some(TrainError::Model(ModelError::SickDevice(_)))) => exit::SICK_DEVICE,
        _ if matches!(error.downcast_ref(), Some(EvalError::SickDevice(_))) => exit::SICK_DEVICE,
        _ if matches!(error.downcast_ref(), Some(ModelError::SickDevice(_))) => exit::SICK_DEVICE,
        (_, Some(TrainError::Eval(EvalError::Stopped))) => exit::INTERRUPTED,
        _ => exit::ERROR,
    }
}
