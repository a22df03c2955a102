"""Weight files of torch (``.pth``, ``.pt``) read without torch and without running anything they contain.

A pickle is a program. The machine below knows only the instructions that lists of tensors are made of, imports nothing
and calls nothing: a name that is not a tensor's is refused where it stands. Both layouts are read: the archive that
``torch.save`` writes since 1.6, and the row of pickles followed by raw numbers that it wrote before.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from patchcore_plugin.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import BytesIO

# Storage classes of torch and the numbers they hold.
STORAGE_DTYPES = {
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    "torch.BFloat16Storage": "bf16",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "b1",
}


@dataclass(frozen=True)
class Storage:
    """A run of numbers that tensors look into; the numbers themselves stand elsewhere in the file."""

    dtype: str
    key: str
    length: int


@dataclass(frozen=True)
class TensorRecord:
    """Where a tensor's values are: a window with strides, all counted in values."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class _Name:
    """A global that the pickle mentions; it is never looked up."""

    text: str


class _MalformedError(Exception):
    """The program makes no sense: an instruction met what it cannot work on."""


def run_pickle(stream: BytesIO, where: str) -> tuple[Any, dict[str, Storage]]:
    """Carry out one pickle and leave the stream behind its end; answer its object and the storages it mentions.

    Raises: WeightsError when it names anything but tensors and dictionaries, or is truncated or damaged.
    """
    machine = _Machine(where)
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            machine.step(opcode.name, argument)
        return machine.result()
    except (ValueError, IndexError, KeyError, TypeError, _MalformedError) as problem:
        if isinstance(problem, WeightsError):
            raise
        at_end = not stream.read(1)
        state = "truncated" if at_end and isinstance(problem, ValueError) else "damaged"
        raise WeightsError(
            f"{where} is {state}: its list of tensors cannot be read ({problem}). Fetch it again."
        ) from None


@dataclass
class _Machine:
    """The stack, the memo, and one small method per kind of instruction."""

    where: str
    stack: list[Any] = field(default_factory=list)
    marks: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode](argument))
        elif opcode in _ACTIONS:
            _ACTIONS[opcode](self, argument)
        elif opcode not in ("PROTO", "FRAME", "STOP"):
            raise WeightsError(
                f"{self.where} holds the pickle instruction {opcode}, which no list of tensors needs; nothing was "
                "executed. Save the state_dict alone, or convert it to .safetensors."
            )

    def result(self) -> tuple[Any, dict[str, Storage]]:
        if len(self.stack) != 1 or self.marks:
            raise _MalformedError("it does not end with one object")
        return self.stack[0], self.storages

    def mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def tuple_since_mark(self, _: Any) -> None:
        items = tuple(self.since_mark())
        self.stack.append(items)

    def tuple_of(self, count: int) -> None:
        items = tuple(self.take(count))
        self.stack.append(items)

    def take(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise _MalformedError("an instruction has too few operands")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def put(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def append(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise _MalformedError("something is appended to what is no list")
        self.stack[-1].extend(items)

    def set_items(self, items: list[Any]) -> None:
        keys, target = items[::2], self.stack[-1]
        if type(target) is not dict or len(items) % 2 or not all(isinstance(key, str | int) for key in keys):
            raise _MalformedError("entries are set that no dictionary of tensors has")
        target.update(zip(keys, items[1::2], strict=True))

    def name(self, text: str) -> None:
        if text not in _CALLS and text not in STORAGE_DTYPES:
            raise WeightsError(
                f"{self.where} names {text!r}, which is no tensor; it was not executed. If you trust the file, save "
                "its state_dict alone with torch.save, or as .safetensors; if you do not, delete it."
            )
        self.stack.append(_Name(text))

    def name_from_stack(self, _: Any) -> None:
        module, name = self.take(2)
        self.name(f"{module}.{name}")

    def call(self, _: Any) -> None:
        target, arguments = self.take(2)
        if not isinstance(target, _Name) or target.text not in _CALLS or not isinstance(arguments, tuple):
            raise _MalformedError("something is called that cannot be")
        self.stack.append(_CALLS[target.text](*arguments))

    def build(self, _: Any) -> None:
        """Attributes of a state_dict (its version notes) are not needed."""
        target, _state = self.take(2)
        if type(target) is not dict:
            raise _MalformedError("attributes are set on what has none")
        self.stack.append(target)

    def storage(self, _: Any) -> None:
        (label,) = self.take(1)
        kind, storage, key, _place, length = label[:5]
        if kind != "storage" or not isinstance(storage, _Name) or not _is_size(length):
            raise _MalformedError("a reference leads to no storage")
        if label[5:] not in ((), (None,)):
            raise WeightsError(
                f"{self.where} shares storages as torch before 0.4 did. Save it again with a newer torch."
            )
        found = Storage(STORAGE_DTYPES[storage.text], str(key), length)
        if self.storages.setdefault(found.key, found) != found:
            raise _MalformedError(f"storage {key} is described in two ways")
        self.stack.append(found)


def _is_size(value: Any) -> bool:
    return type(value) is int and value >= 0


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> TensorRecord:
    if not isinstance(storage, Storage) or len(shape) != len(strides):
        raise _MalformedError("a tensor has no storage, or not one stride per axis")
    if not all(map(_is_size, (offset, *shape, *strides))):
        raise _MalformedError("a tensor's size is no whole number")
    values = 1
    for size in shape:
        values *= size
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if values > storage.length or (values and last >= storage.length):
        raise _MalformedError(f"a tensor of shape {tuple(shape)} reaches past its {storage.length} stored values")
    return TensorRecord(storage, offset, tuple(shape), tuple(strides))


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _empty_dict(*entries: Any) -> dict[Any, Any]:
    if entries not in ((), ([],)):
        raise _MalformedError("an ordered dictionary is made in an unknown way")
    return {}


def _size(items: Any) -> tuple[int, ...]:
    return tuple(items)


_CALLS: Mapping[str, Callable[..., Any]] = {
    "collections.OrderedDict": _empty_dict,
    "torch.Size": _size,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
}
_NUMBERS = ("BINFLOAT", "BININT", "BININT1", "BININT2", "LONG1")
_TEXTS = ("BINBYTES", "BINBYTES8", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "SHORT_BINUNICODE")
_CONSTANTS: Mapping[str, Callable[[Any], Any]] = {
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "NEWFALSE": lambda _: False,
    "NEWTRUE": lambda _: True,
    "NONE": lambda _: None,
} | dict.fromkeys((*_NUMBERS, *_TEXTS), lambda argument: argument)
_ACTIONS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "APPEND": lambda machine, _: machine.append(machine.take(1)),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "BINGET": _Machine.get,
    "BINPERSID": _Machine.storage,
    "BINPUT": _Machine.put,
    "BUILD": _Machine.build,
    "GLOBAL": lambda machine, text: machine.name(text.replace(" ", ".")),
    "LONG_BINGET": _Machine.get,
    "LONG_BINPUT": _Machine.put,
    "MARK": _Machine.mark,
    "MEMOIZE": _Machine.put,
    "REDUCE": _Machine.call,
    "SETITEM": lambda machine, _: machine.set_items(machine.take(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    "STACK_GLOBAL": _Machine.name_from_stack,
    "TUPLE": _Machine.tuple_since_mark,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
}
