@0xb7d3f1a25c9e4801;
# What belongs to the release: config.capnp imports it, so an upgrade needs no change there.
using Workerd = import "/workerd/workerd.capnp";

const modules :List(Workerd.Worker.Module) = [
  (name = "index.js", esModule = embed "../../build/index.js"),
  (name = "index_bg.wasm", wasm = embed "../../build/index_bg.wasm"),
];
const compatibilityDate :Text = "2026-10-01";
const compatibilityFlags :List(Text) = ["enable_request_signal"];
