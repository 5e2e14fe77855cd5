import { jit } from "../../../src/runtimes/jit/jit.js";
import { conformance } from "../../runtime/conformance.js";

conformance("jit", async () => jit());
