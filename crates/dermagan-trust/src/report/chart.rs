//! A line chart as SVG.

use std::fmt::Write;

/// The size of a chart.
const SIZE: [f64; 2] = [640.0, 260.0];
/// Space for the labels: left, top, right, bottom.
const MARGIN: [f64; 4] = [56.0, 12.0, 120.0, 34.0];
/// Colours that differ for all kinds of colour vision (Wong 2011).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// A line with a name.
pub(super) struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// The chart of some lines, without a point if there are none. `x` and `y` name the axes. The names are plain text.
pub(super) fn chart(lines: &[Line], x: &str, y: &str) -> Option<String> {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let bounds = |of: &dyn Fn(&(f64, f64)) -> f64| {
        points()
            .map(of)
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
    };
    if points().count() < 2 {
        return None;
    }
    let ([left, right], [_, high]) = (bounds(&|p| p.0), bounds(&|p| p.1));
    let (width, height) = (SIZE[0] - MARGIN[0] - MARGIN[2], SIZE[1] - MARGIN[1] - MARGIN[3]);
    let step = nice(high / 4.0);
    let top = (high / step).ceil() * step;
    let at = |(px, py): &(f64, f64)| {
        let across = (px - left) / (right - left).max(1e-9);
        (MARGIN[0] + across * width, MARGIN[1] + (1.0 - py.max(0.0) / top) * height)
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">",
        SIZE[0], SIZE[1]
    );
    axes(&mut svg, [left, right], [step, top], &at);
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let path: Vec<String> =
            line.points.iter().map(at).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            path.join(" ")
        );
        if let Some((x, y)) = line.points.last().map(at) {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
                x + 6.0,
                y + 4.0,
                line.name
            );
        }
    }
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{x}</text><text x=\"4\" y=\"11\">{y}</text></svg>",
        MARGIN[0] + width / 2.0,
        SIZE[1] - 2.0
    );
    Some(svg)
}

/// Writes the lines and labels of both axes.
fn axes(
    svg: &mut String,
    [left, right]: [f64; 2],
    [step, top]: [f64; 2],
    at: &impl Fn(&(f64, f64)) -> (f64, f64),
) {
    let width = SIZE[0] - MARGIN[0] - MARGIN[2];
    let mut value = 0.0;
    while value <= top + step / 2.0 {
        let (_, row) = at(&(left, value));
        let _ = write!(
            svg,
            "<line x1=\"{}\" x2=\"{}\" y1=\"{row:.1}\" y2=\"{row:.1}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text>",
            MARGIN[0],
            MARGIN[0] + width,
            MARGIN[0] - 6.0,
            row + 4.0,
            short(value)
        );
        value += step;
    }
    for part in 0..=4 {
        let value = left + (right - left) * f64::from(part) / 4.0;
        let (column, _) = at(&(value, 0.0));
        let _ = write!(
            svg,
            "<text x=\"{column:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            SIZE[1] - MARGIN[3] + 16.0,
            short(value)
        );
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn nice(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|step| *step >= value)
        .unwrap_or(power)
}

/// A number without needless digits.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || v.fract() < 1e-9 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_a_line_per_name_and_none_without_points() {
        let line = |name: &str| Line { name: name.into(), points: vec![(0.0, 3.0), (10.0, 40.0)] };
        let svg = chart(&[line("lesion"), line("imagenet")], "kimg", "KID").unwrap();
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(">lesion</text>") && svg.contains(">40</text>"), "{svg}");
        assert!(chart(&[], "x", "y").is_none());
        assert_eq!([nice(0.3), nice(7.0), nice(23.0)], [0.5, 10.0, 50.0]);
    }
}
