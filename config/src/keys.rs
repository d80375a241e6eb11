//! Descriptions of sections and their keys: form, default, range and meaning.
//!
//! A [`Section`](crate::Section) reads no key without its description, and the reference is generated from the same
//! descriptions. So no key can be missing there, and no default can differ.

use super::duration;
use super::nearest::one_of;

/// A section with all its keys.
#[derive(Debug)]
pub struct Keys {
    /// The title as a person writes it: `[sip]`, `[[operator]]`.
    pub title: &'static str,
    /// The meaning, in whole sentences.
    pub about: &'static str,
    /// All keys, in the order of the reference and of error pages.
    pub keys: &'static [Key],
    /// Other sections that may stand in its place, each with keys of its own.
    pub others: &'static [&'static Keys],
}

/// One key of a section.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The name, as it is written.
    pub name: &'static str,
    /// The form of the value, with default and range.
    pub form: Form,
    /// Whether the section is wrong without it.
    pub required: bool,
    /// The meaning, in whole sentences.
    pub about: &'static str,
    /// The rule between it and other keys of its section, if there is one.
    pub rule: Option<Rule>,
}

/// A rule between a key and other keys of its section. The section's reader enforces it.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// Exactly one of these keys is written, of which this is one. A flag counts where it is true.
    OneOf(&'static [&'static str]),
    /// The other key is written too.
    Needs(&'static str),
    /// The other key, where it is written, has one of these values.
    Only(&'static str, &'static [&'static str]),
}

/// The form of a value. A `default` is the value of a key that is not written.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// A duration such as `30s`.
    Duration {
        /// As it is written.
        default: Option<&'static str>,
        /// The shortest and the longest.
        range: [&'static str; 2],
    },
    /// A whole number.
    Whole {
        /// The number itself.
        default: Option<usize>,
        /// The least and the greatest.
        range: [usize; 2],
    },
    /// True or false.
    Flag {
        /// The value itself.
        default: Option<bool>,
    },
    /// A text whose content is checked by the section.
    Text {
        /// The text that is expected, for error pages.
        expected: &'static str,
        /// As it is written.
        default: Option<&'static str>,
    },
    /// One of several names.
    Name {
        /// All of them.
        names: &'static [&'static str],
        /// One of the names.
        default: Option<&'static str>,
    },
    /// A list of texts.
    Texts {
        /// The list or the text that is expected, for error pages.
        expected: &'static str,
        /// The only texts there are; empty where the section checks them.
        names: &'static [&'static str],
        /// As they are written.
        default: &'static [&'static str],
    },
    /// A section of its own, or a table in braces.
    Section(&'static Keys),
    /// A list of sections.
    Sections {
        /// The description of each.
        keys: &'static Keys,
        /// The greatest number of them.
        most: usize,
    },
    /// Any other form, which the section reads itself.
    Other {
        /// The value that is expected, for error pages.
        expected: &'static str,
        /// As it is written.
        default: Option<&'static str>,
        /// The JSON schema of the value.
        schema: &'static str,
    },
}

/// The names of a table of names and their meanings.
pub const fn names<T, const N: usize>(meanings: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut at = 0;
    while at < N {
        names[at] = meanings[at].0;
        at += 1;
    }
    names
}

impl Keys {
    /// The description of a key.
    #[expect(
        clippy::expect_used,
        reason = "names are constants of the reading code; each test that reads the section looks them up"
    )]
    pub(crate) fn key(&self, name: &str) -> &'static Key {
        let known = self.keys.iter().find(|key| key.name == name);
        known.expect("a section reads only keys that it describes")
    }

    /// The names of all keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

impl Key {
    const fn new(name: &'static str, form: Form, about: &'static str) -> Self {
        Self {
            name,
            form,
            required: false,
            about,
            rule: None,
        }
    }

    /// Describes a duration and its default.
    pub const fn duration(
        name: &'static str,
        default: &'static str,
        range: [&'static str; 2],
        about: &'static str,
    ) -> Self {
        let default = Some(default);
        Self::new(name, Form::Duration { default, range }, about)
    }

    /// Describes a duration without a default.
    pub const fn time(name: &'static str, range: [&'static str; 2], about: &'static str) -> Self {
        let default = None;
        Self::new(name, Form::Duration { default, range }, about)
    }

    /// Describes a whole number and its default.
    pub const fn whole(name: &'static str, default: usize, range: [usize; 2], about: &'static str) -> Self {
        let default = Some(default);
        Self::new(name, Form::Whole { default, range }, about)
    }

    /// Describes a whole number without a default.
    pub const fn count(name: &'static str, range: [usize; 2], about: &'static str) -> Self {
        let default = None;
        Self::new(name, Form::Whole { default, range }, about)
    }

    /// Describes a choice between true and false.
    pub const fn flag(name: &'static str, default: Option<bool>, about: &'static str) -> Self {
        Self::new(name, Form::Flag { default }, about)
    }

    /// Describes a text.
    pub const fn text(name: &'static str, expected: &'static str, about: &'static str) -> Self {
        let default = None;
        Self::new(name, Form::Text { expected, default }, about)
    }

    /// Describes a choice between names.
    pub const fn name(name: &'static str, names: &'static [&'static str], about: &'static str) -> Self {
        let default = None;
        Self::new(name, Form::Name { names, default }, about)
    }

    /// Describes a list of texts.
    pub const fn texts(
        name: &'static str,
        expected: &'static str,
        default: &'static [&'static str],
        about: &'static str,
    ) -> Self {
        let names = &[];
        let form = Form::Texts {
            expected,
            names,
            default,
        };
        Self::new(name, form, about)
    }

    /// Describes a section, `[name]`.
    pub const fn section(name: &'static str, keys: &'static Keys) -> Self {
        Self::new(name, Form::Section(keys), keys.about)
    }

    /// Describes a list of sections, `[[name]]`.
    pub const fn sections(name: &'static str, keys: &'static Keys, most: usize) -> Self {
        Self::new(name, Form::Sections { keys, most }, keys.about)
    }

    /// Describes a value of another form by its JSON schema.
    pub const fn other(
        name: &'static str,
        expected: &'static str,
        schema: &'static str,
        about: &'static str,
    ) -> Self {
        let default = None;
        let form = Form::Other {
            expected,
            default,
            schema,
        };
        Self::new(name, form, about)
    }

    /// With a default, as it is written; of a text, a name or another form.
    pub const fn or(self, value: &'static str) -> Self {
        let default = Some(value);
        let form = match self.form {
            Form::Text { expected, .. } => Form::Text { expected, default },
            Form::Name { names, .. } => Form::Name { names, default },
            Form::Other { expected, schema, .. } => Form::Other {
                expected,
                default,
                schema,
            },
            other => other,
        };
        Self { form, ..self }
    }

    /// The only texts that may stand in a list.
    pub const fn of(self, names: &'static [&'static str]) -> Self {
        let form = match self.form {
            Form::Texts {
                expected, default, ..
            } => Form::Texts {
                expected,
                names,
                default,
            },
            other => other,
        };
        Self { form, ..self }
    }

    /// With the section wrong where it is missing.
    pub const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// With a rule between it and other keys.
    pub const fn under(self, rule: Rule) -> Self {
        Self {
            rule: Some(rule),
            ..self
        }
    }

    /// The value that is expected, for error pages.
    pub(crate) fn expected(&self) -> String {
        match self.form {
            Form::Duration { .. } => duration::FORM.to_owned(),
            Form::Whole {
                range: [low, high], ..
            } => format!("a whole number, {low} to {high}"),
            Form::Flag { .. } => "true or false".to_owned(),
            Form::Name { names, .. } => one_of(names.iter().copied()),
            Form::Text { expected, .. } | Form::Texts { expected, .. } | Form::Other { expected, .. } => {
                expected.to_owned()
            }
            Form::Section(_) => format!("a section, `[{}]`", self.name),
            Form::Sections { keys, .. } => format!("a list of sections, each headed `{}`", keys.title),
        }
    }
}
