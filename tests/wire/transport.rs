//! The other ways a phone may come: TLS and WebSockets, with phones that share no code with the product.

use std::time::Instant;

use crate::kit::baresip::{Account, Baresip};
use crate::kit::centre::{Centre, PASSWORD, Plan, STRAIGHT};
use crate::kit::g711::Law;
use crate::kit::ground::CALLER;
use crate::kit::phone::PATIENCE;
use crate::kit::rtp::{RtpEndpoint, Sound};
use crate::kit::tls::{certificate, is_believed};

fn secure() -> Centre {
    Centre::open(&Plan {
        secure: true,
        ..Plan::default()
    })
}

/// baresip, registered as an operator over TLS.
fn baresip(centre: &Centre, user: &str) -> Baresip {
    let account = Account {
        user,
        password: PASSWORD,
        registrar: Some(centre.sip_over_tls()),
        answers: true,
        tone: 900.0,
        codecs: "pcmu",
        tls: true,
    };
    Baresip::start(&account, &centre.ground.subdirectory(user))
}

#[test]
fn a_phone_over_tls_answers_a_caller_and_a_new_certificate_does_not_drop_its_call() {
    let mut centre = secure();
    let directory = centre.ground.directory();
    let (shown, old) = (directory.join("centre.crt"), directory.join("old.crt"));
    std::fs::copy(&shown, &old).expect("the test's directory is writable");
    let mut operator = baresip(&centre, "101");
    assert!(operator.registered(PATIENCE), "baresip cannot register over TLS");
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let start = Instant::now();
    let mut call = caller.call(STRAIGHT, &rtp, Law::Mu);
    rtp.say(Sound::Tone(500.0));
    assert!(operator.event("CALL_ESTABLISHED", 2 * PATIENCE).is_some());
    assert!(
        rtp.wait_for_tone(900.0, start, PATIENCE).is_some(),
        "the operator is heard"
    );

    // The renewal: other files, and the signal.
    assert!(is_believed(centre.sip_over_tls(), &old));
    certificate(directory, "centre", centre.sip().ip());
    centre.signal("HUP");
    centre.until("the new certificate is shown", |centre| {
        is_believed(centre.sip_over_tls(), &shown)
    });
    assert!(
        !is_believed(centre.sip_over_tls(), &old),
        "the old one is not shown any more"
    );

    // The talk went on over the old connection, and its end still comes to the phone by it.
    let later = Instant::now();
    assert!(
        rtp.wait_for_tone(900.0, later, PATIENCE).is_some(),
        "still talking"
    );
    assert!(caller.hang_up(&mut call));
    assert!(
        operator.event("CALL_CLOSED", PATIENCE).is_some(),
        "the BYE comes over TLS"
    );
    assert!(operator.quit());
    centre.close();
}
