//! Pictures as somebody at the bedside would take or draw them: the sketch of a wound with a ruler, a
//! tray after a meal, an entrance with its handrail. Drawn, not photographed: nobody's body is in them.

use tiny_skia::{Color, FillRule, Paint, PathBuilder, Pixmap, Rect, Stroke, Transform};

const WIDTH: u32 = 480;
const HEIGHT: u32 = 360;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    /// A wound of so many millimetres, length and width; how much of it is pink already, in percent.
    Wound { length: i32, width: i32, healed: i32, shape: u64 },
    /// A tray: how much of rice, main dish and side dish was eaten, in tenths.
    Meal { eaten: [i32; 3], tray: u64 },
    /// An entrance: the height of its step in millimetres, and whether there is a handrail.
    Entrance { step: i32, handrail: bool },
}

/// The PNG; empty if it could not be made.
pub(super) fn draw(picture: Picture) -> Vec<u8> {
    let Some(pixmap) = Pixmap::new(WIDTH, HEIGHT) else { return Vec::new() };
    let mut canvas = Canvas { pixmap };
    match picture {
        Picture::Wound { length, width, healed, shape } => canvas.wound((length, width), healed, shape),
        Picture::Meal { eaten, tray } => canvas.meal(eaten, tray),
        Picture::Entrance { step, handrail } => canvas.entrance(step, handrail),
    }
    canvas.pixmap.encode_png().unwrap_or_default()
}

struct Canvas {
    pixmap: Pixmap,
}

type Rgb = (u8, u8, u8);

fn paint((red, green, blue): Rgb) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, 255);
    paint.anti_alias = true;
    paint
}

/// A little unevenness that follows from a number.
fn uneven(shape: u64, at: u64) -> f32 {
    let mixed = (shape ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 40) & 0xff) as f32 / 255.0 - 0.5
}

impl Canvas {
    fn ground(&mut self, (red, green, blue): Rgb) {
        self.pixmap.fill(Color::from_rgba8(red, green, blue, 255));
    }

    fn bar(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Rgb) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            self.pixmap.fill_rect(rect, &paint(colour), Transform::identity(), None);
        }
    }

    fn oval(&mut self, (x, y): (f32, f32), (across, down): (f32, f32), colour: Rgb) {
        let rect = Rect::from_xywh(x - across, y - down, across * 2.0, down * 2.0);
        if let Some(path) = rect.and_then(PathBuilder::from_oval) {
            self.pixmap.fill_path(&path, &paint(colour), FillRule::Winding, Transform::identity(), None);
        }
    }

    /// A round patch with an uneven edge.
    fn patch(&mut self, (x, y): (f32, f32), (across, down): (f32, f32), shape: u64, colour: Rgb) {
        let mut path = PathBuilder::new();
        let points = 28_u64;
        for point in 0..points {
            let turn = std::f32::consts::TAU * point as f32 / points as f32;
            let far = 1.0 + uneven(shape, point) * 0.18;
            let (px, py) = (x + across * far * turn.cos(), y + down * far * turn.sin());
            if point == 0 { path.move_to(px, py) } else { path.line_to(px, py) }
        }
        path.close();
        if let Some(path) = path.finish() {
            self.pixmap.fill_path(&path, &paint(colour), FillRule::Winding, Transform::identity(), None);
        }
    }

    fn line(&mut self, from: (f32, f32), to: (f32, f32), width: f32, colour: Rgb) {
        let mut path = PathBuilder::new();
        path.move_to(from.0, from.1);
        path.line_to(to.0, to.1);
        let stroke = Stroke { width, ..Stroke::default() };
        if let Some(path) = path.finish() {
            self.pixmap.stroke_path(&path, &paint(colour), &stroke, Transform::identity(), None);
        }
    }

    /// Five points to a millimetre, and a ruler of six centimetres.
    fn wound(&mut self, (length, width): (i32, i32), healed: i32, shape: u64) {
        self.ground((236, 205, 184));
        for spot in 0..60 {
            let x = (uneven(shape, spot * 3) + 0.5) * WIDTH as f32;
            let y = (uneven(shape, spot * 3 + 1) + 0.5) * HEIGHT as f32;
            self.oval((x, y), (9.0, 6.0), (232, 199, 177));
        }
        let centre = (240.0, 150.0);
        let (across, down) = (length as f32 * 2.5, width as f32 * 2.5);
        self.patch(centre, (across + 26.0, down + 22.0), shape, (226, 168, 152));
        self.patch(centre, (across + 8.0, down + 7.0), shape ^ 5, (214, 122, 116));
        self.patch(centre, (across, down), shape ^ 9, (176, 58, 62));
        let open = 1.0 - healed.clamp(0, 100) as f32 / 100.0;
        self.patch(centre, (across * open, down * open), shape ^ 17, (222, 190, 120));
        self.bar(80.0, 300.0, 320.0, 36.0, (250, 250, 246));
        for millimetre in 0..=60_u16 {
            let x = 90.0 + f32::from(millimetre) * 5.0;
            let tall = if millimetre % 10 == 0 {
                20.0
            } else if millimetre % 5 == 0 {
                14.0
            } else {
                8.0
            };
            self.line((x, 300.0), (x, 300.0 + tall), 1.0, (40, 40, 40));
        }
    }

    fn meal(&mut self, eaten: [i32; 3], tray: u64) {
        self.ground((205, 186, 160));
        self.bar(30.0, 30.0, 420.0, 300.0, (122, 78, 52));
        self.bar(40.0, 40.0, 400.0, 280.0, (146, 96, 66));
        let places = [(130.0, 230.0, 72.0), (265.0, 130.0, 92.0), (370.0, 245.0, 54.0)];
        let dishes = [(248, 248, 244), (196, 120, 62), (104, 150, 74)];
        for (number, ((x, y, round), dish)) in places.into_iter().zip(dishes).enumerate() {
            self.oval((x, y), (round, round * 0.82), (238, 236, 230));
            self.oval((x, y), (round * 0.84, round * 0.68), (222, 219, 210));
            let left = 10 - eaten.get(number).copied().unwrap_or(10).clamp(0, 10);
            let share = (left as f32 / 10.0).sqrt() * 0.78;
            if left > 0 {
                self.patch((x, y), (round * share, round * share * 0.8), tray ^ number as u64, dish);
            }
        }
        self.oval((140.0, 105.0), (46.0, 46.0), (150, 40, 34));
        self.oval((140.0, 105.0), (38.0, 38.0), (112, 72, 44));
        self.line((60.0, 312.0), (300.0, 304.0), 5.0, (60, 40, 30));
        self.line((64.0, 300.0), (300.0, 296.0), 5.0, (60, 40, 30));
    }

    fn entrance(&mut self, step: i32, handrail: bool) {
        self.ground((226, 222, 212));
        let rise = step.clamp(0, 400) as f32 * 0.35;
        self.bar(0.0, 250.0, 480.0, 110.0, (150, 150, 148));
        self.bar(210.0, 250.0 - rise, 270.0, 110.0 + rise, (176, 128, 84));
        self.bar(210.0, 250.0 - rise, 270.0, 10.0, (142, 98, 60));
        self.bar(30.0, 40.0, 110.0, 210.0, (110, 84, 66));
        self.bar(40.0, 50.0, 90.0, 200.0, (134, 104, 82));
        self.oval((118.0, 155.0), (6.0, 6.0), (220, 200, 120));
        self.line((200.0, 250.0), (200.0, 250.0 - rise), 2.0, (190, 40, 40));
        self.line((192.0, 250.0), (208.0, 250.0), 2.0, (190, 40, 40));
        self.line((192.0, 250.0 - rise), (208.0, 250.0 - rise), 2.0, (190, 40, 40));
        if handrail {
            self.line((170.0, 180.0), (330.0, 180.0 - rise), 8.0, (120, 82, 48));
            self.line((176.0, 180.0), (176.0, 250.0), 5.0, (120, 82, 48));
            self.line((322.0, 182.0 - rise), (322.0, 250.0 - rise), 5.0, (120, 82, 48));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_a_png_the_same_each_time_and_other_numbers_another() {
        let pictures = [
            Picture::Wound { length: 32, width: 21, healed: 20, shape: 3 },
            Picture::Wound { length: 12, width: 8, healed: 90, shape: 3 },
            Picture::Meal { eaten: [10, 5, 0], tray: 1 },
            Picture::Meal { eaten: [10, 10, 10], tray: 1 },
            Picture::Entrance { step: 180, handrail: false },
            Picture::Entrance { step: 180, handrail: true },
        ];
        let mut seen = std::collections::BTreeSet::new();
        for picture in pictures {
            let png = draw(picture);
            assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 1_500, "{picture:?} {}", png.len());
            assert_eq!(png, draw(picture));
            assert!(seen.insert(png));
        }
    }
}
