"""One source each: `registry.py` names them all, `contract.py` says what each delivers, `pull.py` writes it."""
