//! The halves of a centre that run in a process, and the error that ends it.

/// The halves that run in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halves {
    /// The whole centre.
    Both,
    /// The half that touches phones.
    Gateway,
    /// The half that decides who is next.
    Queue,
}

/// Why the process ended badly.
pub type ServeError = Box<dyn std::error::Error + Send + Sync>;
