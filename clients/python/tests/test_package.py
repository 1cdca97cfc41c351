from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

from susul import Reason, v1
from susul.v1 import push_pb2, push_service_pb2_grpc


def test_dependencies_are_as_new_as_the_generated_code_needs() -> None:
    needed = " ".join(requires("susul") or ())
    assert re.search(rf"grpcio<2,>={re.escape(push_service_pb2_grpc.GRPC_GENERATED_VERSION)}", needed)
    text = Path(push_pb2.__file__).read_text("utf-8")
    (version,) = re.findall(r"^# Protobuf Python Version: (\S+)$", text, re.MULTILINE)
    assert re.search(rf"protobuf<8,>={re.escape(version)}", needed)


def test_reasons_are_those_of_the_protos() -> None:
    assert {f"ERROR_REASON_{reason}" for reason in Reason} == set(v1.ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}
