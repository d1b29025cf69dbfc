//! Answers to the options of other programs. People who come from elsewhere type the flags that they know; clap alone would
//! call them unexpected, and propose an option of a similar name that means something else.

mod flags;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use self::flags::{Answer, COMMANDS, FLAGS};
use crate::args::Cli;

/// What takes the place of an option, an argument or a command that the program does not have. `typed` are the arguments
/// without the program's name. `None` if nothing is known about it.
pub fn answer(error: &clap::Error, typed: &[String]) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let command = command_of(typed);
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let argument = text(ContextKind::InvalidArg)?;
            match argument.starts_with('-') {
                true => about_flag(&argument, &command),
                false => about_position(&argument, &command),
            }
        }
        ErrorKind::InvalidSubcommand => {
            let name = text(ContextKind::InvalidSubcommand)?;
            let known = COMMANDS.iter().find(|(names, _)| has(names, &normal(&name)))?;
            Some(format!("{name} is here: {}", known.1))
        }
        ErrorKind::TooManyValues => {
            let flag = text(ContextKind::InvalidArg)?;
            let value = text(ContextKind::InvalidValue)?;
            Some(match ["0", "false", "no", "off"].contains(&value.to_lowercase().as_str()) {
                true => format!("{flag} takes no value; leave it out"),
                false => format!("{flag} takes no value; give it alone"),
            })
        }
        _ => None,
    }
}

/// Removes the proposal of a similar option if it is not what the user mistyped.
pub fn without_wrong_tip(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg).cloned() else {
        return error;
    };
    let proposals = match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(several)) => several.clone(),
        _ => return error,
    };
    if !proposals.iter().any(|proposal| is_typo(&typed, proposal)) {
        error.remove(ContextKind::SuggestedArg);
    }
    error
}

/// The command that was typed, such as `train` or `data info`; empty if there is none.
fn command_of(typed: &[String]) -> String {
    use clap::CommandFactory;

    let mut command = Cli::command();
    let mut path = Vec::new();
    for word in typed {
        let Some(next) = command.find_subcommand(word).cloned() else { break };
        path.push(word.as_str());
        command = next;
    }
    path.join(" ")
}

/// The long options of a command, such as `--batch`, with their aliases.
fn options_of(command: &str) -> Vec<String> {
    use clap::CommandFactory;

    let mut at = Cli::command();
    for word in command.split_whitespace() {
        match at.find_subcommand(word).cloned() {
            Some(next) => at = next,
            None => return Vec::new(),
        }
    }
    let names = at.get_arguments().flat_map(|argument| {
        let aliases = argument.get_all_aliases().unwrap_or_default();
        argument
            .get_long()
            .into_iter()
            .chain(aliases)
            .map(|name| format!("--{name}"))
            .collect::<Vec<_>>()
    });
    names.collect()
}

/// A flag's name as the table has it.
fn normal(flag: &str) -> String {
    let name = flag.split('=').next().unwrap_or_default();
    name.trim_start_matches('-').to_lowercase().replace('_', "-")
}

fn has(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|known| known == name)
}

/// The options that a text names.
fn named_in(text: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_lowercase() || c == '-';
    let words = text.split(|c: char| !is_word(c));
    words.filter(|word| word.len() > 2 && word.starts_with("--")).map(str::to_owned).collect()
}

fn about_flag(flag: &str, command: &str) -> Option<String> {
    let shown = flag.split('=').next().unwrap_or_default();
    let name = normal(flag);
    let rows = || FLAGS.iter().filter(|(names, ..)| has(names, &name));
    let own = options_of(command);
    // The answer holds for the user's command if that has every option that the answer names.
    let holds = |answer: &Answer| {
        let named = named_in(answer.text());
        !named.is_empty() && named.iter().all(|option| own.contains(option))
    };
    let row = rows().find(|(_, of, _)| *of == command);
    let row = row.or_else(|| rows().find(|(_, _, answer)| holds(answer)));
    let (_, of, answer) = row.or_else(|| rows().next())?;
    let words = match answer {
        Answer::Called(option) => match option.split_once(';') {
            Some((option, rest)) => format!("{shown} is called {option} here;{rest}"),
            None => format!("{shown} is called {option} here"),
        },
        Answer::Note(why) => format!("{shown} {why}"),
    };
    Some(match *of == command || holds(answer) {
        true => words,
        false => format!("with dermagan {of}, {words}"),
    })
}

/// What a bare argument may have meant, where the command has none.
fn about_position(argument: &str, command: &str) -> Option<String> {
    match command {
        "train" | "encoder train" => {
            Some(format!("the data is an option here: dermagan {command} --data {argument}"))
        }
        "eval" => Some(
            "the two sets are options here: dermagan eval --real REAL --fake GENERATED".to_owned(),
        ),
        _ => None,
    }
}

/// Whether `typed` is a typing error of `known`: at most two changes, and more than half of it is right.
fn is_typo(typed: &str, known: &str) -> bool {
    let [typed, known] = [typed, known].map(|name| name.trim_start_matches('-').to_lowercase());
    let distance = changes(&typed, &known);
    distance <= 2 && 3 * distance <= known.chars().count()
}

/// Number of insertions, deletions, replacements and exchanges of neighbours between two words.
fn changes(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn answered(line: &str) -> String {
        let typed: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let all = ["dermagan".to_owned()].into_iter().chain(typed.clone());
        let error = Cli::try_parse_from(all).expect_err(line);
        answer(&error, &typed).unwrap_or_else(|| panic!("{line}: no answer"))
    }

    #[test]
    fn a_flag_of_another_program_is_answered_with_the_option_here() {
        for (line, expected) in [
            ("train --cond=1", "--cond is not needed"),
            ("train --gpus 2", "--gpus is not needed: everything runs on one device"),
            ("train --cfg=stylegan2", "--cfg is called --preset here"),
            ("train --gamma 6.6", "--gamma is called --set objective.r1=VALUE here"),
            ("train --aug=ada", "--aug is a group of settings"),
            ("train --target 0.6", "--target is called --set augment.target=VALUE here"),
            ("train --mirror=1", "--mirror takes no value; give it alone"),
            ("train --mirror=false", "--mirror takes no value; leave it out"),
            ("train --image-size 64", "--image-size is called --size here"),
            ("train --image_size 64", "--image_size is called --size here"),
            ("train --imageSize=64", "--imageSize is called --size here"),
            ("train --num-train-steps 1000", "--num-train-steps counts steps"),
            ("train --niter 25", "--niter counts epochs"),
            ("train --generate", "--generate is a command of its own: dermagan sample RUN"),
            ("train --name x", "--name is not needed"),
            ("train --new", "--new is not needed"),
            ("train --multi-gpus", "--multi-gpus is not needed"),
            ("train --aug-prob 0.2", "--aug-prob is called --set augment.probability=VALUE here"),
            ("train --transparent", "--transparent has no equivalent"),
            ("train --dataroot d", "--dataroot is called --data here"),
            ("train --dataset lsun", "--dataset is called --data here"),
            ("train --workers 2", "--workers is not needed"),
            ("train --nz 100", "--nz is called --set model.z_dim=N here"),
            ("train --ngf 64", "--ngf is called --width here"),
            ("train --ndf 64", "--ndf is called --width here"),
            ("train --cuda", "--cuda is called --device gpu here"),
            ("train --ngpu 1", "--ngpu is not needed"),
            ("train --netG g.pth", "--netG has no equivalent"),
            ("train --manualSeed 3", "--manualSeed is called --seed here"),
            ("train --beta1 0.5", "--beta1 is called --set optimiser.beta1=VALUE here"),
            ("train ham.zip", "dermagan train --data ham.zip"),
            ("sample --network g.pkl", "--network is the first argument: dermagan sample"),
            ("sample --seed 3", "--seed is called --seeds here"),
            ("sample --gpus 1", "--gpus is not needed: everything runs on one device"),
            ("sample --cuda", "--cuda is called --device gpu here"),
            ("sample --gamma 3", "with dermagan train, --gamma is called"),
            ("sample --image-size 64", "with dermagan train, --image-size is called --size"),
            ("eval a b", "--real REAL --fake GENERATED"),
            ("eval --dims 2048", "--dims is not needed"),
            ("eval --batch-size 50", "--batch-size is not needed"),
            ("eval --num-workers 2", "--num-workers is not needed"),
            ("eval --network n.pkl", "--network is called --fake here"),
            ("eval --input1 a", "--input1 is called --fake here"),
            ("eval --cuda", "--cuda is called --device gpu here"),
            ("bench --batch-size 4", "--batch-size is called --batch here"),
            ("prepare --source x", "--source is the first argument: dermagan prepare SOURCE"),
            ("prepare x --dest y", "--dest is called --out here"),
            ("prepare x --resolution 64", "--resolution is called --size here"),
            ("export --network x", "--network is the first argument: dermagan export"),
            ("info --network x", "--network is the first argument: dermagan info"),
            ("data info --data x", "--data is the first argument: dermagan data info SOURCE"),
            ("encoder train --dataroot x", "--dataroot is called --data here"),
            ("encoder train --epochs 3", "--epochs counts epochs"),
            ("gen_images", "gen_images is here: dermagan sample"),
            ("calc_metrics", "calc_metrics is here: dermagan eval"),
            ("--gpus 1", "with dermagan train, --gpus is not needed"),
        ] {
            let words = answered(line);
            assert!(
                words.starts_with(expected) || words.contains(&format!(" {expected}")),
                "{line}: {words}"
            );
        }
    }

    #[test]
    fn what_is_not_known_has_no_answer() {
        for line in ["train --bacth 3", "sample --frobnicate", "frobnicate", "train --size abc"] {
            let typed: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let all = ["dermagan".to_owned()].into_iter().chain(typed.clone());
            let error = Cli::try_parse_from(all).expect_err(line);
            assert_eq!(answer(&error, &typed), None, "{line}");
        }
    }

    #[test]
    fn every_option_that_an_answer_names_exists() {
        use clap::CommandFactory;

        let commands = [
            "train",
            "sample",
            "eval",
            "prepare",
            "export",
            "info",
            "bench",
            "doctor",
            "data info",
        ];
        let all: Vec<String> = commands.iter().flat_map(|command| options_of(command)).collect();
        assert!(all.len() > 60);
        for (names, of, answer) in FLAGS {
            assert!(commands.contains(of), "{of}");
            let text = answer.text();
            for option in named_in(text) {
                assert!(all.contains(&option), "{names}: {option}");
            }
            // An option that is called otherwise exists in the command that the row is about.
            if let Answer::Called(text) = answer {
                let option = &named_in(text)[0];
                assert!(options_of(of).contains(option), "{names}: {option} of {of}");
            }
        }
        let mut cli = Cli::command();
        cli.build();
        for (names, here) in COMMANDS {
            let command = here.split_whitespace().nth(1).unwrap_or_default();
            assert!(cli.find_subcommand(command).is_some(), "{names}: {here}");
        }
    }

    #[test]
    fn every_setting_that_an_answer_names_exists() {
        for (names, _, answer) in FLAGS {
            let text = answer.text();
            for part in text.split("--set ").skip(1) {
                let (key, value) = part.split_once('=').expect(names);
                let value = value.split([',', ';', ' ']).next().unwrap_or_default();
                let value = match value {
                    "NAME" => "hinge",
                    "VALUE" | "RATE" => "0.1",
                    "N" | "KIMG" => "8",
                    value => value,
                };
                // These have an effect only together with others.
                let others = match key {
                    "augment.adapt_kimg" => {
                        vec!["augment.target=0.6".to_owned(), "augment.probability=0".to_owned()]
                    }
                    "augment.target" => vec!["augment.probability=0".to_owned()],
                    _ => Vec::new(),
                };
                let settings: Vec<String> =
                    others.into_iter().chain([format!("{key}={value}")]).collect();
                let found = dermagan_train::Preset::named("fast", &settings);
                assert!(
                    found.is_ok(),
                    "{names}: {key}: {}",
                    found.err().map(|e| e.to_string()).unwrap_or_default()
                );
            }
        }
    }

    #[test]
    fn only_a_typing_error_gets_a_tip() {
        assert!(is_typo("--bacth", "--batch") && is_typo("--mirrors", "--mirror"));
        assert!(!is_typo("--niter", "--fit") && !is_typo("--foo", "--fit"));
        let tip = |line: &str| {
            let all = ["dermagan"].into_iter().chain(line.split_whitespace());
            without_wrong_tip(Cli::try_parse_from(all).expect_err(line)).to_string()
        };
        assert!(tip("train --bacth 3").contains("--batch"), "{}", tip("train --bacth 3"));
        let far = tip("train --resolutions 3");
        assert!(!far.contains("similar"), "{far}");
    }
}
