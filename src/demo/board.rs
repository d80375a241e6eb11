//! The live board: queues, who waits and what they were told, operators, figures, news.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pronto_types::Time;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table};
use ratatui::{DefaultTerminal, Frame};
use tokio::sync::mpsc;

use super::status::{self, clock, percent};
use super::watch::{Queue, State};
use super::{Day, books};

/// How often the keyboard is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Seconds the curve of those who wait goes back.
const CURVE: usize = 240;

/// The terminal, as long as it is ours. Dropped, it is given back.
pub(super) struct Board {
    terminal: DefaultTerminal,
    keys: mpsc::Receiver<()>,
    view: View,
}

/// The state of the board that does not come from the day itself.
#[derive(Default)]
struct View {
    /// Where the centre is reached, a line each.
    addresses: Vec<String>,
    minutes: Duration,
    /// How many waited, second by second, the newest first.
    waiting: VecDeque<u64>,
}

impl Board {
    /// Takes the terminal.
    pub(super) fn open(addresses: Vec<String>, minutes: Duration) -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let (press, keys) = mpsc::channel(4);
        std::thread::Builder::new()
            .name("pronto-keys".to_owned())
            .spawn(move || read_keys(&press))?;
        let view = View {
            addresses,
            minutes,
            waiting: VecDeque::new(),
        };
        Ok(Board { terminal, keys, view })
    }

    /// Draws the whole board.
    pub(super) fn draw(&mut self, elapsed: Duration, day: &Day, now: Time) -> io::Result<()> {
        let view = &mut self.view;
        view.waiting.push_front(day.seen.waiting());
        view.waiting.truncate(CURVE);
        // The ledger's times are those of the wall.
        let wall = Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.terminal
            .draw(|frame| view.render(frame, elapsed, day, [now, wall]))?;
        Ok(())
    }

    /// Completes when q or Ctrl-C is pressed.
    pub(super) async fn key(&mut self) {
        if self.keys.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Ends when the board is gone.
fn read_keys(press: &mpsc::Sender<()>) {
    while !press.is_closed() {
        match event::poll(LOOK).and_then(|ready| ready.then(event::read).transpose()) {
            Ok(Some(Event::Key(key))) if ends(key) => drop(press.try_send(())),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn ends(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => key.is_press(),
        KeyCode::Char('c') => key.is_press() && control,
        _ => false,
    }
}

impl View {
    fn render(&self, frame: &mut Frame<'_>, elapsed: Duration, day: &Day, [now, wall]: [Time; 2]) {
        let queues = day.seen.queues.len() as u16 + 3;
        let layout = [
            Constraint::Length(self.addresses.len() as u16),
            Constraint::Length(queues.max(5)),
            Constraint::Length(6),
            Constraint::Fill(2),
            Constraint::Fill(1),
            Constraint::Length(1),
        ];
        let [head, top, curve, middle, bottom, foot] = Layout::vertical(layout).areas(frame.area());
        let lines: Vec<Line<'_>> = self.addresses.iter().map(|line| Line::from(&**line)).collect();
        frame.render_widget(Paragraph::new(lines), head);
        frame.render_widget(legend(), foot);
        let halves = [Constraint::Fill(3), Constraint::Fill(2)];
        let [left, right] = Layout::horizontal(halves).areas(top);
        frame.render_widget(
            queue_table(&day.seen.queues).block(seen_block("queues", day)),
            left,
        );
        frame.render_widget(self.figures(elapsed, day), right);
        let waiting: Vec<u64> = self.waiting.iter().copied().collect();
        let title = format!(" waiting: {} ", day.seen.waiting());
        let sparkline = Sparkline::default()
            .data(&waiting)
            .style(Style::new().fg(Color::Yellow))
            .block(Block::bordered().title(title));
        frame.render_widget(sparkline, curve);
        let halves = [Constraint::Fill(1), Constraint::Length(52)];
        let [left, right] = Layout::horizontal(halves).areas(middle);
        waiting_table(frame, left, day, wall);
        operator_table(frame, right, day);
        news(frame, bottom, &day.books, now);
    }

    fn figures(&self, elapsed: Duration, day: &Day) -> Paragraph<'static> {
        let Day {
            books, seen, ledger, ..
        } = day;
        let ended = seen.ended();
        let figure = |name: &str, value: String| {
            let value = Span::styled(value, Style::new().add_modifier(Modifier::BOLD));
            Line::from(vec![Span::raw(format!("{name:<14}")), value])
        };
        let level = percent(books.service_level());
        let lines = vec![
            figure(
                "answered",
                format!("{}, abandoned {}", ended.answered, ended.abandoned),
            ),
            figure("service level", format!("{level} in {} s", books::WELL.as_secs())),
            figure("announced", status::promise(ledger.waits.closed.last())),
        ];
        let title = format!(" {} of {}   q: end ", clock(elapsed), clock(self.minutes));
        Paragraph::new(lines).block(Block::bordered().title(title))
    }
}

/// The frame of what the centre was last seen to have; its title says how old that is.
fn seen_block(name: &str, day: &Day) -> Block<'static> {
    let age = day.age().map(|age| format!(", {} s ago", age.as_secs()));
    Block::bordered().title(format!(" {name}{} ", age.unwrap_or_default()))
}

fn header(names: &[&'static str]) -> Row<'static> {
    Row::new(names.to_vec()).style(Style::new().add_modifier(Modifier::DIM))
}

fn queue_table(queues: &[Queue]) -> Table<'static> {
    let rows = queues.iter().map(|queue| {
        let longest = queue.longest_wait.map(clock).unwrap_or_default();
        Row::new([
            queue.name.clone(),
            queue.waiting.to_string(),
            longest,
            queue.ended.answered.to_string(),
            queue.ended.abandoned.to_string(),
            queue.joined.to_string(),
        ])
    });
    Table::new(rows.collect::<Vec<_>>(), [Constraint::Fill(1); 6]).header(header(&[
        "queue",
        "waiting",
        "longest",
        "answered",
        "abandoned",
        "joined",
    ]))
}

/// The longest first.
fn waiting_table(frame: &mut Frame<'_>, area: Rect, day: &Day, wall: Time) {
    let mut waiting: Vec<_> = day.ledger.waits.open.values().collect();
    waiting.sort_by_key(|waiting| waiting.since);
    let rows = waiting.into_iter().map(|waiting| {
        let told = waiting.told().map(|(at, wait)| {
            let (p50, p90) = (wait.p50.as_secs(), wait.p90.as_secs());
            format!("{p50}-{p90} s more, {} s ago", wall.since(at).as_secs())
        });
        Row::new([
            waiting.queue.to_string(),
            clock(wall.since(waiting.since)),
            told.unwrap_or_default(),
        ])
    });
    let widths = [Constraint::Length(10), Constraint::Length(8), Constraint::Fill(1)];
    let table = Table::new(rows.collect::<Vec<_>>(), widths)
        .header(header(&["queue", "waited", "was told"]))
        .block(Block::bordered().title(" callers who wait "));
    frame.render_widget(table, area);
}

/// The colour of each state, on the board and in its legend.
fn colour(state: State) -> Color {
    match state {
        State::Ready => Color::Green,
        State::Offered => Color::Yellow,
        State::Talking => Color::Cyan,
        State::WrapUp => Color::Blue,
        State::Paused | State::SignedOut => Color::DarkGray,
    }
}

fn legend() -> Line<'static> {
    let states = [
        State::Ready,
        State::Offered,
        State::Talking,
        State::WrapUp,
        State::Paused,
    ];
    let mut spans = vec![Span::raw("operators: ")];
    for state in states {
        spans.push(Span::styled(state.name(), Style::new().fg(colour(state))));
        spans.push(Span::raw("  "));
    }
    spans.push(Span::styled(
        "curve: newest left  q: end",
        Style::new().add_modifier(Modifier::DIM),
    ));
    Line::from(spans)
}

/// Each operator: what they do, and what they have done. The last row counts those for whom there is no room.
fn operator_table(frame: &mut Frame<'_>, area: Rect, day: &Day) {
    let operators = &day.seen.operators;
    let room = usize::from(area.height.saturating_sub(3));
    let shown = if operators.len() > room {
        room.saturating_sub(1)
    } else {
        operators.len()
    };
    let totals = |number: usize| day.books.operators.get(number).copied().unwrap_or_default();
    let mut rows: Vec<Row<'_>> = operators
        .iter()
        .take(shown)
        .enumerate()
        .map(|(number, operator)| {
            let tally = totals(number);
            Row::new([
                operator.id.clone(),
                operator.state.name().to_owned(),
                clock(operator.since),
                tally.answered.to_string(),
                clock(tally.talked),
                tally.missed.to_string(),
                tally.declined.to_string(),
            ])
            .style(Style::new().fg(colour(operator.state)))
        })
        .collect();
    if shown < operators.len() {
        let more = format!("+{}", operators.len() - shown);
        let answered: u64 = (shown..operators.len())
            .map(|number| totals(number).answered)
            .sum();
        let none = String::new;
        rows.push(Row::new([more, "more".to_owned(), none(), answered.to_string()]));
    }
    let widths = [4, 9, 6, 9, 7, 7, 8].map(Constraint::Length);
    let table = Table::new(rows, widths)
        .header(header(&[
            "id", "state", "since", "answered", "talked", "missed", "declined",
        ]))
        .column_spacing(0)
        .block(seen_block("operators", day));
    frame.render_widget(table, area);
}

/// The newest first.
fn news(frame: &mut Frame<'_>, area: Rect, books: &books::Books, now: Time) {
    let room = usize::from(area.height.saturating_sub(2));
    let lines = books.news.iter().rev().take(room).map(|(at, text)| {
        let ago = Span::styled(
            format!("{:>4} s ago  ", now.since(*at).as_secs()),
            Style::new().add_modifier(Modifier::DIM),
        );
        Line::from(vec![ago, Span::raw(text.clone())])
    });
    let paragraph =
        Paragraph::new(lines.collect::<Vec<_>>()).block(Block::bordered().title(" what happens "));
    frame.render_widget(paragraph, area);
}

#[cfg(test)]
pub(super) mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::watch::Operator;
    use super::*;

    /// The board of a day with this number of operators, as text.
    fn drawn_of(operators: usize, size: (u16, u16)) -> String {
        let folder = crate::config::tests::Folder::new();
        let mut day = Day::empty(folder.path(), operators);
        let state = State::Talking;
        day.seen.operators = (0..operators)
            .map(|number| Operator {
                id: super::super::ground::operator_id(number),
                state,
                since: Duration::from_secs(7),
            })
            .collect();
        for (number, tally) in day.books.operators.iter_mut().enumerate() {
            tally.answered = 10 + number as u64;
            tally.talked = Duration::from_secs(61);
        }
        drawn(&day, size)
    }

    /// The board of a day, as text.
    pub(in crate::demo) fn drawn(day: &Day, (width, height): (u16, u16)) -> String {
        let view = View {
            addresses: super::super::show::addresses(
                "127.0.0.1:37047".parse().unwrap(),
                "127.0.0.1:40225".parse().unwrap(),
            ),
            ..View::default()
        };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| view.render(frame, Duration::ZERO, day, [Time::ZERO; 2]))
            .unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_board_shows_whole_addresses_totals_of_each_operator_and_a_legend() {
        let board = drawn_of(3, (80, 30));
        for expected in [
            "sip:800@127.0.0.1:37047",
            "sip:801@127.0.0.1:37047",
            "127.0.0.1:40225",
            "answered",
            "operators: ready  ringing  talking  wrap-up  paused",
            "q: end",
        ] {
            assert!(board.contains(expected), "{expected}:\n{board}");
        }
        let row = board.lines().find(|line| line.contains("102 ")).unwrap();
        assert!(
            row.contains("talking") && row.contains("11") && row.contains("01:01"),
            "{row}"
        );
    }

    #[test]
    fn operators_without_room_are_counted() {
        let board = drawn_of(40, (80, 40));
        assert!(board.contains("+27") && board.contains("more"), "{board}");
    }

    #[test]
    fn q_escape_and_control_c_end_the_day_and_nothing_else_does() {
        let key = |code, modifiers| ends(KeyEvent::new(code, modifiers));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE));
        assert!(key(KeyCode::Esc, KeyModifiers::NONE));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE));
        assert!(!key(KeyCode::Enter, KeyModifiers::NONE));
    }
}
