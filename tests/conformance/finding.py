"""Runs requirements on drivers that are broken on purpose."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from countertop.sdk.device import Device
from countertop.server.plugins import Plugins
from countertop.testing.conformance import DeviceConformance, requirements_of
from countertop.testing.conformance._requirement import EXAMPLES
from tests.conformance.planted import Planted

__all__ = ["all_planted", "finding", "importable", "sound"]

ROOT = Path(__file__).parents[2]


def all_planted() -> list[Planted]:
    """The lists PLANTED of all modules `planted_*.py` beside this one."""
    found: list[Planted] = []
    for path in sorted(Path(__file__).parent.glob("planted_*.py")):
        found += import_module(f"tests.conformance.{path.stem}").PLANTED
    return found


@contextmanager
def importable() -> Iterator[None]:
    """Broken drivers run in processes of their own too, which import them by their names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.delenv(EXAMPLES, raising=False)  # a fault must be found by the examples that everybody has
        yield


def sound(planted: Planted) -> type[Device]:
    """The driver in which the fault was planted: its nearest base that is installed."""
    plugins = Plugins()
    installed = plugins.driver_class(planted.broken.name)
    assert issubclass(planted.broken, installed), f"{planted.broken.__name__} must be a subclass of an installed driver"
    return installed


def finding(planted: Planted, number: str, driver: type[Device] | None = None) -> str:
    """What the requirement says of the broken driver, or of another one; empty when it finds nothing. Raises pytest's
    exception for a skip.
    """
    members = {
        "driver": driver or planted.broken,
        "emulator_options": dict(planted.emulator_options),
        "options": dict(planted.options),
    }
    suite: type[DeviceConformance] = type(f"{planted.suite.__name__}Planted", (planted.suite,), members)
    name = next(name for name, requirement in requirements_of(suite).items() if requirement.number == number)
    try:
        getattr(suite(), name)()
    except (AttributeError, ImportError, NameError, TypeError):
        raise  # the fault that was planted is another one
    except Exception as error:
        sentence = next(iter(str(error).splitlines()), "")
        return sentence if isinstance(error, AssertionError) else f"{type(error).__name__}: {sentence}"
    finally:
        gc.collect()  # what a broken driver leaks is its own test's, not the next one's
    return ""
