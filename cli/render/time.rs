//! Times, durations and sizes as people read them. Programs get RFC 3339, seconds and bytes, unchanged.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Timestamp, tz::TimeZone};

/// What "now" and "here" are; fixed in tests.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// Now.
    pub(crate) now: Timestamp,
    /// Here.
    pub(crate) zone: TimeZone,
}

impl Clock {
    /// This machine's.
    pub(crate) fn system() -> Self {
        Self {
            now: Timestamp::now(),
            zone: TimeZone::system(),
        }
    }

    /// `12:00` today, `Nov 17 12:00` this year, `2025-11-17` before; the text itself when it is no time.
    pub(crate) fn short(&self, rfc3339: &str) -> String {
        let Ok(time) = rfc3339.parse::<Timestamp>() else {
            return rfc3339.to_owned();
        };
        let time = time.to_zoned(self.zone.clone());
        let now = self.now.to_zoned(self.zone.clone());
        let format = if time.date() == now.date() {
            "%H:%M"
        } else if time.year() == now.year() {
            "%b %d %H:%M"
        } else {
            "%Y-%m-%d"
        };
        time.strftime(format).to_string()
    }

    /// `4s`, `2h 05m`: how long ago that was.
    pub(crate) fn since(&self, rfc3339: &str) -> Option<String> {
        let then = rfc3339.parse::<Timestamp>().ok()?;
        let seconds = self.now.duration_since(then).as_secs();
        Some(duration(u64::try_from(seconds).unwrap_or(0)))
    }
}

/// Two units at most: `45s`, `3m 17s`, `2h 05m`, `2d 04h`.
pub(crate) fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h {:02}m", minutes % 60),
        86_400.. => format!("{days}d {:02}h", hours % 24),
    }
}

/// `12.1 MB`.
pub(crate) fn bytes(count: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let count_f = count as f64;
    match count {
        0..1000 => format!("{count} B"),
        1000..1_000_000 => format!("{:.1} kB", count_f / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count_f / 1e6),
        1_000_000_000.. => format!("{:.1} GB", count_f / 1e9),
    }
}

/// Reads `30s`, `10m`, `1h30m`, `7d`; a bare number is seconds.
///
/// # Errors
/// What is wrong with it, for clap to show.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let span = text.parse::<Span>().map_err(|error| error.to_string())?;
    let span = span.to_duration(SpanRelativeTo::days_are_24_hours());
    let span = span.map_err(|error| error.to_string())?;
    Duration::try_from(span).map_err(|_| "a time span cannot be negative".to_owned())
}

/// Reads `+3h`, `17:00` (the next one), `2026-12-01T17:00` here, `2026-12-01T17:00Z`, or `none`: milliseconds since 1970, 0 for
/// none.
///
/// # Errors
/// What is wrong with it, for clap to show.
pub(crate) fn parse_when(text: &str) -> Result<u64, String> {
    when(&Clock::system(), text)
}

fn when(clock: &Clock, text: &str) -> Result<u64, String> {
    let bad = "a time like 2026-12-01T17:00, 17:00, +3h, or none";
    if text == "none" {
        return Ok(0);
    }
    let now = clock.now.to_zoned(clock.zone.clone());
    let time = if let Some(span) = text.strip_prefix('+') {
        clock.now.checked_add(parse_duration(span)?).ok()
    } else if !text.contains('-')
        && let Ok(time) = text.parse::<jiff::civil::Time>()
    {
        let today = now
            .with()
            .time(time)
            .build()
            .map_err(|error| error.to_string())?;
        let next = match today > now {
            true => Ok(today),
            false => today
                .tomorrow()
                .and_then(|day| day.with().time(time).build()),
        };
        next.ok().map(|next| next.timestamp())
    } else if let Ok(time) = text.parse::<Timestamp>() {
        Some(time)
    } else {
        let civil = text.parse::<jiff::civil::DateTime>();
        let here = civil
            .ok()
            .and_then(|civil| civil.to_zoned(clock.zone.clone()).ok());
        here.map(|here| here.timestamp())
    };
    let ms = time.map(Timestamp::as_millisecond).ok_or(bad)?;
    u64::try_from(ms)
        .ok()
        .filter(|ms| *ms > 0)
        .ok_or_else(|| bad.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock {
            now: "2026-11-20T23:30:00Z".parse().unwrap(),
            zone: TimeZone::fixed(jiff::tz::offset(1)),
        }
    }

    #[test]
    fn times_are_local_and_as_short_as_they_may_be() {
        // 00:30 of the 21st here: what was yesterday in UTC is today.
        assert_eq!(clock().short("2026-11-20T23:05:00Z"), "00:05");
        assert_eq!(clock().short("2026-11-20T12:00:00Z"), "Nov 20 13:00");
        assert_eq!(clock().short("2025-11-20T12:00:00Z"), "2025-11-20");
        assert_eq!(clock().short("soon"), "soon");
        assert_eq!(clock().since("2026-11-20T21:25:00Z").unwrap(), "2h 05m");
        assert_eq!(clock().since("2026-11-20T23:31:00Z").unwrap(), "0s");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (197, "3m 17s"),
            (7500, "2h 05m"),
            (187_200, "2d 04h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(137_138), "137.1 kB");
        assert_eq!(bytes(4_211_003), "4.2 MB");
        assert_eq!(bytes(2_147_483_648), "2.1 GB");
    }

    #[test]
    fn time_spans_as_typed() {
        assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(parse_duration("0.5s"), Ok(Duration::from_millis(500)));
        assert!(parse_duration("-5s").is_err());
        assert!(parse_duration("soon").is_err());
    }

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let at = |rfc3339: &str| Ok(rfc3339.parse::<Timestamp>().unwrap().as_millisecond() as u64);
        for (text, expected) in [
            ("none", Ok(0)),
            ("+3h", at("2026-11-21T02:30:00Z")),
            // It is 00:30 of the 21st here.
            ("17:00", at("2026-11-21T16:00:00Z")),
            ("00:10", at("2026-11-21T23:10:00Z")),
            ("2026-12-01T17:00", at("2026-12-01T16:00:00Z")),
            ("2026-12-01", at("2026-11-30T23:00:00Z")),
            ("2026-12-01T17:00:00Z", at("2026-12-01T17:00:00Z")),
        ] {
            assert_eq!(when(&clock(), text), expected, "{text}");
        }
        for bad in ["", "soon", "+", "+soon", "25:00", "1969-01-01"] {
            assert!(when(&clock(), bad).is_err(), "{bad}");
        }
    }
}
