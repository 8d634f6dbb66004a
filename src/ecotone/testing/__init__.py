"""Public: what every method is held to, also methods kept in other packages.

`ecotone.testing.laws` has the laws, functions over a `Method` that raise `Broken` with a sentence;
`ecotone.testing.cases` the small inputs they are run on; `ecotone.testing.fixtures` made corpora,
trials from a known law, and hypothesis strategies. A method's own test may read::

    from ecotone.core.method import find
    from ecotone.testing import laws


    def test_laws():
        for law in laws.of(find("my_method")):
            law(find("my_method"))
"""

from __future__ import annotations
