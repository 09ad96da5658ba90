//! The verdict, in the words of whoever writes it.

use http::{HeaderMap, HeaderName};

use super::field::Verdict;
use crate::dialect::VerifyStatus;
use crate::dialect::decode::{DecodeError, DecodeErrorKind};
use crate::dialect::encoding::{insert, insert_status, read_status};
use crate::dialect::haproxy::{code, reason};
use crate::dialect::nginx::FAILURES;

/// What a verdict says by itself.
pub(super) enum Said {
    Clearly(VerifyStatus),
    /// This, if there is a certificate, and otherwise that there is none.
    IfPresent(VerifyStatus),
}

pub(super) fn write(verdict: Verdict, name: &HeaderName, status: &VerifyStatus, headers: &mut HeaderMap) {
    match verdict {
        Verdict::Nginx => insert_status(headers, name, status),
        Verdict::OpenSsl => match status {
            VerifyStatus::Success => insert(headers, name, "0"),
            VerifyStatus::Failed(reason) => insert(headers, name, code(reason).to_string()),
            VerifyStatus::None => {}
        },
        Verdict::Words { verified, failed, none } => {
            let word = match status {
                VerifyStatus::Success => Some(verified),
                VerifyStatus::Failed(_) => Some(failed),
                VerifyStatus::None => none,
            };
            if let Some(word) = word {
                insert(headers, name, word);
            }
        }
    }
}

pub(super) fn read(verdict: Verdict, name: &HeaderName, value: &[u8]) -> Result<Said, DecodeError> {
    let error = |kind| DecodeError::new(name, 0, kind);
    Ok(match verdict {
        Verdict::Nginx => {
            Said::Clearly(read_status(value, &FAILURES).ok_or_else(|| error(DecodeErrorKind::Status))?)
        }
        Verdict::OpenSsl if value == b"0" => Said::IfPresent(VerifyStatus::Success),
        Verdict::OpenSsl => {
            let reason = reason(value).ok_or_else(|| error(DecodeErrorKind::VerifyCode))?;
            Said::Clearly(VerifyStatus::Failed(reason.into()))
        }
        Verdict::Words { verified, failed, none } => {
            let is = |word: &str| word.as_bytes() == value;
            let nothing = none.is_some_and(is);
            let status = if is(verified) {
                VerifyStatus::Success
            } else if is(failed) {
                VerifyStatus::Failed(failed.into())
            } else if nothing {
                return Ok(Said::Clearly(VerifyStatus::None));
            } else {
                return Err(error(DecodeErrorKind::Field("none of the words of this dialect's verdict")));
            };
            if nothing { Said::IfPresent(status) } else { Said::Clearly(status) }
        }
    })
}
