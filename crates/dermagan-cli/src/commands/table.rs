//! Prints the report of `dermagan eval` as tables.

use dermagan_eval::mmd::Discrepancy;
use dermagan_eval::{
    ClassReport, Comparison, Estimates, EvalReport, FeatureReport, Figure, Verdict,
};

use crate::show::{complain, say};
use crate::wording::with_flags;

/// The most hand-made features that are listed.
const SHOWN: usize = 6;

/// Prints a report.
pub fn table(report: &EvalReport) {
    let number = match report.images.found {
        Some(found) if found != report.n => format!("{} of {found}", report.n),
        _ => report.n.to_string(),
    };
    let images = if number == "1" { "image" } else { "images" };
    let features = report.features.iter().map(|by| format!("{} ({} values)", by.id, by.dims));
    say!(
        "{number} generated {images} ({}) against {} (split {}), features per image {}",
        report.fake,
        report.real,
        report.split,
        features.collect::<Vec<_>>().join(" and ")
    );
    if !report.images.left_out.is_empty() {
        say!("\nleft out of the generated images:");
        report.images.left_out.iter().for_each(|entry| say!("  {}", entry.words()));
        say!("");
    }
    say!(
        "each cell: generated against real / real against other real images (KID adds their difference in standard errors, \
         FID their ratio; AUC: the share of pairs in which a classifier finds the generated image, 0.5 is chance)\n"
    );
    heads();
    report.features.iter().for_each(|by| row("all", &by.name, &by.overall));
    for class in classes(report) {
        of_class(report, class).for_each(|(by, found)| row(class, &by.name, &found.comparison));
    }
    recognised(report);
    report.features.iter().for_each(by_both_halves);
    verdicts(report);
    if !report.off.is_empty() {
        say!("\nlargest differences in hand-made features:");
        report.off.iter().take(SHOWN).for_each(|off| say!("  {}", off.words()));
    }
    say!("\n{}", with_flags(&report.words));
    notes(report).iter().for_each(|note| complain!("note: {}", with_flags(note)));
}

/// All notes, each once. A note on figures names their features if there are several. The notes on the FID of classes are
/// left out: there would be one for almost every class and kind of features, and the table shows which FIDs are missing.
fn notes(report: &EvalReport) -> Vec<String> {
    let mut notes = report.notes.clone();
    let mut on_figures: Vec<(String, Vec<&str>)> = Vec::new();
    for by in &report.features {
        let overall = by.overall.notes.iter().cloned();
        let of_class = |c: &ClassReport| {
            let class = c.class.clone();
            c.comparison
                .notes
                .iter()
                .map(move |note| format!("{class}: {note}"))
                .collect::<Vec<_>>()
        };
        for note in overall.chain(by.classes.iter().flat_map(of_class)) {
            match on_figures.iter_mut().find(|(known, _)| *known == note) {
                Some((_, names)) => names.push(&by.name),
                None => on_figures.push((note, vec![&by.name])),
            }
        }
    }
    notes.extend(on_figures.into_iter().map(|(note, names)| {
        match names.len() == report.features.len() {
            true => note,
            false => format!("{} features: {note}", names.join(" and ")),
        }
    }));
    notes
}

/// The codes of the classes that have figures.
fn classes(report: &EvalReport) -> impl Iterator<Item = &str> {
    let first = report.features.first().into_iter();
    first.flat_map(|by| by.classes.iter().map(|class| class.class.as_str()))
}

/// The figures of a class by each kind of features.
fn of_class<'a>(
    report: &'a EvalReport,
    code: &'a str,
) -> impl Iterator<Item = (&'a FeatureReport, &'a ClassReport)> {
    let find = move |by: &'a FeatureReport| by.classes.iter().find(|class| class.class == code);
    report.features.iter().filter_map(move |by| Some((by, find(by)?)))
}

/// Prints the shares of images that the encoder assigns to their class, which do not depend on the features.
fn recognised(report: &EvalReport) {
    let known = report.features.first().into_iter().flat_map(|by| &by.classes);
    let known: Vec<_> = known.filter_map(|c| Some((&c.class, c.recognised?))).collect();
    if !known.is_empty() {
        say!("\nshare of images that the lesion encoder assigns to their class, generated / real:");
        for (class, [fake, real]) in known {
            say!("  {class:<8} {:>4.0} % / {:>3.0} %", 100.0 * fake, 100.0 * real);
        }
    }
}

/// Prints the distance of each class by both sets of its real images together.
fn by_both_halves(by: &FeatureReport) {
    let known = || by.classes.iter().filter_map(|c| c.of_all.map(|of_all| (&c.class, of_all)));
    if known().next().is_none() {
        return;
    }
    say!(
        "\nboth halves of a class together by {} features, more certain for small classes: KID x1000, MMD x1000 with a \
         Gaussian kernel{}, number of real and generated images:",
        by.name,
        by.width.map_or_else(String::new, |width| format!(" of width {width:.1}"))
    );
    let shown =
        |d: Discrepancy| format!("{:>7.1} ± {:<6.1}", 1e3 * d.value, 1e3 * d.standard_error);
    for (class, of_all) in known() {
        let mmd = of_all.mmd.map_or_else(|| format!("{:>16}", "-"), shown);
        say!("  {class:<8} {} {mmd} {:>5} {:>5}", shown(of_all.kid), of_all.real, of_all.fake);
    }
}

/// Prints the classes by their verdict: the worse one if kinds of features differ.
fn verdicts(report: &EvalReport) {
    let worst = |code| of_class(report, code).map(|(_, found)| found.verdict()).max();
    let of = |verdict: Verdict| {
        classes(report).filter(|code| worst(code) == Some(verdict)).collect::<Vec<_>>()
    };
    let alike = of(Verdict::NoDifference);
    let has_kid = |by: &FeatureReport| by.classes.iter().any(|c| c.comparison.kid.is_some());
    if report.features.iter().any(has_kid) {
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

/// Prints the heads of the columns of [`row`].
fn heads() {
    let [n, kid, fid] = ["n", "KID x1000", "FID"];
    let shares =
        ["AUC", "precision", "recall", "density", "coverage"].map(|name| format!(" {name:>13}"));
    say!("{:<8} {:<9} {n:>5}  {kid:>38} {fid:>23}{}", "", "features", shares.concat());
}

/// Prints the figures of all images or of one class by one kind of features.
fn row(name: &str, features: &str, c: &Comparison) {
    let kid = |k: Estimates| {
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
    let auc = c.auc.map_or_else(none, |auc| format!("{:.2} / {:.2}", auc.fake, auc.real));
    let shares = [auc, two(c.precision), two(c.recall), two(c.density), two(c.coverage)];
    let shares = shares.map(|share| format!(" {share:>13}")).concat();
    let (kid, fid) = (c.kid.map_or_else(none, kid), c.fid.map_or_else(none, fid));
    say!("{name:<8} {features:<9} {:>5}  {kid:>38} {fid:>23}{shares}", c.n);
}
