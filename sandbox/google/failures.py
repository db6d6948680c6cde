"""How a call ends badly: a gRPC status, a GoogleAdsFailure in the trailer, a connection that is cut."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta

import grpc
from google.rpc import error_details_pb2, status_pb2

from sandbox.google.messages import GoogleAdsError, Message, StreamResponse
from sandbox.world.faults import FAILURES, Fault

TOO_LARGE = 64 * 1024 * 1024 + 1  # bytes: what Google's client for Python takes, and one more


class Abort(Exception):
    """Ends the call with a status; ``errors`` are GoogleAdsError messages, none for a bare transport error."""

    def __init__(self, status: grpc.StatusCode, message: str, *errors: Message, details: bytes = b"") -> None:
        super().__init__(message)
        self.status, self.message, self.errors, self.details = status, message, errors, details


def ads_error(error: tuple[str, str], message: str, *path: tuple[str, int | None]) -> Message:
    """A GoogleAdsError with its code (field of ErrorCode, enum value) and the place in the request."""
    result = GoogleAdsError(message=message)
    kind, name = error
    enum = result.error_code.DESCRIPTOR.fields_by_name[kind].enum_type
    setattr(result.error_code, kind, enum.values_by_name[name].number)
    for field_name, index in path:
        element = result.location.field_path_elements.add(field_name=field_name)
        if index is not None:
            element.index = index
    return result


def status_details(code: grpc.StatusCode, fault: Fault) -> bytes:
    """The google.rpc.Status of the details that the fault asks for; empty without any."""
    details: list[Message] = []
    if reason := fault.args.get("error_info"):
        details.append(error_details_pb2.ErrorInfo(reason=reason, domain="googleapis.com"))
    if seconds := fault.args.get("retry_info"):
        details.append(error_details_pb2.RetryInfo())
        details[-1].retry_delay.FromTimedelta(timedelta(seconds=seconds))
    if description := fault.args.get("quota_failure"):
        violation = error_details_pb2.QuotaFailure.Violation(subject="project:1", description=description)
        details.append(error_details_pb2.QuotaFailure(violations=[violation]))
    status = status_pb2.Status(code=code.value[0], message=fault.message)
    for detail in details:
        status.details.add().Pack(detail)
    return bytes(status.SerializeToString()) if details else b""


def too_large(answer: Message | Iterator[bytes]) -> Message | Iterator[bytes]:
    """The same answer with a field that the client does not know and that no client takes."""
    padding = b"\xc2\x3e" + _varint(TOO_LARGE) + bytes(TOO_LARGE)  # field 1000, of bytes
    if hasattr(answer, "MergeFromString"):
        answer.MergeFromString(padding)
        return answer
    return (batch + padding for batch in answer)


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def abort_for(fault: Fault) -> Abort:
    """The end of a call that a fault with a failure asks for."""
    failure = FAILURES[fault.base]
    if fault.base == "status":
        code = grpc.StatusCode[fault.args.get("code", "UNKNOWN")]
        return Abort(code, fault.message, details=status_details(code, fault))
    if failure.error is None:
        return Abort(failure.grpc, fault.message)
    error = ads_error(failure.error, fault.message)
    if failure.error[0] == "quota_error":
        quota = error.details.quota_error_details
        quota.rate_scope = quota.DESCRIPTOR.fields_by_name["rate_scope"].enum_type.values_by_name["ACCOUNT"].number
        quota.rate_name = "Number of operations per account"
        quota.retry_delay.FromTimedelta(timedelta(seconds=fault.args.get("retry_delay", 30)))
    return Abort(failure.grpc, fault.message, error)


def cut_connection(context: grpc.ServicerContext) -> None:
    """Cut the client off in the middle of the answer: its beginning is on the wire, its end never comes.

    gRPC gives no access to a call's socket, so it is looked up among this process's own by the client's address.
    """
    with suppress(ValueError):  # an answer of which some rows were sent has begun already
        context.send_initial_metadata(())
    time.sleep(0.05)  # until what was sent is out
    client = int(context.peer().rpartition(":")[2])
    for entry in os.listdir("/dev/fd"):
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(int(entry)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(entry))) as connection:
                # The loopback's address may be written in either family; the port is what tells clients apart.
                if connection.getpeername()[1] == client and connection.getsockname()[1] != client:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
    raise RuntimeError(f"No connection to {context.peer()} was found, so it could not be cut.")


def broken_off(batches: Iterable[bytes], cut: Callable[[], None]) -> Iterator[bytes]:
    """The first half of the rows of a stream, and then no more."""
    rows = [row for batch in batches for row in StreamResponse.FromString(batch).results]
    yield StreamResponse(results=rows[: len(rows) // 2]).SerializeToString()
    cut()
