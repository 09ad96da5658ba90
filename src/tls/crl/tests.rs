use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, DnType, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::CertificateRevocationListDer;
use time::OffsetDateTime;

use super::fault::Fault;
use super::list::List;
use super::title::{Title, Utc};
use super::*;

fn issuer() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::OrganizationName, "Träger, e.\u{202E}V.");
    params.distinguished_name.push(DnType::CommonName, "client CA\n");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Makes a CRL that uses every field that rcgen can write.
fn crl(issuer: &CertifiedIssuer<'_, KeyPair>) -> Vec<u8> {
    let date = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let revoked = |serial: u64, reason_code| RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: date(1_700_000_000),
        reason_code,
        invalidity_date: Some(date(1_600_000_000)),
    };
    let params = CertificateRevocationListParams {
        this_update: date(1_795_579_506),
        next_update: date(4_000_000_000),
        crl_number: SerialNumber::from(7),
        issuing_distribution_point: Some(CrlIssuingDistributionPoint {
            distribution_point: CrlDistributionPoint { uris: vec!["http://ca.test/a.crl".to_owned()] },
            scope: Some(CrlScope::UserCertsOnly),
        }),
        revoked_certs: vec![
            revoked(0x0123_4567_89AB_CDEF, Some(RevocationReason::KeyCompromise)),
            revoked(5, None),
            revoked(0x80, Some(RevocationReason::CertificateHold)),
        ],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap().der().to_vec()
}

fn read(der: &[u8]) -> Result<List, Fault> {
    let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    List::read(CertificateRevocationListDer::from(der.to_vec()), algorithms.all)
}

#[test]
fn a_list_is_read_and_asked_for_serial_numbers() {
    let issuer = issuer();
    let der = crl(&issuer);
    let list = read(&der).unwrap();
    for (serial, revoked) in [
        (&[5][..], true),
        (&[0, 0, 5], true),
        (&[0, 0x80], true),
        (&[0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF], true),
        (&[0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD], false),
        (&[4], false),
        (&[], false),
    ] {
        assert_eq!(list.revokes(serial), revoked, "{serial:?}");
    }
    let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all;
    let (own, other) = (issuer.der().to_vec(), self::issuer().der().to_vec());
    for _ in 0..2 {
        assert!(list.is_signed_by(&Signer::of(&own).unwrap(), algorithms));
        assert!(!list.is_signed_by(&Signer::of(&other).unwrap(), algorithms));
    }
    assert!(list.authority.may_be(&Signer::of(&own).unwrap()));
    assert!(!list.authority.may_be(&Signer::of(&other).unwrap()));
    assert!(Signer::of(&own).unwrap().may_sign_crls());
}

#[test]
fn many_keys_of_one_name_take_no_more_memory_than_a_few() {
    let list = read(&crl(&issuer())).unwrap();
    let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all;
    for number in 0..200_u8 {
        let key_info = [0x30, 3, 0x06, 1, 0x2A, 0x03, 2, 0, number];
        assert!(!list.is_signed_by(&Signer::without_certificate(&key_info).unwrap(), algorithms));
    }
    assert_eq!(list.signers_remembered(), 64);
}

#[test]
fn what_is_cut_off_or_damaged_is_refused_or_read_and_never_a_panic() {
    let der = crl(&issuer());
    for end in 0..der.len() {
        assert!(read(&der[..end]).is_err(), "cut at {end}");
        let _ = Title::of(&der[..end]).to_string();
    }
    for place in 0..der.len() {
        for value in [0, 1, 0x30, 0x7F, 0x80, 0x84, 0xA0, 0xFF, !der[place]] {
            let mut damaged = der.clone();
            damaged[place] = value;
            let _ = Title::of(&damaged).to_string();
            if let Ok(list) = read(&damaged) {
                let _ = (list.revokes(&[5]), list.title().to_string());
            }
        }
        // Removes one byte without adjusting the lengths around it.
        let without = [&der[..place], &der[(place + 1).min(der.len())..]].concat();
        assert!(read(&without).is_err(), "without {place}");
    }
    let trailing = [&der[..], &[0]].concat();
    assert!(read(&trailing).is_err());
}

#[test]
fn a_title_has_issuer_number_and_date_and_forges_nothing() {
    let title = Title::of(&crl(&issuer())).to_string();
    let expected = "CRL of CN=client CA\\0A,O=Träger\\, e.\\u{202e}V., number 7, of 2026-11-25 04:05:06 UTC";
    assert_eq!(title, expected);
    assert_eq!(Title::of(&[0x30, 0x00]).to_string(), "CRL of an issuer that can't be read");
}

#[test]
fn dates_read_as_date_prints_them() {
    for (seconds, text) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (951_827_696, "2000-02-29 12:34:56 UTC"),
        (4_107_542_399, "2100-02-28 23:59:59 UTC"),
        (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        (1_795_579_506, "2026-11-25 04:05:06 UTC"),
    ] {
        assert_eq!(Utc(super::seconds(seconds)).to_string(), text);
    }
}
