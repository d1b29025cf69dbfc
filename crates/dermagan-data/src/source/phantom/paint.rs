//! Paints one phantom image: skin, lesion, structures, hairs, vignette.

use std::f32::consts::TAU;

use dermagan_base::rng::Keyed;
use image::{Rgb, RgbImage};

/// Red, green and blue, each from 0 to 1.
type Colour = [f32; 3];

/// Number of waves that form the border of a lesion.
const BORDER_WAVES: usize = 6;

/// The appearance of a class, roughly, in the terms of dermatoscopy.
struct Style {
    /// Colour of the lesion.
    colour: Colour,
    /// Colour of the blobs.
    second: Colour,
    /// Amplitude of the border's waves, as a fraction of the radius.
    irregular: f32,
    /// Width of the transition at the border, as a fraction of the radius.
    soft: f32,
    /// Strength of the pigment network, from 0 to 1.
    network: f32,
    /// Number of blobs of the second colour.
    blobs: usize,
    /// Number of vessels.
    vessels: usize,
    /// Strength of the bright patch in the centre, from 0 to 1.
    scar: f32,
}

/// The styles in label order: akiec, bcc, bkl, df, mel, nv, vasc.
const STYLES: [Style; 7] = [
    Style {
        colour: [0.74, 0.44, 0.38],
        second: [0.85, 0.68, 0.58],
        irregular: 0.16,
        soft: 0.30,
        network: 0.0,
        blobs: 10,
        vessels: 4,
        scar: 0.0,
    },
    Style {
        colour: [0.80, 0.52, 0.48],
        second: [0.38, 0.36, 0.46],
        irregular: 0.12,
        soft: 0.22,
        network: 0.0,
        blobs: 5,
        vessels: 6,
        scar: 0.0,
    },
    Style {
        colour: [0.52, 0.36, 0.25],
        second: [0.82, 0.70, 0.55],
        irregular: 0.10,
        soft: 0.06,
        network: 0.10,
        blobs: 14,
        vessels: 0,
        scar: 0.0,
    },
    Style {
        colour: [0.62, 0.44, 0.34],
        second: [0.70, 0.50, 0.40],
        irregular: 0.05,
        soft: 0.28,
        network: 0.18,
        blobs: 2,
        vessels: 0,
        scar: 0.8,
    },
    Style {
        colour: [0.28, 0.18, 0.14],
        second: [0.30, 0.33, 0.45],
        irregular: 0.24,
        soft: 0.12,
        network: 0.22,
        blobs: 6,
        vessels: 1,
        scar: 0.0,
    },
    Style {
        colour: [0.46, 0.29, 0.20],
        second: [0.34, 0.20, 0.14],
        irregular: 0.05,
        soft: 0.16,
        network: 0.28,
        blobs: 2,
        vessels: 0,
        scar: 0.0,
    },
    Style {
        colour: [0.60, 0.14, 0.20],
        second: [0.36, 0.08, 0.18],
        irregular: 0.09,
        soft: 0.12,
        network: 0.0,
        blobs: 9,
        vessels: 0,
        scar: 0.0,
    },
];

/// The properties of the lesion and the person, which are the same in every view.
pub(super) struct Lesion {
    style: &'static Style,
    skin: Colour,
    colour: Colour,
    radius: f32,
    stretch: f32,
    waves: [(f32, f32); BORDER_WAVES],
    /// Centre, radius and strength of each blob, in units of the lesion's radius.
    blobs: Vec<[f32; 4]>,
    /// Start (x and y), direction and bend of each vessel.
    vessels: Vec<[f32; 4]>,
    mesh: f32,
    texture: u64,
}

/// The properties of the photograph, which differ in every view.
pub(super) struct Photograph {
    angle: f32,
    zoom: f32,
    centre: [f32; 2],
    light: f32,
    tint: f32,
    vignette: f32,
    /// Start, bend and end of each hair (x and y each), and its width, in the image's units.
    hairs: Vec<[f32; 7]>,
}

impl Lesion {
    /// Draws a lesion of a class.
    pub fn draw(class: usize, draw: &mut Keyed) -> Self {
        let style = &STYLES[class % STYLES.len()];
        let mut between = |low: f32, high: f32| draw.range(f64::from(low), f64::from(high)) as f32;
        // From pale to light brown: HAM10000 was taken in Vienna and Queensland.
        let tan = between(0.0, 1.0);
        let skin = mix([0.93, 0.76, 0.69], [0.80, 0.58, 0.46], tan);
        let shade = between(0.85, 1.15);
        let mut waves = [(0.0, 0.0); BORDER_WAVES];
        for (k, wave) in waves.iter_mut().enumerate() {
            *wave =
                (style.irregular * between(0.0, 1.0) / (k as f32 + 1.0).sqrt(), between(0.0, TAU));
        }
        let blobs = (0..style.blobs)
            .map(|_| {
                [between(-0.75, 0.75), between(-0.75, 0.75), between(0.06, 0.24), between(0.4, 1.0)]
            })
            .collect();
        let vessels = (0..style.vessels)
            .map(|_| {
                [between(-0.7, 0.7), between(-0.7, 0.7), between(0.0, TAU), between(-1.5, 1.5)]
            })
            .collect();
        Self {
            style,
            skin,
            colour: style.colour.map(|c| (c * shade).min(1.0)),
            radius: between(0.30, 0.62),
            stretch: between(0.72, 1.0),
            waves,
            blobs,
            vessels,
            mesh: between(9.0, 15.0),
            texture: draw.bits(),
        }
    }

    /// Radius of the border in direction `theta`, in units of the lesion's radius.
    fn border(&self, theta: f32) -> f32 {
        let waves = self.waves.iter().enumerate();
        1.0 + waves.map(|(k, (a, phase))| a * ((k as f32 + 2.0) * theta + phase).cos()).sum::<f32>()
    }

    /// Colour at (`u`, `v`), in units of the lesion's radius from its centre.
    fn colour_at(&self, u: f32, v: f32) -> Colour {
        let patches = noise(self.texture, 2.3 * u, 2.3 * v) - 0.5;
        let mut colour = self.colour.map(|c| c * (1.0 + 0.45 * patches));
        for &[x, y, radius, strength] in &self.blobs {
            let distance = ((u - x).powi(2) + (v - y).powi(2)) / (radius * radius);
            colour = mix(colour, self.style.second, strength * (-distance).exp());
        }
        let bend = noise(self.texture ^ 1, 3.0 * u, 3.0 * v);
        let lines = ((self.mesh * u + 2.0 * bend).sin() * (self.mesh * v - 2.0 * bend).sin()).abs();
        colour = colour.map(|c| c * (1.0 - self.style.network * (1.0 - lines).powi(3)));
        for &[x, y, angle, curve] in &self.vessels {
            let (along, across) = rotate(u - x, v - y, -angle);
            let away = (across - curve * along * along - 0.05 * (9.0 * along).sin()).abs();
            if (0.0..0.9).contains(&along) {
                colour = mix(colour, [0.66, 0.12, 0.14], 0.75 * (-(away / 0.035).powi(2)).exp());
            }
        }
        mix(colour, [0.93, 0.80, 0.74], self.style.scar * (-(u * u + v * v) / 0.10).exp())
    }
}

impl Photograph {
    /// Draws a photograph.
    pub fn draw(draw: &mut Keyed) -> Self {
        let hairs = if draw.unit() < 0.35 { 2 + draw.below(9) } else { 0 };
        let vignette = if draw.unit() < 0.3 { draw.range(0.5, 1.0) as f32 } else { 0.0 };
        let mut between = |low: f32, high: f32| draw.range(f64::from(low), f64::from(high)) as f32;
        Self {
            angle: between(0.0, TAU),
            zoom: between(0.85, 1.2),
            centre: [between(-0.16, 0.16), between(-0.12, 0.12)],
            light: between(0.90, 1.06),
            tint: between(-0.03, 0.03),
            vignette,
            hairs: (0..hairs)
                .map(|_| {
                    let (x, y, angle, length) = (
                        between(-1.3, 1.3),
                        between(-1.0, 1.0),
                        between(0.0, TAU),
                        between(0.4, 1.4),
                    );
                    let (dx, dy) = (length * angle.cos(), length * angle.sin());
                    let (bx, by) = (between(-0.25, 0.25), between(-0.25, 0.25));
                    [
                        x,
                        y,
                        x + 0.5 * dx + bx,
                        y + 0.5 * dy + by,
                        x + dx,
                        y + dy,
                        between(0.006, 0.014),
                    ]
                })
                .collect(),
        }
    }
}

/// Paints `lesion` as it appears in photograph `shot`. `size` is the width and height in pixels. In the image's
/// units, the height runs from -1 to 1.
pub(super) fn paint(size: (u32, u32), lesion: &Lesion, shot: &Photograph) -> RgbImage {
    let half = size.1 as f32 / 2.0;
    let mut canvas: Vec<Colour> = Vec::with_capacity((size.0 * size.1) as usize);
    for row in 0..size.1 {
        for column in 0..size.0 {
            let (x, y) = (
                (column as f32 + 0.5 - size.0 as f32 / 2.0) / half,
                (row as f32 + 0.5) / half - 1.0,
            );
            let scale = lesion.radius * shot.zoom;
            let (u, v) =
                rotate((x - shot.centre[0]) / scale, (y - shot.centre[1]) / scale, shot.angle);
            let v = v / lesion.stretch;
            let grain = noise(lesion.texture ^ 2, 3.0 * x, 3.0 * y) - 0.5;
            let furrows = noise(lesion.texture ^ 3, 26.0 * x, 26.0 * y) - 0.5;
            let skin = lesion.skin.map(|c| c * (1.0 + 0.10 * grain + 0.05 * furrows));
            let outside = ((u * u + v * v).sqrt() - lesion.border(v.atan2(u))) / lesion.style.soft;
            let inside = 1.0 / (1.0 + (4.0 * outside).exp());
            let colour =
                if inside > 0.002 { mix(skin, lesion.colour_at(u, v), inside) } else { skin };
            canvas.push(colour);
        }
    }
    for hair in &shot.hairs {
        stroke(&mut canvas, size, hair);
    }
    let mut image = RgbImage::new(size.0, size.1);
    for (i, pixel) in image.pixels_mut().enumerate() {
        let (column, row) = (i as u32 % size.0, i as u32 / size.0);
        let (x, y) = ((column as f32 - size.0 as f32 / 2.0) / half, row as f32 / half - 1.0);
        let shade = 1.0 - shot.vignette / (1.0 + (-18.0 * ((x * x + y * y).sqrt() - 1.22)).exp());
        let noise = 0.012 * (hash(lesion.texture ^ 4, i as i64, 0) - 0.5);
        let tint = [1.0 + shot.tint, 1.0, 1.0 - shot.tint];
        let colour = canvas[i];
        *pixel = Rgb([0, 1, 2].map(|c| {
            let value = (colour[c] * tint[c] * shot.light + noise) * shade;
            (value.clamp(0.0, 1.0) * 255.0).round() as u8
        }));
    }
    image
}

/// Paints a hair: a dark quadratic Bézier curve from start to end with the control point bend.
fn stroke(canvas: &mut [Colour], size: (u32, u32), hair: &[f32; 7]) {
    let &[x0, y0, x1, y1, x2, y2, width] = hair;
    let half = size.1 as f32 / 2.0;
    let reach = (width * half).ceil() as i32 + 1;
    let steps = 240;
    for step in 0..=steps {
        let t = step as f32 / steps as f32;
        let bezier =
            |a: f32, b: f32, c: f32| (1.0 - t).powi(2) * a + 2.0 * t * (1.0 - t) * b + t * t * c;
        let (px, py) =
            (bezier(x0, x1, x2) * half + size.0 as f32 / 2.0, (bezier(y0, y1, y2) + 1.0) * half);
        for row in py as i32 - reach..=py as i32 + reach {
            for column in px as i32 - reach..=px as i32 + reach {
                if row < 0 || column < 0 || row >= size.1 as i32 || column >= size.0 as i32 {
                    continue;
                }
                let away = ((column as f32 - px).powi(2) + (row as f32 - py).powi(2)).sqrt()
                    / (width * half);
                let cover = 0.35 * (-away * away).exp();
                let at = (row * size.0 as i32 + column) as usize;
                canvas[at] = mix(canvas[at], [0.10, 0.07, 0.06], cover);
            }
        }
    }
}

/// Interpolates linearly from `a` (`t` = 0) to `b` (`t` = 1).
fn mix(a: Colour, b: Colour, t: f32) -> Colour {
    [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * t)
}

/// The coordinates of a point in axes that are rotated by `angle`, in radians.
fn rotate(x: f32, y: f32, angle: f32) -> (f32, f32) {
    let (sin, cos) = angle.sin_cos();
    (cos * x + sin * y, cos * y - sin * x)
}

/// A uniform number in [0, 1) for a lattice point (the finaliser of splitmix64).
fn hash(seed: u64, x: i64, y: i64) -> f32 {
    let mut h = seed
        ^ (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((h ^ (h >> 31)) >> 40) as f32 / (1u64 << 24) as f32
}

/// Value noise in [0, 1): the numbers of the lattice points, smoothly interpolated.
fn noise(seed: u64, x: f32, y: f32) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let (tx, ty) = (smooth(x - fx), smooth(y - fy));
    let at = |dx: i64, dy: i64| hash(seed, fx as i64 + dx, fy as i64 + dy);
    let top = at(0, 0) + (at(1, 0) - at(0, 0)) * tx;
    let bottom = at(0, 1) + (at(1, 1) - at(0, 1)) * tx;
    top + (bottom - top) * ty
}
