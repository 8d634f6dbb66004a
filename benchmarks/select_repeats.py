"""What 5 % of a pool is worth where it repeats itself by nature: text of this machine.

python benchmarks/select_repeats.py

Domains are manual pages, package documentation, C headers, Perl and Python sources under /usr, each
at most 12 MB in pieces of 4,000 characters. Nothing is copied on purpose. A tenth of the target's
domain is learnt from, two are held out, the rest is in the pool with all other domains: three times
what is taken, so that a rule has a choice. Perplexity of
held-out target text under a bigram model counted on the choice, three seeds; see
`ecotone bench select --suite rules` for the rules. "near-copies" is the share of the pool whose
five-token shingles mostly stand in an earlier document.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from select_speed import texts

from ecotone.bench.selected import pose, run_one, summary
from ecotone.core.seeds import stream
from ecotone.report.tables import text_table
from ecotone.select import NearDuplicates

PLACES = {
    "manual": "/usr/share/man", "documentation": "/usr/share/doc", "headers": "/usr/include",
    "perl": "/usr/share/perl", "python": "/usr/lib/python3.11",
}  # fmt: skip
TARGETS = ("manual", "documentation", "headers", "perl")
BYTES, EACH, PART = 12_000_000, 3_000, 0.1


def main() -> None:
    """Print the table."""
    domains = {}
    for name, root in PLACES.items():
        found = texts(root, BYTES)
        order = stream(0, "repeats", name).permutation(len(found))[:EACH]
        if len(found) >= 400:
            domains[name] = [found[i] for i in order]
    print(", ".join(f"{name}: {len(t):,} pieces" for name, t in domains.items()))
    rows = []
    for target in (t for t in TARGETS if t in domains):
        _, _, _, pool, _ = pose(domains, target, 0, copies=0.0, part=PART)
        repeated = NearDuplicates(verify="signatures").mark(pool).dropped.mean()
        print(f"{target}: {len(pool):,} documents in the pool, {repeated:.0%} near-copies")
        rows += [r for seed in range(3) for r in run_one(target, seed, domains, 0.0, PART)]
    table = summary(rows)
    cells = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in r.values()] for r in table]
    print(text_table([c.upper() for c in table[0]], cells))


if __name__ == "__main__":
    main()
