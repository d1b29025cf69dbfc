//! `dermagan bias`: who is missing.

use dermagan_eval::EvalJob;
use dermagan_train::open_generated;
use dermagan_trust::{Amplification, BiasJob, BiasReport, Composition, Rate, SurroundColour, bias};

use crate::args::BiasArgs;
use crate::commands::{eval, select};
use crate::show::{self, complain, say};

/// Reports whom images show; returns the exit code.
pub fn run(args: BiasArgs) -> anyhow::Result<u8> {
    let job = BiasJob {
        real: args.real.clone(),
        reading: args.reading.reading(args.split_by),
        number: args.number,
        seed: args.seed,
    };
    let device = select(&args.device)?;
    let opening = EvalJob { seed: args.seed, ..EvalJob::new(&args.real) };
    let fakes = open_generated(&opening, &args.fake, &args.outdir, &device)?;
    let bar = show::bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    let mut sink = |event| eval::progress(&bar, event);
    let found = bias(&job, &fakes, &args.fake, &device, &mut sink)?;
    bar.finish_and_clear();
    match args.json {
        true => show::json(&found)?,
        false => print(&found),
    }
    Ok(0)
}

fn print(report: &BiasReport) {
    say!("{} generated images ({}) and {}", report.images, report.fake, report.real);
    if !report.left_out.is_empty() {
        say!("\nleft out of the generated images:");
        report.left_out.iter().for_each(|entry| say!("  {}", entry.words()));
    }
    report.composition.iter().for_each(composition);
    say!(
        "\nsurround colour, degrees: 5, 25, 50, 75 and 95 % of generated / training images, and the distance to training \
         images of generated / held-out ones"
    );
    report.surround.iter().for_each(surround);
    say!("\nwhat a classifier of images sees, without its errors: generated / held-out");
    report.amplification.iter().for_each(amplification);
    say!(
        "\nrecall of the lesion encoder on held-out lesions, 95 % interval (none below 10 lesions)"
    );
    for recall in &report.recall {
        if let Some(rate) = &recall.recall {
            say!(
                "  {:<6} {:<13} {:<14} {:>4} lesions  {}",
                recall.class,
                recall.attribute,
                recall.group,
                recall.lesions,
                interval(rate)
            );
        }
    }
    match report.findings.as_slice() {
        [] => say!("\nnothing differs by more than chance, as far as it can be measured"),
        some => {
            say!("\ndiffers by more than chance:");
            some.iter().for_each(|finding| say!("  {finding}"));
        }
    }
    report.notes.iter().for_each(|note| complain!("note: {note}"));
}

fn composition(of: &Composition) {
    let unknown = match of.unknown {
        0 => String::new(),
        n => format!("; {n} training images without"),
    };
    say!("\n{}: share of training / held-out / generated images{unknown}", of.attribute);
    for group in &of.groups {
        let fake = group.fake.as_ref().map_or("-".to_owned(), percent);
        let expected = group.expected.map_or_else(String::new, |share| {
            format!("  (training images of the same classes: {:.1} %)", 100.0 * share)
        });
        let mark = if group.differs { "  differs" } else { "" };
        say!(
            "  {:<18} {:>6} / {:>6} / {:>6}{expected}{mark}",
            group.group,
            percent(&group.train),
            percent(&group.held_out),
            fake
        );
    }
}

fn surround(of: &SurroundColour) {
    let five = |of: &[f64; 5]| of.map(|angle| format!("{angle:.0}")).join(" ");
    let mark = if of.differs { "  differs" } else { "" };
    say!(
        "  {:<6} {:<18} / {:<18}  {:>4.1} / {:.1}{mark}",
        of.class,
        five(&of.fake),
        five(&of.train),
        of.distance,
        of.distance_held_out
    );
}

fn amplification(of: &Amplification) {
    if !of.measurable {
        say!("  {:<16} not measurable (AUC {:.2}, at least 0.70 is needed)", of.question, of.auc);
        return;
    }
    let directional = of
        .directional
        .map_or_else(String::new, |mean| format!(", directional amplification {mean:+.3}"));
    say!("  {:<16} AUC {:.2}{directional}", of.question, of.auc);
    for shift in &of.classes {
        let mark = if shift.differs { "  differs" } else { "" };
        say!(
            "    {:<6} {:>4.0} % / {:>4.0} %   difference {:+.2} ({:+.2} to {:+.2}){mark}",
            shift.class,
            100.0 * shift.fake,
            100.0 * shift.held_out,
            shift.difference,
            shift.low,
            shift.high
        );
    }
}

fn percent(rate: &Rate) -> String {
    format!("{:.1} %", 100.0 * rate.share())
}

fn interval(rate: &Rate) -> String {
    format!("{:>3.0} % ({:.0} to {:.0})", 100.0 * rate.share(), 100.0 * rate.low, 100.0 * rate.high)
}
