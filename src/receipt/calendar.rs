//! Writes points in time as RFC 3339 has them.

/// Of the years 0 to 9999, in milliseconds since the Unix epoch.
const WRITABLE: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

/// `2026-11-22T05:30:00Z`: UTC, in whole seconds. What RFC 3339 cannot write is written as the
/// nearest that it can.
pub(super) fn rfc3339(millis: i64) -> [u8; 20] {
    let seconds = millis.clamp(*WRITABLE.start(), *WRITABLE.end()).div_euclid(1000);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let mut text = *b"0000-00-00T00:00:00Z";
    write(&mut text[..4], year);
    write(&mut text[5..7], month);
    write(&mut text[8..10], day);
    write(&mut text[11..13], second / 3600);
    write(&mut text[14..16], second / 60 % 60);
    write(&mut text[17..19], second % 60);
    text
}

/// Year, month and day, so many days after the Unix epoch.
///
/// Years are counted from March, so that a leap day is a year's last day; and in eras of 400 years,
/// which all have 146,097 days.
#[allow(clippy::arithmetic_side_effects, reason = "the years 0 to 9999 have few days")]
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // since 1 March of the year 0
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153; // counted from March and 0
    let day = day - (153 * month + 2) / 5 + 1;
    let (next, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (era * 400 + year + next, month, day)
}

/// Writes the last digits of `number`, as many as there is room for.
fn write(digits: &mut [u8], number: i64) {
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' | u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;

    use super::*;

    fn check(millis: i64) {
        let expected = DateTime::from_timestamp_millis(millis).unwrap();
        let expected = expected.to_rfc3339_opts(SecondsFormat::Secs, true);
        assert_eq!(String::from_utf8_lossy(&rfc3339(millis)), expected, "{millis}");
    }

    #[test]
    fn every_day_of_the_years_that_can_be_written() {
        for day in WRITABLE.start() / 86_400_000..=WRITABLE.end() / 86_400_000 {
            check(day * 86_400_000);
        }
        check(*WRITABLE.end());
        assert_eq!(rfc3339(i64::MIN), *b"0000-01-01T00:00:00Z");
        assert_eq!(rfc3339(i64::MAX), *b"9999-12-31T23:59:59Z");
    }

    proptest! {
        #[test]
        fn any_time(millis in WRITABLE) {
            check(millis);
        }
    }
}
