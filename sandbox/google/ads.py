"""The gRPC server: GoogleAdsService, CampaignBudgetService and CustomerService on the messages google-ads ships.

Errors travel as in the real API: a gRPC status, a GoogleAdsFailure in the trailer and a ``request-id``.
"""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any, cast

import grpc
from google.protobuf import any_pb2

from sandbox.google import gaql
from sandbox.google.failures import Abort, abort_for, ads_error, broken_off, cut_connection, too_large
from sandbox.google.messages import (
    BASE,
    AccessibleRequest,
    AccessibleResponse,
    GoogleAdsFailure,
    Message,
    MutateRequest,
    MutateResponse,
    MutateResult,
    SearchRequest,
    SearchResponse,
    StreamRequest,
    StreamResponse,
)
from sandbox.google.query import QueryRefused, search
from sandbox.google.refusals import refusal
from sandbox.google.resources import Row
from sandbox.google.rows import Writer, spoiled, writer
from sandbox.world import catalogue
from sandbox.world.faults import Fault
from sandbox.world.state import State

FAILURE_TRAILER = f"{BASE}.errors.googleadsfailure-bin"
STATUS_TRAILER = "grpc-status-details-bin"
MAX_OPERATIONS = 10_000
PAGE = 10_000
_ROWS_A_PART = 500
_REMEMBERED_RESULTS = 4  # of searches with several pages
_MUTABLE_RESOURCE = 2  # ResponseContentTypeEnum
_S = grpc.StatusCode

Answer = Message | Iterator[bytes]  # of a stream: its messages, serialised
Run = Callable[[Message, Fault | None, str], Answer]  # one call, with its fault and its request id


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

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        def handler(
            service: str,
            method: str,
            run: Run,
            read: Callable[[bytes], Message],
            write: Callable[[Message], bytes] | None,
        ) -> grpc.GenericRpcHandler:
            is_stream = write is None  # a stream comes serialised
            make = grpc.unary_stream_rpc_method_handler if is_stream else grpc.unary_unary_rpc_method_handler
            call = make(
                self._stream(run) if is_stream else self._unary(method, run),
                request_deserializer=read,
                response_serializer=write,
            )
            return grpc.method_handlers_generic_handler(f"{BASE}.services.{service}", {method: call})

        return [
            handler(
                "GoogleAdsService",
                "Search",
                self._search,
                SearchRequest.FromString,
                SearchResponse.SerializeToString,
            ),
            handler("GoogleAdsService", "SearchStream", self._search_stream, StreamRequest.FromString, None),
            handler(
                "CampaignBudgetService",
                "MutateCampaignBudgets",
                self._mutate,
                MutateRequest.FromString,
                MutateResponse.SerializeToString,
            ),
            handler(
                "CustomerService",
                "ListAccessibleCustomers",
                self._accessible,
                AccessibleRequest.FromString,
                AccessibleResponse.SerializeToString,
            ),
        ]

    def _unary(self, method: str, run: Run) -> Callable[[Message, grpc.ServicerContext], Answer]:
        """Around every call: the record of it, its token, its fault, and errors as Google Ads sends them."""

        def call(request: Message, context: grpc.ServicerContext) -> Answer:
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

    def _stream(self, run: Run) -> Callable[[Message, grpc.ServicerContext], Iterator[bytes]]:
        call = self._unary("SearchStream", run)

        def stream(request: Message, context: grpc.ServicerContext) -> Iterator[bytes]:
            yield from cast("Iterator[bytes]", call(request, context))

        return stream

    def _check_token(self, header: str) -> None:
        if not header.startswith("Bearer "):
            message = "The request carries no OAuth token."
            error = ads_error(("authentication_error", "OAUTH_TOKEN_HEADER_INVALID"), message)
            raise Abort(_S.UNAUTHENTICATED, message, error)
        if self.state.tokens.is_expired(header.removeprefix("Bearer ")):
            raise abort_for(Fault("*", "auth_expired"))

    def _with_fault(
        self, method: str, request: Message, request_id: str, run: Run, context: grpc.ServicerContext
    ) -> Answer:
        text = getattr(request, "query", "")
        fault = self.state.faults.take(method, getattr(request, "customer_id", ""), text)
        if fault and fault.base == "cut" and method == "SearchStream":
            return broken_off(cast("Iterator[bytes]", run(request, fault, request_id)), lambda: cut_connection(context))
        if fault and not fault.after_apply:
            self._strike(fault, request, context)
        answer = run(request, fault, request_id)
        if fault and fault.base == "too_large":
            return too_large(answer)
        if fault and fault.after_apply:
            self._strike(fault, request, context)
        return answer

    def _strike(self, fault: Fault, request: Message, context: grpc.ServicerContext) -> None:
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

    def _record(self, method: str, request: Message, request_id: str, metadata: dict[str, Any]) -> dict[str, Any]:
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

    def _rows(self, request: Message, fault: Fault | None) -> tuple[gaql.Query, Iterator[Row], Writer]:
        """The parsed query, its rows, and what writes rows into a response."""
        customer = self._customer(request.customer_id)
        try:
            with self.state.lock:
                query, rows = search(self.state, customer, request.query)
            return query, iter(spoiled(list(rows), fault)) if fault else rows, writer(query)
        except gaql.GaqlError as e:
            error, message = ("query_error", e.code), e.message
        except QueryRefused as e:
            error, message = e.error, e.message
        raise Abort(_S.INVALID_ARGUMENT, message, ads_error(error, message))

    def _search(self, request: Message, fault: Fault | None, request_id: str) -> Message:
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

    def _search_stream(self, request: Message, fault: Fault | None, request_id: str) -> Iterator[bytes]:
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

    def _accessible(self, request: Message, fault: Fault | None, request_id: str) -> Message:
        names = [f"customers/{customer}" for customer in (catalogue.MANAGER, *catalogue.CUSTOMERS)]
        return AccessibleResponse(resource_names=names)

    # -- writing --

    def _mutate(self, request: Message, fault: Fault | None, request_id: str) -> Message:
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
                    error: Message | None = ads_error(
                        (kind, code), "Refused by the sandbox as asked.", ("operations", index)
                    )
                else:
                    error = refusal(self.state.amounts, operation, index, customer, seen)
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
                    type_url=f"type.googleapis.com/{BASE}.errors.GoogleAdsFailure",
                    value=failure.SerializeToString(),
                )
            )
        return response
