//! Prints the report of `dermagan eval` as tables.

use dermagan_eval::mmd::Discrepancy;
use dermagan_eval::{Comparison, EvalReport, Figure, KidFigure, Verdict};

use crate::show::{complain, say};
use crate::wording::with_flags;

/// The most hand-made features that are listed.
const SHOWN: usize = 6;

/// Prints a report.
pub fn table(report: &EvalReport) {
    let number = match report.images.found {
        Some(found) if found != report.overall.n => format!("{} of {found}", report.overall.n),
        _ => report.overall.n.to_string(),
    };
    let images = if number == "1" { "image" } else { "images" };
    say!(
        "{number} generated {images} ({}) against {} (split {}), features {} ({} values per image)",
        report.fake,
        report.real,
        report.split,
        report.features,
        report.dims
    );
    if !report.images.left_out.is_empty() {
        say!("\nleft out of the generated images:");
        report.images.left_out.iter().for_each(|entry| say!("  {}", entry.words()));
        say!("");
    }
    say!(
        "each cell: generated against real / real against other real images (KID adds their difference in standard errors, \
         FID their ratio)\n"
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
        say!("\nshare of images that the lesion encoder assigns to their class, generated / real:");
        for class in &report.classes {
            if let Some([fake, real]) = class.recognised {
                say!("  {:<8} {:>4.0} % / {:>3.0} %", class.class, 100.0 * fake, 100.0 * real);
            }
        }
    }
    by_both_halves(report);
    verdicts(report);
    if !report.off.is_empty() {
        say!("\nlargest differences in hand-made features:");
        report.off.iter().take(SHOWN).for_each(|off| say!("  {}", off.words()));
    }
    let mut notes: Vec<String> = report.notes.clone();
    notes.extend(report.overall.notes.iter().cloned());
    for class in &report.classes {
        notes.extend(class.comparison.notes.iter().map(|n| format!("{}: {n}", class.class)));
    }
    say!("\n{}", with_flags(&report.words));
    notes.iter().for_each(|note| complain!("note: {}", with_flags(note)));
}

/// Prints the distance of each class by both sets of its real images together.
fn by_both_halves(report: &EvalReport) {
    let known = || report.classes.iter().filter_map(|c| c.of_all.map(|of_all| (&c.class, of_all)));
    if known().next().is_none() {
        return;
    }
    say!(
        "\nboth halves of a class together, more certain for small classes: KID x1000, MMD x1000 with a Gaussian \
         kernel{}, number of real and generated images:",
        report.width.map_or_else(String::new, |width| format!(" of width {width:.1}"))
    );
    let shown =
        |d: Discrepancy| format!("{:>7.1} ± {:<6.1}", 1e3 * d.value, 1e3 * d.standard_error);
    for (class, of_all) in known() {
        let mmd = of_all.mmd.map_or_else(|| format!("{:>16}", "-"), shown);
        say!("  {class:<8} {} {mmd} {:>5} {:>5}", shown(of_all.kid), of_all.real, of_all.fake);
    }
}

/// Prints the classes by their verdict, with KID by one half of the real images or by both.
fn verdicts(report: &EvalReport) {
    let of = |verdict: Verdict| {
        let found = report.classes.iter().filter(|c| c.verdict() == verdict);
        found.map(|c| c.class.as_str()).collect::<Vec<_>>()
    };
    let alike = of(Verdict::NoDifference);
    if report.classes.iter().any(|c| c.comparison.kid.is_some()) {
        let alike = if alike.is_empty() { "none".to_owned() } else { alike.join(", ") };
        say!("\nclasses that no figure distinguishes from real at their sample size: {alike}");
    }
    let others = [
        (Verdict::Incomplete, "classes that look real, but show a part of the real images only"),
        (Verdict::None, "classes with too few images to tell"),
    ];
    for (verdict, what) in others {
        let classes = of(verdict);
        if !classes.is_empty() {
            say!("{what}: {}", classes.join(", "));
        }
    }
}

/// Prints the figures of all images or of one class.
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
