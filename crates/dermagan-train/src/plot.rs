//! The loss plot: losses above, the discriminator's probabilities below, over thousands of images.

use dermagan_base::image::Image;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_7X13;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Line as Segment, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Text};

use crate::stats::{Line, mean_of};

const WIDTH: i32 = 900;
const PANEL: i32 = 240;
const LEFT: i32 = 64;
const RIGHT: i32 = 24;
const TOP: i32 = 34;
const BOTTOM: i32 = 40;

/// An image as something to draw on.
struct Canvas(Image);

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width as u32, self.0.height as u32)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            if (0..self.0.width as i32).contains(&at.x) && (0..self.0.height as i32).contains(&at.y)
            {
                let i = (at.y as usize * self.0.width + at.x as usize) * 3;
                self.0.pixels[i..i + 3].copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

/// One curve.
struct Curve {
    label: &'static str,
    field: &'static str,
    colour: Rgb888,
}

const BLUE: Rgb888 = Rgb888::new(31, 119, 180);
const ORANGE: Rgb888 = Rgb888::new(214, 96, 20);
const GREY: Rgb888 = Rgb888::new(225, 225, 225);

const LOSSES: [Curve; 2] = [
    Curve { label: "D loss", field: "Loss/D/loss", colour: BLUE },
    Curve { label: "G loss", field: "Loss/G/loss", colour: ORANGE },
];
const PROBABILITIES: [Curve; 2] = [
    Curve { label: "D(x)", field: "Loss/probs/real", colour: BLUE },
    Curve { label: "D(G(z))", field: "Loss/probs/fake", colour: ORANGE },
];

/// Draws the lines of a run's statistics; `None` before the first tick.
pub fn losses(lines: &[Line]) -> Option<Image> {
    let kimg = |line: &Line| mean_of(line, "Progress/kimg");
    let last = lines.iter().filter_map(kimg).fold(0.0, f64::max);
    if lines.is_empty() || last <= 0.0 {
        return None;
    }
    let mut canvas =
        Canvas(Image::filled(WIDTH as usize, 2 * (PANEL + TOP + BOTTOM) as usize, [255; 3]));
    let values = |curves: &[Curve]| -> f64 {
        let all = lines.iter().flat_map(|l| curves.iter().filter_map(|c| mean_of(l, c.field)));
        all.filter(|v| v.is_finite()).fold(0.0, f64::max)
    };
    panel(&mut canvas, 0, &LOSSES, lines, last, nice(values(&LOSSES)));
    panel(&mut canvas, PANEL + TOP + BOTTOM, &PROBABILITIES, lines, last, 1.0);
    Some(canvas.0)
}

/// The next of 1, 2, 5, 10, … at or above `value`.
fn nice(value: f64) -> f64 {
    let value = value.max(1e-3);
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|v| *v >= value).unwrap_or(value)
}

fn text(canvas: &mut Canvas, at: Point, colour: Rgb888, alignment: Alignment, words: &str) {
    let style = MonoTextStyle::new(&FONT_7X13, colour);
    let _ = Text::with_alignment(words, at, style, alignment).draw(canvas);
}

fn panel(canvas: &mut Canvas, y: i32, curves: &[Curve], lines: &[Line], last: f64, high: f64) {
    let black = Rgb888::new(40, 40, 40);
    let (width, top) = (WIDTH - LEFT - RIGHT, y + TOP);
    let at = |kimg: f64, value: f64| {
        let right = ((kimg / last).clamp(0.0, 1.0) * f64::from(width)).round() as i32;
        let up = ((value / high).clamp(0.0, 1.0) * f64::from(PANEL)).round() as i32;
        Point::new(LEFT + right, top + PANEL - up)
    };
    for i in 0..=4 {
        let share = f64::from(i) / 4.0;
        let (from, to) = (at(0.0, share * high), at(last, share * high));
        let _ =
            Segment::new(from, to).into_styled(PrimitiveStyle::with_stroke(GREY, 1)).draw(canvas);
        let value = format!("{:.3}", share * high);
        text(
            canvas,
            from + Point::new(-6, 4),
            black,
            Alignment::Right,
            value.trim_end_matches('0').trim_end_matches('.'),
        );
        let below = Point::new(at(share * last, 0.0).x, top + PANEL + 16);
        text(
            canvas,
            below,
            black,
            Alignment::Center,
            &format!("{:.*}", if last < 4.0 { 3 } else { 1 }, share * last),
        );
    }
    let frame =
        Rectangle::new(Point::new(LEFT, top), Size::new(width as u32 + 1, PANEL as u32 + 1));
    let _ = frame.into_styled(PrimitiveStyle::with_stroke(black, 1)).draw(canvas);
    text(canvas, Point::new(LEFT + width / 2, top + PANEL + 32), black, Alignment::Center, "kimg");
    for (i, curve) in curves.iter().enumerate() {
        let label = Point::new(LEFT + 10 + 110 * i as i32, y + 22);
        text(canvas, label, curve.colour, Alignment::Left, &format!("-- {}", curve.label));
        let points = lines.iter().filter_map(|line| {
            let value = mean_of(line, curve.field).filter(|v| v.is_finite())?;
            Some(at(mean_of(line, "Progress/kimg")?, value))
        });
        let points: Vec<Point> = points.collect();
        for at in &points {
            let dot = Rectangle::with_center(*at, Size::new(4, 4));
            let _ = dot.into_styled(PrimitiveStyle::with_fill(curve.colour)).draw(canvas);
        }
        for pair in points.windows(2) {
            let style = PrimitiveStyle::with_stroke(curve.colour, 2);
            let _ = Segment::new(pair[0], pair[1]).into_styled(style).draw(canvas);
        }
    }
}
