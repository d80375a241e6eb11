r"""A client of Pronto's gRPC interface: it lists queues and operators, watches a queue, forecasts a wait, and sets an
operator's state. docs/api.md explains it; integrator.rs does the same in Rust.

    mkdir -p stubs
    python3 -m grpc_tools.protoc -I proto --python_out=stubs --grpc_python_out=stubs \
        proto/pronto/v1/callers.proto proto/pronto/v1/operators.proto proto/pronto/v1/queues.proto
    PYTHONPATH=stubs python3 examples/integrator.py 127.0.0.1:50051 watch support
"""

import os
import sys
import time
import uuid
from pathlib import Path

import grpc
from pronto.v1 import callers_pb2, callers_pb2_grpc
from pronto.v1 import operators_pb2, operators_pb2_grpc
from pronto.v1 import queues_pb2, queues_pb2_grpc

USAGE = "expected ADDRESS queues|operators, watch|forecast QUEUE, or set OPERATOR STATE [REASON]"

# Seconds until an answer is given up.
TIMEOUT = 5

# With these codes the same request may succeed later: Pronto restarts, is busy, or did not answer in time.
MAY_BE_REPEATED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)

STATES = {
    "ready": operators_pb2.OPERATOR_STATE_READY,
    "paused": operators_pb2.OPERATOR_STATE_PAUSED,
    "signed-out": operators_pb2.OPERATOR_STATE_SIGNED_OUT,
}


def connect(address):
    """A channel. PRONTO_CA names the authority's file for TLS, and PRONTO_TOKEN is the token of this client."""
    ca, token = os.environ.get("PRONTO_CA"), os.environ.get("PRONTO_TOKEN")
    if ca is None:
        return grpc.insecure_channel(address)
    key, certificate = os.environ.get("PRONTO_KEY"), os.environ.get("PRONTO_CERTIFICATE")
    credentials = grpc.ssl_channel_credentials(*(path and Path(path).read_bytes() for path in (ca, key, certificate)))
    if token is not None:
        # Sends "authorization: Bearer TOKEN" with each call.
        call = grpc.access_token_call_credentials(token)
        credentials = grpc.composite_channel_credentials(credentials, call)
    return grpc.secure_channel(address, credentials)


def list_queues(channel):
    """All queues, page by page."""
    client = queues_pb2_grpc.QueuesStub(channel)
    request = queues_pb2.ListQueuesRequest()
    while True:
        page = client.ListQueues(request, timeout=TIMEOUT)
        yield from page.queues
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def list_operators(channel):
    """All operators, page by page."""
    client = operators_pb2_grpc.OperatorsStub(channel)
    request = operators_pb2.ListOperatorsRequest()
    while True:
        page = client.ListOperators(request, timeout=TIMEOUT)
        yield from page.operators
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def watch(channel, queue):
    """Prints a line whenever the queue has changed. Goes on when Pronto is restarted."""
    client = queues_pb2_grpc.QueuesStub(channel)
    request = queues_pb2.GetQueueRequest(name=f"queues/{queue}")
    before = None
    while True:
        try:
            now = show_queue(client.GetQueue(request, timeout=TIMEOUT))
            if now != before:
                print(now, flush=True)
                before = now
        except grpc.RpcError as error:
            if error.code() not in MAY_BE_REPEATED:
                raise
        time.sleep(1)


def forecast(channel, queue):
    """The wait of a caller who would join the queue now."""
    client = callers_pb2_grpc.CallersStub(channel)
    request = callers_pb2.ForecastRequest(name=f"queues/{queue}")
    answer = client.Forecast(request, timeout=TIMEOUT)
    if answer.WhichOneof("forecast") == "wait":
        wait = f"P50 {answer.wait.p50.seconds} s, P90 {answer.wait.p90.seconds} s"
    else:
        wait = callers_pb2.ForecastResponse.UnknownReason.Name(answer.unknown.reason)
    return f"{queue}: position {answer.position}, {wait}"


def set_state(channel, operator, state, reason=""):
    """Sets an operator's state. The request has an id, so it can be repeated safely."""
    client = operators_pb2_grpc.OperatorsStub(channel)
    request = operators_pb2.SetOperatorStateRequest(
        name=f"operators/{operator}",
        state=STATES[state],
        reason=reason,
        request_id=str(uuid.uuid4()),
    )
    pause = 0.25
    while True:
        try:
            return client.SetOperatorState(request, timeout=TIMEOUT)
        except grpc.RpcError as error:
            if error.code() not in MAY_BE_REPEATED or pause > 10:
                raise
        time.sleep(pause)
        pause *= 2


def show_queue(queue):
    return (
        f"{queue.name.removeprefix('queues/')}: {queue.waiting} waiting, {queue.offered} offered, "
        f"{queue.connected} connected, {queue.operators_ready} of {queue.operators_signed_in} operators ready"
    )


def show_operator(operator):
    state = operators_pb2.OperatorState.Name(operator.state)
    return f"{operator.name.removeprefix('operators/')}: {state} {operator.reason}".rstrip()


def main(address, *command):
    with connect(address) as channel:
        if command == ("queues",):
            for queue in list_queues(channel):
                print(show_queue(queue))
        elif command == ("operators",):
            for operator in list_operators(channel):
                print(show_operator(operator))
        elif command[:1] == ("watch",) and len(command) == 2:
            watch(channel, command[1])
        elif command[:1] == ("forecast",) and len(command) == 2:
            print(forecast(channel, command[1]))
        elif command[:1] == ("set",) and len(command) in (3, 4) and command[2] in STATES:
            print(show_operator(set_state(channel, *command[1:])))
        else:
            sys.exit(USAGE)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(USAGE)
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
