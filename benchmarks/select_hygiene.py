"""The filters of the room select beside their peers: CPU seconds, recall and precision.

python benchmarks/select_hygiene.py TABLE [SIZE]

Tables: `duplicates` (beside datasketch and rensa), `scale` (the join of many signatures on disk).
SIZE is in megabytes for the first, in thousands of documents for the second. One thread; all sides
take the same real text in one run: files of this machine under /usr, in pieces.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOTS = ("/usr/share/doc", "/usr/share/perl", "/usr/include", "/usr/lib/python3.11")
KINDS = {"", ".txt", ".md", ".rst", ".h", ".hpp", ".py", ".pl", ".pm", ".html", ".gz"}
PIECE = 4_000
SLOTS, WIDTH, THRESHOLD = 128, 5, 0.8
# our tokens, written as an expression: bytes above 127 are word bytes
TOKEN = re.compile(rb"[0-9A-Za-z_\x80-\xff]+|[^0-9A-Za-z_\x80-\xff\x09-\x0d\x1c-\x20]+")


def pieces(megabytes: float) -> list[str]:
    """Return pieces of text files, from every root alike, shuffled."""
    out: list[str] = []
    for root in ROOTS:
        size = 0
        for path in sorted(Path(root).rglob("*")):
            if size > megabytes * 1e6 / len(ROOTS):
                break
            if path.suffix not in KINDS or path.is_symlink() or not path.is_file():
                continue
            try:
                data = path.read_bytes()
                text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
            except (OSError, UnicodeDecodeError, EOFError):
                continue
            found = [text[i : i + PIECE] for i in range(0, len(text) - 500, PIECE)]
            out += found
            size += sum(map(len, found))
    random.Random(0).shuffle(out)
    return out


def shingles(text: str) -> set[bytes]:
    """Return the shingles of a text, for the peers and for exact Jaccard."""
    found = TOKEN.findall(text.encode().lower())
    n = max(len(found) - WIDTH, 0) + 1 if found else 0
    return {b" ".join(found[i : i + WIDTH]) for i in range(n)}


def timed(run: Callable[[], object]) -> tuple[float, object]:
    """Return CPU seconds, all threads together, and the answer."""
    start = time.process_time()
    found = run()
    return time.process_time() - start, found


def ours(texts: list[str]) -> dict[str, object]:
    """Time ours: tokens, shingles and signatures are one pass over the bytes."""
    from ecotone.data.docs import Docs
    from ecotone.select import NearDuplicates
    from ecotone.select._minhash import signatures
    from ecotone.select._near_pairs import join

    NearDuplicates().mark(["a b c d e f g"] * 2)  # compile
    made, docs = timed(lambda: Docs.of(texts))
    sign, found = timed(lambda: signatures(docs, SLOTS, WIDTH))
    match, _ = timed(lambda: join(found, THRESHOLD))
    whole, marks = timed(lambda: NearDuplicates().mark(texts))
    return {"shingles": made, "sign": sign, "join": match, "marks": marks, "whole": whole}


def by_datasketch(texts: list[str]) -> dict[str, object]:
    """Time datasketch: shingles in Python, `update_batch`, its index, its estimate."""
    from datasketch import MinHash, MinHashLSH

    made, sets = timed(lambda: [shingles(t) for t in texts])

    def sign() -> list[MinHash]:
        out = []
        for s in sets:
            m = MinHash(num_perm=SLOTS)
            if s:
                m.update_batch(list(s))
            out.append(m)
        return out

    def match(found: list[MinHash]) -> np.ndarray:
        index, dropped = MinHashLSH(threshold=THRESHOLD, num_perm=SLOTS), np.zeros(len(texts), bool)
        for i, m in enumerate(found):
            dropped[i] = any(m.jaccard(found[j]) >= THRESHOLD for j in index.query(m))
            index.insert(i, m)
        return dropped

    signing, found = timed(sign)
    joining, dropped = timed(lambda: match(found))
    return {"shingles": made, "sign": signing, "join": joining, "dropped": dropped}


def by_rensa(texts: list[str]) -> dict[str, object]:
    """Time rensa's fastest way over whole sets: all signatures in one call, flags by its index."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    from rensa import RMinHash, RMinHashLSH

    made, sets = timed(lambda: [list(shingles(t)) for t in texts])
    sign, found = timed(
        lambda: RMinHash.digest_matrix_from_token_sets(sets, num_perm=SLOTS, seed=42)
    )

    def match() -> np.ndarray:
        index = RMinHashLSH(threshold=THRESHOLD, num_perm=SLOTS, num_bands=16)
        return np.array(index.query_duplicate_flags_matrix_one_shot(found), dtype=bool)

    joining, dropped = timed(match)
    return {"shingles": made, "sign": sign, "join": joining, "dropped": dropped}


def verified_by_rensa(texts: list[str]) -> np.ndarray:
    """Return what rensa's deduplicator drops, which compares the candidates' signatures."""
    from rensa import RMinHashDeduplicator

    dedup = RMinHashDeduplicator(threshold=THRESHOLD, num_perm=SLOTS, use_lsh=True)
    return ~np.array(dedup.add_pairs((str(i), list(shingles(t))) for i, t in enumerate(texts)))


def duplicates(megabytes: float) -> None:
    """Print speed, then recall and precision, of near-duplicates beside two peers."""
    texts = pieces(megabytes)
    size = sum(len(t.encode()) for t in texts) / 1e6
    print(f"near-duplicates: {size:.0f} MB in {len(texts):,} documents, {SLOTS} slots; CPU seconds")
    print("way          shingles  signatures    join   total  MB / s   whole filter")
    rows = {"ours": ours(texts), "datasketch": by_datasketch(texts), "rensa": by_rensa(texts)}
    for way, row in rows.items():
        made, sign, match = row["shingles"], row["sign"], row["join"]
        whole = f"{row['whole']:8.2f}" if "whole" in row else ""
        print(f"{way:12} {made:8.2f} {sign:11.2f} {match:7.2f} {made + sign + match:7.2f} "
              f"{size / (made + sign):7.1f}   {whole}")  # fmt: skip
    us = rows["ours"]
    print("how many times ours      text to signatures   signatures of ready shingles   whole")
    for way in ("datasketch", "rensa"):
        row = rows[way]
        text = (row["shingles"] + row["sign"]) / (us["shingles"] + us["sign"])
        # the hardest comparison: ours from text, theirs from shingles that cost them nothing
        ready = row["sign"] / us["sign"]
        whole = (row["shingles"] + row["sign"] + row["join"]) / us["whole"]
        print(f"{way:24} {text:18.1f} {ready:30.1f} {whole:7.1f}")
    quality(texts)


def edited(text: str, share: float, rng: np.random.Generator) -> str:
    """Replace a share of the words."""
    words = text.split(" ")
    for i in np.flatnonzero(rng.random(len(words)) < share).tolist():
        words[i] = f"x{rng.integers(10**9)}"
    return " ".join(words)


def planted(texts: list[str], n: int = 3000) -> tuple[list[str], np.ndarray]:
    """Return originals then copies, and the resemblance of each copy to its original."""
    rng = np.random.default_rng(0)
    keep, seen = [], set()
    for t in texts:  # originals share few shingles with each other: pairs are the whole truth
        own = shingles(t)
        if len(own) > 100 and len(own & seen) < 0.2 * len(own):
            keep.append(t)
            seen |= own
        if len(keep) == n:
            break
    copies, J = [], []
    for t in keep:
        for _ in range(20):
            c = edited(t, rng.uniform(0, 0.12), rng)
            a, b = shingles(t), shingles(c)
            near = len(a & b) / len(a | b)
            if near >= 0.6:
                copies.append(c)
                J.append(near)
                break
        else:
            copies.append(t)
            J.append(1.0)
    return keep + copies, np.array(J)


def quality(texts: list[str]) -> None:
    """Print recall and precision of all sides at the threshold, against exact Jaccard."""
    pool, J = planted(texts)
    n, true = len(J), J >= THRESHOLD
    counts = np.histogram(J, bins=[0.6, 0.7, 0.8, 0.9, 1.001])[0].tolist()
    print(f"{n:,} planted copies; Jaccard .6-.7, -.8, -.9, -1: {counts}")
    from ecotone.select import NearDuplicates

    rows = {
        "ours": NearDuplicates().mark(pool).dropped,
        "ours, signatures": NearDuplicates(verify="signatures").mark(pool).dropped,
        "datasketch": by_datasketch(pool)["dropped"],
        "rensa": verified_by_rensa(pool),
        "rensa, its flags": by_rensa(pool)["dropped"],
    }
    print("way                  recall  precision  originals dropped")
    for way, dropped in rows.items():
        found = dropped[n:]
        right = (found & true).sum()
        print(f"{way:20} {right / true.sum():6.3f} {right / max(found.sum(), 1):10.3f} "
              f"{int(dropped[:n].sum()):10d}")  # fmt: skip


def scale(thousands: float) -> None:
    """Print time and peak memory of the join of so many thousand signatures on disk."""
    from ecotone.data.docs import Docs
    from ecotone.select._minhash import signatures

    n, rng = int(thousands * 1000), np.random.default_rng(0)
    words = [np.array(t.split()[:300]) for t in pieces(10)[:2000]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signatures"
        mapped = np.memmap(path, np.uint32, "w+", shape=(n, SLOTS))
        for i in range(0, n, len(words)):
            # words in another order each time: no copies but one in ten, of few changes
            batch = [" ".join(rng.permutation(w)) for w in words[: n - i]]
            copies = [edited(t, 0.01, rng) for t in batch[::10]]
            batch[1::10] = copies[: len(batch[1::10])]
            mapped[i : i + len(batch)] = signatures(Docs.of(batch))
        mapped.flush()
        # in a process of its own, which has held nothing else
        subprocess.run([sys.executable, __file__, "join", str(path), str(n)], check=True)


def joined(path: str, n: int) -> None:
    """Join signatures on disk and say what it took."""
    from ecotone.select import NearDuplicates
    from ecotone.select._near_pairs import join

    NearDuplicates(verify="signatures").mark(["a b c d e f g"] * 2)
    mapped = np.memmap(path, np.uint32, "r", shape=(n, SLOTS))
    held = memory("VmRSS")
    seconds, first = timed(lambda: join(mapped, THRESHOLD))
    print(f"{n:,} signatures, {mapped.nbytes / 1e6:.0f} MB on disk: joined in {seconds:.2f} CPU s, "
          f"{int((first != np.arange(n)).sum()):,} near-copies")  # fmt: skip
    print(f"peak memory {memory('VmHWM'):.0f} MB, of which {held:.0f} MB before the join")


def memory(what: str) -> float:
    """Return a number of /proc/self/status in MB."""
    return int(Path("/proc/self/status").read_text().split(f"{what}:")[1].split()[0]) / 1024


TABLES: dict[str, tuple[Callable[[float], None], float]] = {
    "duplicates": (duplicates, 30),
    "scale": (scale, 200),
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["join"]:
        joined(sys.argv[2], int(sys.argv[3]))
        sys.exit()
    if len(sys.argv) < 2 or sys.argv[1] not in TABLES:
        sys.exit(f"python {sys.argv[0]} {'|'.join(TABLES)} [SIZE]")
    table, usual = TABLES[sys.argv[1]]
    table(float(sys.argv[2]) if len(sys.argv) > 2 else usual)
