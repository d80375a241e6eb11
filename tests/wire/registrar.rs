//! Phones that register, as their phones do it.

use crate::kit::centre::{Centre, PASSWORD, Plan, STRAIGHT};
use crate::kit::g711::Law;
use crate::kit::ground::{CALLER, PHONE};
use crate::kit::phone::{PATIENCE, Phone};
use crate::kit::rtp::RtpEndpoint;

#[test]
fn a_phone_proves_itself_by_the_digest_it_is_asked_for_and_is_rung() {
    for (digest, first) in [
        ("[\"sha-256\"]", "SHA-256"),
        ("[\"sha-512-256\", \"md5\"]", "SHA-512-256"),
        ("[\"md5\", \"sha-256\"]", "MD5"),
    ] {
        let centre = Centre::open(&Plan {
            digest,
            ..Plan::default()
        });
        let mut phone = Phone::open("101", centre.ip(PHONE), centre.sip());
        assert_eq!(phone.register("a-wrong-password", 300), Some(401), "{digest}");
        assert_eq!(phone.asked, first, "the preferred one comes first");
        assert_eq!(phone.register(PASSWORD, 10), Some(423), "too brief");
        assert_eq!(phone.register(PASSWORD, 300), Some(200), "{digest}");
        let mut caller = centre.caller(0);
        let rtp = RtpEndpoint::open(centre.ip(CALLER));
        let mut call = caller.call(STRAIGHT, &rtp, Law::A);
        assert!(phone.rung(PATIENCE).is_some(), "{digest}: it is offered the call");
        assert!(caller.hang_up(&mut call));
        assert_eq!(phone.register(PASSWORD, 0), Some(200), "it leaves");
        centre.close();
    }
}
