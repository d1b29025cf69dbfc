//! Output on a terminal, and in a file or pipe.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use dermagan_base::name::{has_ending, is_shown};
use dermagan_data::Summary;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::remote::with_urls;

/// Prints a line.
macro_rules! say {
    ($($words:tt)*) => { crate::show::print(&format!("{}\n", crate::show::plain(&format!($($words)*)))) };
}

/// Prints without a line break.
macro_rules! say_raw {
    ($($words:tt)*) => { crate::show::print(&crate::show::plain(&format!($($words)*))) };
}

/// Prints a line on standard error.
macro_rules! complain {
    ($($words:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "{}", crate::show::plain(&format!($($words)*)));
    }};
}

pub(crate) use {complain, say, say_raw};

/// Largest number of times per second that a progress bar is drawn.
const DRAWS_PER_SECOND: u8 = 2;

/// The first error of writing to standard output.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Prints text unchanged. An error does not stop the work: [`lost`] returns it at the end.
pub fn print(text: &str) {
    keep(io::stdout().write_all(text.as_bytes()));
}

/// Flushes standard output and returns the first error of writing to it. A reader that closed the pipe, such as
/// `| head`, is not an error.
pub fn lost() -> Option<&'static io::Error> {
    keep(io::stdout().flush());
    LOST.get()
}

fn keep(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error);
    }
}

/// The text with every control character replaced by U+FFFD, so that it cannot move the cursor or clear the terminal.
/// Names and licences come from untrusted files. URLs stand in place of the local files that were read from them.
pub fn plain(words: &str) -> Cow<'_, str> {
    match with_urls(words) {
        Cow::Borrowed(words) => without_control(words),
        Cow::Owned(words) => Cow::Owned(without_control(&words).into_owned()),
    }
}

fn without_control(words: &str) -> Cow<'_, str> {
    match words.chars().all(is_shown) {
        true => words.into(),
        false => words.chars().map(|c| if is_shown(c) { c } else { '\u{fffd}' }).collect(),
    }
}

/// Checks that a file to write has the ending of its format.
///
/// # Errors
/// Names the flag and the expected ending.
pub fn check_ending(flag: &str, path: &Path, ending: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        has_ending(path, ending),
        "{flag} {}: expected a .{ending} file, such as {flag} out.{ending}",
        path.display()
    );
    Ok(())
}

/// Whether standard error is a terminal that can redraw a line. A `dumb` one cannot.
pub fn can_redraw() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term.is_empty() || term == "dumb");
    io::stderr().is_terminal() && !dumb
}

/// A progress bar of `total` steps. It is hidden when standard error is not a terminal that can redraw a line.
pub fn bar(total: u64, template: &str) -> ProgressBar {
    let target = match can_redraw() {
        true => ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar
}

/// A path as a shell reads it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-:+@=,~%".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// Seconds as `1h 02m`, `3m 04s` or `5s`.
pub fn duration(seconds: f64) -> String {
    let s = Duration::from_secs_f64(seconds.clamp(0.0, 1e9)).as_secs();
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s:02}s"),
        (h, m, _) => format!("{h}h {m:02}m"),
    }
}

/// Refuses to replace a PNG that dermagan did not write.
pub fn check_png(flag: &str, path: &Path) -> anyhow::Result<()> {
    check_ending(flag, path, "png")?;
    anyhow::ensure!(
        !path.exists() || dermagan_generate::is_own_png(path),
        "{flag} {}: there is a file of this name, which dermagan did not write; name a new file",
        path.display()
    );
    Ok(())
}

/// Bytes as megabytes (10⁶ bytes).
pub fn megabytes(bytes: usize) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// Prints a value as JSON on standard output.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    let text = with_urls(&text);
    // Control characters occur only inside JSON strings, where an escape sequence stands for them.
    let escaped = |c: char| match is_shown(c) {
        true => c.to_string(),
        false => format!("\\u{:04x}", u32::from(c)),
    };
    print(&text.chars().map(escaped).chain(["\n".to_owned()]).collect::<String>());
    Ok(())
}

/// Prints the counts of a source as tables.
pub fn summary(s: &Summary) -> anyhow::Result<()> {
    let mut out = Vec::new();
    writeln!(out, "{}: {}", s.name, s.kind.describe())?;
    let lesions = s.lesions.map_or("no lesion ids".into(), |n| format!("{n} lesions"));
    writeln!(out, "{} images, {lesions}\n", s.images)?;
    writeln!(out, "{:<10} {:>7} {:>8}", "class", "images", "lesions")?;
    for class in &s.classes {
        let lesions = class.lesions.map_or("-".into(), |n| n.to_string());
        let name = class.name.as_deref().unwrap_or_default();
        writeln!(out, "{:<10} {:>7} {:>8}  {name}", class.code, class.images, lesions)?;
    }
    let tables = [
        ("confirmed by", &s.dx_type),
        ("sex", &s.sex),
        ("age", &s.age),
        ("site", &s.localization),
        ("image size", &s.sizes),
    ];
    for (title, counts) in tables {
        writeln!(out, "\n{title}")?;
        let mut counts: Vec<_> = counts.iter().collect();
        if title != "age" {
            counts.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        }
        for (key, n) in counts {
            writeln!(out, "  {key:<20} {n:>7}")?;
        }
    }
    if let Some(differences) = &s.differs_from_published {
        match differences.as_slice() {
            [] => writeln!(out, "\nAll counts match the published HAM10000.")?,
            some => {
                writeln!(out, "\nDiffers from the published HAM10000:\n  {}", some.join("\n  "))?
            }
        }
    }
    writeln!(out, "\n{}", s.split)?;
    write!(out, "\n{}", s.report)?;
    say_raw!("{}", String::from_utf8_lossy(&out));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(plain("nævi\t12\n"), "nævi\t12\n");
        assert_eq!(plain("a\x1b[2Jb\u{9b}c\u{202e}d\r"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}");
    }

    #[test]
    fn a_file_must_have_the_ending_of_its_format() {
        let ends = |path: &str| check_ending("--out", Path::new(path), "png");
        assert!(ends("a/b.PNG").is_ok());
        for wrong in ["a.jpg", "png", "a", ".png"] {
            let error = ends(wrong).unwrap_err().to_string();
            assert!(error.contains("such as --out out.png"), "{error}");
        }
    }
}
