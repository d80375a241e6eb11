//! A menu that says the wait of a queue, at the caller's ear, and a flow that goes on by it; the halves in two processes.

use std::time::{Duration, Instant};

use pronto_ivr::speak::{Announcement, WaitRange};

use crate::announcements::words;
use crate::kit::centre::{Centre, FORECAST, Plan, clip};
use crate::kit::g711::Law;
use crate::kit::ground::CALLER;
use crate::kit::phone::PATIENCE;
use crate::kit::rtp::RtpEndpoint;

/// A menu of some ten seconds comes before.
const SPOKEN: Duration = Duration::from_secs(25);
/// After a menu the wait follows at once; what was not known yet is said when the menu is said again.
const AT_ONCE: Duration = Duration::from_secs(6);
const SAID_AGAIN: Duration = Duration::from_secs(40);

/// Calls, waits for the menu and then up to `patience` for the wait to be said, and presses the key, which must lead to
/// the prompt. Returns whether the wait was said.
fn call(centre: &Centre, patience: Duration, key: char, prompt: &str) -> bool {
    let mut caller = centre.caller(0);
    let rtp = RtpEndpoint::open(centre.ip(CALLER));
    let since = Instant::now();
    let call = caller.call(FORECAST, &rtp, Law::Mu);
    let menu = rtp.wait_for_clip(&clip("it/main-menu"), since, SPOKEN);
    let menu = menu.expect("the menu is said");
    let wait = Announcement {
        wait: WaitRange::new(1, 1),
        ..Announcement::default()
    };
    let said = rtp.wait_for_clip(&words(&wait).concat(), menu, patience);
    let pressed = rtp.press(key);
    let follows = rtp.wait_for_part_of(&clip(&format!("it/{prompt}")), pressed, PATIENCE);
    assert!(follows.is_some(), "{key} leads to {prompt}");
    assert!(caller.hung_up_by_them(&call, SPOKEN).is_some());
    rtp.assert_one_stream();
    said.is_some()
}

#[test]
fn a_menu_says_the_wait_of_a_queue_and_the_flow_goes_on_by_it() {
    let centre = Centre::open(&Plan {
        apart: true,
        ..Plan::default()
    });
    assert!(
        !call(&centre, AT_ONCE, '1', "all-busy"),
        "nobody is there: nothing is known"
    );
    let _sitter = centre.sitter();
    assert!(call(&centre, SAID_AGAIN, '1', "goodbye"), "less than an hour");
    assert!(call(&centre, AT_ONCE, '2', "all-busy"), "longer than a second");
}
