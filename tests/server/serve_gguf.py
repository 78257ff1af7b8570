"""llama.cpp's server, as the package xllamacpp holds it: python serve_gguf.py FOLDER PORT NAME"""

from __future__ import annotations

import sys
import threading

import xllamacpp


def main() -> None:
    folder, port, name = sys.argv[1:]
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.mmproj.path = f"{folder}/model.gguf", f"{folder}/mmproj.gguf"
    parameters.port, parameters.model_alias = int(port), name
    parameters.n_ctx, parameters.n_parallel, parameters.cpuparams.n_threads = 8192, 1, 1
    parameters.use_jinja, parameters.warmup = True, False
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
