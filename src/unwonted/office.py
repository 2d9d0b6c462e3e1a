"""The demo's log: a seeded month of office users' behaviour with five kinds of misuse, labels kept aside."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["MISUSE", "ORDINARY", "office_log"]

ORDINARY = "ordinary"
MISUSE = ("exfiltration", "stolen account", "night work", "password guessing", "slow copying")

_DAYS = 42  # six weeks, from a Monday
_START = datetime(2025, 3, 3)
_INCIDENTS = 12  # of each kind, each of three records by one user within one day
_PER_INCIDENT = 3

Row = dict[str, Any]


@dataclass(frozen=True)
class _Habit:
    """What someone does again and again: medians, with the user's own spread around them."""

    action: str
    application: str
    destination: str
    hour: float
    hours: float  # standard deviation
    bytes_out: float  # 0: nothing leaves
    files: float
    minutes: float  # 0: not a session, the length is not recorded
    host: str = ""  # empty: the user's own machine
    share: float = 1.0  # how many of the department have it


_H = _Habit
_DEPARTMENTS: dict[str, tuple[int, tuple[_Habit, ...]]] = {
    "finance": (
        6,
        (
            _H("view", "ledger", "internal", 10.5, 1.8, 0, 4, 25),
            _H("edit", "ledger", "internal", 14.5, 1.5, 3e4, 2, 40),
            _H("export", "ledger", "bank", 9.0, 0.6, 2e6, 1, 6, host="fin-ts1"),
            _H("share", "mail", "partner", 15.5, 1.5, 4e5, 1, 0, share=0.6),
        ),
    ),
    "sales": (
        8,
        (
            _H("view", "crm", "internal", 10.0, 2.0, 0, 6, 15),
            _H("edit", "crm", "internal", 16.0, 1.5, 2e4, 3, 20),
            _H("share", "mail", "customer", 11.5, 2.2, 1.5e6, 2, 0),
            _H("view", "crm", "internal", 20.0, 1.0, 0, 3, 12, share=0.4),
        ),
    ),
    "engineering": (
        8,
        (
            _H("edit", "repository", "internal", 14.0, 2.5, 6e4, 9, 90),
            _H("view", "wiki", "internal", 11.0, 2.0, 0, 5, 18),
            _H("run", "build", "cloud storage", 16.5, 1.8, 1.2e9, 60, 35, host="eng-build1"),
            _H("run", "monitor", "internal", 2.5, 1.1, 2e5, 2, 30, host="eng-build2", share=0.3),
        ),
    ),
    "people": (
        4,
        (
            _H("view", "payroll", "internal", 10.0, 1.4, 0, 3, 20),
            _H("edit", "payroll", "internal", 13.5, 1.4, 2e4, 2, 30),
            _H("share", "mail", "webmail", 15.0, 1.3, 5e5, 2, 0),
            _H("grant", "directory", "internal", 9.0, 0.7, 5e3, 1, 8, share=0.5),
        ),
    ),
    "support": (
        6,
        (
            _H("view", "helpdesk", "internal", 11.0, 2.2, 0, 8, 12),
            _H("edit", "helpdesk", "customer", 14.0, 2.2, 5e4, 2, 14),
            _H("download", "fileshare", "internal", 13.0, 2.0, 8e6, 4, 9, share=0.6),
            _H("view", "helpdesk", "internal", 3.0, 1.2, 0, 10, 15, share=0.35),
        ),
    ),
    "IT": (
        4,
        (
            _H("grant", "directory", "internal", 10.0, 1.5, 5e3, 2, 10, host="it-jump1"),
            _H("run", "backup", "cloud storage", 2.0, 0.8, 6e9, 140, 55, host="it-jump1", share=0.75),
            _H("login", "audit", "internal", 15.0, 1.2, 0, 0, 22, host="it-jump1", share=0.75),
            _H("edit", "wiki", "internal", 14.0, 1.6, 4e4, 2, 25),
        ),
    ),
    "design": (
        4,
        (
            _H("upload", "media", "cloud storage", 16.0, 1.6, 7e8, 45, 28, host="media-1"),
            _H("edit", "media", "internal", 13.0, 2.0, 5e7, 12, 110),
            _H("download", "media", "internal", 10.0, 1.2, 2e7, 90, 20, share=0.75),
            _H("share", "mail", "partner", 15.0, 1.5, 6e6, 3, 0),
        ),
    ),
}
_LOGIN = _H("login", "portal", "internal", 8.3, 0.5, 0, 0, 0)
_NAMES = (
    *(
        "amara",
        "anton",
        "bea",
        "boris",
        "carla",
        "chen",
        "dalia",
        "dario",
        "edith",
        "emeka",
        "fatma",
        "felix",
    ),
    *("greta", "gustav", "hana", "hugo", "ines", "ivan", "jana", "jonas", "kaori", "karim", "lena", "luca"),
    *("mara", "mateo", "nadia", "nils", "olga", "omar", "petra", "pavel", "rosa", "ravi", "selma", "tariq"),
    *("uma", "viktor", "wanda", "yusuf"),
)


@dataclass(frozen=True)
class _User:
    name: str
    department: str
    host: str
    country: str
    remote: float  # share of the work from home
    abroad: str
    offset: float  # hours by which the working day is shifted
    habits: tuple[_Habit, ...]
    weights: np.ndarray
    scale: np.ndarray  # (habits, 3): the user's own factor on bytes, files and minutes

    @property
    def works_at_night(self) -> bool:
        return any(habit.hour < 6 for habit in self.habits)


def _users(rng: np.random.Generator) -> list[_User]:
    """Forty people; who has which of the department's habits, and how much of each, is drawn."""
    names = iter(_NAMES)
    users: list[_User] = []
    for department, (people, habits) in _DEPARTMENTS.items():
        for _ in range(people):
            own = (_LOGIN, *(habit for habit in habits if rng.random() < habit.share))
            travels = department == "sales"
            users.append(
                _User(
                    name=next(names),
                    department=department,
                    host=f"ws-{len(users) + 11:03d}",
                    country=str(rng.choice(["CH", "DE", "FR"], p=[0.6, 0.25, 0.15])),
                    remote=float(rng.choice([0.0, 0.15, 0.5])),
                    abroad=str(rng.choice(["IT", "AT", "US"])) if travels else "",
                    offset=float(rng.normal(0, 0.5)),
                    habits=own,
                    weights=rng.dirichlet([2.0] + [6.0] * (len(own) - 1)),
                    scale=np.exp(rng.normal(0, 0.3, (len(own), 3))),
                )
            )
    return users


def _at(day: int, hour: float) -> datetime:
    return _START + timedelta(days=day, seconds=int(hour * 3600))


def _failures(application: str, rng: np.random.Generator) -> int:
    """IT's audits try many passwords on purpose; everyone else mistypes now and then."""
    if application == "audit":
        return int(rng.poisson(6))
    return int(rng.choice([0, 1, 2], p=[0.88, 0.09, 0.03])) if application == "portal" else 0


def _record(user: _User, day: int, rng: np.random.Generator, which: int | None = None) -> Row:
    """One ordinary record: a habit of the user's (or the one asked for) on that day."""
    index = int(rng.choice(len(user.habits), p=user.weights)) if which is None else which
    habit, (bytes_, files, minutes) = user.habits[index], user.scale[index]
    remote = not habit.host and rng.random() < user.remote
    abroad = remote and bool(user.abroad) and rng.random() < 0.4
    hour = float(np.clip(rng.normal(habit.hour + user.offset, 0.75 * habit.hours), 0.02, 23.98))
    return {
        "timestamp": _at(day, hour),
        "user": user.name,
        "department": user.department,
        "host": habit.host or user.host,
        "application": habit.application,
        "action": habit.action,
        "destination": habit.destination,
        "country": user.abroad if abroad else user.country,
        "remote": remote,
        "bytes_out": int(habit.bytes_out * bytes_ * np.exp(rng.normal(0, 0.6))),
        "files": int(rng.poisson(habit.files * files * rng.gamma(10, 0.1))),
        "session_minutes": round(habit.minutes * minutes * float(np.exp(rng.normal(0, 0.35))), 1) or None,
        "failed_logins": _failures(habit.application, rng),
    }


def _exfiltration(user: _User, users: list[_User], day: int, rng: np.random.Generator) -> Row:
    """Gigabytes, as a backup moves, out of the user's own application to where only others write."""
    known = {habit.destination for habit in user.habits}
    sources = [i for i, habit in enumerate(user.habits) if habit.bytes_out]
    away = [place for place in ("webmail", "partner", "customer") if place not in known]
    volume = int(1.5e9 * np.exp(rng.normal(0, 0.8)))
    record = _record(user, day, rng, int(rng.choice(sources)))
    return record | {"destination": str(rng.choice(away)), "bytes_out": volume}


def _stolen_account(user: _User, users: list[_User], day: int, rng: np.random.Generator) -> Row:
    """Another department's work under the user's name, at the user's desk or at one of that department."""
    own = {habit.application for habit in user.habits}
    others = [(u, i) for u in users for i, h in enumerate(u.habits) if h.application not in own and h.hour > 6]
    other, which = others[int(rng.integers(len(others)))]
    record = _record(user, day, rng)
    foreign = _record(other, day, rng, which)
    taken = ("application", "action", "destination", "bytes_out", "files", "session_minutes", "failed_logins")
    desk = {} if record["remote"] or rng.random() < 0.5 else {"host": foreign["host"]}
    return record | {column: foreign[column] for column in taken} | desk


def _night_work(user: _User, users: list[_User], day: int, rng: np.random.Generator) -> Row:
    """The user's own work, in the hours of those on call, at a weekend."""
    day += 5 - day % 7 + int(rng.integers(2))
    return _record(user, day, rng) | {"timestamp": _at(day, float(rng.uniform(0.5, 4.5)))}


def _password_guessing(user: _User, users: list[_User], day: int, rng: np.random.Generator) -> Row:
    """The user's account tried again and again, often as an audit does, from somebody else's machine."""
    desk = str(rng.choice([u.host for u in users if u.department != user.department]))
    tries = 3 + int(rng.poisson(3))
    return _record(user, day, rng, 0) | {"host": desk, "remote": False, "failed_logins": tries}


def _slow_copying(user: _User, users: list[_User], day: int, rng: np.random.Generator) -> Row:
    """The user's own reading, but file after file, for as long as others edit, as many as a build touches."""
    reading = [i for i, habit in enumerate(user.habits) if habit.action == "view"]
    record = _record(user, day, rng, int(rng.choice(reading)))
    longer = round(record["session_minutes"] * float(rng.uniform(3, 6)), 1)
    return record | {"files": 50 + int(rng.gamma(2, 30)), "session_minutes": longer}


_INJECT = dict(
    zip(
        MISUSE,
        (_exfiltration, _stolen_account, _night_work, _password_guessing, _slow_copying),
        strict=True,
    )
)


def _may(kind: str, user: _User) -> bool:
    """Nobody is accused of what is a habit of theirs: night shifts, volumes that a department moves."""
    if kind == "night work":
        return not user.works_at_night
    heavy = ("IT", "design", "engineering") if kind == "exfiltration" else ("IT", "design")
    return user.department not in heavy


def office_log(seed: int = 0) -> tuple[pa.Table, np.ndarray]:
    """Six weeks of forty office users: some 7,500 records in order of time, about 2.4 % of them misuse.

    Each user has two to five habits (an action in an application, at certain hours, on a certain host, to a
    certain destination, with volumes of its own). Every value that a misuse shows is ordinary for somebody:
    what gives it away is its combination with the user, the action or the hour.

    Args:
        seed: Draws the users, their habits and their records; the same seed gives the same log.

    Returns:
        The log, 13 columns, and beside it the kind of each record: `ORDINARY` or one of `MISUSE`.

    Example:
        >>> log, kinds = office_log(0)
        >>> log.num_columns, len(kinds) == log.num_rows
        (13, True)
        >>> set(kinds.tolist()) == {ORDINARY, *MISUSE}
        True
    """
    rng = np.random.default_rng(seed)
    users = _users(rng)
    records: list[tuple[str, Row]] = []
    for user in users:
        for day in range(_DAYS):
            weekend = day % 7 >= 5
            busy = rng.poisson(0.8 if weekend and user.works_at_night else 0.12 if weekend else 6.0)
            records += [(ORDINARY, _record(user, day, rng)) for _ in range(busy)]
    weekdays = [day for day in range(_DAYS) if day % 7 < 5]
    for kind, inject in _INJECT.items():
        suspects = [user for user in users if _may(kind, user)]
        for index in rng.choice(len(suspects), _INCIDENTS, replace=False):
            day = int(rng.choice(weekdays))
            records += [(kind, inject(suspects[index], users, day, rng)) for _ in range(_PER_INCIDENT)]
    records.sort(key=lambda item: item[1]["timestamp"])
    rows = [row for _, row in records]
    for column, share in (("session_minutes", 0.03), ("country", 0.02)):
        for index in np.flatnonzero(rng.random(len(rows)) < share):
            rows[index][column] = None
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return pa.table(columns), np.array([kind for kind, _ in records])
