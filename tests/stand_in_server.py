"""A stand-in of vLLM's HTTP server with a tiny model behind it, and with the faults that servers have."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import DynamicCache

from tests.stand_in_transport import WeightReceiver
from tvo_cli.model.forward_pass.cache_support import cache_argument
from tvo_cli.model.loading.policy_loading import load_policy

NODE = {"dtype": "float32", "attention": "sdpa", "gradient_checkpointing": False}
Json = dict[str, Any]
Fault = Callable[["StandInServer", Json, Any], Any]  # server, request, the right answer → what is answered
COMPLETIONS, RELOAD, UPDATE = "/v1/completions", "/collective_rpc", "/update_weights"


class StandInServer(ThreadingHTTPServer):
    """Serves a model under one name; `faults` by path are used up one after the other, None being none."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str = "packaged:tiny", name: str = "policy") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.policy, self.name, self.version = load_policy({**NODE, "path": path}, device="cpu"), name, "default"
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.faults: dict[str, list[Fault | None]] = defaultdict(list)
        self.asked: list[tuple[str, Json]] = []
        self.headers: dict[str, str] = {}  # of the last request
        self.most, self._running = 0, 0  # requests at once
        self.receiver = WeightReceiver(self.hold)
        self.released, self.one_by_one = threading.Event(), threading.Lock()

    def answer(self, path: str, body: Json) -> Any:
        """What the server says, a fault's turn included; a status alone is an error."""
        self.asked.append((path, body))
        fault = self.faults[path].pop(0) if self.faults[path] else None
        if fault in INSTEAD:
            return fault(self, body, None)
        with self.one_by_one:
            right = ROUTES[path](self, body) if path in ROUTES else (404, {"detail": "Not Found"})
        return right if fault is None else fault(self, body, right)

    def requests(self, path: str) -> list[Json]:
        """The bodies that came to a path."""
        return [body for at, body in self.asked if at == path]

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request among those at once."""
        with self.one_by_one:
            self._running += 1
            self.most = max(self.most, self._running)
        yield
        with self.one_by_one:
            self._running -= 1

    def load(self, folder: str, leave: str = "") -> None:
        """Load the weights of a folder, but those whose names hold `leave`."""
        self.hold(load_file(Path(folder) / "model.safetensors"), leave)

    def hold(self, found: Mapping[str, Tensor], leave: str = "") -> None:
        """Take weights over, but those whose names hold `leave`."""
        kept = {name: value for name, value in found.items() if not leave or leave not in name}
        self.policy.network.load_state_dict(kept, strict=False)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandInServer

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self._say(json.loads(self.rfile.read(size) or b"{}"))

    def do_GET(self) -> None:
        self._say({})

    def _say(self, body: Json) -> None:
        self.server.headers = dict(self.headers.items())
        with self.server.counted():
            try:
                found = self.server.answer(self.path, body)
            except ConnectionAbortedError:
                self.close_connection = True
                return
        status, content = found if isinstance(found, tuple) else (200, found)
        text = json.dumps(content).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except OSError:  # who asked has gone
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def complete(server: Any, body: Json) -> Any:
    """A completion of a request; of who serves, `policy` and `name` are used."""
    if body["model"] != server.name:
        return 404, {"error": {"message": f"The model `{body['model']}` does not exist."}}
    draws, heat = torch.Generator().manual_seed(body["seed"]), body["temperature"] or 1.0
    ids, logp, new, cache = list(body["prompt"]), list[float](), list(body["prompt"]), DynamicCache()
    network = server.policy.network
    while len(logp) < body["max_tokens"] and (not logp or ids[-1] not in body["stop_token_ids"]):
        with torch.no_grad():
            logits = network(torch.tensor([new]), use_cache=True, **cache_argument(network, cache)).logits[0, -1]
        scores = (logits / heat).log_softmax(-1)
        new = [int(torch.multinomial(scores.exp(), 1, generator=draws))]
        ids += new
        logp.append(float(scores[new[0]]))
    new, ended = ids[len(body["prompt"]) :], ids[-1] in body["stop_token_ids"]
    choice = {"token_ids": new, "prompt_token_ids": body["prompt"], "logprobs": {"token_logprobs": logp}}
    choice |= {"finish_reason": "stop" if ended else "length", "text": "?"}
    return {"choices": [choice | ({"prompt_logprobs": _scored(server, body)} if "prompt_logprobs" in body else {})]}


def _scored(server: Any, body: Json) -> list[Json | None]:
    prompt = body["prompt"]
    with torch.no_grad():
        scores = server.policy.network(torch.tensor([prompt])).logits[0].log_softmax(-1)
    return [None, *({str(t): {"logprob": float(scores[i, t])}} for i, t in enumerate(prompt[1:]))]


def _collective_rpc(server: StandInServer, body: Json) -> Json:
    if body["method"] == "load_shared_weights":
        server.hold(server.receiver.open(body["kwargs"]["weights"]))
    else:
        assert body["method"] == "reload_weights"
        server.load(body["kwargs"]["weights_path"])
    return {"results": [None]}


def _join(server: StandInServer, body: Json) -> Json:
    server.receiver.join(body["init_info"])
    return {"message": "Weight transfer initialized"}


def _start(server: StandInServer, body: Json) -> Json:
    server.receiver.start()
    return {"message": "Weight update started"}


def _update(server: StandInServer, body: Json) -> Json:
    server.hold(server.receiver.update(body["update_info"]))
    return {"message": "Weights updated"}


def _finish(server: StandInServer, body: Json) -> Json:
    server.receiver.finish()
    return {"message": "Weight update finished"}


def _note(server: StandInServer, body: Json) -> Json:
    server.version = body["new_version"]
    return {"success": True}


ROUTES: dict[str, Callable[[StandInServer, Json], Any]] = {
    COMPLETIONS: complete,
    RELOAD: _collective_rpc,
    "/get_world_size": lambda server, body: {"world_size": 1},
    "/init_weight_transfer_engine": _join,
    "/start_weight_update": _start,
    UPDATE: _update,
    "/finish_weight_update": _finish,
    "/reset_prefix_cache": lambda server, body: {"success": True},
    "/update_weight_version": _note,
    "/weight_info": lambda server, body: {"weight_version": server.version},
    "/v1/models": lambda server, body: {"data": [{"id": server.name, "max_model_len": 128}]},
}


def refuse(server: StandInServer, body: Json, right: Json | None) -> tuple[int, Json]:
    """A server in trouble."""
    return 500, {"error": {"message": "EngineCore encountered an issue."}}


def hang(server: StandInServer, body: Json, right: Json | None) -> Json:
    """No answer while the test lasts."""
    server.released.wait()
    return {}


def stale(server: StandInServer, body: Json, right: Json | None) -> Json:
    """Weights that are said to be loaded, and are not; sent ones are received."""
    _received(server, body)
    return {"results": [None]}


def partly(server: StandInServer, body: Json, right: Json | None) -> Json:
    """The same of the output head alone, as vLLM on a CPU where it is tied to the embedding."""
    server.hold(_received(server, body), leave="lm_head")
    return {"results": [None]}


def _received(server: StandInServer, body: Json) -> Mapping[str, Tensor]:
    if "update_info" in body:
        return server.receiver.update(body["update_info"])
    if "weights" in body["kwargs"]:
        return server.receiver.open(body["kwargs"]["weights"])
    return load_file(Path(body["kwargs"]["weights_path"]) / "model.safetensors")


def die_in_the_middle(server: StandInServer, body: Json, right: Json | None) -> Json:
    """No answer, and no server: the connection and the group break after the third tensor."""
    server.receiver.update(body["update_info"], most=3)
    server.receiver.group = None
    raise ConnectionAbortedError


INSTEAD = (refuse, hang, stale, partly, die_in_the_middle)  # of the right answer


def of_choice(**changed: Any) -> Fault:
    """A completion in which something is another; None: is missing."""

    def fault(server: StandInServer, body: Json, right: Json | None) -> Json:
        assert right is not None
        choice = {name: value for name, value in (right["choices"][0] | changed).items() if value is not None}
        return {"choices": [choice]}

    return fault


aborted = of_choice(finish_reason="abort")


@contextmanager
def serving(path: str = "packaged:tiny") -> Iterator[StandInServer]:
    """A stand-in that answers while the context lasts."""
    with StandInServer(path) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
