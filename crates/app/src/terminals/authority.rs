//! The installation's own certificate authority: it vouches for terminals, and for nothing else.
//!
//! Its key (P-256) is an object like any other: sealed under the settings key, which stands under the ring
//! and so under the root key; it leaves the vault only to sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mimamori_domain::{Error, Kind, ObjectId, Result, Timestamp};
use mimamori_vault::random_token;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    RevocationReason, RevokedCertParams, SerialNumber,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::body::Body;

/// The one object of the authority: that there is one only is kept by its key in the table.
pub(super) const OBJECT: ObjectId = ObjectId::from_bytes(*b"terminal-issuer\0");
pub(super) const KIND: Kind = Kind::of("terminal-authority");

/// What follows the installation's name.
const NAMED: &str = " terminals";
/// How long the authority's own certificate is valid: longer than any terminal.
const YEARS: i64 = 20;
const DAY: i64 = 86_400;
/// Clocks of terminals may be behind.
const EARLIER_SECONDS: i64 = 300;
/// A list of revoked certificates is made anew at each request; whoever keeps one asks again by then.
const LIST_DAYS: i64 = 7;

/// The authority as it is kept: the one that issues, and those before it that are still believed.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Authority {
    #[serde(flatten)]
    pub(super) newest: Issuing,
    /// Newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) earlier: Vec<Earlier>,
}

/// A key that vouches, with its certificate.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Issuing {
    /// Who vouches, as it stands in certificates.
    name: String,
    /// DER in base64.
    certificate: String,
    /// PKCS#8 in base64.
    key: String,
    pub(super) until: i64,
    /// How many there were before it.
    #[serde(default)]
    pub(super) generation: u32,
}

/// One that issues no more. Its key is kept for its list of revoked certificates.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Earlier {
    #[serde(flatten)]
    pub(super) issuing: Issuing,
    /// Until when its certificates open anything, microseconds UTC.
    pub(super) trusted_until: i64,
}

impl Body for Authority {
    const KIND: Kind = KIND;
}

/// A certificate as it was issued, with its key.
pub(super) struct Issued {
    pub(super) serial: [u8; 16],
    pub(super) certificate: Vec<u8>,
    pub(super) key: Zeroizing<Vec<u8>>,
    pub(super) until: Timestamp,
}

impl Authority {
    /// The first authority of an installation.
    pub(super) fn create(installation: &str, now: Timestamp) -> Result<Self> {
        Ok(Self { newest: Issuing::create(installation, 0, now)?, earlier: Vec::new() })
    }

    /// The next one, and until when the present one is believed. Those whose time is over are forgotten
    /// with their keys.
    pub(super) fn renewed(&self, installation: &str, now: Timestamp, until: Timestamp) -> Result<Self> {
        let before = Earlier { issuing: self.newest.clone(), trusted_until: until.as_micros() };
        let newest = Issuing::create(installation, self.newest.generation + 1, now)?;
        let lasting = self.earlier.iter().filter(|one| now.as_micros() < one.trusted_until).cloned();
        Ok(Self { newest, earlier: std::iter::once(before).chain(lasting).collect() })
    }

    /// Those whose certificates open something, newest first.
    pub(super) fn trusted(&self, now: Timestamp) -> impl Iterator<Item = &Issuing> {
        let lasting = self.earlier.iter().filter(move |one| now.as_micros() < one.trusted_until);
        std::iter::once(&self.newest).chain(lasting.map(|one| &one.issuing))
    }

    /// Until when certificates of a generation are believed, microseconds UTC; none: of one that was
    /// forgotten.
    pub(super) fn believed_until(&self, generation: u32) -> Option<i64> {
        if generation == self.newest.generation {
            return Some(self.newest.until);
        }
        let earlier = self.earlier.iter().find(|one| one.issuing.generation == generation);
        earlier.map(|one| one.trusted_until.min(one.issuing.until))
    }
}

impl Issuing {
    fn create(installation: &str, generation: u32, now: Timestamp) -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        // Two of one name could not be told apart by whoever verifies.
        let name = match generation {
            0 => format!("{installation}{NAMED}"),
            before => format!("{installation}{NAMED} {}", before + 1),
        };
        let mut params = params_of(&name, installation)?;
        let until = seconds(now) + YEARS * 365 * DAY;
        params.not_before = at(seconds(now) - EARLIER_SECONDS)?;
        params.not_after = at(until)?;
        params.serial_number = Some(SerialNumber::from_slice(&serial()?));
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(Self {
            name,
            certificate: STANDARD.encode(certificate.der()),
            key: STANDARD.encode(Zeroizing::new(key.serialize_der())),
            until: until * 1_000_000,
            generation,
        })
    }

    /// The authority's own certificate, in DER.
    pub(super) fn certificate(&self) -> Result<Vec<u8>> {
        STANDARD.decode(&self.certificate).map_err(Error::internal)
    }

    /// A new key and certificate for a terminal, named by its id alone: who it is stands in the register.
    pub(super) fn issue(&self, terminal: &str, now: Timestamp, days: i64) -> Result<Issued> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(terminal, &self.name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let (serial, until) = (serial()?, (seconds(now) + days * DAY).min(self.until / 1_000_000));
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.not_before = at(seconds(now) - EARLIER_SECONDS)?;
        params.not_after = at(until)?;
        let certificate = params.signed_by(&key, &self.issuer()?).map_err(failed)?;
        Ok(Issued {
            serial,
            certificate: certificate.der().to_vec(),
            key: Zeroizing::new(key.serialize_der()),
            until: Timestamp::from_micros(until * 1_000_000),
        })
    }

    /// The list of revoked certificates (RFC 5280, section 5), in DER: serial number and time of each.
    pub(super) fn revocations(&self, revoked: &[([u8; 16], i64)], now: Timestamp) -> Result<Vec<u8>> {
        let revoked_certs = revoked.iter().map(|(serial, time)| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: at(time.div_euclid(1_000_000))?,
                reason_code: Some(RevocationReason::CessationOfOperation),
                invalidity_date: None,
            })
        });
        let list = CertificateRevocationListParams {
            this_update: at(seconds(now))?,
            next_update: at(seconds(now) + LIST_DAYS * DAY)?,
            // It rises with time, as section 5.2.3 asks.
            crl_number: SerialNumber::from(now.as_micros().unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect::<Result<_>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.issuer()?).map_err(failed)?;
        Ok(list.der().to_vec())
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>> {
        let pkcs8 = Zeroizing::new(STANDARD.decode(&self.key).map_err(Error::internal)?);
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.as_slice().into(), &PKCS_ECDSA_P256_SHA256)
            .map_err(failed)?;
        let organisation = self.name.rsplit_once(NAMED).map_or(self.name.as_str(), |(before, _)| before);
        Ok(Issuer::new(params_of(&self.name, organisation)?, key))
    }
}

/// What stands in the authority's certificate and must be the same whenever it signs.
fn params_of(name: &str, organisation: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name, organisation);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.key_identifier_method = KeyIdMethod::Sha256;
    Ok(params)
}

fn named(name: &str, organisation: &str) -> DistinguishedName {
    let mut full = DistinguishedName::new();
    full.push(DnType::OrganizationName, organisation);
    full.push(DnType::CommonName, name);
    full
}

/// A random positive serial number of 16 bytes (RFC 5280, section 4.1.2.2).
fn serial() -> Result<[u8; 16]> {
    let random = random_token().map_err(Error::unavailable)?;
    let mut serial = [0; 16];
    serial.iter_mut().zip(random.iter()).for_each(|(to, from)| *to = *from);
    let [first, ..] = &mut serial;
    *first = (*first & 0x7f) | 0x40;
    Ok(serial)
}

fn seconds(time: Timestamp) -> i64 {
    time.as_micros().div_euclid(1_000_000)
}

fn at(seconds: i64) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(Error::internal)
}

fn failed(error: rcgen::Error) -> Error {
    Error::internal(format!("a certificate could not be made: {error}"))
}
