//! The `dermagan` command: parses the command line, calls the libraries and shows their results. The program and the Python
//! package both run it by [`run`].

mod args;
mod commands;
mod foreign;
mod remote;
mod show;
mod wording;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;
use dermagan_data::DataError;
use dermagan_demo::DemoError;
use dermagan_eval::EvalError;
use dermagan_export::ExportError;
use dermagan_generate::GenerateError;
use dermagan_model::{ModelError, cpu};
use dermagan_train::TrainError;
use dermagan_trust::TrustError;

use crate::args::{Cli, Command, DataCommand, EncoderCommand};
use crate::commands::shards::share::Share;
use crate::commands::{
    bench, completions, data, demo, devices, doctor, encoder, eval, model, sample, shards, train,
    trust,
};
use crate::remote::Training;
use crate::show::complain;

/// Exit codes, as `--help` lists them.
mod exit {
    pub const ERROR: u8 = 1;
    pub const COMMAND_LINE: u8 = 2;
    pub const STRICT: u8 = 3;
    pub const NOT_FINITE: u8 = 4;
    pub const SICK_DEVICE: u8 = 5;
    pub const FAIL: u8 = 6;
    pub const NO_VERDICT: u8 = 7;
    pub const INTERRUPTED: u8 = 130;
}

/// Runs a command line, the name of the program first, and ends the process with the command's exit code.
pub fn run(line: Vec<OsString>) -> ! {
    let command = Cli::try_parse_from(&line).unwrap_or_else(|error| refuse(error, &line)).command;
    // Checked also for commands that open no device: what they say of the CPU would be wrong.
    let done =
        cpu::requested().map_err(anyhow::Error::from).and_then(|_| with_stores(command, &line));
    let mut code = match done {
        Ok(code) => code,
        Err(error) => {
            let words = wording::with_flags(&format!("{error:#}"));
            let code = code_of(&error);
            match code {
                // A stop is what the user asked for.
                exit::INTERRUPTED => complain!("{words}"),
                _ => complain!("error: {words}"),
            }
            if let Some(next) = wording::cache_advice(&error) {
                complain!("  {next}");
            }
            code
        }
    };
    if let Some(error) = show::lost() {
        complain!("error: standard output is incomplete: {error}");
        if code == 0 {
            code = exit::ERROR;
        }
    }
    leave(code)
}

/// Runs a command whose places may be URLs; returns its exit code. `line` are the words of the command line, the program first.
fn with_stores(mut command: Command, line: &[OsString]) -> anyhow::Result<u8> {
    let mut remote = remote::prepare(&mut command)?;
    let code = dispatch(command, line, remote.training())?;
    remote.finish()?;
    Ok(code)
}

fn dispatch(command: Command, line: &[OsString], training: Training) -> anyhow::Result<u8> {
    match command {
        Command::Prepare(args) => {
            let share = Share::of(&args.share, "prepare", line)?;
            data::prepare_source(&args, &share)
        }
        Command::Data(DataCommand::Info(args)) => data::data_info(&args),
        Command::Data(DataCommand::Export(args)) => data::data_export(&args),
        Command::Train(args) => train::run(args, training),
        Command::Sample(args) => {
            let share = Share::of(&args.share, "sample", line)?;
            sample::run(args, &share)
        }
        Command::Merge(args) => shards::merge::run(args),
        Command::Export(args) => model::export(args),
        Command::Demo(args) => demo::run(args),
        Command::Info(args) => model::info(&args),
        Command::Devices => devices::run(),
        Command::Doctor(args) => doctor::run(&args),
        Command::Eval(args) => {
            let share = Share::of(&args.share, "eval", line)?;
            eval::run(args, &share)
        }
        Command::Audit(args) => {
            let share = Share::of(&args.share, "audit", line)?;
            trust::audit::run(args, &share)
        }
        Command::Balance(args) => {
            let share = Share::of(&args.share, "balance", line)?;
            trust::balance::run(args, &share)
        }
        Command::Bias(args) => trust::bias::run(args),
        Command::Trial(args) => trust::trial::run(args),
        Command::Report(args) => trust::report::run(args),
        #[cfg(feature = "c2pa")]
        Command::Sign(args) => trust::sign::run(args),
        Command::Encoder(EncoderCommand::Train(args)) => encoder::train(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Answers a command line that cannot be read, or prints the help that was asked for; ends the process.
fn refuse(error: clap::Error, line: &[OsString]) -> ! {
    let typed: Vec<String> =
        line.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match foreign::answer(&error, &typed) {
        Some(answer) => {
            complain!("error: {answer}\n\nFor more information, try '--help'.");
            leave(exit::COMMAND_LINE)
        }
        None => {
            let error = foreign::without_wrong_tip(error);
            // If the output is closed, nothing can be reported.
            let _ = error.print().and_then(|()| std::io::stdout().flush());
            leave(if error.use_stderr() { exit::COMMAND_LINE } else { 0 })
        }
    }
}

/// Ends the process at once, without the exit handlers of C++ libraries. The handlers of a graphics driver run while
/// burn's threads still hold the device. On SwiftShader they crashed about one `doctor` in ten after it had printed
/// "pass". All our output is written and flushed by now.
#[expect(unsafe_code, reason = "declares _exit of the C library, which accepts any number")]
fn leave(code: u8) -> ! {
    unsafe extern "C" {
        safe fn _exit(code: std::ffi::c_int) -> !;
    }
    _exit(i32::from(code))
}

/// The exit code of an error. An error of one library may wrap an error of another.
fn code_of(error: &anyhow::Error) -> u8 {
    if let Some(error) = error.downcast_ref::<TrustError>() {
        return match error {
            TrustError::Data(error) => of_data(error),
            TrustError::Eval(error) => of_eval(error),
            TrustError::Generate(error) => of_generate(error),
            TrustError::Model(error) => of_model(error),
            TrustError::Train(error) => of_train(error),
            _ => exit::ERROR,
        };
    }
    None.or_else(|| error.downcast_ref().map(of_train))
        .or_else(|| error.downcast_ref().map(of_demo))
        .or_else(|| error.downcast_ref().map(of_data))
        .or_else(|| error.downcast_ref().map(of_eval))
        .or_else(|| error.downcast_ref().map(of_generate))
        .or_else(|| error.downcast_ref().map(of_model))
        .unwrap_or(exit::ERROR)
}

fn of_train(error: &TrainError) -> u8 {
    match error {
        TrainError::NotFinite { .. } => exit::NOT_FINITE,
        TrainError::SickDevice { .. } | TrainError::DeviceErrs { .. } => exit::SICK_DEVICE,
        TrainError::Stopped(_) => exit::INTERRUPTED,
        TrainError::Data(error) => of_data(error),
        TrainError::Eval(error) => of_eval(error),
        TrainError::Generate(error) => of_generate(error),
        TrainError::Export(error) => of_export(error),
        TrainError::Model(error) => of_model(error),
        _ => exit::ERROR,
    }
}

fn of_data(error: &DataError) -> u8 {
    if matches!(error, DataError::Strict(_)) { exit::STRICT } else { exit::ERROR }
}

fn of_demo(error: &DemoError) -> u8 {
    match error {
        DemoError::Export(error) => of_export(error),
        DemoError::Generate(error) => of_generate(error),
        DemoError::Model(error) => of_model(error),
        _ => exit::ERROR,
    }
}

fn of_eval(error: &EvalError) -> u8 {
    match error {
        EvalError::SickDevice(_) => exit::SICK_DEVICE,
        EvalError::Data(error) => of_data(error),
        EvalError::Generate(error) => of_generate(error),
        EvalError::Model(error) => of_model(error),
        _ => exit::ERROR,
    }
}

fn of_export(error: &ExportError) -> u8 {
    match error {
        ExportError::Generate(error) => of_generate(error),
        ExportError::Model(error) => of_model(error),
        _ => exit::ERROR,
    }
}

fn of_generate(error: &GenerateError) -> u8 {
    match error {
        GenerateError::Model(error) => of_model(error),
        _ => exit::ERROR,
    }
}

fn of_model(error: &ModelError) -> u8 {
    if matches!(error, ModelError::SickDevice(_)) { exit::SICK_DEVICE } else { exit::ERROR }
}
