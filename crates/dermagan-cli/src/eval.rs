//! `dermagan eval`: what is measured where, and the table.

use anyhow::{Context, ensure};
use dermagan_base::atomic;
use dermagan_base::image::Image;
use dermagan_data::split::Side;
use dermagan_data::{Cache, Filter, Fit, Options, open_or_prepare};
use dermagan_eval::compare::{Figure, KidFigure, Verdict};
use dermagan_eval::encoder::LesionEncoder;
use dermagan_eval::handmade::Handmade;
use dermagan_eval::inception::Inception;
use dermagan_eval::mmd::Discrepancy;
use dermagan_eval::{Comparison, Extractor, agree, npz};
use dermagan_model::{Selected, device};
use dermagan_train::evaluate::{EvalEvent, EvalReport, EvalRequest, Eyes, evaluate};
use dermagan_train::fakes::Fakes;
use dermagan_train::nearest::nearest;
use dermagan_train::which_model;
use indicatif::ProgressBar;

use crate::args::{EvalArgs, FeaturesArg, SideArg};
use crate::show::{self, complain, say};

/// Side of real images where the generated ones do not say theirs.
const SIDE: u32 = 64;
/// Largest side that images of a folder are looked at with: the lesion encoder and the hand-made
/// features see 64 pixels, so more would only take place on the disk.
const LARGEST: usize = 128;
/// The same for Inception, which sees 299.
const INCEPTION_SIDE: usize = 299;
/// Hand-made features that are shown.
const SHOWN: usize = 6;
/// Seeds between two `--seed`s of a generator.
const APART: u64 = 1_000_000;

/// Before the expensive part.
fn check_outputs(args: &EvalArgs) -> anyhow::Result<()> {
    let outputs =
        [("--save-features", &args.save_features, "npz"), ("--nearest", &args.nearest, "png")];
    for (flag, path, ending) in outputs {
        let Some(path) = path else { continue };
        show::check_ending(flag, path, ending)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let there = folder.is_none_or(std::path::Path::is_dir) && !path.is_dir();
        ensure!(there, "{}: no such folder, or a folder itself", path.display());
    }
    Ok(())
}

/// Runs the command.
pub fn run(args: &EvalArgs) -> anyhow::Result<u8> {
    ensure!((2..=1_000_000).contains(&args.number), "-n {}: expected 2 to 1000000", args.number);
    let first = args.seed.checked_mul(APART).filter(|first| first.checked_add(APART).is_some());
    let first = first.with_context(|| format!("--seed {}: too large", args.seed))?;
    let device = device::select(&args.device.device)?;
    check_outputs(args)?;
    let fakes = open_fakes(args, &device, first)?;
    let cache = prepared(&args.real, fakes.side().map_or(SIDE, |side| side as u32))?;
    let encoder = match (&args.weights, args.features) {
        (Some(file), FeaturesArg::Lesion) => LesionEncoder::open(file, &device.device)?,
        _ => LesionEncoder::shipped(&device.device)?,
    };
    let inception = match (args.features, &args.weights) {
        (FeaturesArg::Inception, Some(file)) => Some(Inception::open(file, &device.device)?),
        (FeaturesArg::Inception, None) => anyhow::bail!(
            "--features inception needs --weights FILE; fetch it with: scripts/fetch-weights inception"
        ),
        _ => None,
    };
    ensure!(
        args.features != FeaturesArg::Handmade || args.weights.is_none(),
        "--features handmade takes no --weights"
    );
    let extractor: &dyn Extractor = match (&inception, args.features) {
        (Some(inception), _) => inception,
        (None, FeaturesArg::Handmade) => &Handmade,
        (None, _) => &encoder,
    };
    if !device.is_cpu {
        check_device(args, &cache, &encoder, inception.as_ref())?;
    }
    let eyes = Eyes { extractor, encoder: &encoder };
    let request = EvalRequest {
        n: args.number,
        side: match args.split {
            SideArg::Train => Some(Side::Train),
            SideArg::Val => Some(Side::Val),
            SideArg::Test => Some(Side::Test),
            SideArg::All => None,
        },
        images: None,
        per_class: args.per_class,
        seed: args.seed,
        explain: true,
    };
    let bar = show::bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    let mut sink = |event| progress(&bar, event);
    let (report, [real, fake]) = evaluate(&cache, &fakes, &eyes, &request, &mut sink)?;
    bar.finish_and_clear();
    match args.json {
        true => show::json(&report)?,
        false => table(&report),
    }
    if let Some(path) = &args.save_features {
        npz::write(path, &[("real", &real), ("fake", &fake)])?;
        complain!("features: {}", path.display());
    }
    if let Some(path) = &args.nearest {
        let (image, rows) = nearest(&cache, &fakes, &eyes, &request, &mut |event| {
            progress(&bar, event);
        })?;
        bar.finish_and_clear();
        write_png(path, &image, &rows)?;
        complain!("nearest images: {}, rows {}", path.display(), rows.join(", "));
    }
    Ok(0)
}

/// Compares the features of the first images with the CPU's.
fn check_device(
    args: &EvalArgs,
    cache: &Cache,
    encoder: &LesionEncoder,
    inception: Option<&Inception>,
) -> anyhow::Result<()> {
    let images: Vec<_> = (0..cache.len().min(agree::MOST))
        .map(|i| {
            let (side, pixels) = (cache.size(), cache.pixels(i).to_vec());
            Image { width: side, height: side, pixels }
        })
        .collect();
    let cpu = Selected::cpu().device;
    let reference = match (&args.weights, args.features) {
        (Some(file), FeaturesArg::Lesion) => LesionEncoder::open(file, &cpu)?,
        _ => LesionEncoder::shipped(&cpu)?,
    };
    agree::check(encoder, &reference, &images)?;
    if let (Some(inception), Some(file)) = (inception, &args.weights) {
        agree::check(inception, &Inception::open(file, &cpu)?, &images)?;
    }
    Ok(())
}

/// Anything that `train` takes is also something that can be measured.
fn open_fakes(args: &EvalArgs, device: &Selected, first: u64) -> anyhow::Result<Fakes> {
    let most = match args.features {
        FeaturesArg::Inception => INCEPTION_SIDE,
        _ => LARGEST,
    };
    if args.fake.exists() {
        return Ok(Fakes::open(&args.fake, device, first, most)?);
    }
    let spec = args.fake.to_string_lossy();
    if spec == "phantom" {
        return Ok(Fakes::Cache(prepared(&spec, SIDE)?));
    }
    if spec == which_model::LATEST || spec == which_model::SHIPPED {
        let (name, model) = which_model::open_model(Some(&args.fake), &args.outdir)?;
        return Ok(Fakes::of_model(&model, &name, device, first)?);
    }
    anyhow::bail!(
        "--fake {spec}: no such file or folder; expected a folder of images, a model, a \
         checkpoint, a run, latest or shipped"
    )
}

fn prepared(spec: &str, size: u32) -> anyhow::Result<Cache> {
    let options = Options { size, fit: Fit::Crop, filter: Filter::Lanczos };
    let bar = show::bar(0, "preparing {wide_bar} {pos}/{len} {eta}");
    let cache = open_or_prepare(spec, options, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    Ok(cache?)
}

fn progress(bar: &ProgressBar, event: EvalEvent) {
    let (message, done, total) = match event {
        EvalEvent::Real { done, total } => ("features of real images", done, total),
        EvalEvent::Fake { done, total } => ("features of generated images", done, total),
        EvalEvent::Comparing => ("comparing", 0, 1),
    };
    bar.set_message(message);
    bar.set_length(total as u64);
    bar.set_position(done as u64);
}

fn write_png(path: &std::path::Path, image: &Image, rows: &[String]) -> anyhow::Result<()> {
    let words = format!(
        "Generated images, each with the nearest REAL training image at its right. Rows: {}. Do \
         not redistribute against the real images' licence.",
        rows.join(", ")
    );
    let png = image.to_png(&[("Description", words)])?;
    atomic::write(path, &png).with_context(|| format!("cannot write {}", path.display()))
}

/// The report as a table.
fn table(report: &EvalReport) {
    say!(
        "{} generated images against {} ({} side), features {} ({} numbers)",
        report.overall.n,
        report.real,
        report.split,
        report.features,
        report.dims
    );
    say!(
        "each figure / that of real images against other real ones (KID: standard errors between them; \
         FID: their ratio)\n"
    );
    say!(
        "{:<8} {:>5}  {:>38} {:>23} {:>13} {:>13} {:>13} {:>13}",
        "",
        "n",
        "KID x1000",
        "FID",
        "precision",
        "recall",
        "density",
        "coverage"
    );
    row("all", &report.overall);
    for class in &report.classes {
        row(&class.class, &class.comparison);
    }
    if report.classes.iter().any(|c| c.recognised.is_some()) {
        say!("\nshare that the lesion encoder takes for its class, generated / real:");
        for class in &report.classes {
            if let Some([fake, real]) = class.recognised {
                say!("  {:<8} {:>4.0} % / {:>3.0} %", class.class, 100.0 * fake, 100.0 * real);
            }
        }
    }
    surer(report);
    by_class(report);
    if !report.off.is_empty() {
        say!("\nwhat is off, the worst first:");
        report.off.iter().take(SHOWN).for_each(|off| say!("  {}", off.words()));
    }
    let mut notes: Vec<String> = report.notes.clone();
    notes.extend(report.overall.notes.iter().cloned());
    for class in &report.classes {
        notes.extend(class.comparison.notes.iter().map(|n| format!("{}: {n}", class.class)));
    }
    say!("\n{}", report.words);
    notes.iter().for_each(|note| complain!("note: {note}"));
}

/// The distance of each class by more of its images.
fn surer(report: &EvalReport) {
    let known = || report.classes.iter().filter_map(|c| c.of_all.map(|of_all| (&c.class, of_all)));
    if known().next().is_none() {
        return;
    }
    say!(
        "\nboth halves of a class together, surer where they are few: KID x1000, MMD x1000 by a bounded \
         kernel{}, images real and generated:",
        report.width.map_or_else(String::new, |width| format!(" of width {width:.1}"))
    );
    let shown =
        |d: Discrepancy| format!("{:>7.1} ± {:<6.1}", 1e3 * d.value, 1e3 * d.standard_error);
    for (class, of_all) in known() {
        let mmd = of_all.mmd.map_or_else(|| format!("{:>16}", "-"), shown);
        say!("  {class:<8} {} {mmd} {:>5} {:>5}", shown(of_all.kid), of_all.real, of_all.fake);
    }
}

/// Which classes pass for real, in words: neither KID, by one half or by both, sees a difference.
fn by_class(report: &EvalReport) {
    let of = |verdict: Verdict| {
        let found = report.classes.iter().filter(|c| c.verdict() == verdict);
        found.map(|c| c.class.as_str()).collect::<Vec<_>>()
    };
    let (alike, unsure) = (of(Verdict::NoDifference), of(Verdict::None));
    if report.classes.iter().any(|c| c.comparison.kid.is_some()) {
        let alike = if alike.is_empty() { "none".to_owned() } else { alike.join(", ") };
        say!("\nclasses that KID cannot tell from real at their sample size: {alike}");
        if !unsure.is_empty() {
            say!("classes of too few images to tell: {}", unsure.join(", "));
        }
    }
}

fn row(name: &str, c: &Comparison) {
    let kid = |k: KidFigure| {
        format!(
            "{:.1}±{:.1} / {:.1}±{:.1} ({:+.1} s.e.)",
            1e3 * k.fake,
            1e3 * k.fake_se,
            1e3 * k.real,
            1e3 * k.real_se,
            k.apart()
        )
    };
    let none = || "-".to_owned();
    let two = |f: Option<Figure>| f.map_or_else(none, |f| format!("{:.2} / {:.2}", f.fake, f.real));
    let fid = |f: Figure| {
        let ratio = f.ratio.map_or_else(String::new, |r| format!(" (×{r:.1})"));
        format!("{:.2} / {:.2}{ratio}", f.fake, f.real)
    };
    say!(
        "{:<8} {:>5}  {:>38} {:>23} {:>13} {:>13} {:>13} {:>13}",
        name,
        c.n,
        c.kid.map_or_else(none, kid),
        c.fid.map_or_else(none, fid),
        two(c.precision),
        two(c.recall),
        two(c.density),
        two(c.coverage)
    );
}
