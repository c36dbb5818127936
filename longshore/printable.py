"""Foreign text made fit for terminals, logs and pages: whatever would act there is spelled out.

An escape sequence in an answer of a target could clear a screen, rename a window or forge what stands above it; an
invisible U+202E turns its line round.
"""

import unicodedata


def printable(text: str, keep: str = "") -> str:
    """`text` with every character but letters, signs, spaces and those in `keep` spelled out, as JSON spells them."""
    if text.isprintable():
        return text
    return "".join(each if each in keep or _shows(each) else f"\\u{ord(each):04x}" for each in text)


def _shows(character: str) -> bool:
    # Python counts the other spaces, e.g. the unbreakable one, as not printable.
    return character.isprintable() or unicodedata.category(character) == "Zs"
