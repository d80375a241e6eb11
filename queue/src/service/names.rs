//! Resource names (AIP-122) and pages (AIP-158).

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use pronto_types::{OperatorId, QueueName};
use tonic::Status;

use super::status;

const LARGEST_PAGE: usize = 1_000;
const USUAL_PAGE: usize = 100;
/// Before the last name of a page: a token of another form, or of another list, is told from ours.
const TOKEN: &str = "after/";

/// The resource name of an operator, such as `operators/101`.
pub(super) fn operator(id: &OperatorId) -> String {
    format!("operators/{id}")
}

/// The resource name of a queue, such as `queues/support`.
pub(super) fn queue(name: &QueueName) -> String {
    format!("queues/{name}")
}

/// The operator of `operators/101`.
pub(super) fn parse_operator(name: &str) -> Result<OperatorId, Status> {
    let id = name
        .strip_prefix("operators/")
        .and_then(|id| OperatorId::new(id).ok());
    id.ok_or_else(|| status::invalid("name", "expected `operators/{operator}`"))
}

/// The queue of `queues/support`.
pub(super) fn parse_queue(name: &str) -> Result<QueueName, Status> {
    let queue = name
        .strip_prefix("queues/")
        .and_then(|queue| QueueName::new(queue).ok());
    queue.ok_or_else(|| status::invalid("name", "expected `queues/{queue}`"))
}

/// The page of a list that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Names after this one; all if empty.
    after: String,
    size: usize,
}

impl Page {
    /// "If the user provides a value greater than the maximum, the API should coerce down to the maximum … a
    /// negative value … must send an INVALID_ARGUMENT" (AIP-158).
    pub(super) fn new(size: i32, token: &str) -> Result<Self, Status> {
        let size = match usize::try_from(size) {
            Ok(0) => USUAL_PAGE,
            Ok(size) => size.min(LARGEST_PAGE),
            Err(_) => return Err(status::invalid("page_size", "expected 0 to 1000")),
        };
        let after = if token.is_empty() {
            Some(String::new())
        } else {
            decode(token)
        };
        let after =
            after.ok_or_else(|| status::invalid("page_token", "expected a token of an earlier answer"))?;
        Ok(Page { after, size })
    }

    /// The page out of a list in the order of its names, and the token of the next one.
    pub(super) fn of<T>(&self, list: impl Iterator<Item = T>, name: impl Fn(&T) -> &str) -> (Vec<T>, String) {
        let mut rest = list
            .skip_while(|item| !self.after.is_empty() && name(item) <= self.after.as_str())
            .peekable();
        let page: Vec<T> = rest.by_ref().take(self.size).collect();
        let token = match (rest.peek(), page.last()) {
            (Some(_), Some(last)) => encode(name(last)),
            _ => String::new(),
        };
        (page, token)
    }
}

/// Hexadecimal, so that nobody is tempted to write one: "page tokens … must be opaque" (AIP-158).
fn encode(name: &str) -> String {
    HEXLOWER.encode(&[TOKEN, name].concat().into_bytes())
}

fn decode(token: &str) -> Option<String> {
    if token.len() > 2 * (TOKEN.len() + 64) {
        return None;
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(token.as_bytes()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let name = text.strip_prefix(TOKEN)?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tonic::Code;

    use super::*;

    fn pages(size: i32) -> Vec<Vec<&'static str>> {
        let names = ["a", "b", "c", "d", "e"];
        let mut pages = Vec::new();
        let mut token = String::new();
        loop {
            let (page, next) = Page::new(size, &token)
                .unwrap()
                .of(names.into_iter(), |name| name);
            pages.push(page);
            if next.is_empty() {
                return pages;
            }
            token = next;
        }
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        assert_eq!(pages(2), [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
        assert_eq!(pages(5), [["a", "b", "c", "d", "e"]]);
        assert_eq!(pages(0).len(), 1);
        assert_eq!(pages(i32::MAX).len(), 1);
        assert_eq!(pages(1).len(), 5);
    }

    #[test]
    fn a_page_goes_on_where_a_name_that_is_gone_would_stand() {
        let (page, token) = Page::new(9, &encode("b"))
            .unwrap()
            .of(["a", "c", "d"].into_iter(), |name| name);
        assert_eq!((page, token.as_str()), (vec!["c", "d"], ""));
    }

    #[test]
    fn impossible_pages_and_names_are_refused() {
        for (size, token) in [
            (-1, ""),
            (1, "x"),
            (1, "zz"),
            (1, "6166"),
            (1, &encode("")),
            (1, &encode("a")[1..]),
        ] {
            assert_eq!(
                Page::new(size, token).unwrap_err().code(),
                Code::InvalidArgument,
                "{size} {token:?}"
            );
        }
        assert_eq!(parse_operator("operators/101").unwrap().as_str(), "101");
        assert_eq!(parse_queue("queues/support").unwrap().as_str(), "support");
        for name in [
            "",
            "101",
            "operators/",
            "operators/a b",
            "operators/1/2",
            "queues/support",
        ] {
            assert_eq!(
                parse_operator(name).unwrap_err().code(),
                Code::InvalidArgument,
                "{name:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_token_panics(token in ".{0,200}") {
            drop(Page::new(1, &token));
        }
    }
}
