//! `dermagan audit`: asks whether generated images are copies of training images.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, ensure};
use dermagan_base::{atomic, producer};
use dermagan_eval::{EvalJob, GeneratedImages};
use dermagan_generate::{FilesRequest, ImageGenerator, Selection};
use dermagan_model::{ComputeDevice, ModelFile};
use dermagan_train::{LATEST, Preset, discriminator_logits, open_generated, open_model};
use dermagan_trust::{
    Attack, Audit, AuditJob, AuditReport, ClassAudit, Learnt, Pair, Rate, TargetShare, TrustError,
    TwinEvent, TwinsJob, Verdict, audit_joined, audit_shard, sheet, twins, write_without,
};

use crate::args::AuditArgs;
use crate::commands::shards::share::{Share, said};
use crate::commands::stop::Stop;
use crate::commands::trust::training::show_training;
use crate::commands::{eval, select};
use crate::exit;
use crate::show::{self, complain, say};
use crate::wording::with_flags;

/// Pixels between pairs, and pairs per row.
const GAP: usize = 4;
const COLUMNS: usize = 5;

/// Audits images; returns the exit code.
pub fn run(args: AuditArgs, share: &Share) -> anyhow::Result<u8> {
    let fake = match (&args.twins, &args.fake) {
        (None, Some(fake)) => fake,
        (preset, _) => return of_twins(&args, preset.as_deref().unwrap_or("rare")),
    };
    let job = AuditJob {
        real: args.real.clone(),
        reading: args.reading.reading(args.split_by),
        number: args.number,
        seed: args.seed,
        learnt: None,
    };
    job.check()?;
    if let Some(path) = &args.sheet {
        show::check_png("--sheet", path)?;
    }
    if let Some(path) = &args.drop {
        ensure!(!path.exists(), "--drop {}: this exists; name a new folder", path.display());
    }
    let device = select(&args.device)?;
    let opening = EvalJob { seed: args.seed, ..EvalJob::new(&args.real) };
    let fakes = open_generated(&opening, fake, &args.outdir, &device)?;
    let model = match &fakes {
        GeneratedImages::Model { .. } => Some(open_fake(fake, &args.outdir)?),
        _ => None,
    };
    let job = AuditJob { learnt: model.as_ref().and_then(Learnt::of), ..job };
    let scores = args.discriminator.as_deref().map(|path| {
        move |cache: &dermagan_data::Cache| Ok::<_, TrustError>(discriminator_logits(path, cache)?)
    });
    let scores = scores.as_ref().map(|scores| scores as &dyn Fn(&_) -> _);
    let bar = show::bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    let mut sink = |event| eval::progress(&bar, event);
    if let Share::One(request) = share {
        let done = audit_shard(&job, &fakes, &device, request, &mut sink)?;
        bar.finish_and_clear();
        said(request, done, "images, real and generated");
        return Ok(0);
    }
    let found = audit_joined(&job, &fakes, scores, &device, share.joined(), &mut sink)?;
    bar.finish_and_clear();
    match args.json {
        true => show::json(&found.report)?,
        false => print(&found.report),
    }
    if let Some(path) = &args.sheet {
        write_sheet(path, &found.pairs)?;
        complain!("closest pairs: {}", path.display());
    }
    if let Some(out) = &args.drop {
        let kept = drop_copies(&args, (&fakes, model), &found, out, device)?;
        complain!("{kept} images without {} copies: {}", found.copies.len(), out.display());
    }
    Ok(code_of(found.report.verdict))
}

/// The exit code of a verdict.
fn code_of(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Fail => exit::FAIL,
        Verdict::NoVerdict => exit::NO_VERDICT,
    }
}

/// Audits a recipe.
fn of_twins(args: &AuditArgs, preset: &str) -> anyhow::Result<u8> {
    let job = TwinsJob {
        real: args.real.clone(),
        reading: args.reading.reading(args.split_by),
        preset: preset.to_owned(),
        kimg: args.kimg,
        number: args.number,
        state: args.state.clone(),
        seed: args.seed,
    };
    let side = Preset::named(preset, &[])?.model.resolution;
    let device = select(&args.device)?;
    let stop =
        Stop::new("stopping; what is finished is kept, and the same command goes on from there");
    stop.listen()?;
    let bar = show::bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    let found = twins(&job, side, &device, stop.flag(), &mut |event| match event {
        TwinEvent::Images(event) => eval::progress(&bar, event),
        TwinEvent::Training { twin, event } => show_training(&format!("twin {twin}"), &event),
        _ => {}
    })?;
    bar.finish_and_clear();
    match args.json {
        true => show::json(&found)?,
        false => say!("{}: {}", found.recipe, found.words),
    }
    Ok(code_of(found.verdict))
}

/// The generator of `--fake`.
pub(super) fn open_fake(fake: &Path, outdir: &Path) -> anyhow::Result<ModelFile> {
    let latest = fake.to_str() == Some(LATEST);
    Ok(open_model(Some(fake), latest.then_some(outdir))?.1)
}

/// Writes the images that are no copies; returns their number.
fn drop_copies(
    args: &AuditArgs,
    (fakes, model): (&GeneratedImages, Option<ModelFile>),
    found: &Audit,
    out: &Path,
    device: ComputeDevice,
) -> anyhow::Result<u64> {
    let (GeneratedImages::Model { first, .. }, Some(model)) = (fakes, model) else {
        return Ok(write_without(fakes, found, out)? as u64);
    };
    // Each seed that was audited and is no copy.
    let seeds: Vec<Range<u64>> = (0..args.number)
        .filter(|i| !found.copies.contains(i))
        .map(|i| first + i as u64..first + i as u64 + 1)
        .collect();
    let generator = ImageGenerator::new(model, device)?;
    let images = Selection { seeds, ..Selection::first(1) };
    let request = FilesRequest { images, out: out.to_owned() };
    Ok(generator.write_files(&request, &mut |_| ())?.images)
}

/// Writes the closest pairs as a PNG that says what it shows.
fn write_sheet(path: &Path, pairs: &[Pair]) -> anyhow::Result<()> {
    let sheet = sheet(pairs.iter().map(|pair| [&pair.fake, &pair.real]), COLUMNS, GAP);
    let names = pairs.iter().map(|pair| format!("{} beside {}", pair.index, pair.real_id));
    let words = format!(
        "The generated images that are closest to a training image, the closest first, each with that REAL image on its \
         right: {}. Redistribute only as the licence of the real images permits.",
        names.collect::<Vec<_>>().join(", ")
    );
    let png = sheet.to_png(&[("Software", producer()), ("Description", words)])?;
    atomic::write(path, &png).with_context(|| format!("cannot write {}", path.display()))
}

/// Prints a report.
fn print(report: &AuditReport) {
    say!(
        "{} generated images ({}) against {} training and {} held-out images of {}, {}x{} pixels",
        report.all.images,
        report.fake,
        report.train,
        report.held_out,
        report.real,
        report.side,
        report.side
    );
    if !report.left_out.is_empty() {
        say!("\nleft out of the generated images:");
        report.left_out.iter().for_each(|entry| say!("  {}", entry.words()));
    }
    say!(
        "\ncopies: images closer to one training image than all but 0.1 % of held-out photographs are / the same of held-out \
         photographs\ntarget share: of images that are nearer to a training lesion than to a held-out one, at equal numbers; \
         0.5 is no preference\nattack: AUC of finding the photographs that the generator learnt from, by the generated \
         images; 0.5 is chance (in brackets: what chance reaches)\n"
    );
    say!(
        "{:<8} {:>7} {:>13} {:>25} {:>26} {:>24}  verdict",
        "class",
        "images",
        "lesions",
        "copies",
        "target share",
        "attack"
    );
    report.classes.iter().chain([&report.all]).for_each(row);
    let needed: Vec<&ClassAudit> =
        report.classes.iter().chain([&report.all]).filter(|class| class.needed.is_some()).collect();
    if !needed.is_empty() {
        say!("\na verdict would need:");
        for class in needed {
            say!("  {:<8} {}", class.class, class.needed.as_deref().unwrap_or_default());
        }
    }
    others(report);
    say!("\n{}", with_flags(&report.words));
    report.notes.iter().for_each(|note| complain!("note: {}", with_flags(note)));
}

/// Prints the figures that decide nothing, and the controls.
fn others(report: &AuditReport) {
    let authenticity = &report.authenticity;
    say!(
        "\nauthentic images (AuthPct): {:.0} %, of held-out photographs {:.0} %",
        authenticity.authentic,
        authenticity.authentic_held_out
    );
    if let Some(share) = authenticity.farther_than_held_out {
        say!(
            "farther from training images than held-out photographs (C_T as a share; 0.5 is equal): {share:.2}"
        );
    }
    let controls = &report.controls;
    let word = |right: bool| if right { "as it must be" } else { "WRONG" };
    let share = controls
        .held_out_share
        .as_ref()
        .map_or_else(String::new, |share| format!(", target share {}", share_words(share)));
    let attack = controls
        .held_out_attack
        .as_ref()
        .map_or_else(String::new, |attack| format!(", attack {}", attack_words(attack)));
    say!(
        "\ncontrols:\n  held-out photographs in the place of generated images: copies {}{share}{attack}: {}",
        rate_words(&controls.held_out_copies),
        word(controls.held_out_passes)
    );
    say!(
        "  planted copies, turned, shifted and compressed: {} of {} found ({:.1} % of the set): {}",
        controls.planted_found,
        controls.planted,
        100.0 * controls.planted_share,
        word(controls.planted_fails)
    );
}

/// Prints the results of a class.
fn row(class: &ClassAudit) {
    let identical = match class.identical {
        0 => String::new(),
        n => format!(", {n} identical"),
    };
    let copies = format!(
        "{}{identical} / {}",
        rate_words(&class.copies),
        rate_words(&class.copies_held_out)
    );
    let share = class.target_share.as_ref().map_or("-".to_owned(), share_words);
    let attack = class.membership.as_ref().map_or("-".to_owned(), attack_words);
    say!(
        "{:<8} {:>7} {:>13} {:>25} {:>26} {:>24}  {}",
        class.class,
        class.images,
        format!("{} / {}", class.train_lesions, class.held_out_lesions),
        copies,
        share,
        attack,
        class.verdict.word()
    );
    if let Some(attack) = &class.discriminator {
        say!("{:<8} {:>7} by the discriminator: {}", "", "", attack_words(attack));
    }
}

fn rate_words(rate: &Rate) -> String {
    format!("{}/{}", rate.events, rate.trials)
}

fn share_words(share: &TargetShare) -> String {
    format!("{:.3} ({:.3} to {:.3})", share.share, share.low, share.high)
}

fn attack_words(attack: &Attack) -> String {
    let rate = attack
        .found_at_1_percent
        .map_or_else(String::new, |found| format!(", {:.1} % at 1 %", 100.0 * found));
    format!("{:.3} ({:.3}){rate}", attack.auc, attack.band)
}
