//! The drawing of one race, as SVG.

use std::fmt::Write;

use super::race::Race;
use crate::junit::escaped;

/// Sizes in units of the drawing. The page scales them.
const WIDTH: f64 = 1000.0;
const LEFT: f64 = 150.0;
const ROW: f64 = 17.0;
const BAR: f64 = 12.0;
const TOP: f64 = 22.0;

/// Draws one line for each process, with time from left to right.
pub(super) fn svg(race: &Race) -> String {
    let end = race.end() as f64;
    let x = |ms: u64| LEFT + (WIDTH - LEFT - 10.0) * ms as f64 / end;
    let height = TOP + ROW * race.replicas.len() as f64 + 4.0;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=img>");
    let step = grid_step(end);
    let mut at = 0;
    while at as f64 <= end {
        let _ = write!(
            svg,
            "<line class=grid x1={0:.1} x2={0:.1} y1=16 y2={height:.0} /><text class=tick x={0:.1} y=11>{1}</text>",
            x(at),
            format_ms(at)
        );
        at += step;
    }
    for (index, replica) in race.replicas.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let _ = write!(
            svg,
            "<text class=name x={} y={:.1}>{} {}</text>",
            LEFT - 8.0,
            y + BAR - 2.0,
            replica.pid,
            escaped(&replica.describe())
        );
        for interval in replica.intervals() {
            let width = (x(interval.to) - x(interval.from)).max(0.6);
            let _ = write!(
                svg,
                "<rect class={} x={:.1} y={y:.1} width={width:.1} height={BAR}><title>{}: {} to {} ms ({} ms) {}</title></rect>",
                interval.phase.class(),
                x(interval.from),
                interval.phase.class(),
                interval.from,
                interval.to,
                interval.to - interval.from,
                escaped(&interval.label)
            );
        }
        if replica.killed {
            let (a, b) = (x(replica.end_ms) - 5.0, x(replica.end_ms) + 5.0);
            let _ = write!(
                svg,
                "<path class=cross d=\"M{a:.1} {0:.1}L{b:.1} {1:.1}M{a:.1} {1:.1}L{b:.1} {0:.1}\"><title>killed at {2} ms</title></path>",
                y + 1.0,
                y + BAR - 1.0,
                replica.end_ms
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// Returns a round number of milliseconds that divides the time into at most ten parts.
fn grid_step(end: f64) -> u64 {
    let powers = std::iter::successors(Some(1_u64), |power| power.checked_mul(10));
    powers
        .flat_map(|power| [power, power.saturating_mul(2), power.saturating_mul(5)])
        .find(|step| end / *step as f64 <= 10.0)
        .unwrap_or(u64::MAX)
}

fn format_ms(ms: u64) -> String {
    match ms {
        ms if ms >= 1000 && ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms if ms >= 1000 => format!("{:.1} s", ms as f64 / 1000.0),
        ms => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::grid_step;

    #[test]
    fn grid_step_is_a_round_number() {
        for (end, expected) in [
            (8.0, 1),
            (15.0, 2),
            (90.0, 10),
            (430.0, 50),
            (21_000.0, 5_000),
        ] {
            assert_eq!(grid_step(end), expected, "{end}");
        }
    }
}
