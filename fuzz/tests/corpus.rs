//! Each file of the corpus as it is, in each target that takes octets of its kind.

use pronto_fuzz::{Step, address, datagram, description, endpoint, flow, message, seeds, stream};

#[test]
fn each_message_of_the_corpus_is_read_or_refused() {
    for seed in seeds("message").iter().chain(&seeds("stream")) {
        println!("{}", seed.name);
        message(&seed.octets);
        address(&seed.octets);
    }
}

#[test]
fn each_address_of_the_corpus_is_read_again_alike() {
    for seed in seeds("address") {
        println!("{}", seed.name);
        address(&seed.octets);
    }
}

#[test]
fn each_description_of_the_corpus_is_answered_or_refused() {
    for seed in seeds("description") {
        println!("{}", seed.name);
        description(&seed.octets);
    }
}

#[test]
fn each_stream_of_the_corpus_is_cut_alike_wherever_it_is_split() {
    for seed in seeds("stream").iter().chain(&seeds("message")) {
        println!("{}", seed.name);
        for place in 0..=seed.octets.len().min(600) {
            let place = u16::try_from(place).unwrap_or(u16::MAX);
            stream(&seed.octets, [place, place.wrapping_mul(7)]);
        }
    }
}

#[test]
fn an_endpoint_takes_the_whole_corpus_over_each_transport() {
    for (tcp, trunk) in [(false, false), (false, true), (true, false), (true, true)] {
        let steps: Vec<Step> = seeds("message")
            .into_iter()
            .map(|seed| Step {
                octets: seed.octets,
                tcp,
                trunk,
                pause: 40,
            })
            .collect();
        endpoint(&steps, 1);
    }
}

#[test]
fn each_flow_of_the_corpus_is_read_or_refused_with_a_reason() {
    for seed in seeds("flow") {
        println!("{}", seed.name);
        flow(&seed.octets);
    }
}

#[test]
fn each_datagram_of_the_corpus_is_read_or_refused() {
    for seed in seeds("datagram") {
        println!("{}", seed.name);
        datagram(&seed.octets);
    }
}
