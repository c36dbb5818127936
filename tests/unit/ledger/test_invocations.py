"""Letters as values."""

from dataclasses import asdict, fields

from longshore.ledger.invocations import InvocationRecord


def test_a_letter_as_a_dictionary_has_every_field() -> None:
    """Under its own name: exports and the API are made of it. How its record is written is no concern of theirs."""
    letter = InvocationRecord(**{field.name: f"the {field.name}" for field in fields(InvocationRecord)})  # type: ignore[arg-type]
    assert letter.as_dict() == {
        name: value for name, value in asdict(letter).items() if name not in ("format", "order")
    }
