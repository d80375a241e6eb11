//! STUN as a keep-alive beside SIP on one datagram socket (RFC 5626 §4.4.2 and §8, RFC 8489 §5 to §7): a Binding request is
//! answered with the address it came from. Nothing else of STUN is spoken here.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

const COOKIE: u32 = 0x2112_A442;
const HEADER: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_RESPONSE: [u8; 2] = [0x01, 0x01];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0x00, 0x20];

/// The answer to a Binding request; `None` for anything else. Also `None` for a request that insists on an attribute we
/// do not know ("values between 0x0000 and 0x7FFF are comprehension-required"): no SIP phone sends one to keep its
/// flow.
pub(crate) fn answer(request: &[u8], source: SocketAddr) -> Option<Bytes> {
    let (head, mut attributes) = request.split_at_checked(HEADER)?;
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    if head[..2] != BINDING_REQUEST || head[4..8] != COOKIE.to_be_bytes() || length != attributes.len() {
        return None;
    }
    while let [high, low, long, short, rest @ ..] = attributes {
        let optional = u16::from_be_bytes([*high, *low]) >= 0x8000;
        let padded = usize::from(u16::from_be_bytes([*long, *short])).next_multiple_of(4);
        attributes = rest.get(padded..).filter(|_| optional)?;
    }
    if !attributes.is_empty() {
        return None;
    }
    let mut address = vec![0, 0];
    // "X-Port is computed by XOR'ing the mapped port with the most significant 16 bits of the magic cookie"; the address with
    // the cookie, and an IPv6 one with the transaction identifier behind it.
    address.extend((source.port() ^ 0x2112).to_be_bytes());
    let mask = &head[4..HEADER];
    let xored = |octets: &[u8]| octets.iter().zip(mask).map(|(a, b)| a ^ b).collect::<Vec<u8>>();
    match source.ip().to_canonical() {
        IpAddr::V4(four) => {
            address[1] = 1;
            address.extend(xored(&four.octets()));
        }
        IpAddr::V6(six) => {
            address[1] = 2;
            address.extend(xored(&six.octets()));
        }
    }
    let length = u16::try_from(address.len()).ok()?;
    let mut response = Vec::with_capacity(HEADER + 4 + address.len());
    response.extend(BINDING_RESPONSE);
    response.extend((length + 4).to_be_bytes());
    response.extend(mask);
    response.extend(XOR_MAPPED_ADDRESS);
    response.extend(length.to_be_bytes());
    response.extend(address);
    Some(Bytes::from(response))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(attributes: &[u8]) -> Vec<u8> {
        let mut request = vec![
            0,
            1,
            0,
            u8::try_from(attributes.len()).unwrap(),
            0x21,
            0x12,
            0xa4,
            0x42,
        ];
        request.extend(b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae");
        request.extend(attributes);
        request
    }

    #[test]
    fn a_binding_request_is_told_its_address_as_in_the_test_vectors() {
        // RFC 5769 §2.2: 192.0.2.1:32853 under this transaction identifier.
        let told = answer(&request(b""), "192.0.2.1:32853".parse().unwrap()).unwrap();
        assert_eq!(told[..4], [1, 1, 0, 12]);
        assert_eq!(
            told[20..],
            [0x00, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]
        );
        // RFC 5769 §2.3: the same over IPv6.
        let told = answer(
            &request(b""),
            "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap(),
        )
        .unwrap();
        assert_eq!(told[20..30], [0x00, 0x20, 0, 20, 0, 2, 0xa1, 0x47, 0x01, 0x13]);
        assert_eq!(
            told[30..],
            *b"\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9"
        );
    }

    #[test]
    fn names_are_passed_over_and_what_must_be_understood_is_not_answered() {
        let here = "192.0.2.1:5060".parse().unwrap();
        assert!(answer(&request(b"\x80\x22\x00\x03abc\0"), here).is_some());
        assert!(answer(&request(b"\x00\x06\x00\x03abc\0"), here).is_none());
        assert!(answer(&request(b"\x80\x22\x00\x09abc\0"), here).is_none());
        assert!(answer(&request(b"\x80\x22"), here).is_none());
        assert!(answer(&request(b"")[..19], here).is_none());
    }

    proptest! {
        #[test]
        fn no_datagram_makes_it_panic_or_amplify(bytes in proptest::collection::vec(any::<u8>(), 0..80), stun in any::<bool>()) {
            let bytes = if stun { request(&bytes) } else { bytes };
            if let Some(told) = answer(&bytes, ([192, 0, 2, 1], 1).into()) {
                prop_assert!(told.len() <= bytes.len() + 12);
            }
        }
    }
}
