//! Where a request comes from: the client's address and zone, and the certificate it showed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use mimamori_app::Origin;
use mimamori_domain::ZoneCode;
use mimamori_ledger::sha256;

use crate::config::{AddressHeader, Network, OUTSIDE};

/// The client's certificate as a proxy passes it (RFC 9440, sections 2.1 and 2.2). Whoever sends it
/// themself is not believed.
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The site's network, arranged for asking. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Surroundings(Arc<Network>);

impl Surroundings {
    #[must_use]
    pub fn new(network: Network) -> Self {
        Self(Arc::new(network))
    }

    /// Where a request comes from. `shown` is the certificate of the connection itself. Headers that only a
    /// proxy may set are taken out, whoever sent them.
    #[must_use]
    pub fn origin(&self, peer: IpAddr, shown: Option<&[u8]>, headers: &mut HeaderMap) -> Origin {
        // An IPv4 client on a dual-stack socket is the same client.
        let peer = peer.to_canonical();
        let by_proxy = self.is_proxy(peer);
        let address = if by_proxy { self.stated(peer, headers) } else { Some(peer) };
        let certificate =
            if by_proxy && self.0.certificate_header { passed(headers) } else { shown.map(sha256) };
        headers.remove(CLIENT_CERT);
        headers.remove(CLIENT_CERT_CHAIN);
        Origin { address, zone: self.zone(address), certificate, ..Origin::default() }
    }

    /// The zone of an address; `None` where no zones are told apart.
    #[must_use]
    pub fn zone(&self, address: Option<IpAddr>) -> Option<ZoneCode> {
        if self.0.zones.is_empty() {
            return None;
        }
        let narrowest = address.and_then(|address| {
            let holding = self.0.zones.iter().filter(|(range, _)| range.contains(&address));
            holding.max_by_key(|(range, _)| range.prefix_len())
        });
        narrowest.map(|(_, zone)| zone.clone()).or_else(|| ZoneCode::new(OUTSIDE).ok())
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.0.proxies.iter().any(|range: &IpNet| range.contains(&address))
    }

    /// Whom a believed proxy answers: the last address in its header that is no proxy itself. What stands
    /// before it was written by the client. `None` when it cannot be read.
    fn stated(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let name = match self.0.address_header {
            AddressHeader::XForwardedFor => X_FORWARDED_FOR,
            AddressHeader::Forwarded => header::FORWARDED,
        };
        let mut nearest = peer;
        for line in headers.get_all(name).iter().rev() {
            for element in line.to_str().ok()?.rsplit(',') {
                let node = match self.0.address_header {
                    AddressHeader::XForwardedFor => element.trim(),
                    AddressHeader::Forwarded => node(element)?,
                };
                nearest = address(node)?;
                if !self.is_proxy(nearest) {
                    return Some(nearest);
                }
            }
        }
        Some(nearest)
    }
}

/// The `for` of an element (RFC 7239, section 4), without quotes.
fn node(element: &str) -> Option<&str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

/// SHA-256 of the certificate that a believed proxy passes: a byte sequence between colons (RFC 8941,
/// section 3.3.5). What cannot be read is the certificate of nobody, so that it is refused.
fn passed(headers: &HeaderMap) -> Option<[u8; 32]> {
    let mut values = headers.get_all(CLIENT_CERT).iter();
    let value = values.next()?;
    let bytes = value
        .to_str()
        .ok()
        .filter(|_| values.next().is_none())
        .and_then(|text| text.trim().strip_prefix(':')?.strip_suffix(':'))
        .and_then(|text| STANDARD.decode(text).ok());
    Some(sha256(&bytes.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(header: AddressHeader) -> Surroundings {
        let zone = |range: &str, code: &str| (range.parse().unwrap(), ZoneCode::new(code).unwrap());
        Surroundings::new(Network {
            zones: vec![
                zone("10.0.0.0/8", "staff-network"),
                zone("10.9.0.0/16", "home-visit"),
                zone("fd00::/8", "staff-network"),
            ],
            proxies: vec!["192.0.2.1/32".parse().unwrap(), "192.0.2.2/32".parse().unwrap()],
            address_header: header,
            certificate_header: true,
        })
    }

    fn asked(network: &Surroundings, peer: &str, lines: &[(HeaderName, &str)]) -> (Option<String>, String) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value.parse().unwrap());
        }
        let origin = network.origin(peer.parse().unwrap(), None, &mut headers);
        (origin.address.map(|a| a.to_string()), origin.zone.map(|z| z.to_string()).unwrap_or_default())
    }

    #[test]
    fn the_narrowest_range_counts_and_what_is_in_none_is_outside() {
        let network = network(AddressHeader::XForwardedFor);
        for (peer, zone) in [
            ("10.1.2.3", "staff-network"),
            ("::ffff:10.1.2.3", "staff-network"),
            ("10.9.0.1", "home-visit"),
            ("fd12::1", "staff-network"),
            ("203.0.113.5", "outside"),
        ] {
            assert_eq!(asked(&network, peer, &[]).1, zone, "{peer}");
        }
        assert_eq!(Surroundings::default().zone("10.1.2.3".parse().ok()), None);
    }

    #[test]
    fn only_a_configured_proxy_is_believed_and_only_what_it_wrote_itself() {
        let network = network(AddressHeader::XForwardedFor);
        let x = X_FORWARDED_FOR;
        let told = |peer, lines: &[(HeaderName, &str)]| asked(&network, peer, lines).0;
        assert_eq!(told("203.0.113.5", &[(x.clone(), "10.1.1.1")]).as_deref(), Some("203.0.113.5"));
        assert_eq!(told("192.0.2.1", &[(x.clone(), "10.1.1.1")]).as_deref(), Some("10.1.1.1"));
        // The client itself wrote the first one.
        assert_eq!(
            told("192.0.2.1", &[(x.clone(), "10.1.1.1, 203.0.113.5")]).as_deref(),
            Some("203.0.113.5")
        );
        assert_eq!(
            told("192.0.2.1", &[(x.clone(), "10.1.1.1"), (x.clone(), "203.0.113.5, 192.0.2.2")]).as_deref(),
            Some("203.0.113.5")
        );
        assert_eq!(told("192.0.2.1", &[]).as_deref(), Some("192.0.2.1"));
        assert_eq!(
            asked(&network, "192.0.2.1", &[(x.clone(), "10.1.1.1, nonsense")]),
            (None, "outside".into())
        );
        // A header that this proxy does not set is the client's.
        assert_eq!(told("192.0.2.1", &[(header::FORWARDED, "for=10.1.1.1")]).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn the_forwarded_header_is_read_as_its_standard_says() {
        let network = network(AddressHeader::Forwarded);
        let told = |text: &str| asked(&network, "192.0.2.1", &[(header::FORWARDED, text)]).0;
        assert_eq!(told("for=10.1.1.1;proto=https").as_deref(), Some("10.1.1.1"));
        assert_eq!(told("For=\"[fd00::7]:4711\"").as_deref(), Some("fd00::7"));
        assert_eq!(told("for=10.1.1.1, for=\"203.0.113.5:99\";by=192.0.2.2").as_deref(), Some("203.0.113.5"));
        for unread in ["for=unknown", "for=_hidden", "proto=https"] {
            assert_eq!(told(unread), None, "{unread}");
        }
    }

    #[test]
    fn a_passed_certificate_counts_from_a_proxy_only_and_leaves_the_headers() {
        let network = network(AddressHeader::XForwardedFor);
        let passed = |peer: &str, shown: Option<&[u8]>, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CLIENT_CERT, value.parse().unwrap());
            let origin = network.origin(peer.parse().unwrap(), shown, &mut headers);
            assert!(headers.is_empty());
            origin.certificate
        };
        let (good, own) = (format!(":{}:", STANDARD.encode(b"theirs")), &b"own"[..]);
        assert_eq!(passed("192.0.2.1", Some(own), &good), Some(sha256(b"theirs")));
        assert_eq!(passed("203.0.113.5", Some(own), &good), Some(sha256(own)));
        assert_eq!(passed("203.0.113.5", None, &good), None);
        assert_eq!(passed("192.0.2.1", None, "theirs"), Some(sha256(b"")), "unreadable: nobody's");
    }
}
