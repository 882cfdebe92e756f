"""Whatever text comes in, an answer comes out, fit to be stored."""

import random

from clicktrail import enrich

ODD = [
    "\x00", "\x00\x00/?#", "🛒", "\u202eevil\u202c", "\u2028", "\ufeff", "%", "%zz", "%00", "://", "//", "///", "http://",
    "http://[", "http://]", "http://@", "http://:@:", "?", "#", "&&&===", "?utm_source", "a" * 100_000,
    "/" * 10_000, "(" * 3_000, "http://" + "a." * 5_000, "x@y", "1" * 40, "::", "::ffff:", "1.2.3.4.5",
    "256.1.1.1", "١٢٣.١.١.١", "Mozilla/5.0 (" + ";" * 5_000,
]  # fmt: skip
ALPHABET = [
    *"abcGoogle.com:/?#[]@!$&'()*+,;=%0129 \t\n\x00\x7f\x85\xa0",
    "é",
    "ß",
    "İ",
    "ǆ",
    "🛒",
    "\u202e",
    "\u0661",
    "utm_source=",
    "http://",
]


def _texts() -> list[str]:
    source = random.Random(7)
    return ODD + ["".join(source.choices(ALPHABET, k=source.randrange(60))) for _ in range(3_000)]


def test_no_text_makes_an_enrichment_fail() -> None:
    texts = _texts()
    for text, other in zip(texts, reversed(texts), strict=True):
        answers = [
            *enrich.user_agent(text),
            *enrich.referrer(text, other),
            *enrich.page(text, other, text)[:3],
            *enrich.campaign({"source": text, "name": other}, text),
            *enrich.campaign(None, enrich.page(text, None, other).raw_query),
            *enrich.address(text),
            enrich.plain_url(text),
        ]
        for answer in answers:
            assert answer is None or isinstance(answer, bool) or (isinstance(answer, str) and answer != "")
            if isinstance(answer, str):
                answer.encode()  # storable


def test_a_host_is_never_longer_than_a_host_may_be_and_a_path_always_starts_at_the_root() -> None:
    for text in _texts():
        page = enrich.page(text)
        assert page.host is None or (len(page.host) <= 253 and page.host == page.host.lower() and " " not in page.host)
        assert page.path is None or page.path.startswith("/")


def test_no_mail_address_of_a_query_is_kept() -> None:
    source = random.Random(8)
    for _ in range(500):
        noise = "".join(source.choices("abcxyz0189=+-_.~%", k=12))
        query = enrich.page(f"https://a.example/?{noise}&ref=ann%40mail.example&{noise}=bob@mail.example").query or ""
        assert "mail.example" not in query
