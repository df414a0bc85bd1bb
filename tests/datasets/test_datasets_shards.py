"""A dataset is cut into shards that cover every byte once, in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lambda_handlers.datasets.shards import MOST_SHARDS, ObjectToRead, Shard, cut


def objects(sizes: list[tuple[int, bool]]) -> list[ObjectToRead]:
    return [
        ObjectToRead(uri=f"s3://bucket/{n}", version_id=f"v{n}", bytes=size, can_be_cut=can_be_cut)
        for n, (size, can_be_cut) in enumerate(sizes)
    ]


@given(st.lists(st.tuples(st.integers(1, 500), st.booleans()), min_size=1, max_size=8), st.integers(1, 200))
def test_every_byte_is_in_one_shard_in_order(sizes: list[tuple[int, bool]], shard_bytes: int) -> None:
    wanted = objects(sizes)
    shards = cut(wanted, shard_bytes=shard_bytes)
    covered: dict[str, int] = {}
    order = []
    for piece in (piece for shard in shards for piece in shard.pieces):
        size = next(item.bytes for item in wanted if item.uri == piece.uri)
        assert piece.start == covered.get(piece.uri, 0)
        covered[piece.uri] = size if piece.end is None else piece.end
        order.append(piece.uri)
    assert covered == {item.uri: item.bytes for item in wanted}
    assert order == sorted(order)
    assert [shard.number for shard in shards] == list(range(len(shards)))
    assert all(shard.pieces for shard in shards)


def test_what_cannot_be_cut_stays_whole() -> None:
    shards = cut(objects([(100, False), (100, True)]), shard_bytes=40)
    assert [[(piece.start, piece.end) for piece in shard.pieces] for shard in shards] == [
        [(0, None)],
        [(0, 40)],
        [(40, 80)],
        [(80, 100)],
    ]


def test_small_objects_share_a_shard() -> None:
    shards = cut(objects([(10, True), (10, False), (10, True), (30, True)]), shard_bytes=40)
    assert [len(shard.pieces) for shard in shards] == [3, 1]


def test_shards_grow_in_size_rather_than_in_number_without_end() -> None:
    assert len(cut(objects([(1_000_000, True)]), shard_bytes=10)) == MOST_SHARDS


def test_a_shard_survives_the_way_through_a_map() -> None:
    for shard in cut(objects([(100, True), (5, False)]), shard_bytes=40):
        assert Shard.parse(shard.as_dict()) == shard
