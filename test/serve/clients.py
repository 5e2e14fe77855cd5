"""Clients of others against a server of revort: python clients.py URL. Prints a line for each that works, or says what is not here.

The server has the models `layer` (x [batch, 5] to y [batch, 7], float32) and `oscillator` (a field, float64).
"""

import asyncio
import json
import sys
from urllib.parse import urlparse

import numpy as np

url = sys.argv[1]
x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)


def reported(name, work):
    try:
        print(json.dumps({"client": name, "works": True, "y": work()}))
    except ImportError as missing:
        print(json.dumps({"client": name, "works": None, "reason": str(missing)}))


def triton(binary):
    def work():
        import tritonclient.http as http

        client = http.InferenceServerClient(urlparse(url).netloc)
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("layer")
        assert client.get_server_metadata()["name"] == "revort"
        metadata = client.get_model_metadata("layer")
        assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 5]}], metadata
        assert client.get_model_config("layer")["input"][0]["data_type"] == "TYPE_FP32"
        assert {model["name"] for model in client.get_model_repository_index()} >= {"layer", "oscillator"}
        given = http.InferInput("x", list(x.shape), "FP32")
        given.set_data_from_numpy(x, binary_data=binary)
        wanted = http.InferRequestedOutput("y", binary_data=binary)
        # as most programs call it: everything, in binary
        plain = client.infer("layer", [given]).as_numpy("y")
        result = client.infer("layer", [given], outputs=[wanted], request_id="one")
        assert result.get_response()["id"] == "one"
        assert np.array_equal(plain, result.as_numpy("y"))
        waiting = [client.async_infer("layer", [given]) for _ in range(4)]
        assert all(np.array_equal(plain, one.get_result().as_numpy("y")) for one in waiting)
        try:
            client.infer("nothing", [given])
            raise AssertionError("a model that there is not has answered")
        except http.InferenceServerException as error:
            assert "no model" in str(error), error
        return plain.tolist()

    return work


def kserve():
    from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig

    async def ask(binary):
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        assert await client.is_server_live(url) and await client.is_server_ready(url)
        assert await client.is_model_ready(url, "layer")
        given = InferInput("x", list(x.shape), "FP32")
        given.set_data_from_numpy(x, binary_data=binary)
        request = InferRequest("layer", [given], request_id="two")
        response = await client.infer(url, request, model_name="layer")
        assert response.id == "two"
        await client.close()
        return response.outputs[0].as_numpy().reshape(3, 7)

    results = [asyncio.run(ask(binary)) for binary in (True, False)]
    assert np.array_equal(*results)
    return results[0].tolist()


reported("tritonclient, binary", triton(True))
reported("tritonclient, JSON", triton(False))
reported("kserve", kserve)
