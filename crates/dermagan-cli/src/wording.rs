//! Rewords the messages of the libraries for the command line: a setting becomes its flag.

use dermagan_data::{DataError, default_folder};
use dermagan_eval::EvalError;
use dermagan_train::TrainError;

/// The settings whose flag is not their name with dashes.
const OTHER_FLAGS: [(&str, &str); 7] = [
    ("learning_rate", "--lr"),
    ("truncation", "--trunc"),
    ("self_check", "--no-self-check"),
    ("resolution", "--size"),
    ("g_width", "--width"),
    ("z_dim", "--set model.z_dim"),
    ("d_width", "--width"),
];

/// All other settings that the libraries name.
const SETTINGS: [&str; 71] = [
    "data",
    "outdir",
    "classes_from_folders",
    "keep_synthetic",
    "keep_odd",
    "preset",
    "init",
    "set",
    "size",
    "batch",
    "width",
    "kimg",
    "minutes",
    "snap",
    "tick",
    "seed",
    "mirror",
    "quarter_turns",
    "balanced",
    "all_images",
    "classes",
    "device",
    "precision",
    "resume",
    "metrics",
    "keep",
    "strict",
    "out",
    "fit",
    "filter",
    "seeds",
    "number",
    "class",
    "grid",
    "interpolate",
    "frames",
    "scale",
    "features",
    "weights",
    "split",
    "per_class",
    "real",
    "fake",
    "nearest",
    "worst",
    "save_features",
    "format",
    "images_per_file",
    "torch",
    "hub",
    "float",
    "discriminator",
    "drop",
    "to",
    "only",
    "force",
    "unaudited",
    "shard",
    "shards",
    "audit",
    "model",
    "margin",
    "trial",
    "twins",
    "medigan",
    "state",
    "folds",
    "full",
    "against",
    "port",
    "runtime",
];

/// The same of commands that are there with the feature `c2pa` only.
#[cfg(feature = "c2pa")]
const SIGNING: [&str; 4] = ["certificates", "key", "algorithm", "time_authority"];
#[cfg(not(feature = "c2pa"))]
const SIGNING: [&str; 0] = [];

/// A library's message with flags: `` `batch` = 1: … `` becomes `--batch 1: …`, and `` `batch` `` becomes `--batch`.
pub fn with_flags(words: &str) -> String {
    let plain = SETTINGS.iter().chain(&SIGNING).map(|name| (*name, flag_of(name)));
    let others = OTHER_FLAGS.iter().map(|(name, flag)| (*name, (*flag).to_owned()));
    plain.chain(others).fold(words.to_owned(), |words, (name, flag)| {
        words
            .replace(&format!("`{name}` = "), &format!("{flag} "))
            .replace(&format!("`{name}`"), &flag)
    })
}

/// What to do about an error of the system in the folder of prepared images. `None` if the error is another one.
pub fn cache_advice(error: &anyhow::Error) -> Option<String> {
    let DataError::Io { path, .. } = data_error(error)? else { return None };
    let folder = default_folder();
    path.starts_with(&folder).then(|| {
        format!(
            "Prepared images are kept in {}. Give that folder space and permission to write, or name another one in the \
             variable DERMAGAN_CACHE.",
            folder.display()
        )
    })
}

/// The error of the data that an error of another library may wrap.
fn data_error(error: &anyhow::Error) -> Option<&DataError> {
    match error.downcast_ref::<TrainError>() {
        Some(TrainError::Data(error)) => return Some(error),
        Some(TrainError::Eval(error)) => return of_eval(error),
        _ => {}
    }
    error.downcast_ref::<DataError>().or_else(|| error.downcast_ref().and_then(of_eval))
}

/// The error of the data inside an error of an evaluation.
fn of_eval(error: &EvalError) -> Option<&DataError> {
    match error {
        EvalError::Data(error) => Some(error),
        _ => None,
    }
}

fn flag_of(setting: &str) -> String {
    format!("--{}", setting.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn a_setting_becomes_its_flag() {
        assert_eq!(with_flags("`batch` = 1: expected 2 to 4096"), "--batch 1: expected 2 to 4096");
        assert_eq!(with_flags("a lower `learning_rate`"), "a lower --lr");
        assert_eq!(with_flags("`per_class` and `x`"), "--per-class and `x`");
    }

    #[test]
    fn an_error_in_the_folder_of_prepared_images_names_its_variable() {
        let io = |path: std::path::PathBuf| DataError::Io {
            path,
            error: std::io::ErrorKind::PermissionDenied.into(),
        };
        let inside = || io(default_folder().join("x.dermagan"));
        let outside = || io("elsewhere/x.dermagan".into());
        let wrapped: [fn(DataError) -> anyhow::Error; 4] = [
            |error| error.into(),
            |error| TrainError::Data(error).into(),
            |error| EvalError::Data(error).into(),
            |error| TrainError::Eval(EvalError::Data(error)).into(),
        ];
        for wrap in wrapped {
            let words = cache_advice(&wrap(inside())).unwrap_or_default();
            assert!(words.contains("DERMAGAN_CACHE"), "{words}");
            assert_eq!(cache_advice(&wrap(outside())), None);
        }
        assert_eq!(cache_advice(&TrainError::Stopped("").into()), None);
    }

    #[test]
    fn every_flag_exists() {
        let mut cli = Cli::command();
        cli.build();
        let mut commands: Vec<_> = cli.get_subcommands().cloned().collect();
        let nested: Vec<_> = commands.iter().flat_map(|c| c.get_subcommands().cloned()).collect();
        commands.extend(nested);
        let exists = |flag: &str| {
            let arguments = || commands.iter().flat_map(clap::Command::get_arguments);
            arguments().filter_map(|argument| argument.get_long()).any(|long| long == flag)
        };
        for name in SETTINGS.iter().chain(&SIGNING) {
            assert!(exists(&flag_of(name)[2..]), "--{name}");
        }
        let first = |flag: &str| flag[2..].split(' ').next().unwrap_or_default().to_owned();
        assert!(OTHER_FLAGS.iter().all(|(_, flag)| exists(&first(flag))));
    }
}
