"""The faults that are queued for the calls to come, on disk with the rest of the state."""

from __future__ import annotations

import json
import sqlite3
import threading

from sandbox.world.faults import Fault


class FaultQueue:
    """The table ``faults``, oldest first."""

    def __init__(self, db: sqlite3.Connection, lock: threading.RLock) -> None:
        self._db, self._lock = db, lock

    def add(self, fault: Fault) -> None:
        with self._lock, self._db:
            self._db.execute(
                "insert into faults (method, kind, times, args) values (?, ?, ?, ?)",
                [fault.method, fault.kind, fault.times, json.dumps(fault.args)],
            )

    def clear(self) -> int:
        """Forget all queued faults; gives how many there were."""
        with self._lock, self._db:
            return self._db.execute("delete from faults").rowcount

    def take(self, method: str, customer: str = "", text: str = "") -> Fault | None:
        """The oldest queued fault that matches this call; uses up one of its times."""
        with self._lock, self._db:
            for row_id, name, kind, times, args in self._db.execute("select * from faults order by id").fetchall():
                fault = Fault(name, kind, times, json.loads(args))
                if fault.matches(method, customer, text):
                    if times == 1:
                        self._db.execute("delete from faults where id = ?", [row_id])
                    else:
                        self._db.execute("update faults set times = times - 1 where id = ?", [row_id])
                    return fault
        return None
