"""The rule packs: secrets, e-mail addresses, telephone and card numbers, IBANs, IP addresses.

A number that only looks like a card or an IBAN fails its check digits, and stays. Telephone numbers are found in the
international form (+49 ...) and in that of North America; other national forms are too much like any number.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from tracer.redaction.rule import Found, Rule, by_pattern

_TOKENS = {
    "sk-": r"sk-[A-Za-z0-9_-]{16,256}",
    "pk-lf-": r"pk-lf-[A-Za-z0-9-]{16,64}",
    "pcsk_": r"pcsk_[A-Za-z0-9_]{16,128}",
    "gsk_": r"gsk_[A-Za-z0-9]{16,128}",
    "xai-": r"xai-[A-Za-z0-9]{16,128}",
    "pplx-": r"pplx-[A-Za-z0-9]{16,128}",
    "nvapi-": r"nvapi-[A-Za-z0-9_-]{16,128}",
    "r8_": r"r8_[A-Za-z0-9]{16,64}",
    "hf_": r"hf_[A-Za-z0-9]{20,64}",
    "lsv2_": r"lsv2_[a-z]{2}_[A-Za-z0-9_]{16,80}",
    "gh": r"gh[pousr]_[A-Za-z0-9]{20,255}",
    "github_pat_": r"github_pat_[A-Za-z0-9_]{20,255}",
    "glpat-": r"glpat-[A-Za-z0-9_-]{16,64}",
    "AKIA": r"AKIA[0-9A-Z]{16}(?![0-9A-Z])",
    "ASIA": r"ASIA[0-9A-Z]{16}(?![0-9A-Z])",
    "AIza": r"AIza[0-9A-Za-z_-]{35}",
    "ya29.": r"ya29\.[0-9A-Za-z_-]{16,512}",
    "GOCSPX-": r"GOCSPX-[0-9A-Za-z_-]{16,64}",
    "xox": r"xox[abeoprs]-[0-9A-Za-z-]{10,256}",
    "xapp-": r"xapp-[0-9A-Za-z-]{10,256}",
    "_live_": r"[prs]k_live_[0-9A-Za-z]{10,128}",
    "_test_": r"[prs]k_test_[0-9A-Za-z]{10,128}",
    "whsec_": r"whsec_[0-9A-Za-z+/=]{16,128}",
    "SG.": r"SG\.[0-9A-Za-z_-]{16,64}\.[0-9A-Za-z_-]{16,64}",
    "npm_": r"npm_[0-9A-Za-z]{30,64}",
    "pypi-": r"pypi-[0-9A-Za-z_-]{32,512}",
    "dop_v1_": r"dop_v1_[0-9a-f]{64}",
    "shpat_": r"shpat_[0-9A-Fa-f]{32}",
    "lin_api_": r"lin_api_[0-9A-Za-z]{32,64}",
    "ntn_": r"ntn_[0-9A-Za-z]{40,64}",
    "figd_": r"figd_[0-9A-Za-z_-]{32,64}",
    "dapi": r"dapi[0-9a-f]{32}",
    "hvs.": r"hvs\.[0-9A-Za-z_-]{20,256}",
    "dp.pt.": r"dp\.pt\.[0-9A-Za-z]{32,64}",
    "glsa_": r"glsa_[0-9A-Za-z_]{32,64}",
    "sbp_": r"sbp_[0-9a-f]{40}",
    "PMAK-": r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
    "AGE-SECRET-KEY-": r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    "key-": r"key-[0-9a-f]{32}",
    "SK": r"SK[0-9a-f]{32}",
    ":AA": r"[0-9]{8,10}:AA[0-9A-Za-z_-]{33}",
    "eyJ": r"eyJ[0-9A-Za-z_-]{8,4096}\.eyJ[0-9A-Za-z_-]{8,8192}(?:\.[0-9A-Za-z_-]{0,2048})?",
    "hooks.slack.com": r"hooks\.slack\.com/services/[0-9A-Za-z/]{20,80}",
    "/api/webhooks/": r"/api/webhooks/[0-9]{15,20}/[0-9A-Za-z_-]{50,80}",
}
"""Keys and tokens that carry the mark of who issued them: the mark, and the whole."""

_ASSIGNED = (
    r"(?i:password|passwd|passphrase|pwd|secret|api[_-]?key|apikey|access[_-]?key|auth[_-]?token|access[_-]?token"
    r"|refresh[_-]?token|accountkey|sharedaccesskey|(?<![a-z_])token|(?<![a-z])sig)"
    r"\\?[\"']?[ \t]{0,3}[:=][ \t]{0,3}\\?[\"']?"
    r"([^\s\"'`,;&<>\\]{6,512})"
)
_HAS_DIGIT_OR_SIGN = re.compile(r"[0-9!$%^*+#@~]")
_HEADER = r"(?i:bearer|basic|authorization:[ \t]?token)[ \t]+([A-Za-z0-9._~+/=-]{8,4096})"
_USER_INFO = r"[A-Za-z][A-Za-z0-9+.-]{1,20}://([^\s/@:\"'<>]{0,128}:[^\s/@\"'<>]{1,256})@"
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


def _key_blocks(text: str) -> Iterator[Found]:
    """A private key to the end of its block, or of the text where it is cut off."""
    place = 0
    while begin := _KEY_BLOCK.search(text, place):
        end = text.find("-----END ", begin.end())
        close = text.find("-----", end + 9) if end >= 0 else -1
        place = close + 5 if close >= 0 else len(text)
        yield Found(begin.start(), place, text[begin.start() : place])


def _likely_secret(raw: str) -> str | None:
    """A value behind `password=` and the like; plain words and calls are code, not secrets."""
    is_code = "(" in raw or raw.startswith(("$", "/", "./"))
    return raw if _HAS_DIGIT_OR_SIGN.search(raw) and not is_code else None


def _header_value(raw: str) -> str | None:
    """Behind "bearer" or "basic" stands a token, or English."""
    return raw if len(raw) >= 16 or _HAS_DIGIT_OR_SIGN.search(raw) else None


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())


def _phone(raw: str) -> str | None:
    """E.164 allows fifteen digits; fewer than eight are no international number, and one point makes a decimal."""
    found = _digits(raw)
    if re.fullmatch(r"\+\d+\.\d+", raw):
        return None
    return found if 8 <= len(found) <= 15 else None


def _american(raw: str) -> str:
    return "1" + _digits(raw)[-10:]


def luhn(digits: str) -> bool:
    """The check digit of card numbers: every second digit from the right doubled, the sum a multiple of ten."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14}"
)
"""Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, each with its lengths."""


def _card(raw: str) -> str | None:
    found = _digits(raw)
    return found if _ISSUERS.fullmatch(found) and luhn(found) else None


_IBAN_HEAD = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})[0-9]{2}(?=[ -]?[A-Za-z0-9])")
_COUNTRIES = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
    "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
    "YE30"
)
_IBAN_LENGTHS = {each[:2]: int(each[2:]) for each in _COUNTRIES.split()}


def valid_iban(text: str) -> bool:
    """ISO 13616: the first four letters moved to the end, letters as numbers from 10, the whole 1 modulo 97."""
    rearranged = (text[4:] + text[:4]).upper()
    return int("".join(str(int(letter, 36)) for letter in rearranged)) % 97 == 1


def _ibans(text: str) -> Iterator[Found]:
    """From each country code on, as many letters as the country's IBANs have, in groups or not."""
    for head in _IBAN_HEAD.finditer(text):
        length = _IBAN_LENGTHS.get(head[1].upper(), 0)
        place, letters = head.start(), ""
        while len(letters) < length and place < len(text):
            letter = text[place]
            if letter.isascii() and letter.isalnum():
                letters += letter
            elif letter not in " -" or text[place - 1] in " -":
                break
            place += 1
        ends = place >= len(text) or not text[place].isalnum()
        if length and len(letters) == length and ends and valid_iban(letters):
            yield Found(head.start(), place, letters.upper())


def _address(raw: str) -> str | None:
    """An IP address in its one spelling; loopback and the unspecified ones name nobody."""
    try:
        found = ipaddress.ip_address(raw)
    except ValueError:
        return None
    if found.is_loopback or found.is_unspecified or (found.version == 6 and not any(map(str.isdigit, raw))):
        return None
    return None if raw.endswith(".0.0.0") else str(found)


_MAIL = r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])"
_PHONE = r"(?<![\w+])\+[1-9](?:[ ().\-/]{0,2}\d){7,14}(?!\d)"
_AMERICAN = r"(?<![\w.+-])(?:\+?1[-. ])?(?:\([2-9]\d\d\)[ -]?|[2-9]\d\d[-.])\d{3}[-.]\d{4}(?![\w-])"
_CARD = (  # looked at, not consumed: the year before a number must not take its first group
    r"(?<![\d.])(?=((?:\d{13,19}|\d{4}([ -])\d{4}\2\d{4}\2\d{1,7}|\d{4}([ -])\d{6}\3\d{4,5})(?!\d)(?!\.\d)))"
)
_IPV4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)"
_IPV6 = r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])"


def _cards(text: str) -> Iterator[Found]:
    for match in re.finditer(_CARD, text):
        if (found := _card(match[1])) is not None:
            yield Found(*match.span(1), found)


SECRETS: tuple[Rule, ...] = (
    *(by_pattern("key", rf"(?<![A-Za-z0-9]){pattern}", hint) for hint, pattern in _TOKENS.items()),
    Rule("key", _key_blocks, ("PRIVATE KEY",), _KEY_BLOCK.pattern),
    by_pattern("key", _ASSIGNED, "=", ":", value=_likely_secret),
    by_pattern("key", _HEADER, "earer", "asic", "EARER", "ASIC", "uthorization", value=_header_value),
    by_pattern("key", _USER_INFO, "://"),
)
PACKS: dict[str, tuple[Rule, ...]] = {
    "secrets": SECRETS,
    "email": (by_pattern("mail", _MAIL, "@", value=str.lower),),
    "iban": (Rule("iban", _ibans, (), _IBAN_HEAD.pattern),),
    "card": (Rule("card", _cards, (), _CARD),),
    "phone": (
        by_pattern("tel", _PHONE, "+", value=_phone),
        by_pattern("tel", _AMERICAN, "-", ".", ")", value=_american),
    ),
    "ip": (by_pattern("ip", _IPV4, ".", value=_address), by_pattern("ip", _IPV6, ":", value=_address)),
}
"""By the names that the command line takes. Where places overlap, the one that begins first, then the longer, wins."""
