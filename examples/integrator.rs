//! A client of Pronto's gRPC interface: it lists queues and operators, watches a queue, forecasts a wait, and sets an
//! operator's state. `docs/api.md` explains it; `integrator.py` does the same in Python.
//!
//!     cargo run --example integrator -- http://127.0.0.1:50051 watch support

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use pronto_proto::v1::callers_client::CallersClient;
use pronto_proto::v1::forecast_response::{Forecast, UnknownReason};
use pronto_proto::v1::operators_client::OperatorsClient;
use pronto_proto::v1::queues_client::QueuesClient;
use pronto_proto::v1::{
    ForecastRequest, GetQueueRequest, ListOperatorsRequest, ListQueuesRequest, Operator, OperatorState,
    Queue, SetOperatorStateRequest,
};
use rand::TryRng as _;
use rand::rngs::SysRng;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

const USAGE: &str = "expected ADDRESS queues|operators, watch|forecast QUEUE, or set OPERATOR STATE [REASON]";

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments, io::stdout()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", explain(&*failure));
            ExitCode::FAILURE
        }
    }
}

/// Carries out one command and writes what it finds.
pub(crate) async fn run(arguments: &[String], mut out: impl Write) -> Result<(), Failure> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, command) = words.split_first().ok_or(USAGE)?;
    let channel = connect(address)?;
    match *command {
        ["queues"] => {
            for queue in list_queues(channel).await? {
                writeln!(out, "{}", show_queue(&queue))?;
            }
        }
        ["operators"] => {
            for operator in list_operators(channel).await? {
                writeln!(out, "{}", show_operator(&operator))?;
            }
        }
        ["watch", queue] => watch(channel, queue, out).await?,
        ["forecast", queue] => writeln!(out, "{}", forecast(channel, queue).await?)?,
        ["set", operator, state] => {
            let operator = set_state(channel, operator, state, "").await?;
            writeln!(out, "{}", show_operator(&operator))?;
        }
        ["set", operator, state, reason] => {
            let operator = set_state(channel, operator, state, reason).await?;
            writeln!(out, "{}", show_operator(&operator))?;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

/// Makes a channel that connects when it is used, and again after it was closed.
fn connect(address: &str) -> Result<Channel, Failure> {
    let endpoint = Endpoint::from_shared(address.to_owned())?
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(5));
    Ok(endpoint.connect_lazy())
}

/// All queues, page by page.
async fn list_queues(channel: Channel) -> Result<Vec<Queue>, Status> {
    let mut client = QueuesClient::new(channel);
    let (mut queues, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListQueuesRequest {
            page_size: 0,
            page_token,
        };
        let page = client.list_queues(request).await?.into_inner();
        queues.extend(page.queues);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(queues);
        }
    }
}

/// All operators, page by page.
async fn list_operators(channel: Channel) -> Result<Vec<Operator>, Status> {
    let mut client = OperatorsClient::new(channel);
    let (mut operators, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListOperatorsRequest {
            page_size: 0,
            page_token,
        };
        let page = client.list_operators(request).await?.into_inner();
        operators.extend(page.operators);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(operators);
        }
    }
}

/// Writes a line whenever the queue has changed. Goes on when Pronto is restarted.
async fn watch(channel: Channel, queue: &str, mut out: impl Write) -> Result<(), Failure> {
    let mut client = QueuesClient::new(channel);
    let name = format!("queues/{queue}");
    let mut before = String::new();
    loop {
        match client.get_queue(GetQueueRequest { name: name.clone() }).await {
            Ok(queue) => {
                let now = show_queue(queue.get_ref());
                if now != before {
                    writeln!(out, "{now}")?;
                    out.flush()?;
                    before = now;
                }
            }
            Err(status) if may_be_repeated(&status) => {}
            Err(status) => return Err(status.into()),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The wait of a caller who would join the queue now.
async fn forecast(channel: Channel, queue: &str) -> Result<String, Status> {
    let request = ForecastRequest {
        name: format!("queues/{queue}"),
    };
    let answer = CallersClient::new(channel).forecast(request).await?.into_inner();
    let seconds = |wait: Option<prost_types::Duration>| wait.map_or(0, |wait| wait.seconds);
    let wait = match answer.forecast {
        Some(Forecast::Wait(wait)) => format!("P50 {} s, P90 {} s", seconds(wait.p50), seconds(wait.p90)),
        Some(Forecast::Unknown(unknown)) => {
            let reason = UnknownReason::try_from(unknown.reason).unwrap_or_default();
            reason.as_str_name().to_owned()
        }
        None => "no answer".to_owned(),
    };
    Ok(format!("{queue}: position {}, {wait}", answer.position))
}

/// Sets an operator's state: `ready`, `paused` or `signed-out`. The request has an id, so it can be repeated safely.
async fn set_state(channel: Channel, operator: &str, state: &str, reason: &str) -> Result<Operator, Failure> {
    let state = match state {
        "ready" => OperatorState::Ready,
        "paused" => OperatorState::Paused,
        "signed-out" => OperatorState::SignedOut,
        _ => return Err(USAGE.into()),
    };
    let request = SetOperatorStateRequest {
        name: format!("operators/{operator}"),
        state: state.into(),
        reason: reason.to_owned(),
        request_id: request_id()?,
    };
    let mut client = OperatorsClient::new(channel);
    let mut pause = Duration::from_millis(250);
    loop {
        match client.set_operator_state(request.clone()).await {
            Ok(operator) => return Ok(operator.into_inner()),
            Err(status) if may_be_repeated(&status) && pause < Duration::from_secs(10) => {}
            Err(status) => return Err(status.into()),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// 128 random bits, in hexadecimal digits.
fn request_id() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// Whether the same request may succeed later: Pronto restarts, is busy, or did not answer in time. Tonic reports
/// `Cancelled` when its own timeout has passed, and `Unknown` when the connection broke during the call.
fn may_be_repeated(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Cancelled
            | Code::Unknown
    )
}

fn show_queue(queue: &Queue) -> String {
    format!(
        "{}: {} waiting, {} offered, {} connected, {} of {} operators ready",
        queue.name.trim_start_matches("queues/"),
        queue.waiting,
        queue.offered,
        queue.connected,
        queue.operators_ready,
        queue.operators_signed_in
    )
}

fn show_operator(operator: &Operator) -> String {
    let id = operator.name.trim_start_matches("operators/");
    let state = operator.state().as_str_name();
    format!("{id}: {state} {}", operator.reason).trim_end().to_owned()
}

/// The code and the sentence of a refused call, or any other failure in its own words.
pub(crate) fn explain(failure: &(dyn Error + Send + Sync + 'static)) -> String {
    match failure.downcast_ref::<Status>() {
        Some(status) => format!("{:?}: {}", status.code(), status.message()),
        None => failure.to_string(),
    }
}
