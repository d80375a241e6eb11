//! Status codes and their phrases (RFC 3261 §21 and the RFCs that extended it).

use std::fmt;

/// A response status, 100 to 699.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Status(u16);

macro_rules! statuses {
    ($($name:ident = $code:literal $phrase:literal;)*) => {
        impl Status {
            $(#[doc = $phrase] pub const $name: Status = Status($code);)*

            /// The usual reason phrase; empty for a code nobody defined.
            pub const fn reason(self) -> &'static str {
                match self.0 { $($code => $phrase,)* _ => "" }
            }
        }
    };
}

statuses! {
    TRYING = 100 "Trying";
    RINGING = 180 "Ringing";
    SESSION_PROGRESS = 183 "Session Progress";
    OK = 200 "OK";
    MOVED_TEMPORARILY = 302 "Moved Temporarily";
    BAD_REQUEST = 400 "Bad Request";
    UNAUTHORIZED = 401 "Unauthorized";
    FORBIDDEN = 403 "Forbidden";
    NOT_FOUND = 404 "Not Found";
    METHOD_NOT_ALLOWED = 405 "Method Not Allowed";
    NOT_ACCEPTABLE = 406 "Not Acceptable";
    PROXY_AUTHENTICATION_REQUIRED = 407 "Proxy Authentication Required";
    REQUEST_TIMEOUT = 408 "Request Timeout";
    ENTITY_TOO_LARGE = 413 "Request Entity Too Large";
    URI_TOO_LONG = 414 "Request-URI Too Long";
    UNSUPPORTED_MEDIA_TYPE = 415 "Unsupported Media Type";
    UNSUPPORTED_URI_SCHEME = 416 "Unsupported URI Scheme";
    BAD_EXTENSION = 420 "Bad Extension";
    INTERVAL_TOO_BRIEF = 423 "Interval Too Brief";
    TEMPORARILY_UNAVAILABLE = 480 "Temporarily Unavailable";
    NO_SUCH_DIALOG = 481 "Call/Transaction Does Not Exist";
    LOOP_DETECTED = 482 "Loop Detected";
    TOO_MANY_HOPS = 483 "Too Many Hops";
    AMBIGUOUS = 485 "Ambiguous";
    BUSY_HERE = 486 "Busy Here";
    REQUEST_TERMINATED = 487 "Request Terminated";
    NOT_ACCEPTABLE_HERE = 488 "Not Acceptable Here";
    REQUEST_PENDING = 491 "Request Pending";
    SERVER_INTERNAL_ERROR = 500 "Server Internal Error";
    NOT_IMPLEMENTED = 501 "Not Implemented";
    SERVICE_UNAVAILABLE = 503 "Service Unavailable";
    SERVER_TIMEOUT = 504 "Server Time-out";
    VERSION_NOT_SUPPORTED = 505 "Version Not Supported";
    MESSAGE_TOO_LARGE = 513 "Message Too Large";
    BUSY_EVERYWHERE = 600 "Busy Everywhere";
    DECLINE = 603 "Decline";
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
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.reason())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
