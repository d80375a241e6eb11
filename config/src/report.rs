//! Error pages: file, line, column, what was found, what was expected, the nearest valid name, and the line itself
//! with a caret.

use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use super::mask::mask;
use super::problem::{Problem, Problems, Severity};

/// Everything that is wrong with a configuration and the flows it names, at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pages: Vec<Page>,
}

/// How a page is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// For files, pipes and logs.
    Plain,
    /// For a terminal.
    Colour,
}

/// The problems of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// As the person named it.
    file: String,
    /// The text with its secrets hidden; byte for byte as long as the file.
    source: Arc<str>,
    problems: Vec<Problem>,
}

impl Page {
    /// Collects the problems of one file, named as the person named it. Secrets in its text are hidden.
    pub fn new(file: &str, source: &str, problems: Problems) -> Self {
        Self {
            file: file.to_owned(),
            source: mask(source).into(),
            problems: problems.into_sorted(),
        }
    }

    /// Whether it holds a problem of this severity.
    pub fn any(&self, severity: Severity) -> bool {
        self.problems.iter().any(|problem| problem.severity == severity)
    }
}

impl Report {
    /// About a file that cannot be read at all.
    pub fn unreadable(file: &str, why: &str) -> Self {
        let mut problems = Problems::default();
        problems.push(Problem::error(0..0, format!("cannot read {file}: {why}"), ""));
        Self {
            pages: vec![Page {
                file: String::new(),
                source: "".into(),
                problems: problems.into_sorted(),
            }],
        }
    }

    /// Adds the page of one file; nothing where it has no problem.
    pub fn add(&mut self, page: Page) {
        if !page.problems.is_empty() {
            self.pages.push(page);
        }
    }

    /// How many errors it shows.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many warnings it shows.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// Nothing to show.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Each problem as `file:line:column: message`, for a log; line and column count from 1.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.pages
            .iter()
            .flat_map(|page| page.problems.iter().map(|problem| page.line(problem)))
    }

    /// The whole report, drawn.
    pub fn render(&self, look: Look) -> String {
        let theme = match look {
            Look::Plain => GraphicalTheme::unicode_nocolor(),
            Look::Colour => GraphicalTheme::unicode(),
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(100)
            .with_context_lines(1);
        let mut text = String::new();
        for page in &self.pages {
            let source = NamedSource::new(&page.file, Arc::clone(&page.source));
            for problem in &page.problems {
                let shown = Shown {
                    problem,
                    file: &page.file,
                    source: &source,
                    span: page.drawn(problem),
                };
                if handler.render_report(&mut text, &shown).is_err() {
                    text.push_str(&page.line(problem));
                }
                text.push('\n');
            }
        }
        without_trailing_blanks(&text)
    }

    fn count(&self, severity: Severity) -> usize {
        let problems = self.pages.iter().flat_map(|page| &page.problems);
        problems.filter(|problem| problem.severity == severity).count()
    }
}

impl Page {
    /// Start and length of the problem's caret. Beyond the end of the text there is nothing to point at: then the
    /// last character that shows.
    fn drawn(&self, problem: &Problem) -> Option<(usize, usize)> {
        let text = self.source.trim_end();
        let last = text.char_indices().next_back()?;
        let (start, end) = (problem.span.start, problem.span.end.min(self.source.len()));
        if start < text.len() {
            Some((start, end.saturating_sub(start)))
        } else {
            Some((last.0, last.1.len_utf8()))
        }
    }

    fn line(&self, problem: &Problem) -> String {
        if self.file.is_empty() {
            return problem.message.clone();
        }
        let start = self.drawn(problem).map_or(0, |(start, _)| start);
        let before = self.source.as_bytes().get(..start).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        format!("{}:{line}:{column}: {}", self.file, problem.message)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Look::Plain))
    }
}

impl std::error::Error for Report {}

/// An empty line of the file is drawn with a blank after its number, which no editor keeps.
fn without_trailing_blanks(text: &str) -> String {
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// A problem as miette draws it.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    file: &'a str,
    source: &'a NamedSource<Arc<str>>,
    /// Where the caret goes, and how long it is; nowhere in a file without text.
    span: Option<(usize, usize)>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without a line to draw nothing else names the file.
        if self.span.is_none() && !self.file.is_empty() {
            write!(f, "{}: ", self.file)?;
        }
        f.write_str(&self.problem.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem
            .help()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.span.map(|_| self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (start, length) = self.span?;
        let found = (!self.problem.found.is_empty()).then(|| format!("found {}", self.problem.found));
        Some(Box::new(std::iter::once(LabeledSpan::new(found, start, length))))
    }
}
