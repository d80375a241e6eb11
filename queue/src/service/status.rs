//! Errors as the AIP guide wants them (AIP-193): a code, a sentence, and details a program can read.

use std::collections::HashMap;

use pronto_proto::link::HIGHEST_EPOCH;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The `ErrorInfo.domain` of every error.
const DOMAIN: &str = "pronto";

/// INVALID_ARGUMENT: a field of the request.
pub(super) fn invalid(field: &str, expected: &str) -> Status {
    let mut details = info("INVALID_FIELD");
    details.add_bad_request_violation(field, expected);
    Status::with_error_details(Code::InvalidArgument, format!("`{field}`: {expected}"), details)
}

/// INVALID_ARGUMENT: a message of a stream.
pub(super) fn malformed(problem: impl ToString) -> Status {
    let problem = problem.to_string();
    Status::with_error_details(Code::InvalidArgument, problem, info("MALFORMED_MESSAGE"))
}

/// NOT_FOUND: a resource of this kind and name does not exist.
pub(super) fn not_found(kind: &str, name: &str) -> Status {
    let mut details = info("NOT_FOUND");
    details.set_resource_info(format!("pronto.v1/{kind}"), name, "", "");
    Status::with_error_details(Code::NotFound, format!("there is no `{name}`"), details)
}

/// FAILED_PRECONDITION: as things stand, no; `reason` is for programs.
pub(super) fn failed_precondition(reason: &str, subject: &str, sentence: &str) -> Status {
    let mut details = info(reason);
    details.add_precondition_failure_violation(reason, subject, sentence);
    Status::with_error_details(Code::FailedPrecondition, sentence, details)
}

/// FAILED_PRECONDITION: an epoch that is not taken, and the highest known of the gateway.
pub(super) fn wrong_epoch(reason: &str, gateway: &str, sentence: &str, highest: u64) -> Status {
    let mut status = failed_precondition(reason, gateway, sentence);
    let value = tonic::metadata::AsciiMetadataValue::from(highest);
    status.metadata_mut().insert(HIGHEST_EPOCH, value);
    status
}

/// ALREADY_EXISTS: another process of the gateway is attached.
pub(super) fn taken(gateway: &str) -> Status {
    let sentence = format!("another process is attached as `{gateway}`");
    Status::with_error_details(Code::AlreadyExists, sentence, info("GATEWAY_ATTACHED"))
}

/// UNAUTHENTICATED: the token is missing or another one.
pub(super) fn unproven() -> Status {
    let sentence = "expected the gateways' token: `authorization: Bearer TOKEN`";
    Status::with_error_details(Code::Unauthenticated, sentence, info("NO_TOKEN"))
}

/// PERMISSION_DENIED: the name belongs to the gateway in our own process.
pub(super) fn not_yours(gateway: &str) -> Status {
    let sentence = format!("`{gateway}` is the gateway of this process, and attaches within it");
    Status::with_error_details(Code::PermissionDenied, sentence, info("GATEWAY_OF_THIS_PROCESS"))
}

/// PERMISSION_DENIED: an operator asks for another operator's row.
pub(super) fn not_your_row() -> Status {
    let sentence = "an operator may set only their own state";
    Status::with_error_details(Code::PermissionDenied, sentence, info("WRONG_ROLE"))
}

/// RESOURCE_EXHAUSTED: a limit of ours.
pub(super) fn exhausted(sentence: &str) -> Status {
    Status::with_error_details(Code::ResourceExhausted, sentence, info("LIMIT"))
}

/// ABORTED: overtaken by a newer one.
pub(super) fn replaced() -> Status {
    Status::with_error_details(Code::Aborted, "replaced by a newer stream", info("REPLACED"))
}

/// DEADLINE_EXCEEDED: the peer did not speak.
pub(super) fn silent(sentence: &str) -> Status {
    Status::with_error_details(Code::DeadlineExceeded, sentence, info("SILENT"))
}

/// UNAVAILABLE: stopping, or stopped by its store. Try again.
pub(super) fn unavailable() -> Status {
    Status::with_error_details(
        Code::Unavailable,
        "the queue service is stopping",
        info("STOPPING"),
    )
}

/// UNAVAILABLE: the ledger cannot be written for now. Try again.
pub(super) fn no_room() -> Status {
    Status::with_error_details(
        Code::Unavailable,
        "the ledger cannot be written for now",
        info("NO_ROOM"),
    )
}

fn info(reason: &str) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new())
}
