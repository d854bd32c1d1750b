//! How the latencies are drawn: a histogram as an SVG that needs nothing else.

use core::fmt::Write as _;

use super::facts::Facts;
use super::histogram::{Axis, count_ticks};
use super::quantity::{bytes, count, rate, time};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 540.0;
/// Edges of the area with the bars.
const LEFT: f64 = 104.0;
const RIGHT: f64 = WIDTH - 36.0;
const TOP: f64 = 164.0;
const BOTTOM: f64 = HEIGHT - 72.0;
/// Between the lines of the percentiles' labels.
const LINE: f64 = 19.0;
/// A label to the left of its line needs this much.
const LABEL: f64 = 120.0;

const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#3d4654}\
.title{font-size:21px;font-weight:600;fill:#1b2330}.sub{font-size:13px;fill:#66707f}\
.tick{font-size:12px;fill:#66707f}.axis{font-size:13px}\
.mark{font-size:13px;font-weight:600;stroke:#fff;stroke-width:4px;paint-order:stroke;stroke-linejoin:round}\
.grid{stroke:#e6e9ee}.frame{stroke:#9aa3b0}.bar{fill:#4a86c5}.halo{stroke:#fff;stroke-width:3.5}";

/// The histogram of `nanos`, the latencies from end to end.
pub(crate) fn svg(facts: &Facts, nanos: &[u64]) -> String {
    let axis = Axis::around(nanos);
    let bars = axis.bars(nanos);
    let ticks = count_ticks(bars.iter().map(|bar| bar.count).max().unwrap_or(0));
    let highest = ticks.last().copied().unwrap_or(1).max(1) as f64;
    let x = |nanos: f64| LEFT + (RIGHT - LEFT) * axis.place(nanos);
    let y = |count: u64| BOTTOM - (BOTTOM - TOP) * (count as f64 / highest);

    let mut svg = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="Histogram of end-to-end latencies">
<style>{STYLE}</style>
<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>"#
    );
    write_titles(&mut svg, facts, nanos.len());
    for tick in ticks {
        let (y, label) = (y(tick), count(tick));
        let _ = writeln!(
            svg,
            r#"<path class="grid" d="M{LEFT} {y:.1}H{RIGHT}"/><text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#,
            LEFT - 10.0,
            y + 4.0
        );
    }
    for bar in bars.iter().filter(|bar| bar.count > 0) {
        let (from, to) = (x(bar.from), x(bar.to));
        // A single frame must be seen beside thousands.
        let height = (BOTTOM - y(bar.count)).max(2.0);
        let _ = writeln!(
            svg,
            r#"<rect class="bar" x="{:.1}" y="{:.1}" width="{:.1}" height="{height:.1}"><title>{} to {}: {}</title></rect>"#,
            from + 0.5,
            BOTTOM - height,
            (to - from - 1.0).max(0.5),
            nanos_text(bar.from),
            nanos_text(bar.to),
            count(bar.count)
        );
    }
    let _ = writeln!(svg, r#"<path class="frame" d="M{LEFT} {BOTTOM}H{RIGHT}"/>"#);
    for tick in axis.ticks() {
        let (x, label) = (x(tick), tick_text(tick));
        let _ = writeln!(
            svg,
            r#"<path class="frame" d="M{x:.1} {BOTTOM}v6"/><text class="tick" x="{x:.1}" y="{:.1}" text-anchor="middle">{label}</text>"#,
            BOTTOM + 22.0
        );
    }
    write_axis_labels(&mut svg);
    write_marks(&mut svg, facts, x);
    svg.push_str("</svg>\n");
    svg
}

fn write_titles(svg: &mut String, facts: &Facts, frames: usize) {
    let latency = &facts.latency;
    let cores = if facts.machine.cores == 1 { "core" } else { "cores" };
    let load = format!(
        "{} frames of {} at {} per second, half the rate reached · longest {}",
        count(frames as u64),
        bytes(facts.frame_bytes as u64),
        rate(latency.paced_frames_per_second),
        time(latency.end_to_end.max_nanos)
    );
    let machine = format!("{}, {} {cores}", facts.machine.processor, facts.machine.cores);
    let title = "End-to-end latency: writer → relay → reader, three processes";
    for (class, y, text) in [("title", 42.0, title), ("sub", 66.0, &load), ("sub", 85.0, &machine)] {
        let _ = writeln!(svg, r#"<text class="{class}" x="{LEFT}" y="{y}">{}</text>"#, escape(text));
    }
}

fn write_axis_labels(svg: &mut String) {
    let (middle_x, middle_y) = ((LEFT + RIGHT) / 2.0, (TOP + BOTTOM) / 2.0);
    let _ = writeln!(
        svg,
        r#"<text class="axis" x="{middle_x}" y="{}" text-anchor="middle">from the writer’s commit to the reader’s receive, logarithmic</text>
<text class="axis" transform="translate(24 {middle_y}) rotate(-90)" text-anchor="middle">frames</text>"#,
        HEIGHT - 20.0
    );
}

/// The higher percentiles' labels stand higher and left of their lines, so that they cross no other line.
fn write_marks(svg: &mut String, facts: &Facts, x: impl Fn(f64) -> f64) {
    let percentiles = &facts.latency.end_to_end;
    let marks = [
        ("p50", percentiles.p50_nanos, "#2e7d4f", 1.0),
        ("p99", percentiles.p99_nanos, "#b86a00", 2.0),
        ("p99.9", percentiles.p999_nanos, "#b3362b", 3.0),
    ];
    for (_, nanos, colour, line) in marks {
        let (x, y) = (x(nanos as f64), TOP - LINE * line);
        let _ = writeln!(
            svg,
            r#"<path class="halo" d="M{x:.1} {y:.1}V{BOTTOM}"/><path d="M{x:.1} {y:.1}V{BOTTOM}" stroke="{colour}" stroke-width="1.5" stroke-dasharray="5 4" fill="none"/>"#
        );
    }
    // After all the lines: their white outline covers what they cross.
    for (name, nanos, colour, line) in marks {
        let x = x(nanos as f64);
        let (x, anchor) = if x - LABEL < LEFT { (x + 6.0, "start") } else { (x - 6.0, "end") };
        let _ = writeln!(
            svg,
            r#"<text class="mark" x="{x:.1}" y="{:.1}" text-anchor="{anchor}" style="fill:{colour}">{name} {}</text>"#,
            TOP - LINE * line + 10.0,
            time(nanos)
        );
    }
}

fn nanos_text(nanos: f64) -> String {
    time(
        core::time::Duration::try_from_secs_f64(nanos / 1e9)
            .map_or(u64::MAX, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
    )
}

/// A round value without decimals.
fn tick_text(nanos: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    let (unit, name) = units.into_iter().find(|(unit, _)| nanos >= *unit).unwrap_or((1.0, "ns"));
    format!("{} {name}", nanos / unit)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::table::tests::facts;

    /// Every tag that is opened is closed, in order; enough for what is written here.
    fn check_tags(svg: &str) {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').expect("every tag ends");
            let name = tag.split([' ', '\n']).next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name)),
                None if tag.ends_with('/') => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn any_latencies_make_a_whole_drawing_without_nonsense_numbers() {
        let spread: Vec<u64> = (1..=1000).map(|k| k * 1000).collect();
        for nanos in [&[][..], &[0], &[5, 5, 5], &[1, u64::MAX], &spread] {
            let svg = svg(&facts(), nanos);
            check_tags(&svg);
            assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("=\"-"), "{svg}");
        }
    }

    #[test]
    fn the_percentiles_the_count_and_the_escaped_machine_are_written() {
        let mut facts = facts();
        facts.machine.processor = "A<B> & C".into();
        let svg = svg(&facts, &[500_000, 600_000, 700_000]);
        for text in [
            "p50 500 µs",
            "p99 1.00 ms",
            "p99.9 1.50 ms",
            ">3 frames of 3.11 MB",
            "A&lt;B&gt; &amp; C, 1 core",
        ] {
            assert!(svg.contains(text), "{text}\n{svg}");
        }
    }

    #[test]
    fn ticks_have_the_unit_that_fits() {
        assert_eq!([1.0, 500.0, 2e3, 1e6, 5e9].map(tick_text), ["1 ns", "500 ns", "2 µs", "1 ms", "5 s"]);
    }
}
