//! When certificates are valid (RFC 5280 section 4.1.2.5), which webpki enforces and does not tell; and the times in
//! CRLs, which are written alike.

use rustls::pki_types::UnixTime;
use std::time::Duration;

use super::der::{Der, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, VERSION};

/// A certificate's `notBefore`. `None` if this is not a certificate.
pub(crate) fn not_before(certificate: &[u8]) -> Option<UnixTime> {
    time(&mut validity(certificate)?)
}

/// A certificate's `notAfter`. `None` if this is not a certificate.
pub(crate) fn not_after(certificate: &[u8]) -> Option<UnixTime> {
    let mut validity = validity(certificate)?;
    time(&mut validity)?;
    time(&mut validity)
}

fn validity(certificate: &[u8]) -> Option<Der<'_>> {
    let mut tbs = signed_part(certificate)?;
    tbs.take_optional(VERSION);
    tbs.take(INTEGER)?; // serialNumber
    tbs.take(SEQUENCE)?; // signature
    tbs.take(SEQUENCE)?; // issuer
    tbs.take(SEQUENCE).map(Der::new)
}

/// `SEQUENCE { tbs, signatureAlgorithm, signature }`, in which both begin.
fn signed_part(der: &[u8]) -> Option<Der<'_>> {
    let mut outer = Der::new(Der::new(der).take(SEQUENCE)?);
    Some(Der::new(outer.take(SEQUENCE)?))
}

/// A `Time`, in the one form that RFC 5280 allows for each kind. A time before 1970 is 1970.
pub(crate) fn time(der: &mut Der<'_>) -> Option<UnixTime> {
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
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && rest == b"Z";
    if !in_range {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
}

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(digits)?;
    let mut number = 0;
    for digit in digits {
        number = number * 10 + i64::from(char::from(*digit).to_digit(10)?);
    }
    Some((number, rest))
}

/// In the Gregorian calendar. A year that begins in March has its leap day last, which leaves nothing to look up:
/// months from March on are 30.6 days apart, rounded.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before_year = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let before_month = (month * 306 + 5) / 10;
    before_year + before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat()
    }

    fn read(tag: u8, text: &str) -> Option<u64> {
        let time = time(&mut Der::new(&der(tag, text.as_bytes())))?;
        Some(time.as_secs())
    }

    #[test]
    fn times_are_what_date_says() {
        // date -u -d '2026-11-25 04:05:06' +%s
        assert_eq!(read(UTC_TIME, "261125040506Z"), Some(1_795_579_506));
        assert_eq!(read(GENERALIZED_TIME, "20261125040506Z"), Some(1_795_579_506));
        assert_eq!(read(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(read(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(read(UTC_TIME, "500101000000Z"), Some(0), "1950");
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
                    expected += 1;
                }
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
        ] {
            assert_eq!(read(UTC_TIME, wrong), None, "{wrong}");
        }
        assert_eq!(read(GENERALIZED_TIME, "20261125040506.0Z"), None);
        assert_eq!(read(GENERALIZED_TIME, "261125040506Z"), None);
        assert_eq!(not_after(&[0x30, 0x00]), None);
    }
}
