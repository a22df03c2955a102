"""A part's options against what its factory declares: names first, then types, before anything is created."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from patchcore_plugin.errors import ConfigError, PluginError, UnknownOptionError
from patchcore_plugin.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from patchcore_plugin.offers import Offer


def checked_options(factory: Callable[..., Any], options: Mapping[str, Any], offer: Offer) -> dict[str, Any]:
    """Return the options as the factory wants them.

    Raises: UnknownOptionError for one that the factory does not take; ConfigError for one that it needs and does not
            get, or whose value does not fit the declared type; PluginError when the factory declares nothing readable.
    """
    declared = _declared(factory, offer)
    known = option_names(factory, offer)
    if len(known) == len(declared):  # else the factory takes any name
        _require_known(options, known, offer)
    _require_all_needed(options, declared, offer)
    hints = _hints(factory)
    return {name: _fitted(value, hints.get(name, Any), name, offer) for name, value in options.items()}


def option_names(factory: Callable[..., Any], offer: Offer) -> tuple[str, ...]:
    """Return the names of the options that the factory declares.

    Raises: PluginError when it declares nothing readable.
    """
    return tuple(
        name for name, parameter in _declared(factory, offer).items() if parameter.kind is not parameter.VAR_KEYWORD
    )


def _declared(factory: Callable[..., Any], offer: Offer) -> dict[str, inspect.Parameter]:
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError) as problem:
        raise PluginError(f"{offer}: the options of its factory cannot be read: {problem}") from problem
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
    return {name: parameter for name, parameter in parameters.items() if parameter.kind not in by_position}


def _require_known(options: Mapping[str, Any], known: tuple[str, ...], offer: Offer) -> None:
    for name in options:
        if name not in known:
            raise UnknownOptionError(
                f"{offer.kind}.{name}: {offer} has no option {name!r}.{did_you_mean(name, known)} "
                f"Its options: {listed(known)}."
            )


def _require_all_needed(options: Mapping[str, Any], declared: dict[str, inspect.Parameter], offer: Offer) -> None:
    needed = [name for name, p in declared.items() if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    absent = [name for name in needed if name not in options]
    if absent:
        raise ConfigError(
            f"{offer} needs {listed(f'{offer.kind}.{name}' for name in absent)}. Set it in section {offer.kind!r}."
        )


def _hints(factory: Callable[..., Any]) -> dict[str, Any]:
    """Return the declared types of the options.

    A dataclass keeps them on the class, where inherited ones resolve in the module that wrote them.
    """
    if not isinstance(factory, type):
        return _resolved(factory)
    return _resolved(factory) | _resolved(inspect.getattr_static(factory, "__init__"))


def _resolved(declaring: Any) -> dict[str, Any]:
    try:
        return get_type_hints(declaring, include_extras=True)
    except (NameError, TypeError):  # names that only a type checker imports, or nothing that carries types
        return {}


def _fitted(value: Any, hint: Any, name: str, offer: Offer) -> Any:
    adapter = _adapter(hint)
    try:
        fitted = adapter.validate_python(value)
    except ValidationError as problem:
        if isinstance(value, str) and value.lower() == "none" and _takes_none(adapter):
            return None  # TOML has no word for it
        raise ConfigError(_unfit(value, hint, name, offer, problem.errors()[0]["msg"])) from problem
    if isinstance(value, bool) and not isinstance(fitted, bool):
        raise ConfigError(_unfit(value, hint, name, offer, "true and false are no numbers"))
    return fitted


def _adapter(hint: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # the type brings its own configuration, or none that pydantic understands
        return TypeAdapter(Any)


def _takes_none(adapter: TypeAdapter[Any]) -> bool:
    try:
        return adapter.validate_python(None) is None
    except ValidationError:
        return False


def _unfit(value: Any, hint: Any, name: str, offer: Offer, why: str) -> str:
    needed = inspect.formatannotation(hint).replace("typing.", "")
    return (
        f"{offer.kind}.{name} is {value!r}, but {needed} is needed for {offer} ({why[0].lower()}{why[1:]}). Change it."
    )
