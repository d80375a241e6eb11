use proptest::prelude::*;

use super::*;

/// RFC 7616 §3.9.1, with its passwords and nonces.
fn rfc_7616(algorithm: Algorithm) -> Credentials {
    Credentials {
        username: "Mufasa".into(),
        realm: "http-auth@example.org".into(),
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".into(),
        uri: "/dir/index.html".into(),
        response: String::new(),
        algorithm: Some(algorithm.as_str().into()),
        qop: Some("auth".into()),
        cnonce: Some("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".into()),
        nc: Some("00000001".into()),
    }
}

#[test]
fn the_examples_of_rfc_7616_and_rfc_2617_come_out() {
    let password = Secret::new("Circle of Life");
    let ha1 = Ha1::from_password("Mufasa", "http-auth@example.org", &password);
    let response = |a| expected_response(a, ha1.get(a).unwrap(), &rfc_7616(a), "GET").unwrap();
    assert_eq!(response(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(
        response(Algorithm::Sha256),
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    );
    let old = Credentials {
        realm: "testrealm@host.com".into(),
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093".into(),
        cnonce: Some("0a4f113b".into()),
        ..rfc_7616(Algorithm::Md5)
    };
    let ha1 = Ha1::from_password("Mufasa", "testrealm@host.com", &Secret::new("Circle Of Life"));
    let response = expected_response(Algorithm::Md5, ha1.get(Algorithm::Md5).unwrap(), &old, "GET").unwrap();
    assert_eq!(response, "6629fae49393a05397450978507c4ef1");
}

fn authority(limit: usize) -> (Authority, BTreeMap<OperatorId, Ha1>) {
    let operator = OperatorId::new("101").unwrap();
    let ha1 = Ha1::from_password("101", "pronto.example", &Secret::new("right"));
    (
        Authority::new(
            [7; 32],
            "pronto.example",
            &[Algorithm::Sha256, Algorithm::Md5],
            BTreeMap::new(),
            limit,
        ),
        BTreeMap::from([(operator, ha1)]),
    )
}

const COVERED: Covered<'static> = Covered {
    method: "INVITE",
    uri: "sip:x@y",
    cnonce: "c",
};

fn nonce(issued: Time, number: u64) -> Nonce {
    Nonce {
        issued,
        number,
        source: SOURCE,
    }
}

fn given(authority: &Authority, now: Time, number: u64, user: &str, password: &str) -> Credentials {
    let challenge = Challenge::parse(
        authority
            .challenge(&nonce(now, number), false, "101", &BTreeMap::new())
            .last()
            .unwrap()
            .as_bytes(),
    )
    .unwrap();
    let value = answer(&challenge, user, &Secret::new(password), &COVERED).unwrap();
    Credentials::parse(value.as_bytes()).unwrap()
}

const NOW: Time = Time::from_secs(1_000_000);
const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn asked<'a>(method: &'a str, uri: &'a str) -> Asked<'a> {
    Asked {
        source: SOURCE,
        method,
        uri: uri.as_bytes(),
        is_ours: false,
    }
}

fn check(
    authority: &mut Authority,
    now: Time,
    given: &Credentials,
    operators: &BTreeMap<OperatorId, Ha1>,
) -> Verdict {
    authority.verify(now, given, asked("INVITE", "sip:x@y"), operators)
}

#[test]
fn a_password_proves_once_per_nonce_count() {
    let (mut authority, operators) = authority(10);
    let mut credentials = given(&authority, NOW, 1, "101", "right");
    let proven = Verdict::Proven(OperatorId::new("101").unwrap());
    assert_eq!(check(&mut authority, NOW, &credentials, &operators), proven);
    assert_eq!(
        check(&mut authority, NOW, &credentials, &operators),
        Verdict::Stale,
        "a replay"
    );
    credentials.nc = Some("00000002".into());
    assert_eq!(
        check(&mut authority, NOW, &credentials, &operators),
        Verdict::Guessed,
        "the count is part of the proof"
    );
}

#[test]
fn sha_512_256_is_the_hash_of_rfc_7616() {
    // RFC 7616 §3.9.2: J. Doe in UTF-8 reads a document; the hashes of the user's line are checked through the response.
    let hash = Algorithm::Sha512_256.hash(&[b"abc"]);
    assert_eq!(
        hash, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
        "FIPS 180-4's own example"
    );
    assert_eq!(
        Algorithm::from_param(Some("sha-512-256")),
        Some(Algorithm::Sha512_256)
    );
}

#[test]
fn an_operator_has_a_list_of_its_own_and_who_does_not_exist_has_one_of_those_there_are() {
    let (_, operators) = authority(10);
    let own = BTreeMap::from([(OperatorId::new("101").unwrap(), vec![Algorithm::Sha512_256])]);
    let mut authority = Authority::new([7; 32], "pronto.example", &[Algorithm::Md5], own, 10);
    let asked = |authority: &Authority, user: &str| {
        let values = authority.challenge(&nonce(NOW, 1), false, user, &operators);
        values
            .first()
            .and_then(|v| v.split("algorithm=").nth(1)?.split(',').next().map(str::to_owned))
            .unwrap()
    };
    assert_eq!(asked(&authority, "101"), "SHA-512-256");
    let invented: Vec<String> = (0..100).map(|n| asked(&authority, &format!("zz{n}"))).collect();
    let strong = invented.iter().filter(|a| *a == "SHA-512-256").count();
    assert!(
        (20..80).contains(&strong),
        "{strong} of 100 invented users look like 101"
    );
    assert_eq!(asked(&authority, "zz1"), invented[1], "and always the same way");
    let challenge = authority
        .challenge(&nonce(NOW, 2), false, "101", &operators)
        .remove(0);
    let mut challenge = Challenge::parse(challenge.as_bytes()).unwrap();
    let mut try_it = |challenge: &Challenge| {
        let value = answer(challenge, "101", &Secret::new("right"), &COVERED).unwrap();
        let given = Credentials::parse(value.as_bytes()).unwrap();
        check(&mut authority, NOW, &given, &operators)
    };
    assert!(matches!(try_it(&challenge), Verdict::Proven(_)));
    challenge.algorithm = Some("MD5".into());
    assert_eq!(
        try_it(&challenge),
        Verdict::Wrong,
        "nobody steps down to a weaker one"
    );
}

#[test]
fn nothing_but_the_right_password_for_the_right_request_proves() {
    let (mut authority, operators) = authority(10);
    for (user, password) in [("101", "wrong"), ("102", "right"), ("", ""), ("101", "")] {
        let credentials = given(&authority, NOW, 1, user, password);
        assert_eq!(
            check(&mut authority, NOW, &credentials, &operators),
            Verdict::Guessed,
            "{user}"
        );
    }
    let right = given(&authority, NOW, 1, "101", "right");
    assert_eq!(
        authority.verify(NOW, &right, asked("BYE", "sip:x@y"), &operators),
        Verdict::Guessed,
        "another method"
    );
    assert_eq!(
        authority.verify(NOW, &right, asked("INVITE", "sip:z@y"), &operators),
        Verdict::Wrong,
        "another target"
    );
    let mut forged = right.clone();
    forged.nonce = forged.nonce.replacen('0', "1", 1);
    assert_eq!(
        check(&mut authority, NOW, &forged, &operators),
        Verdict::Stale,
        "a nonce we did not sign"
    );
    let mut other = right.clone();
    other.algorithm = Some("MD5-sess".into());
    assert_eq!(check(&mut authority, NOW, &other, &operators), Verdict::Wrong);
    assert!(
        authority.used.is_empty(),
        "whoever proves nothing takes no memory"
    );
}

#[test]
fn an_old_nonce_is_stale_whatever_the_password_is() {
    let (mut authority, operators) = authority(2);
    let late = NOW + NONCE_LIFE + Duration::from_secs(1);
    for password in ["right", "wrong"] {
        let credentials = given(&authority, NOW, 1, "101", password);
        assert_eq!(
            check(&mut authority, late, &credentials, &operators),
            Verdict::Stale
        );
    }
}

#[test]
fn an_operator_who_uses_up_the_nonces_there_are_shuts_nobody_out() {
    let (mut authority, mut operators) = authority(64);
    let other = OperatorId::new("102").unwrap();
    operators.insert(
        other.clone(),
        Ha1::from_password("102", "pronto.example", &Secret::new("right")),
    );
    let first = given(&authority, NOW, 0, "101", "right");
    for number in 0..10_000 {
        let later = NOW + Duration::from_millis(number);
        let credentials = given(&authority, later, number, "101", "right");
        let verdict = check(&mut authority, later, &credentials, &operators);
        assert!(
            matches!(verdict, Verdict::Proven(_)),
            "not even themselves: {number}"
        );
    }
    let later = NOW + Duration::from_secs(11);
    assert_eq!(
        check(&mut authority, later, &first, &operators),
        Verdict::Stale,
        "what was forgotten cannot be replayed"
    );
    let credentials = given(&authority, later, 20_000, "102", "right");
    assert_eq!(
        check(&mut authority, later, &credentials, &operators),
        Verdict::Proven(other)
    );
    assert_eq!(authority.used.values().map(|m| m.used.len()).sum::<usize>(), 65);
}

#[test]
fn a_nonce_is_worthless_for_any_other_address() {
    let (mut authority, operators) = authority(10);
    let elsewhere = |text: &str| Asked {
        source: text.parse().unwrap(),
        ..asked("INVITE", "sip:x@y")
    };
    for password in ["right", "wrong"] {
        let credentials = given(&authority, NOW, 1, "101", password);
        assert_eq!(
            authority.verify(NOW, &credentials, elsewhere("192.0.2.2"), &operators),
            Verdict::Stale,
            "no guess is counted against an address that was asked nothing: {password}"
        );
    }
    let credentials = given(&authority, NOW, 1, "101", "right");
    let mapped = authority.verify(NOW, &credentials, elsewhere("::ffff:192.0.2.1"), &operators);
    assert!(
        matches!(mapped, Verdict::Proven(_)),
        "the same address in another form"
    );
}

#[test]
fn hashes_are_kept_by_algorithm_and_never_shown() {
    let ha1 = Ha1::from_hex(&"aB".repeat(16)).unwrap();
    assert_eq!(
        (ha1.get(Algorithm::Md5), ha1.get(Algorithm::Sha256)),
        (Some("ab".repeat(16).as_str()), None)
    );
    assert!(Ha1::from_hex(&"0".repeat(64)).is_some());
    assert!(Ha1::from_hex("xyz").is_none() && Ha1::from_hex(&"0".repeat(33)).is_none());
    assert_eq!(format!("{ha1:?}"), "Ha1([secret])");
}

#[test]
fn a_client_without_qop_is_known_once_per_nonce() {
    let (mut authority, operators) = authority(10);
    let mut challenge = Challenge::parse(
        authority
            .challenge(&nonce(NOW, 1), false, "101", &BTreeMap::new())
            .last()
            .unwrap()
            .as_bytes(),
    )
    .unwrap();
    challenge.qop_auth = false;
    let value = answer(&challenge, "101", &Secret::new("right"), &COVERED).unwrap();
    assert!(!value.contains("qop"));
    let credentials = Credentials::parse(value.as_bytes()).unwrap();
    let credentials = Credentials {
        nc: None,
        ..credentials
    };
    assert!(matches!(
        check(&mut authority, NOW, &credentials, &operators),
        Verdict::Proven(_)
    ));
    assert_eq!(
        check(&mut authority, NOW, &credentials, &operators),
        Verdict::Stale
    );
}

proptest! {
    #[test]
    fn each_nonce_count_is_taken_once_within_the_window(counts in proptest::collection::vec(1_u32..200, 1..80)) {
        let mut used = Used { issued: Time::ZERO, highest: counts[0], window: 1 };
        let mut seen = std::collections::BTreeSet::from([counts[0]]);
        for nc in &counts[1..] {
            let fresh = !seen.contains(nc) && used.highest.saturating_sub(*nc) <= 63;
            prop_assert_eq!(used.take(*nc), fresh);
            if fresh { seen.insert(*nc); }
        }
    }

    #[test]
    fn an_answer_is_one_line_whatever_the_challenge_says(realm in "[^\r\n]{0,40}", nonce in "[^\r\n]{0,40}", rest in "[^\r\n]{0,40}") {
        let value = format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", {rest}");
        if let Some(challenge) = Challenge::parse(value.as_bytes()) {
            let answered = answer(&challenge, "u", &Secret::new("p"), &COVERED);
            prop_assert!(answered.is_none_or(|value| !value.contains(['\r', '\n'])));
        }
    }

    #[test]
    fn no_credentials_make_verification_panic(user in ".{0,20}", nonce in ".{0,80}", response in ".{0,40}", nc in ".{0,10}", qop in proptest::option::of(".{0,6}")) {
        let (mut authority, operators) = authority(4);
        let c = Credentials { username: user, realm: "pronto.example".into(), nonce, uri: "sip:x@y".into(), response, algorithm: None, qop, cnonce: Some("c".into()), nc: Some(nc) };
        prop_assert_eq!(check(&mut authority, NOW, &c, &operators), Verdict::Wrong);
    }
}
