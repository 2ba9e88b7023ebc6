"""Files in data stores, read through the libraries that know them: ``hf://``, ``s3://``, ``gs://``.

Nothing is downloaded as a whole first: rows are read as the bytes come. The network is used because
an address was typed, never else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, BinaryIO, cast

from cr_audit.errors import InputError

STORES: dict[str, tuple[str, str, str]] = {
    "hf": (
        "huggingface_hub",
        "huggingface-hub",
        "hf download OWNER/NAME --repo-type dataset --local-dir data",
    ),
    "s3": ("s3fs", "s3fs", "aws s3 cp ADDRESS ."),
    "gs": ("gcsfs", "gcsfs", "gcloud storage cp ADDRESS ."),
}
"""Scheme -> (module that must be there, how pip names it, how to get the file without it)."""
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def is_remote(path: str) -> bool:
    """Whether this is an address and no path: it begins with ``scheme://``."""
    return _ADDRESS.match(path) is not None


def remote_files(address: str, is_data: Callable[[str], bool]) -> list[str]:
    """The addresses that one stands for: itself, the files that its pattern fits, or the data files
    of a folder or data set. Sorted. Raises InputError where there is none."""
    system, scheme = _system(address)
    inner = _inner(address)
    try:
        if any(c in inner for c in "*?["):
            found = [str(f) for f in system.glob(inner) if not system.isdir(f)]
        elif system.isdir(inner):
            found = [str(f) for f in system.find(inner) if is_data(str(f))]
        else:
            return [address]
    except Exception as error:
        raise _failed(address, scheme, error) from error
    if not found:
        raise InputError(
            "no_data_files",
            "nothing there is a data file",
            where=address,
            next_step="write the whole address of a file",
        )
    return sorted(f"{scheme}://{f.removeprefix(f'{scheme}://')}" for f in found)


def open_remote(address: str) -> tuple[BinaryIO, int]:
    """The bytes behind an address, and how many they are, 0 if that is not known."""
    system, scheme = _system(address)
    inner = _inner(address)
    try:
        size = system.info(inner).get("size") or 0
        return cast(BinaryIO, system.open(inner, "rb")), int(size)
    except Exception as error:
        raise _failed(address, scheme, error) from error


def _inner(address: str) -> str:
    return address.partition("://")[2]


def _system(address: str) -> tuple[Any, str]:
    match = _ADDRESS.match(address)
    scheme = match[1].lower() if match else ""
    if scheme not in STORES or "::" in address:
        known = ", ".join(f"{s}://" for s in STORES)
        raise InputError(
            "unknown_address",
            "this address is of no store that can be read",
            where=address,
            next_step=f"download the file and name it; addresses may begin with {known}",
        )
    module, package, other = STORES[scheme]
    if find_spec(module) is None or find_spec("fsspec") is None:
        raise InputError(
            "no_library_for_address",
            f"{scheme}:// needs {package}, which is not installed here",
            where=address,
            next_step=f"pip install {package}, or get the file yourself: {_filled(other, address)}",
        )
    if scheme == "hf":
        if not _inner(address).startswith("datasets/"):
            raise InputError(
                "unknown_address",
                "an hf:// address names a data set and a file in it",
                where=address,
                next_step="write it as hf://datasets/OWNER/NAME/FILE",
            )
        from huggingface_hub import constants

        if constants.HF_HUB_OFFLINE:
            raise InputError(
                "offline",
                "HF_HUB_OFFLINE is set, so nothing is fetched from the hub",
                where=address,
                next_step=f"unset it, or get the file elsewhere: {_filled(other, address)}",
            )
    import fsspec

    try:
        return fsspec.filesystem(scheme), scheme
    except Exception as error:
        raise _failed(address, scheme, error) from error


def _filled(command: str, address: str) -> str:
    """The command for this very address."""
    parts = _inner(address).split("/")
    name = "/".join(parts[1:3]).partition("@")[0] if len(parts) > 2 else "OWNER/NAME"
    return command.replace("ADDRESS", address).replace("OWNER/NAME", name)


def _failed(address: str, scheme: str, error: Exception) -> InputError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return InputError(
        "not_fetched",
        f"this cannot be read from its store: {type(error).__name__}",
        where=address,
        found=reason,
        next_step="check the address, the network and that you are logged in, or get the file"
        f" yourself: {_filled(STORES[scheme][2], address)}",
    )
