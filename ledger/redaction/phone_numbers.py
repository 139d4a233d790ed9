"""How much of a run of digits and separators is a telephone number.

International numbers (ITU-T E.164) have a country's calling code and at most fifteen digits. A run may go on into the
next number of the sentence ("+1 415 555 0123 2 bags"), so the end is the last group of digits that still fits the
country. National numbers are recognized by their shape in the rules; here only dates that look like one are told
apart.
"""

from __future__ import annotations

import re

# Calling code -> fewest and most digits after it; countries not listed have 6 to 12.
_PLANS: dict[str, tuple[int, int]] = {
    "1": (10, 10), "7": (10, 10), "20": (8, 10), "27": (9, 9), "30": (10, 10), "31": (9, 9), "32": (8, 9),
    "33": (9, 9), "34": (9, 9), "36": (8, 9), "39": (6, 11), "40": (9, 9), "41": (9, 9), "43": (7, 13), "44": (9, 10),
    "45": (8, 8), "46": (7, 10), "47": (8, 8), "48": (9, 9), "49": (6, 11), "51": (8, 9), "52": (10, 11),
    "54": (10, 11), "55": (10, 11), "56": (9, 9), "57": (8, 10), "60": (8, 10), "61": (9, 9), "62": (8, 12),
    "63": (8, 10), "64": (8, 10), "65": (8, 8), "66": (8, 9), "81": (9, 10), "82": (8, 10), "84": (9, 10),
    "86": (10, 11), "90": (10, 10), "91": (10, 10), "92": (9, 10), "98": (10, 10), "351": (9, 9), "352": (6, 11),
    "353": (7, 9), "354": (7, 7), "358": (6, 11), "420": (9, 9), "421": (9, 9), "852": (8, 8), "886": (8, 9),
    "971": (8, 9), "972": (8, 9),
}  # fmt: skip
_OTHER_CODES = (
    " 53 58 93 94 95 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 "
    "238 239 240 241 242 243 244 245 246 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 "
    "267 268 269 290 291 297 298 299 350 355 356 357 359 370 371 372 373 374 375 376 377 378 380 381 382 383 385 "
    "386 387 389 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599 670 672 673 "
    "674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 850 853 855 856 880 960 961 962 "
    "963 964 965 966 967 968 970 973 974 975 976 977 992 993 994 995 996 998 "
)
_GROUP = re.compile("[0-9]+")
_DATE = re.compile("[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ](19|20)[0-9]{2}|(19|20)[0-9]{2}[-./ ][0-9]{1,2}[-./ ][0-9]{1,2}")


def international(text: str) -> list[int]:
    """How many characters of `text` (which starts with + or 00) can be an international number, most first."""
    trunk = text.find("(0)")
    digits = ""
    ends: list[int] = []
    plan: tuple[int, int] | None = None
    code = ""
    for group in _GROUP.finditer(text):
        if trunk >= 0 and group.start() == trunk + 1:
            continue
        digits += group.group()
        if not ends and text[0] == "0":
            digits = digits.removeprefix("00")
        if plan is None:
            for length in (1, 2, 3):
                code = digits[:length]
                if len(code) == length and (code in _PLANS or f" {code} " in _OTHER_CODES):
                    plan = _PLANS.get(code, (6, 12))
                    break
        if plan is None:
            if len(digits) >= 3:
                return []
            continue
        count = len(digits) - len(code)
        if count > plan[1]:
            break
        if count >= plan[0]:
            ends.append(group.end())
    return ends[::-1]


def national(text: str) -> list[int]:
    """All of `text` where it has 7 to 15 digits and is no date; else nothing."""
    count = sum(map(str.isdigit, text))
    return [len(text)] if 7 <= count <= 15 and not _DATE.match(text) else []


def announced(text: str) -> list[int]:
    """Where a number that a word announces can end, most digits first: 7 to 15; a long group is not gone beyond."""
    ends: list[int] = []
    count = 0
    for group in _GROUP.finditer(text):
        count += group.end() - group.start()
        if 7 <= count <= 15:
            ends.append(group.end())
        if group.end() - group.start() >= 9:
            break
    return [] if _DATE.match(text) else ends[::-1]
