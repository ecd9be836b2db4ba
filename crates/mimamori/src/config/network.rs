//! `[network]`: which addresses belong to which zone, and which proxies are believed.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use mimamori_domain::ZoneCode;
use mimamori_policy::Pack;
use serde::Deserialize;

use super::wrong;
use crate::exit::Result;

/// The zone of an address that is in no configured range.
pub const OUTSIDE: &str = "outside";

/// Where requests come from, as the site's network has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Ranges and their zones; the narrowest range that holds an address counts. Empty: no zones.
    pub zones: Vec<(IpNet, ZoneCode)>,
    /// Reverse proxies whose word about clients is taken.
    pub proxies: Vec<IpNet>,
    /// Which header those proxies state the client's address in.
    pub address_header: AddressHeader,
    /// Those proxies pass the verified client certificate as `Client-Cert` (RFC 9440).
    pub certificate_header: bool,
}

impl Network {
    /// Codes of zones that are set here and that the rules do not know: from there nobody may come.
    #[must_use]
    pub fn unknown_zones(&self, pack: &Pack) -> Vec<String> {
        let outside = ZoneCode::new(OUTSIDE).ok().filter(|_| !self.zones.is_empty());
        let named: BTreeSet<&ZoneCode> = self.zones.iter().map(|(_, zone)| zone).chain(&outside).collect();
        let known = |zone: &ZoneCode| pack.zones().iter().any(|of| of.code == *zone);
        named.into_iter().filter(|zone| !known(zone)).map(ToString::to_string).collect()
    }
}

/// Where a proxy states whom it answers. Only the one that the proxy sets itself may be named: another one
/// comes through as the client wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressHeader {
    #[default]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

/// Where a proxy passes the client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CertificateHeader {
    ClientCert,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct NetworkSection {
    zones: String,
    proxies: String,
    address_header: AddressHeader,
    certificate_header: Option<CertificateHeader>,
}

impl NetworkSection {
    pub(super) fn checked(self) -> Result<Network> {
        let proxies = ranges(&self.proxies, "network.proxies")?;
        if self.certificate_header.is_some() && proxies.is_empty() {
            return Err(wrong("network.certificate-header is set, but network.proxies names no proxy")
                .next("Anybody could state a certificate in a header: name the proxies that are believed."));
        }
        Ok(Network {
            zones: zones(&self.zones)?,
            proxies,
            address_header: self.address_header,
            certificate_header: self.certificate_header.is_some(),
        })
    }
}

/// `zone = range, range; zone = range`: zones parted by semicolons or lines, ranges by commas.
fn zones(text: &str) -> Result<Vec<(IpNet, ZoneCode)>> {
    let mut found: Vec<(IpNet, ZoneCode)> = Vec::new();
    for part in text.split([';', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
        let (zone, of) = part.split_once('=').ok_or_else(|| {
            wrong(format!("network.zones: `{part}` is not of the form zone = range, range"))
        })?;
        let zone = zone.trim();
        let code = ZoneCode::new(zone)
            .map_err(|_| wrong(format!("network.zones: `{zone}` is no code of a zone")))?;
        let of = ranges(of, "network.zones")?;
        if of.is_empty() {
            return Err(wrong(format!("network.zones: `{zone}` has no range of addresses")));
        }
        for range in of {
            if found.iter().any(|(known, _)| *known == range) {
                return Err(wrong(format!("network.zones: {range} stands twice")));
            }
            found.push((range, code.clone()));
        }
    }
    Ok(found)
}

fn ranges(text: &str, key: &str) -> Result<Vec<IpNet>> {
    let one = |part: &str| {
        let range = part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from));
        let range = range.map_err(|_| {
            wrong(format!("{key}: `{part}` is no range of addresses"))
                .next("Write it as 10.1.0.0/16 or 2001:db8::/32; one address may stand alone.")
        })?;
        if range.addr() != range.network() {
            return Err(wrong(format!("{key}: `{part}` has bits beyond its prefix"))
                .next(format!("Did you mean {}?", range.trunc())));
        }
        Ok(range)
    };
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(zones: &str, proxies: &str) -> Result<Network> {
        NetworkSection { zones: zones.into(), proxies: proxies.into(), ..NetworkSection::default() }.checked()
    }

    #[test]
    fn ranges_are_read_and_wrong_ones_are_told() {
        let network =
            section("staff-network = 10.0.0.0/8, fd00::/8; home-visit=192.0.2.7\n", "127.0.0.1, ::1")
                .unwrap();
        let zones: Vec<String> =
            network.zones.iter().map(|(range, zone)| format!("{zone} {range}")).collect();
        assert_eq!(zones, ["staff-network 10.0.0.0/8", "staff-network fd00::/8", "home-visit 192.0.2.7/32"]);
        assert_eq!(network.proxies.len(), 2);
        assert_eq!(section("", "").unwrap(), Network::default());
        for (text, told) in [
            ("10.0.0.0/8", "not of the form"),
            ("a = 10.0.0.1/8", "Did you mean 10.0.0.0/8?"),
            ("a = 10.0.0.0/33", "no range"),
            ("a =", "no range"),
            ("A B = 10.0.0.0/8", "no code"),
            ("a = 10.0.0.0/8; b = 10.0.0.0/8", "twice"),
        ] {
            let error = section(text, "").unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
        let alone = NetworkSection {
            certificate_header: Some(CertificateHeader::ClientCert),
            ..NetworkSection::default()
        };
        assert!(alone.checked().unwrap_err().to_string().contains("network.proxies"));
    }
}
