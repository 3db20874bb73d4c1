"""For all tests of the driver on its emulated device."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from countertop.client.sync import Counter
from countertop.v1.device_pb2 import DeviceState
from hypothesis import HealthCheck, settings

# how fast a machine is says nothing about a property
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def until(counter: Counter) -> Callable[[DeviceState], None]:
    """Waits until the device is in a state."""

    def wait(state: DeviceState) -> None:
        for update in counter.watch():
            devices = list(update.snapshot.devices)
            if update.HasField("event"):
                devices.append(update.event.device_changed)
            if any(device.state == state for device in devices):
                return

    return wait
