"""Keep what moto works out anew for every request, where the same question always has the same answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import moto.core.utils as core_utils
from moto.core.loaders import create_loader
from moto.core.serialize import DEFAULT_ALIAS_PROVIDERS, AttributePickerContext, XFormedAttributePicker
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from nova_constructs.emulator.patches import Patches

_DEFINITIONS = 16


def install(patches: Patches) -> None:
    """Put the caches in front of moto's own functions."""
    # moto makes a loader for each service model, and each loader scans the folders of botocore anew.
    patches.replace(core_utils, "create_loader", cache(create_loader))
    names = core_utils.method_names_from_class
    # moto asks for each request, and looks at every attribute of the class that answers it.
    patches.replace_everywhere("method_names_from_class", names, cache(names))
    _patch_dispatcher(patches)
    _patch_serializer(patches)
    _patch_parser(patches)


def _patch_dispatcher(patches: Patches) -> None:
    """Find the backend of a host once: moto lists its folders, then tries a pattern of each service."""
    find = DomainDispatcherApplication.get_backend_for_host
    known: dict[str | None, Any] = {}

    def backend(dispatcher: DomainDispatcherApplication, host: str | None) -> Any:
        if host not in known:
            known[host] = find(dispatcher, host)
        return known[host]

    patches.replace(DomainDispatcherApplication, "get_backend_for_host", backend)


def _patch_serializer(patches: Patches) -> None:
    """Work out once under which names a member of a shape may stand in a value of a class."""
    names_of: Callable[[Any, AttributePickerContext], Iterable[str]] = XFormedAttributePicker.get_possible_keys
    known: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def names(picker: Any, context: AttributePickerContext) -> Iterable[str]:
        value, shape = context.obj, context.shape
        if picker.alias_providers is not DEFAULT_ALIAS_PROVIDERS or hasattr(value, "Meta"):
            return names_of(picker, context)  # a value with aliases of its own may change them
        key = (value.__class__, context.key, shape, getattr(shape, "parent", None))
        found = known.get(key)
        if found is None:
            found = known[key] = tuple(dict.fromkeys(names_of(picker, context)))
        return found

    patches.replace(XFormedAttributePicker, "get_possible_keys", names)


def _patch_parser(patches: Patches) -> None:
    """Parse a state machine's definition once; each execution still gets components of its own."""
    parse = AmazonStateLanguageParser.parse
    lock = threading.Lock()
    known: OrderedDict[str, Any] = OrderedDict()

    def parsed(definition: str) -> tuple[Any, Any]:
        with lock:
            tree = known.get(definition)
        if tree is not None:
            return Preprocessor().visit(tree), tree
        program, tree = parse(definition)
        with lock:
            known[definition] = tree
            if len(known) > _DEFINITIONS:
                known.popitem(last=False)
        return program, tree

    patches.replace(AmazonStateLanguageParser, "parse", staticmethod(parsed))
