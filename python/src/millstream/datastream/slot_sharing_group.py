"""Groups of operators that may share resources."""

from __future__ import annotations

from typing import Any

from millstream._tracebacks import guard
from millstream.exceptions import ConfigurationError

__all__ = ["MemorySize", "SlotSharingGroup"]

_UNITS = (("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10))


class MemorySize:
    """A number of bytes, seen in different units; each is rounded down.

    >>> size = MemorySize.of_mebi_bytes(1536)
    >>> size.get_bytes(), size.get_gibi_bytes(), str(size)
    (1610612736, 1, '1536 mb')
    """

    __slots__ = ("_bytes",)

    def __init__(self, bytes_size: int = 0) -> None:
        """``bytes_size`` bytes. Raises ``TypeError`` unless it is a whole number, ``ConfigurationError`` if it is negative."""
        if isinstance(bytes_size, bool) or not isinstance(bytes_size, int):
            raise TypeError(f"a memory size is a whole number of bytes, not {bytes_size!r}")
        if bytes_size < 0:
            raise ConfigurationError(f"a memory size must not be negative, but is {bytes_size} bytes")
        self._bytes = bytes_size

    @staticmethod
    def of_mebi_bytes(mebi_bytes: int) -> MemorySize:
        """So many times 1024 * 1024 bytes."""
        return MemorySize(MemorySize(mebi_bytes)._bytes << 20)

    def get_bytes(self) -> int:
        """Bytes."""
        return self._bytes

    def get_kibi_bytes(self) -> int:
        """Units of 1024 bytes."""
        return self._bytes >> 10

    def get_mebi_bytes(self) -> int:
        """Units of 1024 * 1024 bytes."""
        return self._bytes >> 20

    def get_gibi_bytes(self) -> int:
        """Units of 1024 ** 3 bytes."""
        return self._bytes >> 30

    def get_tebi_bytes(self) -> int:
        """Units of 1024 ** 4 bytes."""
        return self._bytes >> 40

    def get_java_memory_size(self) -> MemorySize:
        """The size itself: there is no Java object behind it."""
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemorySize) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __lt__(self, other: Any) -> bool:
        return self._bytes < _memory_size(other)._bytes

    def __le__(self, other: Any) -> bool:
        return self._bytes <= _memory_size(other)._bytes

    def __str__(self) -> str:
        if 0 < self._bytes < 1 << 40:
            for unit, size in _UNITS:
                if self._bytes % size == 0:
                    return f"{self._bytes // size} {unit}"
        return f"{self._bytes} bytes"

    def __repr__(self) -> str:
        return f"MemorySize({str(self)!r})"


class SlotSharingGroup:
    """A named group of operators, with the resources that a cluster gives it.

    On one machine all operators share one pool of threads and the process's memory: name and resources are kept, and the name is shown in the plan.

    >>> SlotSharingGroup.builder("heavy").set_cpu_cores(2.0).set_task_heap_memory_mb(512).build()
    SlotSharingGroup('heavy', 2.0 cores, heap 512 mb)
    """

    def __init__(
        self,
        name: str,
        cpu_cores: float | None = None,
        task_heap_memory: MemorySize | None = None,
        task_off_heap_memory: MemorySize | None = None,
        managed_memory: MemorySize | None = None,
        external_resources: dict[str, float] | None = None,
    ) -> None:
        self._name = name
        self._cpu_cores = cpu_cores
        self._task_heap_memory = task_heap_memory
        self._task_off_heap_memory = task_off_heap_memory
        self._managed_memory = managed_memory
        self._external_resources = dict(external_resources or {})

    def get_name(self) -> str:
        """The group's name."""
        return self._name

    def get_cpu_cores(self) -> float | None:
        """The number of cores, or ``None`` if no resources are given."""
        return self._cpu_cores

    def get_task_heap_memory(self) -> MemorySize | None:
        """The heap, or ``None`` if no resources are given."""
        return self._task_heap_memory

    def get_task_off_heap_memory(self) -> MemorySize | None:
        """The memory outside the heap: none of it unless set, ``None`` if no resources are given."""
        return self._task_off_heap_memory

    def get_managed_memory(self) -> MemorySize | None:
        """The managed memory: none of it unless set, ``None`` if no resources are given."""
        return self._managed_memory

    def get_external_resources(self) -> dict[str, float]:
        """Amounts of other resources by name, such as ``{"gpu": 1.0}``."""
        return dict(self._external_resources)

    def get_java_slot_sharing_group(self) -> SlotSharingGroup:
        """The group itself: there is no Java object behind it."""
        return self

    @staticmethod
    def builder(name: str) -> SlotSharingGroup.Builder:
        """Starts with a name."""
        return SlotSharingGroup.Builder(name)

    def _parts(self) -> tuple[object, ...]:
        resources = tuple(sorted(self._external_resources.items()))
        return self._name, self._cpu_cores, self._task_heap_memory, self._task_off_heap_memory, self._managed_memory, resources

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlotSharingGroup) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        resources = "" if self._cpu_cores is None else f", {self._cpu_cores} cores, heap {self._task_heap_memory}"
        return f"SlotSharingGroup({self._name!r}{resources})"

    class Builder:
        """Builds a :class:`SlotSharingGroup`: a name, and resources or none. Whoever gives any must give cores and heap."""

        def __init__(self, name: str) -> None:
            self._name = str(name)
            self._cpu_cores: float | None = None
            self._memory: dict[str, MemorySize] = {}
            self._external_resources: dict[str, float] = {}

        def set_cpu_cores(self, cpu_cores: float) -> SlotSharingGroup.Builder:
            """Sets the number of cores, above 0. Raises ``ConfigurationError`` otherwise."""
            if isinstance(cpu_cores, bool) or not isinstance(cpu_cores, (int, float)) or not cpu_cores > 0:
                raise ConfigurationError(f"the number of cores must be above 0, not {cpu_cores!r}")
            self._cpu_cores = float(cpu_cores)
            return self

        def set_task_heap_memory(self, task_heap_memory: MemorySize) -> SlotSharingGroup.Builder:
            """Sets the heap, above 0 bytes. Raises ``ConfigurationError`` otherwise."""
            if _memory_size(task_heap_memory).get_bytes() == 0:
                raise ConfigurationError("the task heap memory must be above 0 bytes")
            return self._set("heap", task_heap_memory)

        def set_task_heap_memory_mb(self, task_heap_memory_mb: int) -> SlotSharingGroup.Builder:
            """Sets the heap, in units of 1024 * 1024 bytes."""
            return self.set_task_heap_memory(MemorySize.of_mebi_bytes(task_heap_memory_mb))

        def set_task_off_heap_memory(self, task_off_heap_memory: MemorySize) -> SlotSharingGroup.Builder:
            """Sets the memory outside the heap."""
            return self._set("off-heap", task_off_heap_memory)

        def set_task_off_heap_memory_mb(self, task_off_heap_memory_mb: int) -> SlotSharingGroup.Builder:
            """Sets the memory outside the heap, in units of 1024 * 1024 bytes."""
            return self.set_task_off_heap_memory(MemorySize.of_mebi_bytes(task_off_heap_memory_mb))

        def set_managed_memory(self, managed_memory: MemorySize) -> SlotSharingGroup.Builder:
            """Sets the managed memory."""
            return self._set("managed", managed_memory)

        def set_managed_memory_mb(self, managed_memory_mb: int) -> SlotSharingGroup.Builder:
            """Sets the managed memory, in units of 1024 * 1024 bytes."""
            return self.set_managed_memory(MemorySize.of_mebi_bytes(managed_memory_mb))

        def set_external_resource(self, name: str, value: float) -> SlotSharingGroup.Builder:
            """Sets the amount of another resource, in place of an earlier one of its name. Raises ``ConfigurationError`` unless it is above 0."""
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise ConfigurationError(f"the amount of {name!r} must be above 0, not {value!r}")
            self._external_resources[str(name)] = float(value)
            return self

        def build(self) -> SlotSharingGroup:
            """The group. Raises ``ConfigurationError`` where resources are given without cores and heap."""
            heap = self._memory.get("heap")
            if self._cpu_cores is not None and heap is not None:
                off_heap, managed = self._memory.get("off-heap", MemorySize()), self._memory.get("managed", MemorySize())
                return SlotSharingGroup(self._name, self._cpu_cores, heap, off_heap, managed, self._external_resources)
            if self._cpu_cores is not None or self._memory or self._external_resources:
                raise ConfigurationError(f"slot sharing group {self._name!r}: whoever gives resources must give cores and task heap memory")
            return SlotSharingGroup(self._name)

        def _set(self, kind: str, size: MemorySize) -> SlotSharingGroup.Builder:
            self._memory[kind] = _memory_size(size)
            return self


def _memory_size(candidate: Any) -> MemorySize:
    if not isinstance(candidate, MemorySize):
        raise TypeError(f"a MemorySize is needed, not {candidate!r}")
    return candidate


guard(globals())
