"""Rows of columns and rows in Converse form become good Converse rows, and what is wrong with a row is named."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.datasets.faults import RejectedRowError
from lambda_handlers.datasets.forms import converse
from lambda_handlers.datasets.forms.form import RowSettings
from lambda_handlers.datasets.forms.sft import CONVERSE, ConverseTransform
from tests.datasets.converse_support import ANSWER, CALL, IMAGE, QUESTION, REASONING, TOOLS, row, turns
from tests.datasets.forms_support import codes, line, made, refusal

BITS = {name: 2 << index for index, name in enumerate(converse.FEATURES)}
FLAT = 1
MEDIA_ROW = {"q": "Logo?", "a": "A cat", "f": "png", "u": "s3://bk/i.png", "o": "111122223333"}
MEDIA_COLUMNS = {"question": "q", "answer": "a", "image_format": "f", "s3_uri": "u", "bucket_owner": "o"}


def sft(nova: int = 2, **settings: Any) -> ConverseTransform:
    return ConverseTransform(RowSettings(nova=nova, **settings))


def flat(**values: Any) -> dict[str, Any]:
    return {"question": "x", "answer": "y", **values}


def test_the_form_is_described() -> None:
    assert (CONVERSE.name, CONVERSE.output) == ("converse", "train.jsonl")
    assert CONVERSE.required == ("question", "answer")
    assert set(CONVERSE.optional) == {
        "system",
        "reasoning_text",
        "image_format",
        "video_format",
        "s3_uri",
        "bucket_owner",
    }
    assert set(CONVERSE.modalities) == {"image", "video", "document"} < set(CONVERSE.features)


# Worked examples


@pytest.mark.parametrize("nova", [1, 2])
def test_a_mapped_row_becomes_a_conversation_with_its_system_prompt(nova: int) -> None:
    columns = {"question": "q", "answer": "a", "system": "s"}
    assert made(CONVERSE, {"q": "Capital of Peru?", "a": "Lima", "s": "Geo bot"}, nova=nova, columns=columns) == {
        "schemaVersion": "bedrock-conversation-2024",
        "system": [{"text": "Geo bot"}],
        "messages": [
            {"role": "user", "content": [{"text": "Capital of Peru?"}]},
            {"role": "assistant", "content": [{"text": "Lima"}]},
        ],
    }


@pytest.mark.parametrize("nova", [1, 2])
@pytest.mark.parametrize(("name", "file_format"), [("image", "png"), ("video", "mp4")])
def test_an_image_or_a_video_comes_before_the_question(nova: int, name: str, file_format: str) -> None:
    columns = {**MEDIA_COLUMNS, f"{name}_format": "f"}
    if name == "video":
        del columns["image_format"]
    content = made(CONVERSE, {**MEDIA_ROW, "f": file_format}, nova=nova, columns=columns)["messages"][0]["content"]
    location = {"uri": "s3://bk/i.png", "bucketOwner": "111122223333"}
    assert content == [{name: {"format": file_format, "source": {"s3Location": location}}}, {"text": "Logo?"}]


def test_reasoning_comes_before_the_answer_on_nova_2_and_is_left_out_on_nova_1() -> None:
    settings: dict[str, Any] = {"columns": {"question": "q", "answer": "a", "reasoning_text": "r"}}
    data = {"q": "x", "a": "y", "r": "because"}
    assert made(CONVERSE, data, nova=2, **settings)["messages"][1]["content"] == [REASONING, {"text": "y"}]
    assert made(CONVERSE, data, nova=1, **settings)["messages"][1]["content"] == [{"text": "y"}]
    assert made(CONVERSE, {**data, "r": "User: x"}, nova=1, **settings)["messages"][1]["content"] == [{"text": "y"}]
    assert made(CONVERSE, {**data, "r": " "}, nova=2, **settings)["messages"][1]["content"] == [{"text": "y"}]


# Columns


def test_columns_of_standard_names_need_no_mapping() -> None:
    row_ = flat(system="S", reasoning_text="because", video_format="MP4", s3_uri=" s3://b/v.mp4 ", bucket_owner="1")
    assert made(CONVERSE, row_)["messages"] == turns(
        [
            {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v.mp4", "bucketOwner": "1"}}}},
            {"text": "x"},
        ],
        [REASONING, {"text": "y"}],
    )


def test_no_system_prompt_is_invented() -> None:
    assert "system" not in made(CONVERSE, flat())


def test_the_configured_system_prompt_stands_in_where_a_row_has_none() -> None:
    settings: dict[str, Any] = {"system_prompt": "Be brief.", "columns": {"system": "s"}}
    assert made(CONVERSE, flat(s=" "), **settings)["system"] == [{"text": "Be brief."}]
    assert made(CONVERSE, flat(s=None), **settings)["system"] == [{"text": "Be brief."}]
    assert made(CONVERSE, flat(s="Own"), **settings)["system"] == [{"text": "Own"}]
    assert list(made(CONVERSE, flat(s="Own"), **settings)) == ["schemaVersion", "system", "messages"]
    assert list(made(CONVERSE, flat(), system_prompt="P")) == ["schemaVersion", "system", "messages"]


def test_unmapped_columns_are_dropped() -> None:
    assert set(made(CONVERSE, flat(id=7, extra="z", nested={"a": [1.5]}))) == {"schemaVersion", "messages"}


def test_jpg_is_written_as_jpeg() -> None:
    for name in ("jpg", "JPG", " Jpeg "):
        content = made(CONVERSE, {**MEDIA_ROW, "f": name}, columns=MEDIA_COLUMNS)["messages"][0]["content"]
        assert content[0]["image"]["format"] == "jpeg"


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"u": None}, "missing_text", 'the column "u" is null'),
        ({"u": " "}, "missing_text", 'the column "u" is empty'),
        ({"o": ""}, "missing_text", 'the column "o" is empty'),
        ({"o": 5}, "wrong_type", 'the column "o" is a number, not a text'),
        ({"f": "bmp"}, "image_format", "the column \"f\" is 'bmp'; allowed: jpeg, png, gif"),
        ({"f": 5}, "image_format", 'the column "f" is 5; allowed: jpeg, png, gif'),
        ({"f": "webp"}, "image_format", "the column \"f\" is 'webp'; allowed: jpeg, png, gif"),
        (
            {"u": "s3://bk/a b"},
            "media_location",
            "the column \"u\" is 's3://bk/a b', not an s3:// address of letters, digits, _ - / and .",
        ),
        ({"f": None}, "missing_text", 'the column "u" is given, but no image_format and no video_format'),
        ({"video_format": "mp4"}, "media_mixed", 'the column "f" and the column "video_format" are both given'),
    ],
)
def test_what_is_wrong_with_media_columns_is_named_by_the_column(
    changes: dict[str, Any], code: str, message: str
) -> None:
    assert refusal(CONVERSE, {**MEDIA_ROW, **changes}, columns=MEDIA_COLUMNS) == [(code, message)]


@pytest.mark.parametrize("missing", ["u", "o"])
def test_an_image_without_its_place_is_no_text_only_row(missing: str) -> None:
    data = {name: value for name, value in MEDIA_ROW.items() if name != missing}
    expected = [("missing_column", f'the column "{missing}" is absent')]
    assert refusal(CONVERSE, data, columns=MEDIA_COLUMNS) == expected
    unmapped = {name: column for name, column in MEDIA_COLUMNS.items() if column in ("q", "a", "f")}
    assert codes(CONVERSE, MEDIA_ROW, columns=unmapped) == {"missing_column"}


def test_a_row_without_media_may_leave_their_columns_blank() -> None:
    data = {**MEDIA_ROW, "f": "", "u": None}
    assert made(CONVERSE, data, columns=MEDIA_COLUMNS)["messages"][0]["content"] == [{"text": "Logo?"}]


def test_a_model_that_reads_only_text_takes_no_image() -> None:
    assert refusal(CONVERSE, MEDIA_ROW, columns=MEDIA_COLUMNS, multimodal=False) == [
        ("media_model", 'the column "f" is given, but the model reads only text')
    ]
    assert codes(CONVERSE, row([IMAGE, *QUESTION], ANSWER), multimodal=False) == {"media_model"}


def test_a_csv_row_means_what_the_same_texts_mean_in_json() -> None:
    for data in (
        flat(),
        flat(system="S", reasoning_text="r"),
        flat(system="", reasoning_text="", image_format="", s3_uri=""),
        flat(image_format="png", s3_uri="s3://b/i.png", bucket_owner="1"),
        flat(messages="a column like any other", other="1"),
    ):
        json_row = {name: value for name, value in data.items() if name != "messages"}
        transform = sft()
        assert transform.from_columns(data) == sft()(line(json_row))
        assert transform.features & FLAT
    with pytest.raises(RejectedRowError) as caught:
        sft().from_columns({"question": "Bot: x", "answer": ""})
    assert [fault.code for fault in caught.value.faults] == ["reserved_word", "missing_text"]


# What can be wrong

BAD = [
    (b'{"question": "x", "answer": "y"', {"not_json"}),
    (b'{"question": "x", "answer": NaN}', {"not_json"}),
    (b'{"question": "x", "answer": "y", "n": -Infinity}', {"not_json"}),
    (b'["x"]', {"not_an_object"}),
    (b"null", {"not_an_object"}),
    (b'{"question": "\xff", "answer": "y"}', {"invalid_utf8"}),
    (b'{"question": "x", "answer": "y", "answer": "z"}', {"duplicate_key"}),
    (b'{"question": "x", "answer": "y", "n": 99999999999999999999}', {"number_out_of_range"}),
    (b'{"question": "x", "answer": "y", "n": 1e999}', {"number_out_of_range"}),
    (b'{"question": "\\ud800", "answer": "y"}', {"lone_surrogate"}),
    (b'{"question": "x", "answer": "y", "\\udfff": 1}', {"lone_surrogate"}),
    (b'{"question": "a\\u0000b", "answer": "y"}', {"nul_character"}),
    (b'{"question": "x"}', {"missing_column"}),
    (b'{"question": "x", "answer": null}', {"missing_text"}),
    (b'{"question": " \\t\\u3000", "answer": ""}', {"missing_text"}),
    (b'{"question": 5, "answer": ["y"]}', {"wrong_type"}),
    (b'{"question": "x", "answer": "y", "system": 0}', {"wrong_type"}),
    (b'{"question": "x", "answer": "y", "reasoning_text": []}', {"wrong_type"}),
    (b'{"question": "User: hi", "answer": "y"}', {"reserved_word"}),
    (b'{"question": "x", "answer": "the assIstant: yes"}', {"reserved_word"}),
    (b'{"question": "x", "answer": "\\u0042ot: no"}', {"reserved_word"}),
    (b'{"question": "see <image>", "answer": "y"}', {"reserved_word"}),
    (b'{"question": "x", "answer": "y[EOS]"}', {"reserved_word"}),
    (b'{"question": "x", "answer": "y", "system": "SYSTEM: z"}', {"reserved_word"}),
    (b'{"question": "x", "answer": "y", "reasoning_text": "<video>"}', {"reserved_word"}),
    (b'{"question": 1}', {"wrong_type", "missing_column"}),
    (b'{"question": "x", "answer": ' + b"[" * 5000 + b"]" * 5000 + b"}", {"too_deep"}),
    (b'{"question": "x", "answer": ' + b"[" * 300 + b"]" * 300 + b"}", {"too_deep"}),
]


@pytest.mark.parametrize(("data", "expected"), BAD)
def test_a_faulty_row_is_named_by_its_codes(data: bytes, expected: set[str]) -> None:
    assert codes(CONVERSE, data) == expected


@pytest.mark.parametrize("text", ["superuser: root", "ombot: x", "<images>", "[eosx]", "a user says", "robot:"])
def test_reserved_words_within_other_words_are_fine(text: str) -> None:
    assert made(CONVERSE, flat(question=text))["messages"][0]["content"] == [{"text": text}]


@pytest.mark.parametrize("text", ["a\u2028b", "a\u2029b", "a\x85b", "é🙂\u0430", "\ufeff", "tab\tand\x0b\x1f"])
def test_unusual_characters_are_kept(text: str) -> None:
    for data in (line(flat(answer=f"y{text}")), json.dumps(flat(answer=f"y{text}")).encode()):
        output = sft()(data)
        assert output.count(b"\n") == 0
        assert json.loads(output)["messages"][1]["content"] == [{"text": f"y{text}"}]


HIDDEN = [
    (b'"answer": "y", "answer": "z"', {"duplicate_key"}),
    (b'"answer": "y", "n": 99999999999999999999', {"number_out_of_range"}),
    (b'"answer": "a\\u0000b"', {"nul_character"}),
    (b'"answer": "y", "n": ' + b"[" * 300 + b"]" * 300, {"too_deep"}),
]


@pytest.mark.parametrize(("rest", "expected"), HIDDEN)
def test_a_fast_parser_alone_would_have_let_columns_pass(rest: bytes, expected: set[str]) -> None:
    data = b'{"question": "x", ' + rest + b"}"
    assert orjson.loads(data)["question"] == "x"
    assert codes(CONVERSE, data) == expected


CHAT = json.dumps(row(QUESTION, [{"toolUse": {"toolUseId": "c", "name": "f", "input": {"n": 1}}}])).encode()
HIDDEN_IN_CHAT = [
    (b'"n": 1', b'"n": 1, "n": 2', {"duplicate_key"}),
    (b'"role": "user"', b'"role": "user", "role": "user"', {"duplicate_key"}),
    (b'"n": 1', b'"n": 99999999999999999999', {"number_out_of_range"}),
    (b'"n": 1', b'"n": -9223372036854775809', {"number_out_of_range"}),
    (b'"text": "x"', b'"text": "a\\u0000b"', {"nul_character"}),
    (b'"n": 1', b'"n": ' + b"[" * 300 + b"]" * 300, {"too_deep"}),
]


@pytest.mark.parametrize(("old", "new", "expected"), HIDDEN_IN_CHAT)
def test_a_fast_parser_alone_would_have_let_a_conversation_pass(old: bytes, new: bytes, expected: set[str]) -> None:
    assert CHAT.count(old) == 1
    assert sft()(CHAT)
    data = CHAT.replace(old, new)
    assert orjson.loads(data)["messages"]
    assert codes(CONVERSE, data) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b'"n": 1', b'"n": NaN', {"not_json"}),
        (b'"n": 1', b'"n": Infinity', {"not_json"}),
        (b'"n": 1', b'"n": 1e400', {"number_out_of_range"}),
        (b'"text": "x"', b'"text": "\\ud800"', {"lone_surrogate"}),
        (b'"n": 1', b'"\\udc00": 1', {"lone_surrogate"}),
        (b'"text": "x"', b'"text": "\xff"', {"invalid_utf8"}),
        (b'"text": "x"', b'"text": "a\0b"', {"not_json"}),
    ],
)
def test_broken_json_in_a_conversation_is_named(old: bytes, new: bytes, expected: set[str]) -> None:
    assert codes(CONVERSE, CHAT.replace(old, new)) == expected


def test_a_key_given_twice_is_found_behind_escaped_quotes() -> None:
    hidden = b'{"question": "x", "answer": "\\u0022\\u0022\\u0022\\u0022", "answer" : "\\u0022\\u0022\\u0022\\u0022"}'
    assert orjson.loads(hidden)
    assert codes(CONVERSE, hidden) == {"duplicate_key"}
    chat = orjson.dumps(row([{"text": "'''''''' x"}], ANSWER)).replace(b"'", b"\\u0022")
    assert sft()(chat)
    twice = chat.replace(b'"role":"user"', b'"role":"user","role":"user"')
    assert codes(CONVERSE, twice) == {"duplicate_key"}


def test_the_message_names_the_column_and_the_word() -> None:
    assert [
        message
        for _, message in refusal(CONVERSE, {"prompt": "Bot: hi", "answer": None}, columns={"question": "prompt"})
    ] == [
        'the column "prompt" contains "Bot:", which makes training fail',
        'the column "answer" is null',
    ]


# Rows in Converse form


def test_a_converse_row_is_checked_and_passed_through() -> None:
    good = row(*CALL, toolConfig=TOOLS)
    assert made(CONVERSE, good, system_prompt="unused") == good
    assert codes(CONVERSE, good, nova=1) == {"tool_version"}
    assert codes(CONVERSE, {**good, "id": 1}) == {"unknown_key"}
    assert codes(CONVERSE, {"messages": good["messages"]}) == {"schema_version"}


def test_each_row_of_a_mixed_file_is_read_as_what_it_is() -> None:
    transform = sft()
    expected = orjson.dumps(row())
    chat = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}
    assert [transform(line(data)) for data in (flat(), row(), chat, flat())] == [expected] * 4


def test_a_column_may_be_called_messages_when_it_is_mapped() -> None:
    assert made(CONVERSE, {"messages": "x", "answer": "y"}, columns={"question": "messages"}) == row()


def test_only_checking_refuses_rows_that_are_not_in_converse_form() -> None:
    chat = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}
    assert made(CONVERSE, row(), as_is=True) == row()
    assert made(CONVERSE, row(*CALL), as_is=True) == row(*CALL)
    assert codes(CONVERSE, flat(), as_is=True) == codes(CONVERSE, chat, as_is=True) == {"not_in_form"}
    transform = sft(as_is=True)
    with pytest.raises(RejectedRowError):
        transform.from_columns({"question": "x", "answer": "y"})
    with pytest.raises(RejectedRowError):
        transform(line({"question": "x"}))
    assert (transform.columns_seen.rejected, transform.columns_seen.absent.total()) == (0, 0)


# What is told beside the row


@pytest.mark.parametrize(
    ("data", "features", "prompt"),
    [
        (flat(), FLAT, "x"),
        (flat(system="S"), FLAT | BITS["system"], "x"),
        (flat(system=" "), FLAT, "x"),
        (flat(reasoning_text="r", other=1.5), FLAT | BITS["reasoningContent"], "x"),
        (flat(image_format="png", s3_uri="s3://b/i", bucket_owner="1"), FLAT | BITS["image"], "x"),
        (flat(video_format="mp4", s3_uri="s3://b/i", bucket_owner="1"), FLAT | BITS["video"], "x"),
        (row([{"text": "a"}], ANSWER, [{"text": "b"}], ANSWER), 0, "a\nb"),
        (row(system=[{"text": "S"}]), BITS["system"], "x"),
        (row(*CALL), BITS["toolUse"] | BITS["toolResult"], "x"),
        (row([IMAGE], [REASONING, *ANSWER]), BITS["image"] | BITS["reasoningContent"], ""),
    ],
)
def test_features_and_prompt_are_those_of_the_row_made_last(data: dict[str, Any], features: int, prompt: str) -> None:
    transform = sft()
    transform(line(flat(question="before", system="before")))
    for write in (line, orjson.dumps):
        transform(write(data))
        assert (transform.features, transform.prompt()) == (features, prompt)


def test_the_configured_system_prompt_is_a_feature_of_the_rows_it_goes_to() -> None:
    transform = sft(system_prompt="P")
    transform(line(flat()))
    assert transform.features == FLAT | BITS["system"]
    transform(line(row()))
    assert transform.features == 0


def test_columns_that_flat_rows_lack_are_counted() -> None:
    transform = sft(columns={"question": "q", "system": "s"})
    for data in ({"q": "x", "answer": "y"}, {"q": "x", "answer": "y", "s": "z"}, {"Q": "x", "answer": "y"}):
        with suppress(RejectedRowError):
            transform(line(data))
    with pytest.raises(RejectedRowError):
        transform(b"not json")
    with pytest.raises(RejectedRowError):
        transform(line({"messages": []}))
    seen = transform.columns_seen
    assert (seen.rejected, dict(seen.absent)) == (1, {"q": 1, "s": 2})


# Two ways, one meaning

TEXTS = st.text() | st.sampled_from(
    ["User: x", "ok", " ", "", 'say "hi" now', "\0", "a\\b", "\u017fystem:", "System:", "é user:", "BOT:", "a\u2028"]
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.lists(TEXTS, max_size=2)
FORMATS = st.sampled_from(["png", "jpg", "mp4", "bmp", "", None])
COLUMNS = st.sampled_from([*CONVERSE.required, *CONVERSE.optional, "other"]) | st.text(max_size=3)
ROWS = st.dictionaries(COLUMNS, VALUES, max_size=6) | st.fixed_dictionaries(
    {"question": TEXTS, "answer": TEXTS},
    optional={
        "system": VALUES,
        "reasoning_text": VALUES,
        "image_format": FORMATS,
        "video_format": FORMATS,
        "s3_uri": st.sampled_from(["s3://b/i.png", "s3://b/ä", "", None]),
        "bucket_owner": st.sampled_from(["1", "", None, 1]),
    },
)


def written(data: Any, style: str) -> bytes:
    if style == "compact":
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    else:
        text = json.dumps(data, ensure_ascii=style == "ascii")
    return text.encode("utf-8", "surrogatepass")


def outcome(way: Any, data: Any) -> Any:
    try:
        return way(data)
    except RejectedRowError as refused:
        return refused.faults


def check_both_ways(transform: ConverseTransform, data: bytes, nova: int) -> None:
    fast = transform._fast(data)
    told = transform.features, transform.prompt()
    if fast is not None:
        assert fast == transform._careful(data)
        assert told == (transform.features, transform.prompt())
    result = outcome(transform, data)
    if isinstance(result, bytes):
        assert converse.faults(orjson.loads(result), nova) == []
        assert transform(result) == result
        assert sft(nova, as_is=True)(result) == result


@given(
    data=ROWS,
    style=st.sampled_from(["compact", "spaced", "ascii"]),
    nova=st.sampled_from([1, 2]),
    mapped=st.booleans(),
    prompt=st.sampled_from([None, "P"]),
)
def test_the_fast_way_of_columns_means_what_the_careful_way_means(
    data: dict[str, Any], style: str, nova: int, mapped: bool, prompt: str | None
) -> None:
    columns = {"system": "system"} if mapped else {}
    transform = sft(nova, system_prompt=prompt, columns=columns)
    check_both_ways(transform, written(data, style), nova)


@given(
    values=st.dictionaries(COLUMNS, TEXTS, max_size=6),
    nova=st.sampled_from([1, 2]),
)
def test_a_csv_row_means_what_the_json_row_means(values: dict[str, str], nova: int) -> None:
    if "messages" not in values:
        by_columns = outcome(sft(nova).from_columns, values)
        assert by_columns == outcome(sft(nova), line(values))


PIECES = st.fixed_dictionaries({"text": TEXTS}) | st.sampled_from(
    [IMAGE, REASONING, *CALL[1], *CALL[2], {"text": 1}, 1]
)
CONTENTS = st.lists(PIECES, max_size=3) | TEXTS.map(lambda text: [{"text": text}])


@given(
    contents=st.lists(CONTENTS, min_size=1, max_size=4),
    more=st.fixed_dictionaries(
        {}, optional={"system": TEXTS.map(lambda text: [{"text": text}]), "toolConfig": st.just(TOOLS), "x": st.just(1)}
    ),
    style=st.sampled_from(["compact", "spaced", "ascii"]),
    nova=st.sampled_from([1, 2]),
)
def test_the_fast_way_of_a_conversation_means_what_the_careful_way_means(
    contents: list[Any], more: dict[str, Any], style: str, nova: int
) -> None:
    check_both_ways(sft(nova), written(row(*contents, **more), style), nova)


@given(
    data=st.sampled_from([line(flat(system="S")), orjson.dumps(row()), CHAT, line(row(system=[{"text": 'a"b'}]))]),
    cut=st.integers(0, 200),
    piece=st.sampled_from(
        [b'"', b"\\u0022", b"\0", b"\\ud800", b"NaN", b"1e999", b', "role": "user"', b"\xff", b"[", b"}", b" "]
    ),
    nova=st.sampled_from([1, 2]),
)
def test_damaged_rows_mean_the_same_both_ways(data: bytes, cut: int, piece: bytes, nova: int) -> None:
    check_both_ways(sft(nova), data[:cut] + piece + data[cut:], nova)


@pytest.mark.parametrize(
    "data",
    [
        orjson.dumps(row()),
        line(row()),
        line(row(QUESTION, ANSWER, QUESTION, ANSWER, system=[{"text": 'say "é"'}])),
        line(flat()),
        line(flat(system="S", reasoning_text='"why"')),
        line(flat(question='say "é"', n=None)),
    ],
)
def test_simple_rows_take_the_fast_way(data: bytes) -> None:
    assert sft()._fast(data) is not None
