//! Plots of a run, as SVG and as an image.

use std::error::Error;
use std::ops::Range;
use std::sync::Once;

use dermagan_base::image::Image;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

use crate::step::measures::Measures;
use crate::store::stats::{KIMG, StatsLine, mean_of};

/// Width and height of a plot in pixels.
const SIZE: (u32, u32) = (960, 640);
/// The colours of the discriminator and of the generator: blue and orange, which colour-blind readers tell apart.
const BLUE: RGBColor = RGBColor(31, 119, 180);
const ORANGE: RGBColor = RGBColor(214, 96, 20);
const FONT: &str = "sans-serif";
/// Height of the legend in pixels.
const LEGEND: i32 = 28;
/// Largest number of points of a curve that are marked.
const MOST_MARKED: usize = 60;

/// A plot in both forms.
#[derive(Clone, Debug)]
pub struct Plot {
    /// An SVG document.
    pub svg: String,
    /// The same plot as an image.
    pub image: Image,
}

/// A curve of points (thousands of images, value).
struct Curve {
    label: &'static str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

impl Curve {
    fn of(
        lines: &[StatsLine],
        label: &'static str,
        colour: RGBColor,
        value: impl Fn(&Measures<Option<f64>>) -> Option<f64>,
    ) -> Self {
        let point = |line: &StatsLine| {
            let value = value(&Measures::of_line(line)).filter(|value| value.is_finite())?;
            Some((mean_of(line, KIMG)?, value))
        };
        Self { label, colour, points: lines.iter().filter_map(point).collect() }
    }
}

/// The losses of both players above and the discriminator's mean probabilities below, over thousands of images; `None`
/// before the first statistics.
///
/// # Errors
/// When the plotting library cannot draw.
pub fn losses(lines: &[StatsLine]) -> Result<Option<Plot>, Box<dyn Error + Send + Sync>> {
    let last = lines.iter().filter_map(|line| mean_of(line, KIMG)).fold(0.0, f64::max);
    if last <= 0.0 {
        return Ok(None);
    }
    let losses = [
        Curve::of(lines, "D loss", BLUE, |m| m.d_loss),
        Curve::of(lines, "G loss", ORANGE, |m| m.g_loss),
    ];
    let probabilities = [
        Curve::of(lines, "D(x), real images", BLUE, |m| m.real_probability),
        Curve::of(lines, "D(G(z)), fakes", ORANGE, |m| m.fake_probability),
    ];
    let values = || losses.iter().flat_map(|curve| &curve.points).map(|(_, value)| *value);
    let highest = values().fold(0.0, f64::max).max(1e-3) * 1.05;
    // The hinge loss of a generator may be negative.
    let lowest = values().fold(0.0, f64::min) * 1.05;
    let panels =
        [("loss", lowest..highest, losses), ("probability of being real", 0.0..1.0, probabilities)];

    register_own_font();
    let mut svg = String::new();
    draw(&SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), &panels, last)?;
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let mut image = Image::filled(width, height, [255; 3]);
    draw(&BitMapBackend::with_buffer(&mut image.pixels, SIZE).into_drawing_area(), &panels, last)?;
    Ok(Some(Plot { svg, image }))
}

/// Without the system's font libraries, plotters measures and draws text with a font that comes with the program.
fn register_own_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The only possible error is a font that cannot be read. Drawing then fails and reports it.
        let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::HACK_REGULAR);
    });
}

/// A panel: the name of its values, their range, and its curves.
type Panel = (&'static str, Range<f64>, [Curve; 2]);

fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    panels: &[Panel; 2],
    last: f64,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    DB::ErrorType: 'static,
{
    area.fill(&WHITE)?;
    for (part, (name, range, curves)) in area.split_evenly((2, 1)).iter().zip(panels) {
        // The legend has a strip of its own, so that it hides no curve.
        let (legend, part) = part.split_vertically(LEGEND);
        for (i, Curve { label, colour, .. }) in curves.iter().enumerate() {
            let (x, y) = (80 + 190 * i as i32, LEGEND - 8);
            legend.draw(&PathElement::new(vec![(x, y), (x + 22, y)], colour.stroke_width(2)))?;
            legend.draw(&Text::new(*label, (x + 28, y - 8), (FONT, 15)))?;
        }
        let mut chart = ChartBuilder::on(&part)
            .margin(10)
            .x_label_area_size(38)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..last, range.clone())?;
        chart
            .configure_mesh()
            .x_desc("thousands of images (kimg)")
            .y_desc(*name)
            .label_style((FONT, 14))
            .axis_desc_style((FONT, 15))
            .max_light_lines(0)
            .draw()?;
        for Curve { colour, points, .. } in curves {
            let marker = if points.len() > MOST_MARKED { 0 } else { 2 };
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
            chart.draw_series(line.point_size(marker))?;
        }
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plot_names_its_axes_and_shows_its_curves() {
        assert!(losses(&[]).unwrap().is_none());
        let line = |kimg: f64| {
            let mut line = StatsLine::new();
            for (column, value) in [
                (KIMG, kimg),
                ("Loss/D/loss", 0.4),
                ("Loss/G/loss", 2.0 + kimg),
                ("Loss/probs/real", 0.9),
            ] {
                line.insert(column.to_owned(), json!({"num": 1, "mean": value, "std": 0.0}));
            }
            line
        };
        let plot = losses(&[line(1.0), line(2.0), line(3.0)]).unwrap().unwrap();
        for words in ["thousands of images", "G loss", "probability of being real"] {
            assert!(plot.svg.contains(words), "{words}");
        }
        let has = |colour: RGBColor| {
            plot.image.pixels.chunks_exact(3).any(|p| p == [colour.0, colour.1, colour.2])
        };
        assert!(has(BLUE) && has(ORANGE));
        // Only text is dark, so dark pixels show that the font works.
        assert!(plot.image.pixels.chunks_exact(3).any(|p| p.iter().all(|v| *v < 60)));
    }
}
