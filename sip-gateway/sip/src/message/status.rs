//! Status codes and their reason phrases (RFC 3261 §21 and the RFCs that extended it), in the vocabulary of rsip.

use std::fmt::{self, Write as _};

use rsip::StatusCode;

/// A response status, 100 to 699. Its text is the code and the reason phrase, as a status line has them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(u16);

// rsip's type has room for a phrase of its own, so it can be neither copied nor a constant.
macro_rules! statuses {
    ($($name:ident = $code:literal $known:ident;)*) => {
        impl Status {
            $(
                #[doc = concat!("`", stringify!($known), "` in rsip.")]
                pub const $name: Status = Status($code);
            )*
        }

        #[cfg(test)]
        const NAMED: &[(Status, StatusCode)] = &[$((Status::$name, StatusCode::$known)),*];
    };
}

statuses! {
    TRYING = 100 Trying;
    RINGING = 180 Ringing;
    SESSION_PROGRESS = 183 SessionProgress;
    OK = 200 OK;
    MOVED_TEMPORARILY = 302 MovedTemporarily;
    BAD_REQUEST = 400 BadRequest;
    UNAUTHORIZED = 401 Unauthorized;
    FORBIDDEN = 403 Forbidden;
    NOT_FOUND = 404 NotFound;
    METHOD_NOT_ALLOWED = 405 MethodNotAllowed;
    NOT_ACCEPTABLE = 406 NotAcceptable;
    PROXY_AUTHENTICATION_REQUIRED = 407 ProxyAuthenticationRequired;
    REQUEST_TIMEOUT = 408 RequestTimeout;
    ENTITY_TOO_LARGE = 413 RequestEntityTooLarge;
    URI_TOO_LONG = 414 RequestUriTooLong;
    UNSUPPORTED_MEDIA_TYPE = 415 UnsupportedMediaType;
    UNSUPPORTED_URI_SCHEME = 416 UnsupportedUriScheme;
    BAD_EXTENSION = 420 BadExtension;
    INTERVAL_TOO_BRIEF = 423 IntervalTooBrief;
    TEMPORARILY_UNAVAILABLE = 480 TemporarilyUnavailable;
    NO_SUCH_DIALOG = 481 CallTransactionDoesNotExist;
    LOOP_DETECTED = 482 LoopDetected;
    TOO_MANY_HOPS = 483 TooManyHops;
    AMBIGUOUS = 485 Ambiguous;
    BUSY_HERE = 486 BusyHere;
    REQUEST_TERMINATED = 487 RequestTerminated;
    NOT_ACCEPTABLE_HERE = 488 NotAcceptableHere;
    REQUEST_PENDING = 491 RequestPending;
    SERVER_INTERNAL_ERROR = 500 ServerInternalError;
    NOT_IMPLEMENTED = 501 NotImplemented;
    SERVICE_UNAVAILABLE = 503 ServiceUnavailable;
    SERVER_TIMEOUT = 504 ServerTimeOut;
    VERSION_NOT_SUPPORTED = 505 VersionNotSupported;
    MESSAGE_TOO_LARGE = 513 MessageTooLarge;
    BUSY_EVERYWHERE = 600 BusyEverywhere;
    DECLINE = 603 Decline;
}

impl Status {
    /// From a number; `None` outside 100 to 699.
    pub const fn new(code: u16) -> Option<Self> {
        if code >= 100 && code < 700 {
            Some(Status(code))
        } else {
            None
        }
    }

    /// The status code, 100 to 699.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// 100 to 199.
    pub const fn is_provisional(self) -> bool {
        self.0 < 200
    }

    /// 200 to 299.
    pub const fn is_success(self) -> bool {
        self.0 >= 200 && self.0 < 300
    }

    /// The registered phrase, where the words of rsip's name are not that phrase.
    const fn registered(self) -> Option<&'static str> {
        Some(match self.0 {
            // rsip gives 201 the name of 202 (RFC 6665 §8.3.1).
            201 => "",
            202 => "Accepted",
            414 => "Request-URI Too Long",
            416 => "Unsupported URI Scheme",
            417 => "Unknown Resource-Priority",
            437 => "Unsupported Credential",
            440 => "Max-Breadth Exceeded",
            481 => "Call/Transaction Does Not Exist",
            504 => "Server Time-out",
            606 => "Not Acceptable",
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(phrase) = self.registered() {
            return write!(f, "{} {phrase}", self.0);
        }
        match StatusCode::from(self.0) {
            // "Status-Line = SIP-Version SP Status-Code SP Reason-Phrase CRLF": the phrase may be empty (RFC 3261 §25.1).
            StatusCode::Other(code, _) => write!(f, "{code} "),
            known => write!(Words(f), "{known}"),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes names of rsip as words: `NotFound` becomes `Not Found`.
struct Words<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Words<'_, '_> {
    fn write_str(&mut self, name: &str) -> fmt::Result {
        let begins = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
        let mut rest = name;
        while let Some(last) = rest.as_bytes().windows(2).position(begins) {
            let (word, after) = rest.split_at(last + 1);
            self.0.write_str(word)?;
            self.0.write_str(" ")?;
            rest = after;
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_ours_has_the_code_that_rsip_gives_its_name() {
        for (ours, theirs) in NAMED {
            assert_eq!(
                (ours.code(), &StatusCode::from(ours.code())),
                (theirs.code(), theirs)
            );
        }
    }

    /// RFC 3261 §21 and the registry of its extensions.
    #[test]
    fn a_status_is_written_with_its_registered_phrase() {
        for line in [
            "100 Trying",
            "181 Call Is Being Forwarded",
            "200 OK",
            "202 Accepted",
            "404 Not Found",
            "407 Proxy Authentication Required",
            "413 Request Entity Too Large",
            "414 Request-URI Too Long",
            "416 Unsupported URI Scheme",
            "422 Session Interval Too Small",
            "437 Unsupported Credential",
            "481 Call/Transaction Does Not Exist",
            "484 Address Incomplete",
            "486 Busy Here",
            "504 Server Time-out",
            "606 Not Acceptable",
            "201 ",
            "499 ",
        ] {
            let code = line.split(' ').next().and_then(|code| code.parse().ok());
            let status = code.and_then(Status::new).unwrap();
            assert_eq!(
                (status.to_string(), format!("{status:?}")),
                (line.to_owned(), line.to_owned())
            );
        }
    }
}
