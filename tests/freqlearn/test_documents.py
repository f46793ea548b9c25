import pytest

from freqlearn.documents import Format

RECIPE = Format("cookbook.recipe", 2, "a recipe", ("name", "steps"), "write it anew")
DOCUMENT = {"format": "cookbook.recipe", "version": 2, "name": "tea", "steps": []}


def test_a_document_gives_its_fields_back():
    document = RECIPE.document(name="tea", steps=[])
    assert document == DOCUMENT
    assert RECIPE.checked(document) == {"name": "tea", "steps": []}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, r'expected a recipe \("format": "cookbook.recipe"\), got \'NoneType\''),
        ({**DOCUMENT, "format": "freqlearn.channels"}, "got 'freqlearn.channels'"),
        ({**DOCUMENT, "version": 3}, "expected version 2 of a recipe, got 3; .*write it anew"),
        ({**DOCUMENT, "version": True}, "got True"),
        ({**DOCUMENT, "cost": 3}, r"unknown: \['cost'\], missing: \[\]"),
        ({key: DOCUMENT[key] for key in ("format", "version", "name")}, r"unknown: \[\], missing: \['steps'\]"),
    ],
    ids=["no mapping", "other format", "other version", "bool", "unknown field", "missing field"],
)
def test_refuses_what_it_does_not_understand(document, message):
    with pytest.raises(ValueError, match=message):
        RECIPE.checked(document)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000], ids=["empty", "open", "deep"])
def test_text_that_is_not_json(text):
    with pytest.raises(ValueError, match="expected a recipe as JSON"):
        RECIPE.parsed(text)
