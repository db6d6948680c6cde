"""The gRPC server: GoogleAdsService, CampaignBudgetService and CustomerService on the messages google-ads ships.

Errors travel as in the real API: a gRPC status, a GoogleAdsFailure in the trailer and a ``request-id``. Messages are
built as plain protobuf, which is many times faster than the proto-plus wrappers around it.
"""

from __future__ import annotations

import itertools
import os
import socket
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from typing import Any

import grpc
from google.protobuf import any_pb2, json_format
from google.protobuf.descriptor import FieldDescriptor
from google.rpc import error_details_pb2, status_pb2

from sandbox.google import gaql
from sandbox.google.resources import BILLABLE_UNIT_MICROS, QueryRefused, Row, search
from sandbox.world import catalogue
from sandbox.world.faults import FAILURES, Fault
from sandbox.world.state import State

VERSION = "v26"
_BASE = f"google.ads.googleads.{VERSION}"
FAILURE_TRAILER = f"{_BASE}.errors.googleadsfailure-bin"
STATUS_TRAILER = "grpc-status-details-bin"
MAX_OPERATIONS = 10_000
TOO_LARGE = 64 * 1024 * 1024 + 1  # bytes: what Google's client for Python takes, and one more
PAGE = 10_000
_ROWS_A_PART = 500
MINIMUM_MICROS, MAXIMUM_MICROS = 10_000, 10**13
_REMEMBERED_RESULTS = 4  # of searches with several pages
_S = grpc.StatusCode


def _pb(module: str, name: str) -> Any:
    """The protobuf class behind a proto-plus message of google-ads."""
    return getattr(import_module(f"{_BASE}.{module}"), name).pb()


_ads, _budgets = "services.types.google_ads_service", "services.types.campaign_budget_service"
SearchRequest, SearchResponse = _pb(_ads, "SearchGoogleAdsRequest"), _pb(_ads, "SearchGoogleAdsResponse")
StreamRequest, StreamResponse = _pb(_ads, "SearchGoogleAdsStreamRequest"), _pb(_ads, "SearchGoogleAdsStreamResponse")
GoogleAdsRow = _pb(_ads, "GoogleAdsRow")
MutateRequest, MutateResponse = (_pb(_budgets, f"MutateCampaignBudgets{kind}") for kind in ("Request", "Response"))
MutateResult = _pb(_budgets, "MutateCampaignBudgetResult")
CampaignBudget = _pb("resources.types.campaign_budget", "CampaignBudget")
AccessibleRequest, AccessibleResponse = (
    _pb("services.types.customer_service", f"ListAccessibleCustomers{kind}") for kind in ("Request", "Response")
)
GoogleAdsFailure, GoogleAdsError = (_pb("errors.types.errors", f"GoogleAds{kind}") for kind in ("Failure", "Error"))
_MUTABLE_RESOURCE = 2  # ResponseContentTypeEnum


class Abort(Exception):
    """Ends the call with a status; ``errors`` are GoogleAdsError messages, none for a bare transport error."""

    def __init__(self, status: grpc.StatusCode, message: str, *errors: Any, details: bytes = b"") -> None:
        super().__init__(message)
        self.status, self.message, self.errors, self.details = status, message, errors, details


def ads_error(error: tuple[str, str], message: str, *path: tuple[str, int | None]) -> Any:
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
    details: list[Any] = []
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


def too_large(answer: Any) -> Any:
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


def _broken_off(batches: Iterable[bytes], cut: Callable[[], None]) -> Iterator[bytes]:
    """The first half of the rows of a stream, and then no more."""
    rows = [row for batch in batches for row in StreamResponse.FromString(batch).results]
    yield StreamResponse(results=rows[: len(rows) // 2]).SerializeToString()
    cut()


# -- rows to messages ---------------------------------------------------------------------------------------------


Step = tuple[str, str]  # the name of a field in GAQL and in the message
Writer = Callable[[Any, list[Row]], None]  # adds rows to a response


def _setter(path: str) -> tuple[tuple[Step, ...], Callable[[Any, Any], None]]:
    """For a GAQL path: the steps to its parent in a GoogleAdsRow, and what writes a plain value into that parent.

    Raises QueryRefused.
    """
    fields: list[FieldDescriptor] = []
    parts = path.split(".")
    for part in parts:
        within = fields[-1].message_type if fields else GoogleAdsRow.DESCRIPTOR
        known = within.fields_by_name if within else {}
        found = known.get(part) or known.get(f"{part}_")  # Python's keywords carry an underscore
        if found is None:
            raise QueryRefused(("query_error", "UNRECOGNIZED_FIELD"), f"Unrecognized field in the query: '{path}'.")
        fields.append(found)
    *parents, leaf = fields
    name, is_message = leaf.name, leaf.message_type is not None
    numbers = {v.name: v.number for v in leaf.enum_type.values} if leaf.enum_type else {}

    def write(parent: Any, content: Any) -> None:
        if isinstance(content, dict):
            json_format.ParseDict(content, getattr(parent, name))
        elif isinstance(content, list):
            target = getattr(parent, name)
            (target.paths if is_message else target).extend(numbers.get(item, item) for item in content)
        else:
            setattr(parent, name, numbers.get(content, content) if numbers else content)

    return tuple((part, parent.name) for part, parent in zip(parts, parents, strict=False)), write


def _writer(query: gaql.Query) -> Writer:
    """The writer of the selected fields, and the resource names that always come along."""
    resources = {name.partition(".")[0] for name in query.select} - {"metrics", "segments"} | {query.resource}
    # By parent, which is then looked up once a row for all of its fields.
    parents: dict[tuple[Step, ...], list[tuple[str, Callable[[Any, Any], None]]]] = {}
    for path in sorted({*query.select, *(f"{resource}.resource_name" for resource in resources)}):
        steps, write = _setter(path)
        parents.setdefault(steps, []).append((path.rpartition(".")[2], write))

    def add(response: Any, rows: list[Row]) -> None:
        for row in rows:
            message = response.results.add()
            for steps, fields in parents.items():
                plain, target = row, message
                for part, name in steps:
                    plain, target = plain.get(part) or {}, getattr(target, name)
                for leaf, write in fields:
                    content = plain.get(leaf)
                    if content is not None:
                        write(target, content)

    return add


def _spoil(rows: list[Row], fault: Fault | None) -> list[Row]:
    """Rows as a data fault leaves them."""
    match fault.kind if fault else None:
        case "empty":
            return []
        case "duplicate_rows":
            return [row for row in rows for _ in range(2)]
        case "negative_metrics":
            worse = {name: -abs(number or 1) for name, number in rows[0].get("metrics", {}).items()} if rows else {}
            return [{**rows[0], "metrics": worse}, *rows[1:]] if worse else rows
        case "row_missing" if rows:
            largest = max(range(len(rows)), key=lambda at: rows[at].get("metrics", {}).get("cost_micros") or 0)
            return rows[:largest] + rows[largest + 1 :]
        case "inflated":
            more = 1 + (fault.args.get("share", 0.25) if fault else 0)
            return [
                {**row, "metrics": {k: type(v)(v * more) if v else v for k, v in row.get("metrics", {}).items()}}
                for row in rows
            ]
        case "value" if fault and rows:
            resource, _, name = fault.args["field"].partition(".")
            at, content = int(fault.args.get("at", 0)) % len(rows), fault.args["value"]
            if content in ("NaN", "Infinity", "-Infinity"):
                content = float(content)
            rows[at] = {**rows[at], resource: {**(rows[at].get(resource) or {}), name: content}}
            return rows
        case "unknown_currency":
            code = fault.args.get("currency", "XXX") if fault else ""
            spoilt = ("customer", "customer_client")
            return [{k: {**v, "currency_code": code} if k in spoilt else v for k, v in row.items()} for row in rows]
        case _:
            return rows


# -- services -----------------------------------------------------------------------------------------------------


class AdsServer:
    """The services over one state; ``serve`` binds them to a TLS port of the loopback."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._ids = itertools.count(1)
        self._results: OrderedDict[str, tuple[list[Row], Writer]] = OrderedDict()

    def serve(self, key: bytes, chain: bytes, port: int = 0) -> tuple[grpc.Server, int]:
        """Start with that private key and certificate chain (PEM); raises RuntimeError when the port is taken."""
        options = [("grpc.so_reuseport", 0)]  # two sandboxes on one port would share its calls between them
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=options)
        server.add_generic_rpc_handlers(self._handlers())
        bound = server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(key, chain)]))
        server.start()
        return server, bound

    def _handlers(self) -> list[Any]:
        def handler(service: str, method: str, run: Any, request: Any, response: Any, stream: bool = False) -> Any:
            make = grpc.unary_stream_rpc_method_handler if stream else grpc.unary_unary_rpc_method_handler
            call = make(
                self._stream(run) if stream else self._unary(method, run),
                request_deserializer=request.FromString,
                response_serializer=None if stream else response.SerializeToString,  # a stream comes serialised
            )
            return grpc.method_handlers_generic_handler(f"{_BASE}.services.{service}", {method: call})

        return [
            handler("GoogleAdsService", "Search", self._search, SearchRequest, SearchResponse),
            handler(
                "GoogleAdsService", "SearchStream", self._search_stream, StreamRequest, StreamResponse, stream=True
            ),
            handler("CampaignBudgetService", "MutateCampaignBudgets", self._mutate, MutateRequest, MutateResponse),
            handler(
                "CustomerService", "ListAccessibleCustomers", self._accessible, AccessibleRequest, AccessibleResponse
            ),
        ]

    def _unary(self, method: str, run: Callable[[Any, Fault | None, str], Any]) -> Callable[[Any, Any], Any]:
        """Around every call: the record of it, its token, its fault, and errors as Google Ads sends them."""

        def call(request: Any, context: grpc.ServicerContext) -> Any:
            request_id = f"sandbox-{next(self._ids)}"
            metadata = dict(context.invocation_metadata() or ())
            trailer: list[tuple[str, str | bytes]] = [("request-id", request_id)]
            try:
                self.state.calls.append(self._record(method, request, request_id, metadata))
                self._check_token(str(metadata.get("authorization", "")))
                return self._with_fault(method, request, request_id, run, context)
            except Abort as abort:
                if abort.errors:
                    failure = GoogleAdsFailure(errors=abort.errors, request_id=request_id)
                    trailer.append((FAILURE_TRAILER, failure.SerializeToString()))
                if abort.details:
                    trailer.append((STATUS_TRAILER, abort.details))
                status, message = abort.status, abort.message
            finally:
                context.set_trailing_metadata(tuple(trailer))
            return context.abort(status, message)

        return call

    def _stream(self, run: Any) -> Callable[[Any, Any], Iterator[Any]]:
        call = self._unary("SearchStream", run)

        def stream(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            yield from call(request, context)

        return stream

    def _check_token(self, header: str) -> None:
        if not header.startswith("Bearer "):
            message = "The request carries no OAuth token."
            error = ads_error(("authentication_error", "OAUTH_TOKEN_HEADER_INVALID"), message)
            raise Abort(_S.UNAUTHENTICATED, message, error)
        if self.state.is_expired(header.removeprefix("Bearer ")):
            raise abort_for(Fault("*", "auth_expired"))

    def _with_fault(self, method: str, request: Any, request_id: str, run: Any, context: grpc.ServicerContext) -> Any:
        text = getattr(request, "query", "")
        fault = self.state.take_fault(method, getattr(request, "customer_id", ""), text)
        if fault and fault.base == "cut" and method == "SearchStream":
            return _broken_off(run(request, fault, request_id), lambda: cut_connection(context))
        if fault and not fault.after_apply:
            self._strike(fault, request, context)
        answer = run(request, fault, request_id)
        if fault and fault.base == "too_large":
            return too_large(answer)
        if fault and fault.after_apply:
            self._strike(fault, request, context)
        return answer

    def _strike(self, fault: Fault, request: Any, context: grpc.ServicerContext) -> None:
        """What a fault does to a call before or after its work; a fault that only spoils data does nothing here."""
        if fault.failure:
            time.sleep(fault.args.get("sleep", 0))
            raise abort_for(fault)
        match fault.base:
            case "slow":
                time.sleep(fault.args.get("sleep", 2))
            case "cut":
                cut_connection(context)
                raise Abort(_S.UNAVAILABLE, "The connection was cut.")
            case "foreign_edit":
                name = fault.args.get("resource_name") or request.operations[0].update.resource_name
                user = fault.args.get("user", catalogue.MARKETING_USER)
                self.state.set_budgets({name: int(fault.args["amount_micros"])}, user, "GOOGLE_ADS_WEB_CLIENT")

    def _record(self, method: str, request: Any, request_id: str, metadata: dict[str, Any]) -> dict[str, Any]:
        record: dict[str, Any] = {
            "method": method,
            "request_id": request_id,
            "at": self.state.now().isoformat(),
            "login_customer_id": metadata.get("login-customer-id"),
        }
        if method != "ListAccessibleCustomers":
            record["customer_id"] = request.customer_id
        if method in ("Search", "SearchStream"):
            record["query"] = request.query
        if method == "MutateCampaignBudgets":
            record["validate_only"], record["partial_failure"] = request.validate_only, request.partial_failure
            record["operations"] = [
                {"resource_name": op.update.resource_name, "amount_micros": op.update.amount_micros}
                for op in request.operations
            ]
        return record

    # -- reading --

    def _customer(self, customer: str) -> str:
        if customer not in (catalogue.MANAGER, *catalogue.CUSTOMERS):
            raise abort_for(Fault("*", "permission"))
        return customer

    def _rows(self, request: Any, fault: Fault | None) -> tuple[gaql.Query, Iterator[Row], Writer]:
        """The parsed query, its rows, and what writes rows into a response."""
        customer = self._customer(request.customer_id)
        try:
            with self.state.lock:
                query, rows = search(self.state, customer, request.query)
            return query, iter(_spoil(list(rows), fault)) if fault else rows, _writer(query)
        except gaql.GaqlError as e:
            error, message = ("query_error", e.code), e.message
        except QueryRefused as e:
            error, message = e.error, e.message
        raise Abort(_S.INVALID_ARGUMENT, message, ads_error(error, message))

    def _search(self, request: Any, fault: Fault | None, request_id: str) -> Any:
        if request.page_size:
            message = "Setting the page size is not supported."
            raise Abort(_S.INVALID_ARGUMENT, message, ads_error(("request_error", "PAGE_SIZE_NOT_SUPPORTED"), message))
        result_id, _, offset = request.page_token.partition(":")
        at = int(offset or 0)
        if result_id in self._results:
            rows, write = self._results[result_id]
        else:
            _, found, write = self._rows(request, fault)
            rows, result_id = list(found), request_id
        token = ""
        if at + PAGE < len(rows):
            token = f"{result_id}:{at + PAGE}"
            self._results[result_id] = rows, write
            while len(self._results) > _REMEMBERED_RESULTS:
                self._results.popitem(last=False)
        response = SearchResponse(next_page_token=token, total_results_count=len(rows))
        write(response, rows[at : at + PAGE])
        return response

    def _search_stream(self, request: Any, fault: Fault | None, request_id: str) -> Iterator[bytes]:
        """Serialised StreamResponses."""
        query, rows, write = self._rows(request, fault)

        # A row takes 7 kB of memory, however few of its fields are set. So a batch is made when the client takes it,
        # and in parts: the bytes of a message are those of its parts, one after another.
        def batches() -> Iterator[bytes]:
            while page := list(itertools.islice(rows, PAGE)):
                parts = []
                for at in range(0, len(page), _ROWS_A_PART):
                    part = StreamResponse()
                    write(part, page[at : at + _ROWS_A_PART])
                    parts.append(part.SerializeToString())
                end = StreamResponse(request_id=request_id)
                end.field_mask.paths.extend(query.select)
                yield b"".join([*parts, end.SerializeToString()])

        return batches()

    def _accessible(self, request: Any, fault: Fault | None, request_id: str) -> Any:
        names = [f"customers/{customer}" for customer in (catalogue.MANAGER, *catalogue.CUSTOMERS)]
        return AccessibleResponse(resource_names=names)

    # -- writing --

    def _refusal(self, operation: Any, index: int, customer: str, seen: set[str]) -> Any | None:
        """The error of one operation, or None; the sandbox changes amounts and nothing else."""

        def refuse(kind: str, code: str, message: str, *below: str) -> Any:
            return ads_error((kind, code), message, ("operations", index), *((name, None) for name in below))

        if operation.WhichOneof("operation") != "update":
            return refuse("mutate_error", "MUTATE_NOT_ALLOWED", "The sandbox only updates budgets.")
        name, micros = operation.update.resource_name, operation.update.amount_micros
        if name not in self.state.amounts or not name.startswith(f"customers/{customer}/"):
            return refuse("mutate_error", "RESOURCE_NOT_FOUND", "Resource was not found.", "update", "resource_name")
        if name in seen:
            message = "Cannot mutate the same resource twice in one request."
            return refuse("mutate_error", "ID_EXISTS_IN_MULTIPLE_MUTATES", message)
        seen.add(name)
        mask = list(operation.update_mask.paths)
        if not mask:
            message = "The field mask must be provided for update operations."
            return refuse("field_mask_error", "FIELD_MASK_MISSING", message, "update_mask")
        for path in mask:
            if path not in CampaignBudget.DESCRIPTOR.fields_by_name:
                message = f"The field mask names no field of a budget: '{path}'."
                return refuse("field_mask_error", "FIELD_NOT_FOUND", message, "update_mask")
            if path != "amount_micros":
                return refuse("field_error", "IMMUTABLE_FIELD", f"'{path}' cannot be changed here.", "update", path)
        place = ("update", "amount_micros")
        if micros < 0:
            return refuse("campaign_budget_error", "NEGATIVE_MONEY_AMOUNT", "A money amount was negative.", *place)
        if micros % BILLABLE_UNIT_MICROS[catalogue.CURRENCY]:
            message = "A money amount was not a multiple of a minimum unit."
            return refuse("campaign_budget_error", "NON_MULTIPLE_OF_MINIMUM_CURRENCY_UNIT", message, *place)
        if micros > MAXIMUM_MICROS:
            message = "A money amount was greater than the maximum allowed."
            return refuse("campaign_budget_error", "MONEY_AMOUNT_TOO_LARGE", message, *place)
        if micros < MINIMUM_MICROS:
            message = "Budget amount must be above this campaign's per-day minimum."
            error = refuse("campaign_budget_error", "BUDGET_BELOW_PER_DAY_MINIMUM", message, *place)
            details = error.details.budget_per_day_minimum_error_details
            details.currency_code = catalogue.CURRENCY
            details.minimum_budget_amount_micros, details.failed_budget_amount_micros = MINIMUM_MICROS, micros
            return error
        return None

    def _mutate(self, request: Any, fault: Fault | None, request_id: str) -> Any:
        customer = self._customer(request.customer_id)
        if len(request.operations) > MAX_OPERATIONS:
            message = "Too many mutate operations in request."
            raise Abort(
                _S.INVALID_ARGUMENT, message, ads_error(("request_error", "TOO_MANY_MUTATE_OPERATIONS"), message)
            )
        errors, results, seen, accepted = [], [], set[str](), dict[str, int]()
        with self.state.lock:
            for index, operation in enumerate(request.operations):
                if fault and fault.kind == "partial" and fault.args.get("op_index", 0) == index:
                    kind, _, code = fault.args.get("error", "campaign_budget_error.MONEY_AMOUNT_TOO_LARGE").partition(
                        "."
                    )
                    error = ads_error((kind, code), "Refused by the sandbox as asked.", ("operations", index))
                else:
                    error = self._refusal(operation, index, customer, seen)
                result = MutateResult()
                if error is not None:
                    errors.append(error)
                else:
                    update = operation.update
                    accepted[update.resource_name] = update.amount_micros
                    result.resource_name = update.resource_name
                    if request.response_content_type == _MUTABLE_RESOURCE:
                        result.campaign_budget.resource_name = update.resource_name
                        result.campaign_budget.amount_micros = update.amount_micros
                results.append(result)
            if errors and not request.partial_failure:
                raise Abort(_S.INVALID_ARGUMENT, "Request contains an invalid argument.", *errors)
            if not request.validate_only:
                self.state.set_budgets(accepted, catalogue.PIPELINE_USER, "GOOGLE_ADS_API")

        response = MutateResponse(results=[] if request.validate_only else results)
        if errors:
            response.partial_failure_error.code = _S.INVALID_ARGUMENT.value[0]
            response.partial_failure_error.message = f"Multiple errors in ‘details’. First error: {errors[0].message}"
            failure = GoogleAdsFailure(errors=errors, request_id=request_id)
            response.partial_failure_error.details.append(
                any_pb2.Any(
                    type_url=f"type.googleapis.com/{_BASE}.errors.GoogleAdsFailure",
                    value=failure.SerializeToString(),
                )
            )
        return response
