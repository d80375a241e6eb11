//! The reader of TOML that the configuration and the flows share, and its error pages.
//!
//! A text is walked by hand, not through serde: a walk finds everything that is wrong in one pass, and knows the place and
//! the nearest valid name. [`document()`] reads the tree, a [`Section`] reads one table of it, and a [`Report`] draws the
//! [`Problems`].
//!
//! [`Keys`] describes the keys of each section: form, default, range and meaning. A [`Section`] takes form, default and
//! range from there, so a key without a description cannot be read. The reference in `docs/reference` is generated from the
//! same descriptions.
//!
//! Not here: the keys themselves. `src/config` has those of the configuration, `ivr/src/script` those of a flow.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod document;
mod duration;
mod keys;
mod mask;
mod nearest;
mod problem;
mod report;
mod section;

pub use document::document;
pub use duration::{parse_duration, show_duration};
pub use keys::{Form, Key, Keys, Rule, names};
pub use nearest::{nearest, one_of, quoted};
pub use problem::{Problem, Problems, Severity};
pub use report::{Look, Page, Report};
pub use section::{Section, Table, Text, Wrong};
