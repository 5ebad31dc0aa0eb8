"""Asks Keylime's verifier: verifier.py QUESTION.json ANSWER.json"""

import base64
import json
import pathlib
import sys
import types


class Absent(types.ModuleType):
    """Stands where Keylime imports what its judgement of PCRs does not use: signatures of IMA's policies."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(f"{self.__name__}.{name} is not here")


for name in ["gpg", "jsonschema"]:
    sys.modules[name] = Absent(name)

from keylime.common.algorithms import Hash  # noqa: E402
from keylime.mba import mba  # noqa: E402
from keylime.tpm import tpm_util  # noqa: E402
from keylime.tpm.tpm_main import Tpm  # noqa: E402

# As the verifier does when it starts.
mba.load_imports(skip_custom_policies=True)

question = json.loads(pathlib.Path(sys.argv[1]).read_text())
answer = {}


def failures(failure):
    return [event.event_id for event in failure.events]


def quote():
    """As an agent sends it."""
    parts = [pathlib.Path(name).read_bytes() for name in ["message", "signature", "registers"]]
    return "r" + ":".join(base64.b64encode(part).decode() for part in parts)


for name in question["policies"]:
    policy = tpm_util.readPolicy(pathlib.Path(name).read_text())
    answer[f"read {name}"] = policy
    for machine, values in question.get("values", {}).items():
        pcrs = {int(pcr): value for pcr, value in values.items()}
        judged = Tpm().check_pcrs(
            None, policy, pcrs, None, None, None, None, None, None, Hash.SHA256, 0
        )
        answer[f"{name} {machine}"] = failures(judged)
    if "quote" in question:
        judged = Tpm().check_quote(
            None, question["quote"], None, quote(), pathlib.Path("ak.pub").read_bytes(), policy
        )
        answer[f"{name} quote"] = failures(judged)

pathlib.Path(sys.argv[2]).write_text(json.dumps(answer))
