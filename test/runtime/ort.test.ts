import { ortNode } from "../../src/runtimes/ort-node.js";
import { ortWasm } from "../../src/runtimes/ort-web.js";
import { conformance } from "./conformance.js";

conformance("ort-cpu", ortNode);
conformance("ort-wasm", ortWasm);
