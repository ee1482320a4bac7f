//! Pairs of bars drawn on the server, on one scale: what came and, beside it, what went.

/// The drawing's size, in its own units.
const WIDTH: u64 = 720;
const HEIGHT: u64 = 150;
/// Room for the words below and the scale above.
const BELOW: u64 = 18;
const ABOVE: u64 = 14;

/// What one pair shows.
pub(super) struct Pair {
    pub(super) came: u64,
    pub(super) went: u64,
    /// What is written below it, if anything.
    pub(super) label: String,
    /// What a pointer that rests on it is told.
    pub(super) told: String,
}

/// One pair, with its place in the drawing.
pub(super) struct Bar {
    pub(super) x: u64,
    pub(super) second_x: u64,
    pub(super) width: u64,
    pub(super) came_y: u64,
    pub(super) came_height: u64,
    pub(super) went_y: u64,
    pub(super) went_height: u64,
    pub(super) label: String,
    pub(super) told: String,
}

/// A drawing, ready for `console/bars.html`.
pub(super) struct Bars {
    pub(super) width: u64,
    pub(super) height: u64,
    /// Where the bars stand.
    pub(super) base: u64,
    /// From one pair to the next.
    pub(super) step: u64,
    /// The largest bar.
    pub(super) most: u64,
    pub(super) bars: Vec<Bar>,
}

/// The pairs from left to right, where `places` of them have room.
pub(super) fn draw(places: u64, pairs: Vec<Pair>) -> Bars {
    let most = pairs.iter().map(|it| it.came.max(it.went)).max().unwrap_or(0);
    let base = HEIGHT - BELOW;
    let step = WIDTH / places.max(1);
    let width = (step / 3).max(1);
    let bars = (0u64..).zip(pairs).map(|(at, it)| {
        let (came_height, went_height) = (tall(it.came, most), tall(it.went, most));
        let x = at * step + width / 2;
        Bar {
            x,
            second_x: x + width,
            width,
            came_y: base - came_height,
            came_height,
            went_y: base - went_height,
            went_height,
            label: it.label,
            told: it.told,
        }
    });
    Bars { width: WIDTH, height: HEIGHT, base, step, most, bars: bars.collect() }
}

/// How tall `value` is where `most` fills the drawing; nothing is flat.
pub(super) fn tall(value: u64, most: u64) -> u64 {
    (value * (HEIGHT - BELOW - ABOVE)).checked_div(most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;

    #[derive(Template)]
    #[template(source = r#"{% include "console/bars.html" %}"#, ext = "html")]
    struct Drawn {
        chart: Bars,
    }

    fn drawn(places: u64, pairs: &[(u64, u64, &str)]) -> String {
        let pair = |it: &(u64, u64, &str)| Pair {
            came: it.0,
            went: it.1,
            label: it.2.to_owned(),
            told: format!("+{} −{}", it.0, it.1),
        };
        let chart = draw(places, pairs.iter().map(pair).collect());
        Drawn { chart }.render().unwrap()
    }

    /// As the last 24 hours and the trend were drawn when each drew its own bars.
    #[test]
    fn bars_look_as_they_always_did() {
        assert_eq!(
            drawn(24, &[(3, 1, "09:00"), (0, 2, "")]),
            r#"<line class="axis" x1="0" x2="720" y1="132" y2="132"/>
<g><title>+3 −1</title><rect class="in" x="5" y="14" width="10" height="118"/><rect class="out" x="15" y="93" width="10" height="39"/><text x="5" y="146">09:00</text></g>
<g><title>+0 −2</title><rect class="in" x="35" y="132" width="10" height="0"/><rect class="out" x="45" y="54" width="10" height="78"/></g>
"#
        );
        assert_eq!(
            drawn(31, &[(0, 0, "03-01"), (0, 0, "")]),
            r#"<line class="axis" x1="0" x2="720" y1="132" y2="132"/>
<g><title>+0 −0</title><rect class="in" x="3" y="132" width="7" height="0"/><rect class="out" x="10" y="132" width="7" height="0"/><text x="3" y="146">03-01</text></g>
<g><title>+0 −0</title><rect class="in" x="26" y="132" width="7" height="0"/><rect class="out" x="33" y="132" width="7" height="0"/></g>
"#
        );
    }

    #[test]
    fn the_tallest_fills_the_drawing_and_nothing_leaves_it() {
        for places in [1, 24, 31, 92, 366, 1_000] {
            let pair =
                |at: u64| Pair { came: at, went: 0, label: String::new(), told: String::new() };
            let chart = draw(places, (1..=places.min(WIDTH)).map(pair).collect());
            let last = chart.bars.last().unwrap();
            assert_eq!(last.came_y, ABOVE, "{places}");
            assert!(last.x + last.width <= WIDTH, "{places}");
        }
        assert!(draw(0, vec![]).bars.is_empty());
    }
}
