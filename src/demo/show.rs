//! The view of the demonstration while it runs: a board on a terminal, elsewhere a line a second.

use std::io::{self, IsTerminal, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use pronto_demo::script::NUMBERS;
use pronto_types::Time;

use super::board::Board;
use super::ground::Ground;
use super::{Day, status};
use crate::demo::DemoArgs;

/// Where a person and a program reach the centre, in lines that fit a narrow terminal.
pub(super) fn addresses(sip: SocketAddr, grpc: SocketAddr) -> Vec<String> {
    let [italian, english] = NUMBERS;
    vec![
        format!("Pronto demo   Italian sip:{italian}@{sip}   English sip:{english}@{sip}"),
        format!("gRPC {grpc}"),
    ]
}

/// The view on standard output.
pub(super) struct Show {
    board: Option<Board>,
}

impl Show {
    /// Says what is about to be seen.
    pub(super) fn open(ground: &Ground, arguments: &DemoArgs) -> io::Result<Self> {
        let DemoArgs {
            callers,
            operators,
            minutes,
            seed,
            ..
        } = arguments;
        let (sip, grpc) = (ground.sip, ground.grpc);
        let for_long = status::clock(*minutes);
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "A centre with {operators} operators; {callers} callers call for {for_long} minutes (seed {seed})."
        )?;
        let [italian, english] = NUMBERS;
        writeln!(
            out,
            "Call it too: sip:{italian}@{sip} (it), sip:{english}@{sip} (en); gRPC {grpc}."
        )?;
        out.flush()?;
        let board = if out.is_terminal() {
            Some(Board::open(addresses(sip, grpc), *minutes)?)
        } else {
            None
        };
        Ok(Show { board })
    }

    /// Shows how things stand.
    pub(super) fn draw(&mut self, elapsed: Duration, day: &Day, now: Time) -> io::Result<()> {
        match &mut self.board {
            Some(board) => board.draw(elapsed, day, now),
            None => {
                let mut out = io::stdout().lock();
                writeln!(out, "{}", status::line(elapsed, day))?;
                out.flush()
            }
        }
    }

    /// Completes when a key is pressed that ends the day; never, without a board.
    pub(super) async fn key(&mut self) {
        match &mut self.board {
            Some(board) => board.key().await,
            None => std::future::pending().await,
        }
    }

    /// Gives the terminal back.
    pub(super) fn close(self) {
        drop(self.board);
    }
}
