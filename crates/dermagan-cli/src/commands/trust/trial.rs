//! `dermagan trial`: do generated images help a classifier?

use dermagan_generate::ImageGenerator;
use dermagan_train::open_model;
use dermagan_trust::{
    Answer, ArmReport, Difference, Generators, TrialEvent, TrialJob, TrialReport, trial,
};
use indicatif::ProgressBar;

use crate::args::TrialArgs;
use crate::commands::stop::Stop;
use crate::commands::trust::training::show_training;
use crate::commands::{eval, select};
use crate::show::{self, complain, say};
use crate::wording::with_flags;

/// Runs a trial; returns the exit code.
pub fn run(args: TrialArgs) -> anyhow::Result<u8> {
    let job = TrialJob {
        reading: args.reading.reading(args.split_by),
        seeds: args.seeds,
        margin: args.margin / 100.0,
        kimg: args.classifier_kimg,
        seed: args.seed,
        ..TrialJob::new(&args.data, &args.state)
    };
    let device = select(&args.device)?;
    let generators = match args.folds {
        Some(folds) => Generators::PerFold { folds, preset: args.preset.clone(), kimg: args.kimg },
        None => {
            let (name, model) = open_model(args.model.as_deref(), None)?;
            complain!("trial of {name}");
            Generators::One(Box::new(ImageGenerator::new(model, device.clone())?))
        }
    };
    let stop =
        Stop::new("stopping; what is finished is kept, and the same command goes on from there");
    stop.listen()?;
    let bar = show::bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    let mut sink = |event| progress(&bar, event);
    let found = trial(&job, &generators, &device, stop.flag(), &mut sink)?;
    bar.finish_and_clear();
    match args.json {
        true => show::json(&found)?,
        false => print(&found),
    }
    Ok(0)
}

/// Shows an event.
fn progress(bar: &ProgressBar, event: TrialEvent) {
    let (message, done, total) = match event {
        TrialEvent::Preparing(event) => return eval::progress(bar, event),
        TrialEvent::Generated { done, total } => ("making images".to_owned(), done, total),
        TrialEvent::Classifiers { done, total, seconds } => {
            if !show::can_redraw() && seconds > 0.0 {
                let left = show::duration(seconds * (total - done) as f64);
                complain!("classifier {done} of {total}, {seconds:.0} s; some {left} left");
            }
            ("training classifiers".to_owned(), done, total)
        }
        TrialEvent::Generator { fold, event } => {
            return show_training(&format!("generator of fold {}", fold + 1), &event);
        }
        _ => return,
    };
    bar.set_message(message);
    bar.set_length(total as u64);
    bar.set_position(done as u64);
}

fn print(report: &TrialReport) {
    say!(
        "{} classifiers of {} thousand images per arm on {}, judged by {} images of {} lesions; generator {}",
        report.seeds as usize * report.folds,
        report.kimg,
        report.data,
        report.test_images,
        report.test_lesions,
        report.generator
    );
    say!(
        "\n{:<54} {:>15} {:>10} {:>9} {:>9} {:>7}   difference from \"{}\", points (95 %)",
        "arm",
        "balanced acc.",
        "validation",
        "macro AUC",
        "mel AUC",
        "ECE",
        report.base
    );
    report.arms.iter().for_each(arm);
    say!("\nrecall by class, %:  {}", report.classes.join("  "));
    for arm in &report.arms {
        let recall: Vec<String> =
            arm.scores.recall.iter().map(|v| format!("{:>4.0}", 100.0 * v)).collect();
        say!("  {:<52} {}", arm.arm, recall.join(" "));
    }
    say!("\n{}", with_flags(&report.words));
    report.notes.iter().for_each(|note| complain!("note: {}", with_flags(note)));
}

fn arm(arm: &ArmReport) {
    let scores = &arm.scores;
    say!(
        "{:<54} {:>7.1} ± {:>4.1} {:>11.1} {:>9.3} {:>9.3} {:>7.3}   {}",
        arm.arm,
        100.0 * scores.balanced_accuracy,
        100.0 * arm.deviation,
        100.0 * arm.validation,
        scores.macro_auc,
        scores.melanoma_auc,
        scores.calibration_error,
        arm.difference.as_ref().map_or_else(String::new, difference)
    );
}

fn difference(found: &Difference) -> String {
    let [low, high] = found.interval.map(|v| 100.0 * v);
    let folds = found.interval_t.map_or_else(String::new, |[low, high]| {
        format!(", by folds {:+.1} to {:+.1}", 100.0 * low, 100.0 * high)
    });
    let answer = match found.answer {
        Answer::Benefit => "better",
        Answer::Harm => "worse",
        Answer::NoBenefit => "no difference worth the margin",
        Answer::Inconclusive => "inconclusive",
    };
    format!(
        "{:+.1} ({low:+.1} to {high:+.1}{folds}), p {:.3}: {answer}",
        100.0 * found.difference,
        found.p_corrected
    )
}
