"""What Google Ads refuses in an operation on a campaign budget."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.google.failures import ads_error
from sandbox.google.messages import CampaignBudget, Message
from sandbox.google.resources import BILLABLE_UNIT_MICROS
from sandbox.world import catalogue

MINIMUM_MICROS, MAXIMUM_MICROS = 10_000, 10**13


def refusal(
    amounts: Mapping[str, int], operation: Message, index: int, customer: str, seen: set[str]
) -> Message | None:
    """The error of one operation, or None; the sandbox changes amounts and nothing else."""

    def refuse(kind: str, code: str, message: str, *below: str) -> Message:
        return ads_error((kind, code), message, ("operations", index), *((name, None) for name in below))

    if operation.WhichOneof("operation") != "update":
        return refuse("mutate_error", "MUTATE_NOT_ALLOWED", "The sandbox only updates budgets.")
    name, micros = operation.update.resource_name, operation.update.amount_micros
    if name not in amounts or not name.startswith(f"customers/{customer}/"):
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
