"""The same-bucket rule: media lie in the bucket of their dataset, or are copied there, or the dataset is refused."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from lambda_handlers.catalog.training_data import MEDIA_KINDS
from lambda_handlers.datasets import s3_media
from lambda_handlers.datasets.faults import RejectedRowError, reject
from lambda_handlers.datasets.files import prepare_files, validate_files
from lambda_handlers.datasets.forms.form import RowSettings
from lambda_handlers.datasets.forms.media_place import MediaItem
from lambda_handlers.datasets.forms.openai_rows import OPENAI
from lambda_handlers.datasets.forms.sft import CONVERSE
from lambda_handlers.datasets.passes.media_ahead import media_ahead
from lambda_handlers.datasets.passes.summary import FIRST, MAX_BUCKETS, Base, BucketsSeen, Place
from lambda_handlers.datasets.preparation import Preparation
from lambda_handlers.datasets.s3_files import prepare_objects, validate_objects
from lambda_handlers.datasets.s3_media import MediaSettings, S3Media
from lambda_handlers.protocol.errors import DatasetRejected, InvalidRequest, TransientServiceError
from tests.datasets.converse_support import ANSWER, QUESTION, medium, row
from tests.datasets.forms_support import line

ACCOUNT = "444455556666"
SFT = Preparation(model="NOVA_LITE_2", method="SFT_LORA")
AS_IS = Preparation(model="NOVA_LITE_2", method="SFT_LORA", as_is=True)
SOURCE = b"\x89PNG first"


def image(uri: str, file_format: str = "png", owner: str = "111122223333") -> dict[str, Any]:
    return medium("image", file_format, {"s3Location": {"uri": uri, "bucketOwner": owner}})


def with_images(*uris: str) -> dict[str, Any]:
    return row([*map(image, uris), *QUESTION], ANSWER)


def flat(uri: str, **more: str) -> dict[str, str]:
    return {"question": "What?", "answer": "A cat.", "image_format": "png", "s3_uri": uri, "bucket_owner": "1", **more}


def chat(uri: str) -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": uri, "format": "png", "bucket_owner": "1"}}
    said = [{"role": "user", "content": [part, {"type": "text", "text": "What?"}]}]
    return {"messages": [*said, {"role": "assistant", "content": "A cat."}]}


def jsonl(*rows: dict[str, Any]) -> bytes:
    return b"".join(line(each) + b"\n" for each in rows)


class Moved:
    """A place that gives every item another address, but has none for those called `lost`."""

    def __init__(self) -> None:
        self.asked: list[tuple[MediaItem, str]] = []
        self.expected: list[list[MediaItem]] = []

    def place(self, item: MediaItem, owner: str) -> tuple[str, str]:
        self.asked.append((item, owner))
        if "lost" in item.uri:
            raise reject("media_missing", f"{item.uri} is lost")
        return f"s3://there/{item.uri.removeprefix('s3://')}", ACCOUNT

    def expect(self, items: Collection[MediaItem]) -> None:
        self.expected.append(list(items))


def located(made: bytes) -> list[dict[str, str]]:
    contents = [item for message in json.loads(made)["messages"] for item in message["content"]]
    return [value["source"]["s3Location"] for item in contents for value in item.values() if "source" in value]


# A row and its media


@pytest.mark.parametrize("make", [flat, chat, with_images])
def test_the_media_of_a_row_in_any_form_are_placed(make: Callable[[str], dict[str, Any]]) -> None:
    place = Moved()
    transform = CONVERSE.make(RowSettings(media=place))
    made = transform(line(make("s3://here/a.png")))
    assert located(made) == [{"uri": "s3://there/here/a.png", "bucketOwner": ACCOUNT}]
    assert [item for item, _ in place.asked] == [MediaItem("image", "png", "s3://here/a.png")]
    assert transform.buckets() == {"there"}
    assert transform.features & transform.media_bits


def test_a_table_names_media_too() -> None:
    made = CONVERSE.make(RowSettings(media=Moved())).from_columns(flat("s3://here/a.png"))
    assert located(made)[0]["uri"] == "s3://there/here/a.png"


def test_formats_are_told_in_lower_case() -> None:
    place = Moved()
    CONVERSE.make(RowSettings(media=place))(line(row([image("s3://here/a", "PNG")], ANSWER)))
    assert place.asked[0][0].file_format == "png"


def test_every_medium_that_cannot_be_had_is_named_by_its_path() -> None:
    transform = CONVERSE.make(RowSettings(media=Moved()))
    with pytest.raises(RejectedRowError) as caught:
        transform(line(with_images("s3://here/lost1", "s3://here/a", "s3://here/lost2")))
    assert [(fault.code, fault.message) for fault in caught.value.faults] == [
        ("media_missing", "messages[0].content[0].image: s3://here/lost1 is lost"),
        ("media_missing", "messages[0].content[2].image: s3://here/lost2 is lost"),
    ]


def test_media_of_bad_rows_and_rows_as_they_are_and_chat_rows_stay() -> None:
    place = Moved()
    with pytest.raises(RejectedRowError):
        CONVERSE.make(RowSettings(media=place))(line({**with_images("s3://here/a"), "extra": 1}))
    good = line(with_images("s3://here/a"))
    assert located(CONVERSE.make(RowSettings(media=place, as_is=True))(good))[0]["uri"] == "s3://here/a"
    assert b"s3://here/a" in OPENAI.make(RowSettings(media=place))(good)
    assert place.asked == []


def test_text_has_no_buckets() -> None:
    transform = CONVERSE.make(RowSettings(media=Moved()))
    transform(line(with_images("s3://here/a")))
    transform(b'{"question": "x", "answer": "y"}')
    assert (transform.buckets(), transform.features & transform.media_bits) == ((), 0)


# Rows that come next


def lines(*rows: dict[str, Any]) -> list[tuple[int, int, bytes]]:
    return [(number, 0, line(each)) for number, each in enumerate(rows, start=1)]


def test_the_media_of_rows_that_come_are_announced_together() -> None:
    place = Moved()
    rows = lines(*(with_images(f"s3://here/{n}", "s3://here/same") for n in range(150)), {"question": 5})
    assert list(media_ahead(rows, CONVERSE, RowSettings(media=place))) == rows
    assert [len(items) for items in place.expected] == [129, 23]
    assert place.expected[0][:2] == [MediaItem("image", "png", f"s3://here/{name}") for name in ("0", "same")]
    assert place.asked == []


def test_large_rows_are_not_collected() -> None:
    place = Moved()
    rows = lines(*(flat(f"s3://here/{n}", more="x" * 600_000) for n in range(5)))
    assert list(media_ahead(rows, CONVERSE, RowSettings(media=place))) == rows
    assert [len(items) for items in place.expected] == [2, 2, 1]


@pytest.mark.parametrize(
    ("form", "settings"),
    [
        (CONVERSE, RowSettings()),
        (CONVERSE, RowSettings(media=Moved(), as_is=True)),
        (CONVERSE, RowSettings(media=Moved(), multimodal=False)),
        (OPENAI, RowSettings(media=Moved())),
    ],
)
def test_nothing_is_looked_at_where_nothing_is_placed(form: Any, settings: RowSettings) -> None:
    rows = lines(with_images("s3://here/a"))
    assert media_ahead(rows, form, settings) is rows


# Buckets over shards


BUCKET_ROWS = st.lists(st.sets(st.integers(10, 50).map(str), max_size=3), max_size=60)


def seen(rows: list[set[str]], first: int = 1) -> BucketsSeen:
    found = BucketsSeen()
    for number, buckets in enumerate(rows, start=first):
        found.note(buckets, Place(row=number, line=number, source="s"))
    return found


@given(rows=BUCKET_ROWS, cuts=st.lists(st.integers(0, 60), max_size=5))
def test_shards_see_the_buckets_that_one_pass_sees(rows: list[set[str]], cuts: list[int]) -> None:
    whole = BucketsSeen()
    for start, end in pairwise([0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]):
        whole.add(seen(rows[start:end]), Base(rows=start, lines=start))
    assert whole == seen(rows)
    assert len(whole.rows) <= MAX_BUCKETS
    for bucket, kind in whole.rows.items():
        having = [number for number, buckets in enumerate(rows, start=1) if bucket in buckets]
        assert (kind.count, [place.row for place in kind.first]) == (len(having), having[:FIRST])


# Local outputs


def given_file(folder: Path, *rows: dict[str, Any]) -> str:
    path = folder / "in.jsonl"
    path.write_bytes(jsonl(*rows))
    return str(path)


@pytest.mark.parametrize("as_is", [False, True])
def test_where_local_data_has_to_be_uploaded_is_a_warning(tmp_path: Path, as_is: bool) -> None:
    source = given_file(tmp_path, *(with_images(f"s3://here/{n}") for n in range(3)))
    prepared = validate_files(source, AS_IS) if as_is else prepare_files(source, tmp_path / "out", SFT)
    assert prepared.manifest.errors == []
    assert prepared.manifest.warnings[-1] == (
        "3 rows have media in the bucket here: a job reads media only from the bucket of its dataset, "
        "so upload the data to here"
    )
    assert as_is or b"s3://here/0" in (tmp_path / "out" / "train.jsonl").read_bytes()


@pytest.mark.parametrize("as_is", [False, True])
def test_local_data_with_media_in_several_buckets_is_refused(tmp_path: Path, as_is: bool) -> None:
    source = given_file(tmp_path, *(with_images(f"s3://{'hall' if n in (1, 4) else 'attic'}/{n}") for n in range(6)))
    with pytest.raises(DatasetRejected) as caught:
        _ = validate_files(source, AS_IS) if as_is else prepare_files(source, tmp_path / "out", SFT)
    [problem] = caught.value.problems
    assert problem.startswith(
        "a job reads media only from the bucket of its dataset, and these lie in several buckets: "
        "4 rows have media in attic, first row 1, row 3, row 4; 2 rows have media in hall, first row 2, row 5. "
    )


def test_processes_tell_of_buckets_what_one_tells(tmp_path: Path) -> None:
    source = given_file(tmp_path, *(with_images(f"s3://b{n % 7}/{n}") for n in range(200)))
    options: dict[str, Any] = {"raise_rejected": False}
    one = prepare_files(source, tmp_path / "one", SFT, **options)
    many = prepare_files(source, tmp_path / "many", SFT, processes=2, **options)
    assert one.manifest.errors == many.manifest.errors != []


# S3


class Client:
    """A client of S3 that counts its calls, and fails the first of some as it is told."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.calls: Counter[str] = Counter()
        self.failing: dict[str, list[Exception | Callable[[], object]]] = {}

    def __getattr__(self, name: str) -> Any:
        def call(**given: Any) -> Any:
            self.calls[name] += 1
            if self.failing.get(name):
                step = self.failing[name].pop(0)
                if isinstance(step, Exception):
                    raise step
                step()
            return getattr(self._s3, name)(**given)

        return call


def refusal(code: str, status: int, operation: str = "HeadObject") -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for bucket in ("photos", "prepared"):
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket="photos", Key="a.png", Body=SOURCE, Tagging="team=x")
        client.put_object(Bucket="prepared", Key="shared/b.png", Body=b"there already")
        yield client


def settings(**changes: Any) -> MediaSettings:
    return MediaSettings(**{"bucket": "prepared", "prefix": "p/", "account": lambda: ACCOUNT, **changes})


def copy_of(s3: Any, key: str, file_format: str = "png") -> str:
    head = s3.head_object(Bucket="photos", Key=key)
    version = head.get("VersionId") or head["ETag"]
    digest = hashlib.sha256("\n".join(("photos", key, version)).encode()).hexdigest()
    return f"s3://prepared/p/media/{digest}.{file_format}"


def body(s3: Any, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    found: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return found


def item(uri: str = "s3://photos/a.png", kind: str = "image") -> MediaItem:
    return MediaItem(kind, "png", uri)


def fault(media: S3Media, wanted: MediaItem) -> tuple[str, str]:
    with pytest.raises(RejectedRowError) as caught:
        media.place(wanted, "1")
    [found] = caught.value.faults
    return found.code, found.message


def test_media_elsewhere_are_copied_once_and_named_by_their_source(s3: Any) -> None:
    client = Client(s3)
    media = S3Media(client, settings())
    placed = [media.place(item(), "1") for _ in range(3)]
    assert placed == [(copy_of(s3, "a.png"), ACCOUNT)] * 3
    assert body(s3, placed[0][0]) == SOURCE
    assert client.calls == {"head_object": 2, "copy_object": 1}
    key = placed[0][0].partition("prepared/")[2]
    assert s3.get_object_tagging(Bucket="prepared", Key=key)["TagSet"] == []
    again = Client(s3)
    assert S3Media(again, settings()).place(item(), "1") == placed[0]
    assert again.calls == {"head_object": 2}


def test_another_version_is_another_copy(s3: Any) -> None:
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    copies = []
    for content in (b"one", b"two", b"one"):
        s3.put_object(Bucket="photos", Key="a.png", Body=content)
        copies.append(S3Media(s3, settings()).place(item(), "1")[0])
        assert (copies[-1], body(s3, copies[-1])) == (copy_of(s3, "a.png"), content)
    assert len(set(copies)) == 3


def test_media_in_the_bucket_of_the_output_stay_with_their_owner(s3: Any) -> None:
    client = Client(s3)
    media = S3Media(client, settings(account=lambda: pytest.fail("nobody has to be asked")))
    assert media.place(item("s3://prepared/shared/b.png"), "1") == ("s3://prepared/shared/b.png", "1")
    assert client.calls == {"head_object": 1}
    assert fault(media, item("s3://prepared/shared/c.png"))[0] == "media_missing"


def test_media_that_may_not_stay_are_copied_within_the_bucket(s3: Any) -> None:
    media = S3Media(s3, settings(stays="runs/"))
    uri, owner = media.place(item("s3://prepared/shared/b.png"), "1")
    assert (uri.startswith("s3://prepared/p/media/"), body(s3, uri), owner) == (True, b"there already", ACCOUNT)


@pytest.mark.parametrize("kind", MEDIA_KINDS)
def test_media_have_a_greatest_size(kind: str) -> None:
    limit = {"image": 10, "video": 50, "document": 10}[kind] * 1024 * 1024

    class Sizes:
        def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
            return {"ContentLength": limit + (Key == "large"), "ETag": "x"}

    media = S3Media(Sizes(), settings())
    assert media.place(item("s3://prepared/fits", kind), "1") == ("s3://prepared/fits", "1")
    code, message = fault(media, item("s3://prepared/large", kind))
    assert code == "media_too_large"
    assert message == (
        f"s3://prepared/large has {limit + 1:,} bytes; a {kind} may have {MEDIA_KINDS[kind].max_megabytes} MB"
    )


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("s3://photos/none.png", "s3://photos/none.png is not there or cannot be read (404)"),
        ("s3://nobody-has-this/a.png", "s3://nobody-has-this/a.png is not there or cannot be read (NoSuchBucket)"),
        ("s3://photos", "s3://photos names no object: it has the form s3://bucket/key"),
        ("s3:///a.png", "s3:///a.png names no object"),
        (f"s3://photos/{'k' * 1025}", "names no object"),
        (f"s3://{'b' * 300}/k", "is not an address that S3 knows"),
    ],
)
def test_media_that_are_not_there_are_a_fault_of_their_row(s3: Any, uri: str, words: str) -> None:
    client = Client(s3)
    media = S3Media(client, settings())
    code, message = fault(media, item(uri))
    assert (code, words in message) == ("media_missing", True), message
    calls = client.calls.total()
    assert fault(media, item(uri)) == (code, message)
    assert client.calls.total() == calls


def test_media_that_may_not_be_read_are_a_fault_of_their_row(s3: Any) -> None:
    client = Client(s3)
    client.failing["head_object"] = [refusal("403", 403)]
    code, message = fault(S3Media(client, settings()), item())
    assert code == "media_missing"
    assert "(403): check the address, and allow s3:GetObject on it" in message
    client.failing["copy_object"] = [refusal("AccessDenied", 403, "CopyObject")]
    code, message = fault(S3Media(client, settings()), item())
    assert code == "media_missing"
    assert "cannot be copied (AccessDenied): allow s3:GetObject on it, and kms:Decrypt" in message


@pytest.mark.parametrize("call", ["head_object", "copy_object"])
@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("503", 503), ("429", 429)])
def test_a_service_that_asks_for_patience_is_no_fault_of_a_row(s3: Any, call: str, code: str, status: int) -> None:
    client = Client(s3)
    client.failing[call] = [refusal(code, status)]
    media = S3Media(client, settings())
    with pytest.raises(TransientServiceError):
        media.place(item(), "1")
    assert media.place(item(), "1")[1] == ACCOUNT


def test_media_that_are_replaced_meanwhile_are_copied_as_they_are_then(s3: Any) -> None:
    client = Client(s3)
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})

    def replace() -> None:
        s3.put_object(Bucket="photos", Key="a.png", Body=b"second")
        raise refusal("PreconditionFailed", 412, "CopyObject")

    client.failing["copy_object"] = [replace]
    uri, _ = S3Media(client, settings()).place(item(), "1")
    assert (uri, body(s3, uri)) == (copy_of(s3, "a.png"), b"second")
    client.failing["copy_object"] = [refusal("PreconditionFailed", 412, "CopyObject")] * 3
    s3.put_object(Bucket="photos", Key="a.png", Body=b"third")
    assert fault(S3Media(client, settings()), item())[0] == "media_missing"


def test_only_buckets_that_are_named_are_read(s3: Any) -> None:
    client = Client(s3)
    media = S3Media(client, settings(readable=frozenset({"prepared"})))
    code, message = fault(media, item())
    assert code == "media_missing"
    assert message.startswith("the setting media_buckets does not name the bucket photos")
    assert client.calls == {}
    assert media.place(item("s3://prepared/shared/b.png"), "1")[1] == "1"


def test_what_is_remembered_is_bounded(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_media, "_REMEMBERED", 2)
    for name in "bcd":
        s3.put_object(Bucket="photos", Key=name, Body=b"x")
    client = Client(s3)
    media = S3Media(client, settings())
    for name in "bcbdb":
        media.place(item(f"s3://photos/{name}"), "1")
    assert client.calls["copy_object"] == 3
    media.place(item("s3://photos/c"), "1")  # the least recent went
    assert client.calls == {"head_object": 8, "copy_object": 3}


def test_media_that_are_expected_are_seen_to_together(s3: Any) -> None:
    client = Client(s3)
    media = S3Media(client, settings())
    media.expect([item(), item(), item("s3://photos/none"), item("s3://prepared/shared/b.png")])
    assert client.calls == {"head_object": 4, "copy_object": 1}
    assert media.place(item(), "1") == (copy_of(s3, "a.png"), ACCOUNT)
    assert fault(media, item("s3://photos/none"))[0] == "media_missing"
    assert client.calls == {"head_object": 4, "copy_object": 1}
    media.expect([])


def test_an_output_whose_address_nova_cannot_read_is_refused(s3: Any) -> None:
    with pytest.raises(InvalidRequest, match="choose an output of letters, digits"):
        S3Media(s3, settings(prefix="day=1/")).place(item(), "1")


# Datasets


def put(s3: Any, *rows: dict[str, Any]) -> str:
    s3.put_object(Bucket="photos", Key="rows.jsonl", Body=jsonl(*rows))
    return "s3://photos/rows.jsonl"


def prepare(s3: Any, source: str, output: str = "s3://prepared/p", **options: Any) -> Any:
    return prepare_objects(s3, source, output, SFT, account=lambda: ACCOUNT, max_reject_ratio=0.5, **options)


def test_rows_of_every_form_name_the_copies(s3: Any) -> None:
    source = put(s3, flat("s3://photos/a.png"), chat("s3://photos/a.png"), with_images("s3://photos/a.png"))
    manifest = prepare(s3, source).manifest
    made = body(s3, "s3://prepared/p/train.jsonl").splitlines()
    assert [located(each) for each in made] == [[{"uri": copy_of(s3, "a.png"), "bucketOwner": ACCOUNT}]] * 3
    assert (manifest.errors, [each for each in manifest.warnings if "media" in each]) == ([], [])


def test_prepared_data_is_prepared_again_without_change(s3: Any) -> None:
    source = put(s3, with_images("s3://photos/a.png"), with_images("s3://prepared/shared/b.png"))
    prepare(s3, source)
    prepare(s3, "s3://prepared/p/train.jsonl", "s3://prepared/q")
    first, second = (body(s3, f"s3://prepared/{prefix}/train.jsonl") for prefix in "pq")
    assert first == second
    assert validate_objects(s3, "s3://prepared/q/train.jsonl", AS_IS).manifest.errors == []


def test_one_bad_medium_is_one_bad_row(s3: Any) -> None:
    source = put(
        s3, with_images("s3://photos/a.png"), with_images("s3://photos/none"), with_images("s3://photos/a.png")
    )
    manifest = prepare(s3, source).manifest
    assert (manifest.rows.out, manifest.rows.rejected, dict(manifest.rules)) == (2, 1, {"media_missing": 1})
    assert manifest.first_reasons == (
        "row 2: messages[0].content[0].image: s3://photos/none is not there or cannot be read (404) [media_missing]",
    )


def test_the_caller_owns_the_copies_and_is_asked_only_for_copies(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    prepare_objects(s3, put(s3, with_images("s3://photos/a.png")), "s3://prepared/p", SFT)
    assert located(body(s3, "s3://prepared/p/train.jsonl"))[0]["bucketOwner"] == "123456789012"
    unasked = lambda: pytest.fail("nobody has to be asked")  # noqa: E731
    source = put(s3, with_images("s3://prepared/shared/b.png"))
    prepare_objects(s3, source, "s3://prepared/p", SFT, account=unasked)


def test_data_as_it_lies_on_s3_has_its_media_there(s3: Any) -> None:
    good = put(s3, with_images("s3://photos/a.png"))
    assert not [each for each in validate_objects(s3, good, AS_IS).manifest.warnings if "media" in each]
    with pytest.raises(DatasetRejected, match="the dataset lies in photos: 1 rows have media in prepared, first row 1"):
        validate_objects(s3, put(s3, with_images("s3://prepared/shared/b.png")), AS_IS)


def test_a_local_output_leaves_media_where_they_are(s3: Any, tmp_path: Path) -> None:
    manifest = prepare(s3, put(s3, with_images("s3://photos/none")), str(tmp_path / "out")).manifest
    assert "so upload the data to photos" in manifest.warnings[-1]


def test_several_processes_cannot_copy(s3: Any, tmp_path: Path) -> None:
    source = given_file(tmp_path, with_images("s3://photos/a.png"))
    with pytest.raises(InvalidRequest, match="leave `processes` out for rows with media"):
        prepare(s3, source, processes=2)
    assert prepare(s3, given_file(tmp_path, {"question": "x", "answer": "y"}), processes=2).manifest.rows.out == 1
