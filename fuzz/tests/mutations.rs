//! Changed files of the corpus. Under cargo test a short pass; for a long one:
//!
//!     BOLERO_RANDOM_ITERATIONS=10000000 cargo test --release -p pronto-fuzz --test mutations

use pronto_fuzz::{Mutation, Step, address, datagram, description, endpoint, flow, message, seeds, stream};

#[test]
fn a_changed_message_is_read_or_refused() {
    let seeds = seeds("message");
    bolero::check!()
        .with_type::<Mutation>()
        .for_each(|mutation| message(&mutation.of(&seeds)));
}

#[test]
fn a_changed_address_is_read_again_alike() {
    let seeds = seeds("address");
    bolero::check!()
        .with_type::<Mutation>()
        .for_each(|mutation| address(&mutation.of(&seeds)));
}

#[test]
fn a_changed_description_is_answered_or_refused() {
    let seeds = seeds("description");
    bolero::check!()
        .with_type::<Mutation>()
        .for_each(|mutation| description(&mutation.of(&seeds)));
}

#[test]
fn a_changed_stream_is_cut_alike_wherever_it_is_split() {
    let seeds = [seeds("message"), seeds("stream")].concat();
    bolero::check!()
        .with_type::<([Mutation; 2], [u16; 2])>()
        .for_each(|(both, places)| {
            let octets = both.each_ref().map(|mutation| mutation.of(&seeds)).concat();
            stream(&octets, *places);
        });
}

#[test]
fn an_endpoint_keeps_within_its_limits_whatever_arrives() {
    let seeds = seeds("message");
    bolero::check!()
        .with_type::<([(Mutation, bool, bool, u8); 4], u64)>()
        .for_each(|(steps, seed)| {
            let steps = steps.each_ref().map(|(mutation, tcp, trunk, pause)| Step {
                octets: mutation.of(&seeds),
                tcp: *tcp,
                trunk: *trunk,
                pause: u16::from(*pause) * 20,
            });
            endpoint(&steps, *seed);
        });
}

#[test]
fn a_changed_flow_is_read_or_refused_with_a_reason() {
    let seeds = seeds("flow");
    bolero::check!()
        .with_type::<Mutation>()
        .for_each(|mutation| flow(&mutation.of(&seeds)));
}

#[test]
fn a_changed_datagram_is_read_or_refused() {
    let seeds = seeds("datagram");
    bolero::check!()
        .with_type::<Mutation>()
        .for_each(|mutation| datagram(&mutation.of(&seeds)));
}
