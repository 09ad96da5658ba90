//! Times in certificates and CRLs (RFC 5280 section 4.1.2.5). Every question of when something is valid is answered
//! from here.

use std::fmt;
use std::time::{Duration, SystemTime};

use rustls_pki_types::UnixTime;

use super::der::{Der, GENERALIZED_TIME, UTC_TIME};

/// A time in seconds since 1970, negative before 1970.
///
/// It prints in the form of RFC 3339, `2026-11-25T04:05:06Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(i64);

impl Time {
    /// Reads a `Time` in the one form that RFC 5280 has for each of its two kinds: with seconds, and in `Z`.
    ///
    /// webpki takes these forms and no others, and so does OpenSSL when it compares. Go also takes a `UTCTime` without
    /// seconds or with an offset, but nobody else believes such a certificate. The two digits of a year in `UTCTime`
    /// stand for 1950 to 2049. A `GeneralizedTime` may have any year, as in all three, though RFC 5280 has it from 2050
    /// on. A second of 60 and a 30 February are errors.
    pub(crate) fn read(der: &mut Der<'_>) -> Option<Self> {
        let (year, rest) = match der.take_optional(UTC_TIME) {
            Some(text) => {
                let (year, rest) = number(text, 2)?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            None => number(der.take(GENERALIZED_TIME)?, 4)?,
        };
        let (month, rest) = number(rest, 2)?;
        let (day, rest) = number(rest, 2)?;
        let (hour, rest) = number(rest, 2)?;
        let (minute, rest) = number(rest, 2)?;
        let (second, rest) = number(rest, 2)?;
        let in_range = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60
            && rest == b"Z";
        if !in_range {
            return None;
        }
        Some(Self(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second))
    }

    pub(crate) fn since_1970(self) -> i64 {
        self.0
    }

    /// Returns the time for rustls. A time before 1970 becomes 1970, since no clock is earlier.
    pub(crate) fn to_unix(self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(self.0).unwrap_or(0)))
    }

    /// Returns the time for `std`. `None` if this system can't represent it.
    pub(crate) fn to_system(self) -> Option<SystemTime> {
        let seconds = Duration::from_secs(self.0.unsigned_abs());
        let epoch = SystemTime::UNIX_EPOCH;
        if self.0 < 0 { epoch.checked_sub(seconds) } else { epoch.checked_add(seconds) }
    }
}

impl From<UnixTime> for Time {
    fn from(time: UnixTime) -> Self {
        Self(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.0.div_euclid(86_400));
        let second = self.0.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(digits)?;
    let mut number = 0;
    for digit in digits {
        number = number * 10 + i64::from(char::from(*digit).to_digit(10)?);
    }
    Some((number, rest))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_since_1970(next_year, next_month, 1) - days_since_1970(year, month, 1)
}

/// Counts days in the Gregorian calendar. A year that is counted from March has its leap day last, and its months start
/// 30.6 days apart, rounded, so no table is needed.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before_year = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let before_month = (month * 306 + 5) / 10;
    before_year + before_month + day - 1 - 719_468
}

/// Returns the year, month and day of a number of days: the inverse of [`days_since_1970`].
fn date(days_since_1970: i64) -> (i64, i64, i64) {
    let days = days_since_1970 + 719_468;
    // All eras of 400 years are alike.
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat()
    }

    fn read(tag: u8, text: &str) -> Option<i64> {
        Time::read(&mut Der::new(&der(tag, text.as_bytes()))).map(Time::since_1970)
    }

    #[test]
    fn times_are_what_date_says() {
        // date -u -d '2026-11-25 04:05:06' +%s
        assert_eq!(read(UTC_TIME, "261125040506Z"), Some(1_795_579_506));
        assert_eq!(read(GENERALIZED_TIME, "20261125040506Z"), Some(1_795_579_506));
        assert_eq!(read(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(read(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(read(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(read(GENERALIZED_TIME, "00000229000000Z"), Some(-62_162_121_600));
        assert_eq!(read(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
        assert_eq!(read(GENERALIZED_TIME, "20000229000000Z"), Some(951_782_400));
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut expected = days_since_1970(1900, 1, 1);
        for year in 1900..2110 {
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let february = if leap { 29 } else { 28 };
            for (month, days) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                for day in 1..=days {
                    assert_eq!(days_since_1970(year, month, day), expected, "{year}-{month}-{day}");
                    assert_eq!(date(expected), (year, month, day));
                    expected += 1;
                }
                assert_eq!(days_in_month(year, month), days);
            }
        }
        assert_eq!(days_since_1970(1970, 1, 1), 0);
    }

    #[test]
    fn other_forms_are_refused() {
        for wrong in [
            "",
            "261125040506",
            "2611250405Z",
            "261125040506+0000",
            "26112504050 Z",
            "261325040506Z",
            "261100040506Z",
            "261131040506Z",
            "270229040506Z",
            "261125240506Z",
            "261125046006Z",
            "261125040560Z",
            "261125040506z",
            "261125040506ZZ",
        ] {
            assert_eq!(read(UTC_TIME, wrong), None, "{wrong}");
        }
        assert_eq!(read(GENERALIZED_TIME, "20261125040506.0Z"), None);
        assert_eq!(read(GENERALIZED_TIME, "261125040506Z"), None);
    }

    #[test]
    fn times_print_as_date_prints_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_795_579_506, "2026-11-25T04:05:06Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (-631_152_000, "1950-01-01T00:00:00Z"),
            (-62_162_121_600, "0000-02-29T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Time(seconds).to_string(), text);
        }
        assert_eq!(Time(-1).to_unix().as_secs(), 0);
        assert_eq!(Time::from(Time(7).to_unix()), Time(7));
        assert_eq!(Time(-7).to_system(), SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(7)));
        assert_eq!(Time(7).to_system(), SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(7)));
    }
}
