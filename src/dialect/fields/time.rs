//! Times: RFC 3339, and OpenSSL's `Jul  1 18:05:09 2022 GMT`.

use super::field::TimeEncoding;
use crate::x509::Time;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(super) fn write(encoding: TimeEncoding, time: &Time) -> Option<String> {
    let rfc3339 = time.to_string();
    match encoding {
        TimeEncoding::Rfc3339 => rfc3339.strip_suffix('Z').map(|start| format!("{start}+00:00")),
        TimeEncoding::OpenSsl => openssl(&rfc3339),
    }
}

fn openssl(rfc3339: &str) -> Option<String> {
    let (date, clock) = rfc3339.strip_suffix('Z')?.split_once('T')?;
    let (year, date) = date.split_once('-')?;
    let (month, day) = date.split_once('-')?;
    let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    Some(format!("{month} {:>2} {clock} {year} GMT", day.parse::<u8>().ok()?))
}

/// The time as this crate prints it. `None` if it is not one in this format.
pub(super) fn read(encoding: TimeEncoding, text: &str) -> Option<String> {
    match encoding {
        TimeEncoding::Rfc3339 => {
            let start = text.strip_suffix("+00:00").or_else(|| text.strip_suffix('Z'))?;
            Some(format!("{start}Z")).filter(|text| is_rfc3339(text))
        }
        TimeEncoding::OpenSsl => {
            let number = text.get(..3).and_then(|month| MONTHS.iter().position(|known| *known == month))? + 1;
            let (day, rest) = text.get(4..)?.split_at_checked(2)?;
            let (clock, year) = rest.strip_prefix(' ')?.strip_suffix(" GMT")?.split_once(' ')?;
            let rfc3339 = format!("{year}-{number:02}-{:0>2}T{clock}Z", day.trim_start());
            // Only what this makes of it again was in the format.
            Some(rfc3339).filter(|rfc3339| is_rfc3339(rfc3339) && openssl(rfc3339).as_deref() == Some(text))
        }
    }
}

/// `2026-11-25T04:05:06Z`. Whether there is such a day and such an hour is the certificate's business.
pub(super) fn is_rfc3339(text: &str) -> bool {
    let shape = "0000-00-00T00:00:00Z";
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_read_as_it_is_written_and_as_nothing_else() {
        let read = |text| super::read(TimeEncoding::OpenSsl, text);
        assert_eq!(read("Jul  1 18:05:09 2022 GMT").as_deref(), Some("2022-07-01T18:05:09Z"));
        assert_eq!(openssl("2022-07-01T18:05:09Z").as_deref(), Some("Jul  1 18:05:09 2022 GMT"));
        assert_eq!(read("Dec 31 00:00:00 2049 GMT").as_deref(), Some("2049-12-31T00:00:00Z"));
        for wrong in [
            "",
            "Jul",
            "Jul 1 18:05:09 2022 GMT",
            "Jul 01 18:05:09 2022 GMT",
            "jul  1 18:05:09 2022 GMT",
            "Jul  1 18:05:09 2022",
            "Jul  1 18:05:09 22 GMT",
            "Jul  1  18:05:09 2022 GMT",
            "Jul é1 18:05:09 2022 GMT",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let read = |text| super::read(TimeEncoding::Rfc3339, text);
        for right in ["2022-07-01T18:05:09+00:00", "2022-07-01T18:05:09Z"] {
            assert_eq!(read(right).as_deref(), Some("2022-07-01T18:05:09Z"));
        }
        for wrong in ["2022-07-01T18:05:09", "2022-07-01T18:05:09+01:00", "2022-07-01 18:05:09Z", "Z", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
