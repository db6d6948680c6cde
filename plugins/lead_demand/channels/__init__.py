"""One source each: `registry.py` names them all, `contract.py` says what each delivers, `pull.py` writes it."""

from lead_demand.channels.registry import get_paid as get_paid
